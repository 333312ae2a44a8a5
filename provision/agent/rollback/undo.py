"""The other end of the dead man's switch: started at boot, or at a deadline, it puts an unfinished change back.

The law: it acts on the journal alone. At boot it is put back before Docker starts, whatever its deadline; later only
when the deadline has passed and no run is at work. Where somebody else has changed a file since, it is theirs: nothing
is put back, and the next run tells.
"""

import time

from ..host.errors import Failed
from ..host.lock import Lock
from ..host.system import System
from . import deadman, state_check
from .confirmed import tell
from .transaction import Transaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WAIT = 600
"""Seconds for a run that is at work to come to its own end."""


class _Nobody:
    """A line without a controller."""

    def progress(self, text: str) -> None:
        """Nobody listens."""


def start(options: "dict[str, Any]", sources: "Any") -> None:
    """Called by the loader on the host. Whatever comes out is on the host: what was undone, or why it was not."""
    system = System(options["state"])
    system.sources = sources
    booting = options["booting"]
    state_check.check(system)
    if not _due(system, booting):
        return
    lock = Lock(system, {"id": "undo", "by": "the host itself"})
    _take(lock)
    try:
        _settle(system, booting)
    finally:
        lock.release()


def _due(system: "System", booting: bool) -> bool:
    """Is there something to put back? Waits for a deadline that was moved since we were started."""
    while True:
        transaction = Transaction.left(system)
        if transaction is None:
            return False
        deadline = transaction.record["deadline"]
        if booting:
            return True
        if deadline is None or system.uptime() >= deadline:
            return deadline is not None
        time.sleep(0.5)


def _take(lock: "Lock") -> None:
    end = time.monotonic() + WAIT
    while True:
        try:
            return lock.take(_Nobody())
        except Failed:
            if time.monotonic() > end:
                raise
            time.sleep(1)


def _settle(system: "System", booting: bool) -> None:
    """Look again, now that nobody else is at work."""
    transaction = Transaction.left(system) if _due(system, booting) else None
    if transaction is None:
        return None
    record = transaction.record
    system.state_file.mend(record["memory"])
    foreign = transaction.changed_by_others()
    if foreign:
        left = "left as it is, because somebody else has changed {}".format(", ".join(foreign))
        return tell(system, record, left, left=True)
    try:
        clause = transaction.undo(booting)
    except (Failed, OSError) as failure:
        tell(system, record, "not put back: {}".format(failure), left=True)
        raise
    if booting and transaction.restores_unit():
        system.run(["systemctl", "daemon-reload"], timeout=90)
    why = "the host went down in the middle of it" if booting else "nobody confirmed that the host can be reached"
    tell(system, record, "{}: {}".format(why, clause))
    transaction.close()
    return deadman.disarm(system)
