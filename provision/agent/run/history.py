"""What runs did on this host, in short: history.jsonl in the state directory, one line for each run that wrote.

The law: names and outcomes only, no value of anything; bounded; replaced whole, so that a line is never torn. The
controller's journal has the details; this is for whom finds only the host.
"""

import json
import os
import time

from ..engine.resource import CHANGED, FAILED, PENDING, UNKNOWN
from ..host import times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..host.system import System
    from ..types import Who

KEPT = 100
"""Runs."""
NAMES = 50
"""Changed resources that are named for a run; of more, the rest is counted."""


class History:
    """The line of one run, in the making."""

    def __init__(self, system: "System", run: "Who") -> None:
        self._system = system
        self._run = run
        self._started = time.time()
        self._changed: "list[str]" = []
        self._failed: "list[str]" = []
        self._waits: "list[str]" = []

    def add(self, role: str, name: str, outcome: str) -> None:
        """One resource has come to its end."""
        if outcome == CHANGED:
            self._changed.append("{}: {}".format(role, name))
        elif outcome in (FAILED, UNKNOWN):
            self._failed.append("{}: {}".format(role, name))
        elif outcome == PENDING:
            self._waits.append("{}: {}".format(role, name))

    def keep(self) -> None:
        """Write the line, where the run wrote anything, failed, or left something to wait."""
        if not self._changed and not self._failed and not self._waits:
            return
        record = {
            "run": self._run.get("id"),
            "by": self._run.get("by"),
            "comment": self._run.get("comment", ""),
            "time": times.at(self._started),
            "seconds": round(time.time() - self._started, 1),
            "changed": self._changed[:NAMES],
            "more": max(0, len(self._changed) - NAMES),
            "failed": self._failed,
            "waits": self._waits[:NAMES],
        }
        self._system.state_file.directory()
        path = _path(self._system)
        lines = (self._system.read(path) or b"").splitlines()[-KEPT + 1 :]
        lines.append(json.dumps(record, sort_keys=True).encode("ascii"))
        self._system.keep(path, b"\n".join(lines) + b"\n")


def of(system: "System", run: "Who") -> "dict[str, list[str]] | None":
    """What this very run has done here before, as {"changed", "failed"}, or None: it is spread over workers, one was
    lost, and another one goes on with this host."""
    if not run.get("spread"):
        return None
    records = [_record(line) for line in (system.read(_path(system)) or b"").splitlines()]
    ours = [record for record in records if record.get("run") == run["id"]]
    if not ours:
        return None
    return {key: [name for record in ours for name in record[key]] for key in ("changed", "failed")}


def _path(system: "System") -> str:
    return os.path.join(system.state, "history.jsonl")


def _record(line: bytes) -> "dict[str, Any]":
    try:
        record: "dict[str, Any]" = json.loads(line.decode("ascii"))
        return record
    except ValueError:  # somebody wrote into the file: the other lines count
        return {}
