"""What the levels of the proof look at, as checks: pure functions on what was measured, and the reading of the
kernel log.

The law: a check is passed, failed or unknown, and a level is as bad as its worst check; unknown is not passed. What
is worth knowing and breaks nothing is a warning, never a verdict.
"""

import re

from ...host.errors import Failed, Unknown
from .. import driver, injection
from ..driver import counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

    from ...host.system import System

PASSED = "passed"
FAILED = "failed"
UNKNOWN = "unknown"
BAD_XIDS = frozenset((48, 56, 57, 58, 62, 63, 64, 65, 68, 69, 73, 74, 79, 80, 81, 92, 119, 120))
"""Errors of hardware or driver (NVIDIA's Xid list); the others are mostly the programs' own."""
BAD_THROTTLE = {0x8: "hardware slowdown", 0x20: "software thermal", 0x40: "hardware thermal", 0x80: "power brake"}
FABRIC_DONE = 3


def check(
    name: str, verdict: str, detail: "int | list[Any] | str" = "", cause: str = "", fix: str = ""
) -> "dict[str, Any]":
    """One check; `detail` is what was measured, cause and fix stand where it did not pass."""
    return {"name": name, "verdict": verdict, "detail": detail, "cause": cause, "fix": fix}


def verdict_of(checks: "list[dict[str, str]]") -> str:
    """The worst of them; unknown where there are none."""
    verdicts = {item["verdict"] for item in checks}
    for verdict in (FAILED, UNKNOWN, PASSED):
        if verdict in verdicts:
            return verdict
    return UNKNOWN


def raise_bad(number: str, level: "dict[str, Any]") -> None:
    """Raise Failed or Unknown for a level that did not pass, with the first check that is as bad as the level."""
    if level["verdict"] == PASSED:
        return
    bad = [item for item in level["checks"] if item["verdict"] != PASSED]
    nothing = check("", UNKNOWN, "", "nothing was looked at", "look for the GPUs: lspci -d 10de:")
    worst = next((item for item in bad if item["verdict"] == level["verdict"]), nothing)
    cause = "level {}: {}".format(number, worst["cause"])
    if level["verdict"] == FAILED:
        raise Failed(cause, worst["fix"], "\n".join("{name}: {cause}; {fix}".format(**item) for item in bad))
    raise Unknown("{}; {}".format(cause, worst["fix"]) if worst["fix"] else cause)


def host(
    found: "dict[str, Any]",
    nvml: "dict[str, Any] | None",
    xids: "Sequence[Any] | None",
    expected: "int | None",
    required: bool,
) -> "list[dict[str, str]]":
    """The checks of level 1: the declared count, the PCI bus and NVML agree, and every GPU is well.

    `found` is driver.look's, `nvml` is nvml.ask's (None where there is no GPU), `xids` those of this boot.
    """
    gpus = len(found["gpus"])
    if not gpus and not required and not expected:
        return [check("GPUs", PASSED, "no NVIDIA GPU on the PCI bus, and none is asked for")]
    wrong = driver.problems(found, expected)
    if not gpus and not wrong:
        wrong = [
            (
                "there is no NVIDIA GPU on the PCI bus, and there should be",
                "look at dmesg and lspci -d 10de:; or set require_gpu: false",
            )
        ]
    checks = [check("driver", FAILED, "", cause, fix) for cause, fix in wrong]
    checks = checks or [
        check("driver", PASSED, "driver {}, {} on the PCI bus".format(found["loaded"], counted(gpus, "GPU")))
    ]
    if nvml is not None:
        checks += _nvml(nvml, gpus)
    if xids:
        cause = "the kernel has logged errors of a GPU since boot: Xid {}".format(
            ", ".join(map(str, sorted(set(xids))))
        )
        checks.append(
            check(
                "Xids", FAILED, "", cause, "dmesg | grep -i xid; look them up, then drain and reset the GPU or reboot"
            )
        )
    return checks


def _nvml(nvml: "dict[str, Any]", gpus: int) -> "Iterator[Any]":
    if "error" in nvml:
        error = nvml["error"]
        yield check("NVML", FAILED, "", "NVML: {}".format(error["text"]), error.get("fix", ""))
        return
    known = len(nvml["gpus"])
    if known != gpus:
        cause = "{} on the PCI bus and the driver knows {}".format(counted(gpus, "GPU", verb=True), known)
        yield check(
            "NVML", FAILED, "", cause, "dmesg | grep -i -e nvrm -e xid: one did not come up or fell off the bus"
        )
    else:
        yield check("NVML", PASSED, "driver {driver}, CUDA {cuda}".format(**nvml))
    for gpu in nvml["gpus"]:
        for item in _gpu(gpu):
            yield item


