"""One run a host at a time. The lock is the kernel's (flock), so a run that died holds nothing; the file says who.

The law: a look at the lock takes nothing, not even for a moment: a run that starts just then would find the host held.
The main thread releases it while the reading thread may say that the controller is gone: one of the two at a time.
"""

import errno
import fcntl
import json
import os
import stat
import threading
import time

from . import times
from .errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol  # novm

    from ..types import Record, Who
    from .system import System

    class Waiting(Protocol):
        """Who is told what is being waited for: run/link.py."""

        def progress(self, text: str) -> None: ...


WAIT_FOR_ORPHAN = 600.0
"""Seconds. A run whose controller is gone is only ending the package transaction it had in hand: wait for it. So is
this very run, where another worker goes on with it before the host knows that the first one is lost."""
NAME = "lock"
HELD = "/proc/locks"


class Lock:
    def __init__(self, system: "System", run: "Who") -> None:
        self._system = system
        self._run = run
        self._fd: "int | None" = None
        self._path = ""
        self._signing = threading.Lock()
        self.left: "Record" = {}  # the run that held the lock last, where it died without a word: SIGKILL, or the power

    def take(self, link: "Waiting") -> None:
        """Take the lock, or raise Failed naming who holds it."""
        fd = self._taken(link)
        while not self._is_there(fd):  # whoever held it has removed our directory since
            os.close(fd)
            fd = self._taken(link)
        self.left = _owner(fd)
        self._record = dict(self._run, pid=os.getpid(), since=times.now())
        with self._signing:
            self._fd = fd
            self._sign(fd)

    def _is_there(self, fd: int) -> bool:
        status = self._system.stat(self._path)
        return status is not None and os.path.samestat(status, os.fstat(fd))

    def _taken(self, link: "Waiting") -> int:
        """A descriptor of the lock file, locked."""
        self._path = os.path.join(self._system.state_file.directory(), NAME)
        fd = _opened(self._path, os.O_RDWR | os.O_CREAT)
        deadline = time.monotonic() + WAIT_FOR_ORPHAN
        while not _try(fd):
            owner = _owner(fd)
            ending = owner.get("orphan") or _ours(owner, self._run)
            if not ending or time.monotonic() > deadline:
                os.close(fd)
                raise Failed(
                    "another run holds this host: {}".format(named(owner)),
                    "wait for it to end, or end it on its own terminal (or with `unlock`), then run again",
                )
            link.progress("waiting for an interrupted run to end its step ({})".format(named(owner)))
            time.sleep(1)
        return fd

    def _sign(self, fd: int) -> None:
        os.ftruncate(fd, 0)
        try:
            os.pwrite(fd, json.dumps(self._record).encode("ascii"), 0)
        except OSError as error:  # the kernel does not know the name of a descriptor
            raise OSError(error.errno, error.strerror, self._path) from None

    def orphan(self) -> None:
        """The controller is gone: say so to whom waits. Called from another thread; the lock itself stays."""
        with self._signing:
            if self._fd is not None:
                self._record["orphan"] = True
                self._sign(self._fd)

    def release(self) -> None:
        with self._signing:
            if self._fd is not None:
                os.ftruncate(self._fd, 0)
                os.close(self._fd)
                self._fd = None


def inspect(system: "System") -> "tuple[Record, int | None]":
    """(the record of who took the lock last, or {}; the PID of who holds it now, or None)."""
    path = os.path.join(system.state, NAME)
    try:
        fd = _opened(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return {}, None
    try:
        held = _holder(system, os.fstat(fd))  # before the name: a run that ends in between takes its name with it
        return _owner(fd), held
    finally:
        os.close(fd)


def clear(system: "System") -> bool:
    """Remove the name that a run which died has left; False where somebody holds the lock by now."""
    fd = _opened(os.path.join(system.state, NAME), os.O_RDWR)
    try:
        free = _try(fd)
        if free:
            os.ftruncate(fd, 0)
        return free
    finally:
        os.close(fd)


def _opened(path: str, flags: int) -> int:
    """A descriptor of the lock. Failed where something else lies there; a fifo does not hold us up."""
    try:
        fd = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise
        fd = None
    if fd is not None and stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    if fd is not None:
        os.close(fd)
    raise Failed("{} is not a regular file".format(path), "move it away, then run again")


def _holder(system: "System", status: "os.stat_result") -> "int | None":
    """The PID that holds a flock on this file: the kernel lists it by inode, and the process must have it open."""
    for line in (system.text(HELD) or "").splitlines():
        words = line.split()
        if words[1:2] == ["FLOCK"] and words[5].rpartition(":")[2] == str(status.st_ino):
            if _has_open(system, words[4], status):
                return int(words[4])
    return None


def _has_open(system: "System", pid: str, status: "os.stat_result") -> bool:
    folder = "/proc/{}/fd".format(pid)
    for name in system.names(folder):
        try:
            if os.path.samestat(os.stat(os.path.join(folder, name)), status):
                return True
        except OSError:  # it was closed just now
            continue
    return False


def _try(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True


def _owner(fd: int) -> "Record":
    try:
        owner = json.loads(os.pread(fd, 65536, 0).decode("ascii"))
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}


def _ours(owner: "Record", run: "Who") -> bool:
    """A run that is spread over workers may come again."""
    return bool(run.get("spread")) and owner.get("id") == run["id"]


def named(owner: "Record") -> str:
    """Who that is, for a person: `run … of alice@ctl, since … (3 min 2 s): 'kernel rollout'`."""
    if not owner:
        return "its owner has left no name yet"
    text = "run {} of {}, since {}".format(owner.get("id", "?"), owner.get("by", "?"), owner.get("since", "?"))
    age = times.age(owner.get("since"))
    if age is not None:
        text += " ({})".format(times.told(max(0, age)))
    return text + ": '{}'".format(owner["comment"]) if owner.get("comment") else text
