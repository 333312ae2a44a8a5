"""One run a host at a time. The lock is the kernel's (flock), so a run that died holds nothing; the file says who.

The law: a look at the lock takes nothing, not even for a moment: a run that starts just then would find the host held.
"""

import errno
import fcntl
import json
import os
import time

from . import times
from .errors import Failed

WAIT_FOR_ORPHAN = 600.0
"""Seconds. A run whose controller is gone is only ending the package transaction it had in hand: wait for it. So is
this very run, where another worker goes on with it before the host knows that the first one is lost."""
NAME = "lock"
HELD = "/proc/locks"


class Lock:
    def __init__(self, system, run):
        self._system = system
        self._run = run
        self._fd = None
        self._path = None
        self.left = {}  # the run that held the lock last, where it died without a word: SIGKILL, or the power

    def take(self, line):
        """Take the lock, or raise Failed naming who holds it."""
        self._path = os.path.join(self._system.memory.directory(), NAME)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
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
            line.progress("waiting for an interrupted run to end its step ({})".format(named(owner)))
            time.sleep(1)
        self._fd = fd
        self.left = _owner(fd)
        self._record = dict(self._run, pid=os.getpid(), since=times.now())
        self._sign()

    def _sign(self):
        os.ftruncate(self._fd, 0)
        try:
            os.pwrite(self._fd, json.dumps(self._record).encode("ascii"), 0)
        except OSError as error:  # the kernel does not know the name of a descriptor
            raise OSError(error.errno, error.strerror, self._path) from None

    def orphan(self):
        """The controller is gone: say so to whom waits. Called from another thread; the lock itself stays."""
        if self._fd is not None:
            self._record["orphan"] = True
            self._sign()

    def release(self):
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None


def look(system):
    """(the record of who took the lock last, or {}; the PID of who holds it now, or None)."""
    path = os.path.join(system.state, NAME)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return {}, None
    try:
        held = _holder(system, os.fstat(fd))  # before the name: a run that ends in between takes its name with it
        return _owner(fd), held
    finally:
        os.close(fd)


def clear(system):
    """Remove the name that a run which died has left; False where somebody holds the lock by now."""
    fd = os.open(os.path.join(system.state, NAME), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        free = _try(fd)
        if free:
            os.ftruncate(fd, 0)
        return free
    finally:
        os.close(fd)


def _holder(system, status):
    """The PID that holds a flock on this file: the kernel lists it by inode, and the process must have it open."""
    for line in (system.text(HELD) or "").splitlines():
        words = line.split()
        if words[1:2] == ["FLOCK"] and words[5].rpartition(":")[2] == str(status.st_ino):
            if _has_open(system, words[4], status):
                return int(words[4])
    return None


def _has_open(system, pid, status):
    folder = "/proc/{}/fd".format(pid)
    for name in system.names(folder):
        try:
            if os.path.samestat(os.stat(os.path.join(folder, name)), status):
                return True
        except OSError:  # it was closed just now
            continue
    return False


def _try(fd):
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True


def _owner(fd):
    try:
        owner = json.loads(os.pread(fd, 65536, 0).decode("ascii"))
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}


def _ours(owner, run):
    """A run that is spread over workers may come again."""
    return run.get("spread") and owner.get("id") == run["id"]


def named(owner):
    """Who that is, for a person: `run … of alice@ctl, since … (3 min 2 s): 'kernel rollout'`."""
    if not owner:
        return "its owner has left no name yet"
    text = "run {} of {}, since {}".format(owner.get("id", "?"), owner.get("by", "?"), owner.get("since", "?"))
    age = times.age(owner.get("since"))
    if age is not None:
        text += " ({})".format(times.told(max(0, age)))
    return text + ": '{}'".format(owner["comment"]) if owner.get("comment") else text
