"""Level 4: a container that runs keeps its GPUs through systemd's daemon-reload, and Docker's reload and restart.

The law: only on a host where nobody else has a container or uses a GPU, as a container that loses its GPUs would be
theirs. Docker is restarted only with live-restore, which is what lets containers run on; what was not tried is named.
It is due when it never passed, or when the toolkit, Docker, its configuration, the driver or the kernel changed.
"""

import json
import os
import signal
import time

from ..docker import daemon_socket, in_use
from ..docker.engine_api import Engine, NotRunning
from ..engine.resource import Resource
from ..host import look
from ..host.errors import Failed, TimedOut, Unknown
from . import injection, nvml
from .proof import container, container_checks, gate, image
from .proof import receipt as proof_receipt
from .proof.host_checks import FAILED, PASSED, UNKNOWN, check, uuids, verdict_of

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


class GpuSurvival(Resource):
    probe = True
    injection: "list[str]"
    image: "str | None"
    timeout: int
    gate: "list[int]"

    def __init__(self, **values: "Any") -> None:
        Resource.__init__(self, **values)
        self._ran = False
        self._receipt: "dict[str, Any] | None" = None

    def identity(self) -> str:
        return "gpu"

    def desired(self) -> "dict[str, Any]":
        """{"level 4": "passed"}."""
        return {"level 4": PASSED}

    def actual(self, system: "System") -> "dict[str, Any]":
        """{"level 4": "passed", or "due: " and why}."""
        self._receipt = proof_receipt.read(system, proof_receipt.SURVIVAL)
        try:
            due = proof_receipt.due(self._receipt, _key(self, system, Engine(system).get("/info")))
        except Failed as error:
            due = error.cause
        if self._receipt is not None:
            self.proof = dict(self._receipt, ran=self._ran)
        return {"level 4": PASSED if due is None else "due: {}".format(due)}

    def note(self, diff: "Diff") -> str:
        if self._receipt is None or self._receipt["verdict"] != PASSED:
            return ""
        through = ", ".join(item["name"] for item in self._receipt["levels"]["4"]["checks"])
        words = "{}: containers keep their GPUs through {}".format("passed now" if self._ran else "proven", through)
        return "; ".join([words] + self._receipt["warnings"])

    def apply(self, system: "System", diff: "Diff") -> None:
        """Try it, with a container for each way in, and keep the receipt."""
        started = time.monotonic()
        engine = Engine(system)
        info = engine.get("/info")
        left: "list[str]" = []
        checks = _alone(system)
        try:
            if not checks:
                checks, left = self._through(system, engine, info)
                info = engine.get("/info")
        except Failed as error:  # a Docker that does not come back is the verdict, too
            checks = [check("Docker", FAILED, "", error.cause, error.fix)]
        level = {"verdict": verdict_of(checks), "checks": checks, "seconds": round(time.monotonic() - started, 3)}
        receipt: "dict[str, Any]" = {"schema": 1, "time": proof_receipt.now(), "levels": {"4": level}}
        receipt.update(verdict=level["verdict"], key=_key(self, system, info), warnings=left)
        receipt["failed_checks"] = [item["cause"] for item in checks if item["verdict"] != PASSED]
        proof_receipt.keep(system, receipt, proof_receipt.SURVIVAL)
        self._ran, self.proof = True, receipt
        _raise(checks)

    def announce(self, system: "System") -> None:
        told = gate.publish(system, self.gate)
        if self.proof is not None:
            self.proof["gate"] = told

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
    used = in_use.look_at(system)
    names = [in_use.named(used["containers"], "container", "containers")] if used["containers"] else []
    names += [in_use.named(used["processes"], "GPU process", "GPU processes")] if used["processes"] else []
    if not names:
        return []
    cause = "the host is in use by {}: level 4 is tried on an idle host only".format(" and ".join(names))
    return [check("alone", UNKNOWN, names, cause, "run again when the host is drained, or take 4 out of levels")]


def _steps(system: "System", info: "dict[str, Any]") -> "tuple[Steps, list[str]]":
    """([(name, what does it)], what is not tried and why)."""
    systemd = look.exists(system, "/run/systemd/system")
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


def _key(survival: GpuSurvival, system: "System", info: "dict[str, Any]") -> "dict[str, Any]":
    """What a proof is good for: none of these may differ."""
    return {
        "the settings": [list(survival.injection), survival.image],
        "the configuration": proof_receipt.configuration(system),
        "the toolkit": proof_receipt.toolkit(system),
        "Docker": [info.get("ServerVersion"), info.get("CgroupDriver"), info.get("CgroupVersion")],
        "the driver": look.word(system, "/sys/module/nvidia/version"),
        "the kernel": os.uname().release,
    }


def _raise(checks: "Checks") -> None:
    bad = [item for item in checks if item["verdict"] != PASSED]
    if not bad:
        return
    cause = "level 4: {}".format(bad[0]["cause"])
    if bad[0]["verdict"] == UNKNOWN:
        raise Unknown("{}; {}".format(cause, bad[0]["fix"]))
    raise Failed(cause, bad[0]["fix"], json.dumps(bad[0]["detail"])[-600:])
