"""The state directory: whether what stands in it can be believed, before any of it is read.

The law: what we remember is run as root (the undo program, the commands that undo what is asked for no more), so it is
root's own and nobody else may write it. Reads only; each fault is one sentence with what to do.
"""

import os
import stat

from ..host.errors import Failed
from ..host.state import UNDO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from ..host.system import System

IN_UNDO = ("journal.json", "done.json", "agent", "undo.py")
FILES = ("lock", "state.json", "history.jsonl") + tuple("{}/{}".format(UNDO, name) for name in IN_UNDO)
FOLDERS = (UNDO, "staged")
LOOK = "look at what is in it, then give it to root alone (chown, chmod), or move it away"


def check_journal(system: "System") -> None:
    """Failed where a change was left open, and nobody could put it back. It is what we go on with, if need be."""
    if system.stat(os.path.join(system.state, UNDO, "journal.json")) is not None:
        from .transaction import Transaction  # only where there is one

        transaction = Transaction.left(system)
        if transaction is not None:
            system.state_file.mend(transaction.record["memory"])


def close_undone(system: "System") -> None:
    """An undo that was cut short after its last file comes to its end, before anything else is done."""
    if system.stat(os.path.join(system.state, UNDO, "journal.json")) is not None:
        from .confirmed import finish_undo  # only where there is one

        finish_undo(system)


def check(system: "System") -> None:
    """Failed where the directory, or a file of ours in it, is of another type or in other hands."""
    path = system.state
    status = system.stat(path)
    if status is None:
        return
    if stat.S_ISLNK(status.st_mode):
        status = system.stat(system.place(path))
    if status is None or not stat.S_ISDIR(status.st_mode):
        raise Failed("{} is not a directory".format(path), "move it away, then run again")
    _refuse_others(path, status)
    for name in FOLDERS:
        _check_inside(system, name, stat.S_ISDIR, "a directory")
    for name in FILES:
        _check_inside(system, name, stat.S_ISREG, "a regular file")


def _check_inside(system: "System", name: str, is_right: "Callable[[int], bool]", what: str) -> None:
    path = os.path.join(system.state, name)
    status = system.stat(path)
    if status is None:
        return
    if not is_right(status.st_mode):
        raise Failed("{} is not {}".format(path, what), "move it away, then run again")
    _refuse_others(path, status)


def _refuse_others(path: str, status: "os.stat_result") -> None:
    if status.st_uid != os.geteuid():
        raise Failed("{} belongs to another user than root, so we do not go by it".format(path), LOOK)
    if status.st_mode & 0o022:
        raise Failed("{} may be written by others than root, so we do not go by it".format(path), LOOK)
