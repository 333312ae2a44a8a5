"""The last proof's verdict, for others on this host: Slurm's prolog, a unit's ConditionPathExists=, monitoring.

/run/provision/gpu-proof.json says what was found, by level; /run/provision/gpu-proven is there only while each level
that is asked for has passed, on at least one GPU. Both can be read by everybody, are replaced in one step, and are gone
after a boot, as all of /run is.

The law: they are made from the receipts, so whoever proves last brings them up to date, and a run that finds all proven
puts right what is not so any more. A receipt of another boot, kernel or driver is none.
"""

import json
import os

from ...host import lenient
from .host_checks import FAILED, PASSED, UNKNOWN, check, uuids, verdict_of
from .receipt import DCGM, RECEIPT, SPEED, SURVIVAL, now, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...host.system import System

FOLDER = "/run/provision"
VERDICT = FOLDER + "/gpu-proof.json"
PROVEN = FOLDER + "/gpu-proven"
RECEIPTS = {4: SURVIVAL, 5: SPEED, 6: DCGM}
"""By level: the receipt of its own that it has; the others stand in RECEIPT."""


def publish(system: "System", asked: "list[int]", proof: "dict[str, Any] | None" = None) -> "dict[str, Any]":
    """Bring both files up to date with the receipts; `asked`: the levels that must have passed.

    `proof` is what was measured now where no receipt was kept of it. Returns the verdict, as `last` does.
    """
    document = _document(system, asked, proof or read(system, RECEIPT) or {})
    data = json.dumps(document, indent=1, sort_keys=True) + "\n"
    proven = document["verdict"] == PASSED and bool(document["gpus"])
    if not lenient.exists(system, FOLDER):
        system.make_directory(FOLDER)
    if not proven and lenient.exists(system, PROVEN):
        system.remove(PROVEN)
    for path in (VERDICT, PROVEN) if proven else (VERDICT,):
        if lenient.text(system, path) != data:
            system.keep(path, data.encode("ascii"), 0o644)
    return _told(document, proven)


def withdraw(system: "System", cause: str, driver: "str | None") -> None:
    """The GPUs are not as they were proven, where they were."""
    if lenient.exists(system, PROVEN):
        level = {"verdict": FAILED, "checks": [check("driver", FAILED, "", cause)]}
        publish(system, [1], {"time": now(), "driver": driver, "levels": {"1": level}})


def last(system: "System") -> "dict[str, Any] | None":
    """{"verdict", "open": is gpu-proven there, "time"}; None where nothing was proven since boot."""
    try:
        document = json.loads(lenient.text(system, VERDICT) or "")
    except ValueError:
        return None
    return _told(document, lenient.exists(system, PROVEN)) if isinstance(document, dict) else None


def _told(document: "dict[str, Any]", proven: bool) -> "dict[str, Any]":
    return {"verdict": str(document.get("verdict")), "open": proven, "time": document.get("time")}


def _document(system: "System", asked: "list[int]", proof: "dict[str, Any]") -> "dict[str, Any]":
    levels, made = {}, {}
    for level in sorted(asked):
        name = RECEIPTS.get(level)
        receipt = (read(system, name) if name else proof) or {}
        item = (receipt.get("levels") or {}).get(str(level))
        if item is None or not _holds(system, receipt, proof):
            unproven = check("level", UNKNOWN, "", "level {} is not proven".format(level))
            item, receipt = {"verdict": UNKNOWN, "checks": [unproven]}, {}
        levels[str(level)], made[str(level)] = item, receipt.get("time")
    return {
        "schema": 1,
        "time": min([time for time in made.values() if time], default=None),
        "verdict": verdict_of(list(levels.values())),
        "levels": {level: item["verdict"] for level, item in levels.items()},
        "times": made,
        "causes": [item["cause"] for level in levels.values() for item in level["checks"] if item["cause"]],
        "driver": proof.get("driver"),
        "gpus": sorted(uuid for uuid, _ in uuids({"gpus": proof.get("gpus") or []})),
        "boot": system.boot_id(),
    }


def _holds(system: "System", receipt: "dict[str, Any]", proof: "dict[str, Any]") -> bool:
    """Is a receipt of this boot (level 4 outlives one), this kernel, and the driver that is loaded?"""
    current = {"the boot": system.boot_id(), "the kernel": os.uname().release, "the driver": proof.get("driver")}
    key = receipt.get("key") or {}
    return all(key.get(name, value) == value for name, value in current.items())
