"""A group of changes at work: its way back, the dead man's switch, and the word of somebody who can still reach us.

The law: the way back is armed before the first change, and its deadline before the service is touched, where that can
cut the connection we came by. Only a new connection proves that the host can be reached: one that stood before may live
on beside a route that swallows every new one.
"""

import os
import time

from ..engine.resource import FAILED
from ..host import times
from ..host.errors import Failed
from ..host.state import UNDO
from . import deadman
from .transaction import Transaction, tidy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol, Sequence  # novm

    from ..engine.resource import Resource
    from ..host.system import System
    from ..types import Link, Options, Record, ResourceResult, Who
    from .transaction import Restarts

    class ChangeRun(Protocol):
        """What is asked of run/run.py here."""

        system: System
        options: Options
        link: Link


LOOK = 0.1
"""Seconds between two looks for the word that came by the new connection."""


class ConfirmedChange:
    """`cuts`: what changes can cut the connection, so that somebody has to confirm that the host can be reached."""

    def __init__(self, run: "ChangeRun", service: "Restarts | None", cuts: bool) -> None:
        self._run = run
        self._system = run.system
        self._seconds = run.options["confirm"] if cuts else 0
        self._transaction = Transaction.open(run.system, service, run.options["run"])
        self._unheard = False  # nobody reached us: who started this may not hear how it ends

    def begin(self, resources: "Sequence[Resource]") -> None:
        """Put what they are about to change on disk, and arm the way back."""
        self._transaction.begin(resources)
        try:
            deadman.arm(self._system, self._transaction.folders())
        except (Failed, OSError):  # nothing was changed yet, and without a way back nothing is
            self._transaction.drop()
            raise

    def service_next(self) -> None:
        if self._seconds:
            self._system.remove(_confirmation(self._system))
            self._transaction.due(self._system.uptime() + self._seconds)
            deadman.arm_deadline(self._system, self._seconds)
        self._transaction.touches_service()
        if self._seconds:
            self._run.link.send({"type": "armed", "seconds": self._seconds})  # afterwards nobody may hear us

    def confirm(self, result: "ResourceResult") -> None:
        """Wait until somebody says over a new connection that the host can be reached; else the result is a failure."""
        if not self._seconds:
            return
        if self._confirmed():
            self._transaction.due(None)
            deadman.stop_deadline(self._system)
            return
        result["outcome"] = FAILED
        self._unheard = True
        cause = "nobody reached this host over a new connection within {} s of the change".format(self._seconds)
        fix = "look for what the new configuration does to the network of this host: its bridge, routes, rules"
        if self._run.link.cancelled:
            cause = "the run was ended before a new connection had shown that this host can be reached"
            fix = "run again"
        result["error"] = {"cause": cause, "fix": fix, "output": "", "trace": ""}

    def _confirmed(self) -> bool:
        link = self._run.link
        link.step("waiting for a new connection")
        # Time may have gone into the start: who asks gets the whole of it.
        end = time.monotonic() + self._seconds
        self._transaction.due(self._system.uptime() + self._seconds + 5)
        link.send({"type": "confirm", "seconds": self._seconds})
        while time.monotonic() < end and not link.cancelled:
            if self._system.text(_confirmation(self._system)) == self._run.options["run"]["id"]:
                return True
            time.sleep(LOOK)
        return False

    def undo(self, result: "ResourceResult") -> None:
        """Put everything back; the result says so."""
        self._run.link.step("putting back what was changed")
        error: "Any" = result["error"]  # it has failed
        try:
            error["cause"] += "; rolled back: " + self._transaction.undo()
            result["rolled_back"] = True
        except (Failed, OSError) as failure:
            error["cause"] += "; and the way back failed: " + str(failure)
            error["fix"] = getattr(failure, "fix", "") or error["fix"]
            error["output"] += "\n" + getattr(failure, "output", "")
            return
        if self._unheard:
            tell(self._system, self._transaction.record, error["cause"])
        try:
            self._close()
        except OSError as failure:
            error["cause"] += "; but this could not be noted, so the next run does it: {}".format(failure)

    def _close(self) -> None:
        deadman.stop_deadline(self._system)
        self._transaction.close()
        deadman.disarm(self._system)

    def commit(self) -> None:
        """All of it stands."""
        self._transaction.commit()
        deadman.disarm(self._system)


def tell(system: "System", record: "Record", text: str, left: bool = False) -> None:
    """What became of a change while nobody listened: for the next run, and for `status`. `left`: it is still there."""
    system.state_file.put("runs", "undone", {"run": record["run"], "time": times.now(), "text": text, "left": left})


def finish_undo(system: "System") -> None:
    """An undo that was cut short once all files were back (a kill, a full disk) comes to its end."""
    transaction = Transaction.left(system)
    if transaction is not None and transaction.is_undone():
        transaction.remember()
        transaction.close()
        deadman.stop_deadline(system)
        deadman.disarm(system)


def settle_left_open(system: "System") -> None:
    """A run died with its change in place and proven by this one: nothing is left to put back."""
    transaction = Transaction.left(system)
    if transaction is not None:
        transaction.commit()
        deadman.stop_deadline(system)
    tidy(system)
    deadman.disarm(system)


def confirm(system: "System", run: "Who") -> None:
    """Said over a new connection: this host can be reached. Failed where nobody waits for that any more."""
    transaction = Transaction.left(system)
    deadline = transaction.record["deadline"] if transaction is not None else None
    if deadline is None or system.uptime() > deadline:
        raise Failed("the change was put back already", "nobody had reached this host in time")
    system.keep(_confirmation(system), run["id"].encode("ascii"))


def _confirmation(system: "System") -> str:
    return os.path.join(system.state, UNDO, "confirmed")