def _gpu(gpu: "dict[str, Any]") -> "Iterator[Any]":
    name = "GPU {} ({})".format(gpu["index"], gpu.get("bus") or gpu.get("uuid") or "?")
    for key, error in sorted(gpu["errors"].items()):
        fix = (
            "drain the host, power it off and on; check power and seating"
            if gpu["lost"]
            else "dmesg | grep -i -e nvrm -e xid"
        )
        yield check(name, FAILED, "", "{}: {}: {}".format(name, key, error["text"]), fix)
        if gpu["lost"]:
            return
    rows = gpu.get("remapped_rows") or {}
    if rows.get("failure"):
        yield check(name, FAILED, "", "{}: row remapping failed".format(name), "replace the GPU (RMA)")
    elif rows.get("pending") or gpu.get("retired_pages_pending"):
        yield check(
            name,
            FAILED,
            "",
            "{}: bad memory is to be remapped".format(name),
            "reset the GPU when it is idle, or reboot",
        )
    fabric = gpu.get("fabric")
    if fabric and fabric["state"] and (fabric["state"] != FABRIC_DONE or fabric["status"]):
        cause = "{}: the NVLink fabric is not up (state {state}, status {status})".format(name, **fabric)
        yield check(name, FAILED, "", cause, "look at nvidia-fabricmanager: version, log, and that it runs")


def warnings(nvml: "dict[str, Any] | None", require_persistence: bool, logged: "Sequence[Any] | None") -> "list[str]":
    """Sentences on what is worth knowing. `logged` is what `xids` found."""
    found = []
    if logged is None:
        found.append("the kernel's log cannot be read here (dmesg), so Xids were not looked for")
    for gpu in (nvml or {}).get("gpus", ()):
        name = "GPU {}".format(gpu["index"])
        reasons = [words for bit, words in BAD_THROTTLE.items() if (gpu.get("throttle") or 0) & bit]
        width, best = gpu.get("pcie_width"), gpu.get("pcie_width_max")
        pending = [key for key in ("ecc", "mig") if gpu.get(key) and gpu[key]["current"] != gpu[key]["pending"]]
        if gpu.get("persistence") == 0 and not require_persistence:
            found.append("{}: persistence mode is off, so each first use waits for the driver".format(name))
        if reasons:
            found.append("{}: slowed down by {}".format(name, ", ".join(reasons)))
        if width and best and width < best:
            found.append("{}: PCIe x{} of x{}".format(name, width, best))
        if gpu.get("ecc_uncorrected"):
            errors = counted(gpu["ecc_uncorrected"], "uncorrected memory error")
            found.append("{}: {} since the driver was loaded".format(name, errors))
        if (gpu.get("nvlinks") or {}).get("down"):
            found.append("{}: {} down".format(name, counted(gpu["nvlinks"]["down"], "NVLink", verb=True)))
        found += ["{}: a change of {} waits for a reset".format(name, key.upper()) for key in pending]
    return found


def persistence(nvml: "Any") -> "Any":
    """A check for those who require persistence mode."""
    off = [str(gpu["index"]) for gpu in nvml.get("gpus", ()) if gpu.get("persistence") == 0]
    if not off:
        return check("persistence", PASSED, "on")
    return check(
        "persistence",
        FAILED,
        "",
        "persistence mode is off on GPU {}".format(", ".join(off)),
        "start nvidia-persistenced, for good (systemctl enable --now nvidia-persistenced), or nvidia-smi -pm 1",
    )


def xids(system: "System", ignored: "Any") -> "Any":
    """The bad Xids in the kernel's log of this boot; None where it cannot be read."""
    result = system.query(["dmesg"], timeout=10)
    if not result.ok:
        return None
    numbers = [int(number) for number in re.findall(r"NVRM: Xid \([^)]*\): (\d+)", result.out)]
    return [number for number in numbers if number in BAD_XIDS and number not in ignored]


def specs(system: "System", ways: "list[str]", loaded: str) -> "Iterator[Any]":
    """A failed check for each fault of the CDI specs that these ways go by: named twice, or for another driver."""
    if not injection.by_spec(system, ways):
        return
    for cause, fix in injection.conflicts(injection.specs(system)):
        yield check("CDI spec", FAILED, "", cause, fix)
    stale = injection.stale(system, loaded)
    for path, version in stale:
        cause = "the CDI spec {} is stale: it is for driver {}, and {} is loaded".format(path, version, loaded)
        fix = "apply the role nvidia_docker, or nvidia-ctk cdi generate --output={}".format(path)
        yield check("CDI spec", FAILED, version, cause, fix)


def uuids(nvml: "dict[str, Any]") -> "list[tuple[str, str]]":
    """The UUIDs that a container may see, MIG devices in place of the GPU that is cut up; [(uuid, index)]."""
    found = []
    for gpu in (nvml or {}).get("gpus", ()):
        mig = gpu.get("mig") or {}
        found += [
            (uuid, "{}:{}".format(gpu["index"], number)) for number, uuid in enumerate(gpu.get("mig_devices") or ())
        ]
        if not mig.get("current") and gpu.get("uuid"):
            found.append((gpu["uuid"], str(gpu["index"])))
    return found
