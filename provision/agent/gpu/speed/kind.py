"""Level 5: each GPU is as fast as it should be, and its results are right. A probe.

The law: it is measured when it was never proven, when the driver, the boot, the GPUs or the settings changed, when the
last proof did not pass or is older than `max_age`; never in a check, and never beside a GPU process unless told. The
receipt (proofs/gpu-speed.json) keeps what each GPU did when it last passed: the next proof is held against that.
"""

import os
import time

from ...docker import in_use
from ...engine.resource import Resource
from ...facts import gather
from ...host import child
from ...host.errors import Failed, Unknown
from ..driver import GPU_CLASSES, counted
from ..proof import gate
from ..proof import receipt as proof_receipt
from ..proof.host_checks import FAILED, PASSED, UNKNOWN, check, verdict_of

PACKAGE = "provision.agent.gpu.speed.program"
PARTS = ("", ".causes", ".ptx", ".kernels", ".tensor", ".cuda", ".nvml", ".memory", ".link")
MODULES = tuple(PACKAGE + name for name in PARTS + (".arithmetic", ".peers", ".judge", ".worker", ".main"))
"""The program's files, which came with the plan, in the order in which they need each other."""
SHOWN = (("read", "read"), ("fma32", "FP32"), ("sustained", "sustained"), ("dtoh", "PCIe"))


class GpuSpeed(Resource):
    fields = ("full", "max_age", "beside_jobs", "limit", "least", "slack", "gate")
    probe = True

    def __init__(self, **values):
        Resource.__init__(self, **values)
        self._ran = False

    def identity(self):
        return "gpu"

    def desired(self):
        """level 5: passed."""
        return {"level 5": PASSED}

    def actual(self, system):
        """level 5: passed, or why a measurement is due."""
        self._receipt = proof_receipt.read(system, proof_receipt.SPEED)
        due = self._due(system)
        if self._receipt is not None:
            self.proof = _told(self._receipt, self._ran)
        self._said = _sentence(self._receipt, self._ran) if due is None else ""
        return {"level 5": PASSED if due is None else "due: {}".format(due)}

    def note(self, diff):
        return self._said

    def apply(self, system, diff):
        """Measure each GPU; what fails is Failed."""
        began = time.monotonic()
        last = (self._receipt or {}).get("last") or {}
        answer = self._measure(system, last)
        checks = [_titled(number, gpu, item) for number, gpu in enumerate(answer["gpus"]) for item in gpu["checks"]]
        checks += answer.get("checks", [])
        receipt = {"schema": 1, "time": proof_receipt.now(), "key": self._key(system), "warnings": []}
        receipt.update(verdict=verdict_of(checks), driver=receipt["key"]["the driver"], speed=answer)
        level = {"verdict": receipt["verdict"], "checks": checks, "seconds": round(time.monotonic() - began, 3)}
        receipt.update(levels={"5": level}, last=dict(last, **_passed(answer["gpus"], receipt["time"])))
        receipt["failed_checks"] = [item["cause"] for item in checks if item["verdict"] != PASSED]
        self._ran, self.proof = True, _told(receipt, True)
        proof_receipt.keep(system, receipt, proof_receipt.SPEED)
        _raise(checks, receipt["verdict"])

    def announce(self, system):
        told = gate.publish(system, self.gate)
        if self.proof is not None:
            self.proof["gate"] = told

    # -- measuring

    def _measure(self, system, last):
        """{"gpus", "peers", "seconds"} of the program, or {"gpus": [], "checks": why not}."""
        users = [] if self.beside_jobs else in_use.look_at(system)["processes"]
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
            return child.run(system, PACKAGE + ".main", request, MODULES, 2 * self.limit + 30)
        except Unknown as error:
            fix = "look at dmesg for NVRM and Xid lines"
            return {"gpus": [], "checks": [check("time", UNKNOWN, "", str(error), fix)]}

    # -- the receipt

    def _due(self, system):
        """Why a proof is due, or None."""
        why = proof_receipt.due(self._receipt, self._key(system))
        if why is not None or self._ran:
            return why
        age = time.time() - self._receipt["key_time"]
        return None if 0 <= age <= self.max_age else "the last proof is {} s old".format(int(age))

    def _key(self, system):
        """What a proof is good for: none of these may differ."""
        found = gather.nvidia(system, os.uname().release)
        return {
            "the settings": [self.full, self.least, self.slack],
            "the driver": found["driver_loaded"],
            "the boot": system.boot_id(),
            "the set of GPUs": _addresses(system, found),
        }


def _addresses(system, found=None):
    found = found or gather.nvidia(system, os.uname().release)
    return sorted(item["address"] for item in found["pci"] if item["device_class"] in GPU_CLASSES)


def _titled(number, gpu, item):
    """A check with its GPU's name before it."""
    title = "GPU {} ({})".format(number, gpu["bus"])
    named = "{}: {}".format(title, item["name"])
    return dict(item, name=named, cause="{}: {}".format(title, item["cause"]) if item["cause"] else "")


def _passed(gpus, now):
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


def _raise(checks, verdict):
    bad = [item for item in checks if item["verdict"] == verdict]
    if verdict == PASSED:
        return
    cause = "level 5: {}".format(bad[0]["cause"] if bad else "nothing was measured")
    fix = bad[0]["fix"] if bad else "look for the GPUs: lspci -d 10de:"
    output = "\n".join("{cause}; {fix}".format(**item) for item in checks if item["verdict"] != PASSED)
    if verdict == FAILED:
        raise Failed(cause, fix, output)
    raise Unknown("{}; {}".format(cause, fix))


# -- what is told


def _told(receipt, ran):
    """The proof as it travels: what was measured, in short; all of it stays on the host."""
    level = receipt["levels"]["5"]
    checks = [item if item["verdict"] != PASSED else dict(item, detail="") for item in level["checks"]]
    found = {name: receipt[name] for name in ("schema", "time", "verdict", "driver", "failed_checks", "warnings")}
    gpus = [_short(number, gpu) for number, gpu in enumerate(receipt["speed"]["gpus"])]
    return dict(found, ran=ran, levels={"5": dict(level, checks=checks)}, speed=gpus)


def _short(number, gpu):
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


def _sentence(receipt, ran):
    """The proof in one line, with the figures of the slowest GPU."""
    when = "passed now" if ran else "proven {} h ago".format(int((time.time() - receipt["key_time"]) / 3600))
    gpus = receipt["speed"]["gpus"]
    words = ["{}: {}, level 5 ({})".format(when, counted(len(gpus), "GPU"), gpus[0]["mode"])]
    for name, shown in SHOWN:
        known = [gpu["figures"][name] for gpu in gpus if name in gpu["figures"]]
        if known:
            slowest = min(known, key=lambda figure: figure["best"])
            words.append("{} {:.4g} {}".format(shown, slowest["best"], slowest["unit"]))
    return ", ".join(words)
