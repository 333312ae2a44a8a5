"""The last proof's verdict, for others on this host: Slurm's prolog, a unit's ConditionPathExists=, monitoring.

/run/provision/gpu-proof.json says what was found; /run/provision/gpu-proven is there only while that is a pass. Both
can be read by everybody, are replaced in one step, and are gone after a boot, as all of /run is.
"""

import json

from ...host import look
from .host_checks import PASSED, uuids, verdict_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...host.system import System

FOLDER = "/run/provision"
VERDICT = FOLDER + "/gpu-proof.json"
PROVEN = FOLDER + "/gpu-proven"


def publish(system: "System", receipt: "dict[str, Any]", now: str) -> None:
    """Write the verdict of a receipt, or of levels 0 and 1 alone where one of them ended the proof."""
    levels = receipt["levels"]
    verdict = verdict_of(list(levels.values()))
    document = {
        "schema": 1,
        "time": now,
        "verdict": verdict,
        "levels": {level: item["verdict"] for level, item in levels.items()},
        "causes": [item["cause"] for level in levels.values() for item in level["checks"] if item["cause"]],
        "driver": receipt["driver"],
        "gpus": sorted(uuid for uuid, _ in uuids({"gpus": receipt["gpus"]})),
        "boot": receipt["boot"],
    }
    data = (json.dumps(document, indent=1, sort_keys=True) + "\n").encode("ascii")
    if not look.exists(system, FOLDER):
        system.make_directory(FOLDER)
    if verdict != PASSED:
        system.remove(PROVEN)
    system.keep(VERDICT, data, 0o644)
    if verdict == PASSED:
        system.keep(PROVEN, data, 0o644)
