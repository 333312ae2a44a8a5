"""A change that has to wait: validated, and staged in the state directory, while the live files stay as they are.

The law: a file that is in its place before its daemon may restart would be what an unproven daemon starts with after
the next crash. What is staged is for people to read; a later run plans anew, and this record only says what waits, why,
and since when. The staged files are readable by root alone.
"""

import os

from ..host import times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Collection

    from ..host.system import System
    from ..types import Who

SECTION = "pending"
FOLDER = "staged"


def keep(system: "System", role: str, run: "Who", reason: str, names: "list[str]") -> None:
    """Record what waits, and stage the files as they are foreseen. It is as old as the first run that had to wait."""
    before = system.state_file.get(SECTION, role) or {}
    clear(system, role)
    staged = []
    for path, data in sorted(system.foreseen.items()):
        if data is not None:
            _write(system, _place(system, role) + path, data)
            staged.append(path)
    record = {"run": run["id"], "by": run["by"], "reason": reason, "resources": names, "staged": staged}
    system.state_file.put(SECTION, role, dict(record, since=before.get("since") or times.now()))


def clear(system: "System", role: str) -> None:
    """It was done, or is not asked for any more."""
    record = system.state_file.get(SECTION, role)
    if record is None:
        return
    place = _place(system, role)
    for path in record["staged"]:
        system.remove(place + path)
        _tidy(system, os.path.dirname(place + path))
    system.state_file.put(SECTION, role, None)


def forget(system: "System", asked: "Collection[str]") -> None:
    """Drop what waits for roles that the host is not asked for any more. `asked`: all that are, or [] if not told."""
    for role in sorted(roles(system) - set(asked)) if asked else ():
        clear(system, role)


def roles(system: "System") -> "set[str]":
    """Those that wait on this host."""
    return set(system.state_file.section(SECTION))


def _place(system: "System", role: str) -> str:
    return os.path.join(system.state, FOLDER, role)


def _write(system: "System", path: str, data: bytes) -> None:
    missing = []
    folder = os.path.dirname(path)
    while system.stat(folder) is None:
        missing.append(folder)
        folder = os.path.dirname(folder)
    for folder in reversed(missing):
        system.make_directory(folder, 0o700, os.geteuid(), os.getegid())
    system.keep(path, data)


def _tidy(system: "System", folder: str) -> None:
    """Remove the directories that this left empty."""
    while folder != system.state and not system.names(folder):
        system.remove(folder)
        folder = os.path.dirname(folder)
