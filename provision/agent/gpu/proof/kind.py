"""The proof that containers on this host get their GPUs: a probe, in levels, each passed, failed or unknown.

    0  Docker answers, and there is a way to give a container a GPU
    1  declared = PCI = NVML count; driver whole; every GPU, fabric and memory well; no bad Xid
    2  a container sees exactly the host's GPUs, CUDA starts, a kernel runs with the right result; limits as configured
    3  isolation: one GPU asked, exactly that one seen; none asked, none seen

The law (15): levels 0 and 1 cost nothing and are measured on every run and every check. Levels 2 and 3 run
containers: they are due when an input, the daemon's process, the driver or the boot changed, or when the last proof
is older than `max_age`. A check starts no container. The receipt stays on the host as JSON, in the state directory
(proofs/gpu.json); its verdict, for others, in /run/provision.
"""

import os
import time

from ...docker import daemon_socket
from ...docker.engine_api import Engine
from ...engine.resource import Resource
from ...host.errors import Failed, TimedOut, Unknown
from .. import driver, injection, nvml
from . import gate, runs
from . import receipt as proof_receipt
from .host_checks import (
    FAILED,
    PASSED,
    UNKNOWN,
    check,
    host,
    persistence,
    raise_bad,
    specs,
    uuids,
    verdict_of,
    warnings,
    xids,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...host.system import System
    from ...types import Diff, State, Undo

CHEAP = (0, 1)


class GpuProof(Resource):
    levels: "list[int]"
    expect_gpus: "int | None"
    require_gpu: bool
    injection: "list[str]"
    image: "str | None"
    limits: "dict[str, int]"
    timeout: int
    max_age: int
    volumes: "list[str]"
    ignore_xids: "list[int]"
    require_persistence: bool
    gate: "list[int]"
    probe = goes_ahead = True

    def __init__(self, **values: "Any") -> None:
        Resource.__init__(self, **values)
        self._measured: "dict[str, Any] | None" = None
        self._said = ""
        self._ran = False

    def identity(self) -> str:
        return "gpu"

    def desired(self) -> "State":
        """level N: passed, of each level asked for."""
        return {"level {}".format(level): PASSED for level in sorted(self.levels)}

    def actual(self, system: "System") -> "State | None":
        """level N: passed, or why a proof is due. Failed for levels 0 and 1, which cost nothing."""
        measured = self._measured = self._measured or self._measure(system)
        state = {"level 0": _said(measured["levels"]["0"]), "level 1": PASSED}
        if 1 in self.levels:
            self._raise(measured, "1")
        self.proof, due = proof_receipt.last(self, system, measured, self._ran)
        for level in self.levels:
            if level not in CHEAP:
                state["level {}".format(level)] = PASSED if due is None else "due: {}".format(due)
        if self.proof is not None:
            self.proof["ran"] = self._ran
            self.proof["gate"] = gate.last(system)
        self._said = proof_receipt.sentence(self.proof, self._ran) if due is None and self.proof else ""
        return state

    def apply(self, system: "System", diff: "Diff") -> None:
        """Climb the levels that are due; what fails is Failed."""
        measured = self._measured or self._measure(system)
        receipt = dict(measured, schema=1, time=proof_receipt.now(), image=self.image)
        receipt["key"] = proof_receipt.key(self, system, measured)
        receipt["not_looked_at"] = self._left_out(measured["docker"])
        self._climb(system, measured, receipt)
        receipt["verdict"] = verdict_of([{"verdict": item["verdict"]} for item in receipt["levels"].values()])
        tried = [level for level in receipt["levels"].values() if not level.get("skipped")]
        receipt["failed_checks"] = [item["cause"] for level in tried for item in _bad(level)]
        self.proof = receipt
        proof_receipt.keep(system, receipt)
        self._ran = True
        for level in sorted(receipt["levels"]):
            self._raise(receipt, level)

    def announce(self, system: "System") -> None:
        """The verdict for others: of the receipts, or of levels 0 and 1 where one of them has ended this proof."""
        measured = self._measured
        broken = measured and any(item["verdict"] != PASSED for item in measured["levels"].values())
        now = dict(measured or {}, time=proof_receipt.now()) if broken and not self._ran else None
        told = gate.publish(system, self.gate, now)
        if self.proof is not None:
            self.proof["gate"] = told

    def note(self, diff: "Diff") -> str:
        return self._said

    def when_removed(self, role: str) -> "Undo":
        return "proof_left", {"gate_only": False}

    # -- measuring

    def _measure(self, system: "System") -> "dict[str, Any]":
        """Levels 0 and 1: {"levels": {"0", "1"}, "driver", "gpus", "docker", "warnings", …}."""
        started = time.monotonic()
        found = driver.inspect(system)
        answer = problem = None
        if found["gpus"] and found["loaded"]:
            try:
                answer = nvml.ask(system, min(self.timeout, nvml.TIMEOUT))
            except Unknown as error:
                problem = str(error)
        logged = xids(system, self.ignore_xids) if found["gpus"] else ()
        checks = host(found, answer, logged, self.expect_gpus, self.require_gpu)
        if problem:
            checks.append(
                check("NVML", UNKNOWN, "", problem, "reboot the host; before that, look at dmesg for Xid lines")
            )
        elif self.require_persistence and answer:
            checks.append(persistence(answer))
        middle = time.monotonic()
        docker, zero = self._docker(system, bool(found["gpus"]), found["loaded"])
        levels = {
            "0": dict(_level(zero), seconds=round(time.monotonic() - middle, 3)),
            "1": dict(_level(checks), seconds=round(middle - started, 3)),
        }
        return {
            "levels": levels,
            "host": os.uname().nodename,
            "boot": system.boot_id(),
            "driver": found["loaded"],
            "gpus": (answer or {}).get("gpus") or [],
            "cuda": (answer or {}).get("cuda"),
            "docker": docker,
            "warnings": warnings(answer, self.require_persistence, logged),
        }

    def _docker(self, system: "System", gpus: "Any", loaded: "Any") -> "Any":
        """(what the daemon is, the checks of level 0)."""
        engine = Engine(system)
        try:
            pid = engine.pid()
            info = engine.get("/info")
        except TimedOut:
            fix = "look at {}".format(daemon_socket.log(system))
            return {}, [check("Docker", UNKNOWN, "", "Docker does not answer in time", fix)]
        except Failed as error:
            return {}, [check("Docker", FAILED, "", error.cause, error.fix)]
        docker = {
            "version": info.get("ServerVersion"),
            "process": "{} {}".format(pid, proof_receipt.ticks(system, pid)),
            "driver": info.get("Driver"),
            "cgroup": "{} v{}".format(info.get("CgroupDriver"), info.get("CgroupVersion") or 1),
            "runtimes": sorted(info.get("Runtimes") or ()),
            "default_runtime": info.get("DefaultRuntime"),
        }
        checks = [check("Docker", PASSED, "{version}, {driver}, cgroup {cgroup}".format(**docker))]
        if gpus:
            ways, why = injection.chosen(system, info, self.injection)
            docker["ways"] = ways
            docker["injection"] = [injection.described(system, way, info) for way in ways]
            if why:
                cause = "there is no way to give a container a GPU: {}".format(why)
                checks.append(
                    check(
                        "injection",
                        FAILED,
                        "",
                        cause,
                        "add the role nvidia_docker, or correct gpu_smoke_test.injection",
                    )
                )
            else:
                checks.append(check("injection", PASSED, docker["injection"]))
                checks += specs(system, ways, loaded)
        return docker, checks

    # -- proving

    def _climb(self, system: "System", measured: "dict[str, Any]", receipt: "dict[str, Any]") -> None:
        """Levels 2 and up into the receipt: the first that does not pass ends it."""
        levels = receipt["levels"] = dict(measured["levels"])
        run = None
        for level in sorted(self.levels):
            if level in CHEAP:
                continue
            broken = [name for name, item in sorted(levels.items()) if item["verdict"] != PASSED]
            if broken:
                cause = "not tried, because level {} did not pass".format(broken[0])
                levels[str(level)] = dict(_level([check("level", UNKNOWN, "", cause)]), skipped=True)
                continue
            started = time.monotonic()
            try:
                run = run or runs.ContainerRuns(system, self, uuids({"gpus": measured["gpus"]}), measured["docker"])
                system.progress("level {}".format(level))
                checks = run.level(level)
            except (Unknown, TimedOut) as error:
                cause = str(error) or "Docker does not answer in time"
                fix = "look at dmesg for Xid lines and at {}".format(daemon_socket.log(system))
                checks = [check("level", UNKNOWN, "", cause, fix)]
            except Failed as error:
                fix = error.fix or "look at {}".format(daemon_socket.log(system))
                checks = [check("level", FAILED, "", error.cause, fix)]
            levels[str(level)] = dict(_level(checks), seconds=round(time.monotonic() - started, 3))
        receipt["containers"] = run.containers if run else []
        receipt["exited"] = run.exited() if run else None

    def _left_out(self, docker: "dict[str, Any]") -> "list[str]":
        """What this proof says nothing of."""
        levels = {2: "containers", 3: "isolation", 4: "survival of reloads", 5: "speed", 6: "DCGM's diagnosis"}
        left = ["level {}: {}".format(level, what) for level, what in sorted(levels.items()) if level not in self.gate]
        ways = [way for way in injection.ORDER if way not in (docker.get("ways") or ())]
        left += ["the way in: {}".format(way) for way in ways]
        return left + ["libraries for graphics, video and display"]

    def _raise(self, receipt: "dict[str, Any]", level: str) -> None:
        if receipt["levels"][level]["verdict"] != PASSED:
            self.proof = self.proof or receipt
        raise_bad(level, receipt["levels"][level])


def _level(checks: "list[dict[str, str]]") -> "dict[str, Any]":
    return {"verdict": verdict_of(checks), "checks": checks}


def _bad(level: "dict[str, Any]") -> "list[dict[str, str]]":
    return [item for item in level["checks"] if item["verdict"] != PASSED]


def _said(level: "dict[str, Any]") -> str:
    bad = _bad(level)
    return "{}: {}".format(level["verdict"], bad[0]["cause"]) if bad else level["verdict"]
