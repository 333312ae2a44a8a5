"""Level 4: a container that runs keeps its GPUs through systemd's daemon-reload, and Docker's reload and restart.

The law: only on a host where nobody else has a container or uses a GPU, as a container that loses its GPUs would be
theirs. Docker is restarted only with live-restore, which is what lets containers run on; what was not tried is named.
It is due when it never passed, or when the toolkit, Docker, its configuration, the driver or the kernel changed.
"""

import os
import signal
import time

from ..docker import daemon_socket, in_use
from ..docker.engine_api import Engine, NotRunning
from ..host import lenient
from ..host.errors import Failed, TimedOut
from . import injection, nvml
from .proof import container, container_checks, image
from .proof import receipt as proof_receipt
from .proof.host_checks import FAILED, PASSED, UNKNOWN, check, uuids
from .proof.own_level import OwnLevel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Tuple

    from ..host.system import System
    from ..types import Diff

    Checks = List[Dict[str, Any]]
    Steps = List[Tuple[str, Callable[[], object]]]

RELOAD = "systemctl daemon-reload"
SETTLE = 1.0
"""Seconds for a reload to take effect: neither systemd nor Docker says when it has."""
PATIENCE = 60
"""Seconds for Docker to answer after its restart."""


class GpuSurvival(OwnLevel):
    level = "4"
    file = proof_receipt.SURVIVAL
    injection: "list[str]"
    image: "str | None"
    timeout: int

    def good_for(self, system: "System") -> "dict[str, Any]":
        info = Engine(system).get("/info")
        return {
            "the settings": [list(self.injection), self.image],
            "the configuration": proof_receipt.configuration(system),
            "the toolkit": proof_receipt.toolkit(system),
            "Docker": [info.get("ServerVersion"), info.get("CgroupDriver"), info.get("CgroupVersion")],
            "the driver": lenient.word(system, "/sys/module/nvidia/version"),
            "the kernel": os.uname().release,
        }

    def due(self, system: "System") -> "str | None":
        try:
            return OwnLevel.due(self, system)
        except Failed as error:
            return error.cause

    def sentence(self, kept: "dict[str, Any]") -> str:
        through = ", ".join(item["name"] for item in kept["levels"]["4"]["checks"])
        words = "{}: containers keep their GPUs through {}".format("passed now" if self._ran else "proven", through)
        return "; ".join([words] + kept["warnings"])

    def apply(self, system: "System", diff: "Diff") -> None:
        """Try it, with a container for each way in, and keep the receipt."""
        started = time.monotonic()
        key = self.good_for(system)
        left: "list[str]" = []
        checks = _alone(system)
        try:
            if not checks:
                engine = Engine(system)
                checks, left = self._through(system, engine, engine.get("/info"))
                key = self.good_for(system)
        except Failed as error:  # a Docker that does not come back is the verdict, too
            checks = [check("Docker", FAILED, "", error.cause, error.fix)]
        self.conclude(system, started, checks, key, left)

    def _through(self, system: "System", engine: Engine, info: "dict[str, Any]") -> "tuple[Checks, list[str]]":
        """(checks, what was not tried): one container for each way in, asked again after each step."""
        ways, why = injection.chosen(system, info, self.injection)
        if why:
            return [check("injection", FAILED, "", why, "add the role nvidia_docker")], []
        expected = [uuid for uuid, _ in uuids(nvml.ask(system, nvml.TIMEOUT))]
        steps, left = _steps(system, info)
        name = self.image or image.ensure(system, engine)
        checks: "Checks" = []
        for way in ways:
            checks += self._one(system, engine, name, way, expected, steps)
        return checks, left

    def _one(
        self, system: "System", engine: Engine, name: str, way: str, expected: "list[str]", steps: "Steps"
    ) -> "Checks":
        host, env = injection.options(system, way, injection.ALL)
        checks: "Checks" = []
        with container.kept(engine, "survives", name, host, env, self.timeout) as kept:
            for step, act in [("its start", None), *steps]:
                if act is not None:
                    system.progress("level 4: {}".format(step))
                    act()
                found = kept.ask()
                title = "{} ({})".format(step, way)
                item = container_checks.answered(title, found, daemon_socket.log(system))
                if found.answer is not None:
                    item = container_checks.sees(title, found.answer, expected)
                checks.append(dict(_told(item, step, way), name=title))
                if item["verdict"] != PASSED:
                    break
        return checks


def _alone(system: "System") -> "Checks":
    """The check that others use neither Docker nor the GPUs: [] where that is so."""
    used = in_use.users(system)
    names = [in_use.named(used["containers"], "container", "containers")] if used["containers"] else []
    names += [in_use.named(used["processes"], "GPU process", "GPU processes")] if used["processes"] else []
    if not names:
        return []
    cause = "the host is in use by {}: level 4 is tried on an idle host only".format(" and ".join(names))
    return [check("alone", UNKNOWN, names, cause, "run again when the host is drained, or take 4 out of levels")]


def _steps(system: "System", info: "dict[str, Any]") -> "tuple[Steps, list[str]]":
    """([(name, what does it)], what is not tried and why)."""
    systemd = lenient.exists(system, "/run/systemd/system")
    steps: "Steps" = []
    left: "list[str]" = []
    if systemd:
        steps.append((RELOAD, lambda: _run(system, ["systemctl", "daemon-reload"])))
    else:
        left.append("not tried: daemon-reload (systemd is not PID 1)")
    steps.append(("reload of Docker", lambda: _reload(system)))
    if not info.get("LiveRestoreEnabled"):
        left.append("not tried: a restart of Docker, which ends containers (live-restore is off)")
    elif not systemd:
        left.append("not tried: a restart of Docker (systemd is not PID 1)")
    else:
        steps.append(("restart of Docker", lambda: _restart(system)))
    return steps, left


def _run(system: "System", argv: "list[str]") -> None:
    system.run(argv, timeout=120)
    time.sleep(SETTLE)


def _reload(system: "System") -> None:
    system.signal(Engine(system).pid(), signal.SIGHUP)
    time.sleep(SETTLE)


def _restart(system: "System") -> None:
    system.run(["systemctl", "restart", "docker.service"], timeout=180, fix=daemon_socket.log(system))
    end = time.monotonic() + PATIENCE
    while True:
        try:
            Engine(system).raw("/_ping", timeout=5)
            return
        except (NotRunning, TimedOut):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _told(item: "dict[str, Any]", step: str, way: str) -> "dict[str, Any]":
    """A failed look after a step, with the step as the cause."""
    if item["verdict"] == PASSED or step == "its start":
        return item
    fixes = {
        RELOAD: "systemd does not know of devices that a hook puts in: use CDI (gpu_smoke_test.injection: [cdi]), or "
        "make the links in /dev/char: nvidia-ctk system create-dev-char-symlinks --create-all"
    }
    return dict(
        item,
        cause="a container loses its GPU at {} ({}): {}".format(step, way, item["cause"]),
        fix=fixes.get(step, item["fix"]),
    )
