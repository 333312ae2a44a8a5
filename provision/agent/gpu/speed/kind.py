"""Level 5: each GPU is as fast as it should be, and its results are right. A probe.

The law: it is measured when it was never proven, when the driver, the boot, the GPUs or the settings changed, when the
last proof did not pass or is older than `max_age`; never in a check, and never beside a GPU process unless told. The
receipt (proofs/gpu-speed.json) keeps what each GPU did when it last passed: the next proof is held against that.
"""

import os
import time

from ...docker import in_use
from ...facts import gather
from ...host import child
from ...host.errors import Unknown
from ..driver import GPU_CLASSES, counted
from ..proof import receipt as proof_receipt
from ..proof.host_checks import PASSED, UNKNOWN, check
from ..proof.own_level import OwnLevel
from . import MODULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    from ...host.system import System
    from ...types import Diff

    Gpu = Dict[str, Any]

SHOWN = (("read", "read"), ("fma32", "FP32"), ("sustained", "sustained"), ("dtoh", "PCIe"))


class GpuSpeed(OwnLevel):
    level = "5"
    file = proof_receipt.SPEED
    full: bool
    max_age: int
    beside_jobs: bool
    limit: int
    least: "dict[str, float]"
    slack: "dict[str, float]"

    def good_for(self, system: "System") -> "dict[str, Any]":
        found = gather.nvidia(system, os.uname().release)
        return {
            "the settings": [self.full, self.least, self.slack],
            "the driver": found["driver_loaded"],
            "the boot": system.boot_id(),
            "the set of GPUs": _addresses(system, found),
        }

    def told(self, kept: "dict[str, Any]") -> "dict[str, Any]":
        """What was measured, in short; all of it stays on the host."""
        level = kept["levels"]["5"]
        checks = [item if item["verdict"] != PASSED else dict(item, detail="") for item in level["checks"]]
        found = {name: kept[name] for name in ("schema", "time", "verdict", "driver", "failed_checks", "warnings")}
        gpus = [_short(number, gpu) for number, gpu in enumerate(kept["speed"]["gpus"])]
        return dict(found, ran=self._ran, levels={"5": dict(level, checks=checks)}, speed=gpus)

    def sentence(self, kept: "dict[str, Any]") -> str:
        """With the figures of the slowest GPU."""
        when = "passed now" if self._ran else "proven {} h ago".format(int((time.time() - kept["key_time"]) / 3600))
        gpus = kept["speed"]["gpus"]
        words = ["{}: {}, level 5 ({})".format(when, counted(len(gpus), "GPU"), gpus[0]["mode"])]
        for name, shown in SHOWN:
            known = [gpu["figures"][name] for gpu in gpus if name in gpu["figures"]]
            if known:
                slowest = min(known, key=lambda figure: figure["best"])  # type: dict[str, Any]
                words.append("{} {:.4g} {}".format(shown, slowest["best"], slowest["unit"]))
        return ", ".join(words)

    def apply(self, system: "System", diff: "Diff") -> None:
        """Measure each GPU; what fails is Failed."""
        began = time.monotonic()
        last = (self._receipt or {}).get("last") or {}
        answer = self._measure(system, last)
        checks = [_titled(number, gpu, item) for number, gpu in enumerate(answer["gpus"]) for item in gpu["checks"]]
        checks += answer.get("checks", [])
        key = self.good_for(system)
        last = dict(last, **_passed(answer["gpus"], proof_receipt.now()))
        self.conclude(system, began, checks, key, driver=key["the driver"], speed=answer, last=last)

    # -- measuring

    def _measure(self, system: "System", last: "dict[str, Any]") -> "Any":
        """{"gpus", "peers", "seconds"} of the program, or {"gpus": [], "checks": why not}."""
        users = [] if self.beside_jobs else in_use.users(system)["processes"]
        if users:
            names = ", ".join("{pid} ({command}, {user})".format(**user) for user in users[: in_use.NAMES])
            cause = "shared with PID {}: no GPU is measured beside jobs".format(names)
            fix = "run again when nobody uses the GPUs, or set speed.beside_jobs"
            return {"gpus": [], "checks": [check("alone", UNKNOWN, users, cause, fix)]}
        request = {name: getattr(self, name) for name in ("full", "beside_jobs", "limit", "least", "slack")}
        mode = "full" if self.full else "lean"
        request["last"] = {uuid: item for uuid, item in last.items() if item.get("mode") == mode}
        request["gpus"] = _addresses(system)
        system.progress("level 5")
        try:
            return child.run(system, MODULES[-1], request, MODULES, 2 * self.limit + 30)
        except Unknown as error:
            fix = "look at dmesg for NVRM and Xid lines"
            return {"gpus": [], "checks": [check("time", UNKNOWN, "", str(error), fix)]}


def _addresses(system: "System", found: "dict[str, Any] | None" = None) -> "list[str]":
    found = found or gather.nvidia(system, os.uname().release)
    return sorted(item["address"] for item in found["pci"] if item["device_class"] in GPU_CLASSES)


def _titled(number: int, gpu: "Gpu", item: "dict[str, Any]") -> "dict[str, Any]":
    """A check with its GPU's name before it."""
    title = "GPU {} ({})".format(number, gpu["bus"])
    named = "{}: {}".format(title, item["name"])
    return dict(item, name=named, cause="{}: {}".format(title, item["cause"]) if item["cause"] else "")


def _passed(gpus: "list[Gpu]", now: str) -> "dict[str, Any]":
    """What those GPUs did of which all is well: {uuid: {"figures", "results", "mode", "time"}}."""
    good = [gpu for gpu in gpus if gpu["figures"] and {item["verdict"] for item in gpu["checks"]} == {PASSED}]
    return {
        gpu["uuid"]: {
            "figures": {name: {"best": figure["best"]} for name, figure in gpu["figures"].items()},
            "results": {name: {"crc": result["crc"]} for name, result in gpu["results"].items()},
            "mode": gpu["mode"],
            "time": now,
        }
        for gpu in good
    }


def _short(number: int, gpu: "Gpu") -> "Gpu":
    nvml = (gpu.get("nvml") or {}).get("after") or {}
    return {
        "index": number,
        "uuid": gpu["uuid"],
        "bus": gpu["bus"],
        "name": gpu["about"].get("name"),
        "mode": gpu["mode"],
        "shared": gpu["shared"],
        "power_limit": nvml.get("power_limit"),
        "figures": {name: [figure["best"], figure["unit"]] for name, figure in sorted(gpu["figures"].items())},
        "limits": gpu["limits"],
        "crc": {name: result["crc"] for name, result in sorted(gpu["results"].items())},
        "load": gpu.get("load"),
        "seconds": gpu["seconds"].get("all"),
        "left_out": gpu["left_out"],
    }
