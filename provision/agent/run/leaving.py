"""The last role was removed: our state directory goes as well, and nothing of us is left on the host."""

import os
import stat

from ..host.state import UNDO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System

OURS = ("asked", "json_keys", "daemon_flags", "pending")
"""Sections of the memory that say what is on the host through us."""


def leave(system: "System") -> bool:
    """Remove the state directory, where nothing is left that it would have to remember; was there nothing?"""
    if any(system.state_file.section(name) for name in OURS) or system.names(os.path.join(system.state, UNDO)):
        return False
    _remove(system, system.state)
    return True


def _remove(system: "System", path: str) -> None:
    status = system.stat(path)
    if status is not None and stat.S_ISDIR(status.st_mode):
        for name in system.names(path):
            _remove(system, os.path.join(path, name))
    system.remove(path)
