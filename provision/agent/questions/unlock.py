"""The run that holds this host, ended: by its own way out (SIGTERM), and by SIGKILL where that takes too long.

The law: only a process that holds our lock and is our agent is ever ended, never one that a file only names. Not while
a package run is in hand, unless that is asked for: it would go on alone, and nobody would wait for it. Mostly there is
nothing to do here: a run that died holds nothing, and one whose controller is gone ends by itself.
"""

import os
import signal
import time

from ..host import lenient, lock
from ..host.errors import Failed
from ..host.system import System
from . import status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

GRACE = 30.0
"""Seconds to end the step in hand."""
DEATH = 5.0
"""Seconds from SIGKILL to the end of a process that does not hang in the kernel."""
AGENT = "provision-agent-"
"""In the command line of each agent: the loader's marker (wire.py)."""
PACKAGE_TOOLS = ("apt-get", "apt", "dpkg", "dpkg-deb", "dpkg-preconfigu")
"""As the kernel names them: 15 characters."""
FREE, STALE, HELD, CLEARED, ENDED, KILLED = "free", "stale", "held", "cleared", "ended", "killed"


def answer(system: "System", arguments: "dict[str, Any]") -> "dict[str, Any]":
    """`end`: end the run, or only tell of it; `run`: but only this one; `force`: even in a package run."""
    owner, pid = lock.inspect(system)
    if pid is None and not owner:
        return _told(FREE, None)
    who = status.lock_of(owner, pid)
    if not arguments["end"]:
        return _told(STALE if pid is None else HELD, who)
    if pid is None:
        if not lock.clear(system):
            raise Failed("a run has just begun on this host", "look again")
        return _told(CLEARED, who)
    if arguments["run"] not in (None, owner.get("id")):
        raise Failed("another run holds this host by now: {}".format(lock.named(owner)), "look again")
    return _told(_end(System(system.state), system.progress, pid, arguments["force"]), who)


def _told(state: str, who: "dict[str, Any] | None") -> "dict[str, Any]":
    return {"state": state, "lock": who}


def _end(system: "System", progress: "Callable[[str], None]", pid: int, force: bool) -> str:
    words = lenient.arguments(system, pid) or ()
    if pid == os.getpid() or not any(AGENT in word for word in words):
        shown = " ".join(map(lenient.without_secrets, words))[:120]
        raise Failed("process {} holds the lock and is no agent of ours: {}".format(pid, shown), "look at it by hand")
    _spare_packages(system, pid, force)
    progress("process {} is ending the step in hand".format(pid))
    if _gone(system, pid, signal.SIGTERM, GRACE):
        return ENDED
    _spare_packages(system, pid, force)
    if _gone(system, pid, signal.SIGKILL, DEATH):
        return KILLED
    raise Failed("process {} cannot be killed: it hangs in the kernel".format(pid), "look at dmesg; reboot the host")


def _spare_packages(system: "System", pid: int, force: bool) -> None:
    tool = _package_tool(system, pid)
    if tool is not None and not force:
        raise Failed(
            "the run has a package run in hand: {} (process {})".format(tool[1], tool[0]),
            "wait for that to end; with --force the run is ended, and the package run goes on alone",
        )


def _package_tool(system: "System", pid: int) -> "tuple[int, str] | None":
    """(PID, name) of a package tool below this process, or None."""
    parents = {}
    for name in system.names("/proc"):
        if name.isdigit():
            head, _, rest = (lenient.text(system, "/proc/{}/stat".format(name)) or "").rpartition(")")
            fields = rest.split()
            if len(fields) > 1:
                parents[int(name)] = (int(fields[1]), head.partition("(")[2])
    below = {pid}
    while True:
        more = {child for child, (parent, _) in parents.items() if parent in below} - below
        if not more:
            break
        below |= more
    return next(
        ((child, parents[child][1]) for child in sorted(below - {pid}) if parents[child][1] in PACKAGE_TOOLS), None
    )


def _gone(system: "System", pid: int, number: int, limit: float) -> bool:
    """Send the signal; does the process let go of the lock in time? (Asked anew before: a PID may mean another now.)"""
    if lock.inspect(system)[1] != pid:
        return True
    system.signal(pid, number)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if lock.inspect(system)[1] != pid:
            return True
        time.sleep(0.1)
    return False
