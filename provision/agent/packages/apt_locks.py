"""The locks of apt and dpkg: who holds them, and waiting for them.

The law: a lock file is never removed, and its holder never disturbed. Asking is F_GETLK, which takes nothing. apt
waits for the dpkg frontend lock only (DPkg::Lock::Timeout, apt >= 1.9.11), and never for the lists.
"""

import fcntl
import os
import struct
import time

from ..host import lenient
from ..host.errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System

FILES = (
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
)
TOLD_EVERY = 5
"""Seconds between two words to whoever watches."""
_FLOCK = struct.Struct("hhqqi4x")


def holder(path: str) -> "int | None":
    """The PID that holds a POSIX lock on the file; 0 when it is in another PID namespace; None when nobody does."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        answer = fcntl.fcntl(fd, fcntl.F_GETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    finally:
        os.close(fd)
    kind, _, _, _, pid = _FLOCK.unpack(answer)
    return None if kind == fcntl.F_UNLCK else int(pid)


def wait(system: "System", limit: int, files: "tuple[str, ...]" = FILES) -> None:
    """Return once none of the locks is held; after `limit` seconds raise Failed with who holds one."""
    deadline = time.monotonic() + limit
    told = None
    while True:
        held = [(path, pid) for path, pid in ((path, holder(path)) for path in files) if pid is not None]
        if not held:
            return
        who = "{} is held by {}".format(held[0][0], named(system, held[0][1]))
        now = time.monotonic()
        if now >= deadline:
            raise Failed(
                "{}, and was not released within {} s".format(who, limit),
                "wait for that program to end (do not remove the lock), then run again",
            )
        if told is None or now - told >= TOLD_EVERY:
            system.progress("waiting: " + who)
            told = now
        time.sleep(min(0.5, max(0.0, deadline - now)))


def named(system: "System", pid: int) -> str:
    """A process for people: its PID and what it runs."""
    if pid == 0:
        return "a process in another container"
    words = lenient.arguments(system, pid)
    return "process {} ({})".format(pid, " ".join(" ".join(words).split())[:120] if words else "which has just ended")
