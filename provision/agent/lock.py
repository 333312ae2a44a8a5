"""One run a host at a time. The lock is the kernel's (flock), so a run that died holds nothing; the file says who."""

import errno
import fcntl
import json
import os
import time

from .resource import Failed

WAIT_FOR_ORPHAN = 600.0
"""Seconds. A run whose controller is gone is only ending the package transaction it had in hand: wait for it. So is
this very run, where another worker goes on with it before the host knows that the first one is lost."""


class Lock:
    def __init__(self, system, run):
        self._system = system
        self._run = run
        self._fd = None
        self._path = None
        self.left = {}  # the run that held the lock last, where it died without a word: SIGKILL, or the power

    def take(self, line):
        """Take the lock, or raise Failed naming who holds it."""
        self._path = os.path.join(self._system.memory.directory(), "lock")
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        deadline = time.monotonic() + WAIT_FOR_ORPHAN
        while not _try(fd):
            owner = _owner(fd)
            ending = owner.get("orphan") or _ours(owner, self._run)
            if not ending or time.monotonic() > deadline:
                os.close(fd)
                raise Failed(
                    "another run holds this host: {}".format(_named(owner)),
                    "wait for it to end, or end it on its own terminal, then run again",
                )
            line.progress("waiting for an interrupted run to end its step ({})".format(_named(owner)))
            time.sleep(1)
        self._fd = fd
        self.left = _owner(fd)
        self._record = dict(self._run, pid=os.getpid(), since=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
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
        return json.loads(os.pread(fd, 65536, 0).decode("ascii"))
    except ValueError:
        return {}


def _ours(owner, run):
    """A run that is spread over workers may come again."""
    return run.get("spread") and owner.get("id") == run["id"]


def _named(owner):
    if not owner:
        return "its owner has left no name yet"
    return "run {} of {}, since {}".format(owner.get("id", "?"), owner.get("by", "?"), owner.get("since", "?"))
