"""The one door to the host: every command, read and write goes through here.

The law: commands are argv lists, never shell strings; they run with LC_ALL=C, stdin closed and a time limit. Files are
replaced, never edited in place, and never through a symbolic link that another user could have put there. `ReadOnly`
is the same door with the writes nailed shut: check mode is that object and not an `if`.
"""

import _socket as socket
import contextlib
import errno
import grp
import os
import pwd
import stat
import struct
import time

from . import safe_files
from .errors import Failed, TimedOut
from .results import PATH
from .state import Memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any, Callable, Mapping, Sequence

    from .results import Result

STATE = "/var/lib/provision"
UNIX_LIMIT = 16 * 1024 * 1024


class System:
    """The host, for reading and writing."""

    writable = True

    def __init__(self, state: str = STATE) -> None:
        self.state = state
        self.memory = Memory(self)
        self.foreseen: "dict[str, bytes | None]" = {}  # in check mode: {path: what would stand there by now}
        self.sources: "Any" = None  # our own sources, for what has to run when we are gone; main.py gives them
        self.bundle: "Any" = None  # what packages and images are taken from in place of a network (parcels.py)
        self.modules: "dict[str, str]" = {}  # source of modules that only some hosts need, by name: pynvml
        self.progress: "Callable[[str], None]" = lambda text: (
            None
        )  # told what is being waited for; main.py sends it with the next beat

    # -- commands

    def query(
        self, argv: "Sequence[str]", timeout: float = 30, stdin: bytes = b"", env: "Mapping[str, str] | None" = None
    ) -> "Result":
        """Run a command that only reads. The caller vouches for that; `Result.ok` is the caller's to look at."""
        return self._execute(argv, timeout, stdin, env, None)

    def run(
        self,
        argv: "Sequence[str]",
        timeout: float = 120,
        stdin: bytes = b"",
        env: "Mapping[str, str] | None" = None,
        log: "str | None" = None,
        fix: str = "",
    ) -> "Result":
        """Run a command that changes the host; a failure raises Failed with the command's own last words.

        `log`: both outputs go to that file (created 0600), not to a pipe, so that the command survives our death.
        """
        result = self._execute(argv, timeout, stdin, env, log)
        if result.timed_out:
            raise TimedOut("{} took longer than {} s".format(" ".join(argv), timeout), fix, result.tail())
        if not result.ok:
            last = result.tail(1) or "no output"
            raise Failed("{} failed with status {}: {}".format(" ".join(argv), result.status, last), fix, result.tail())
        return result

    def detach(self, argv: "Sequence[str]") -> None:
        """Start a process that outlives us."""
        from .commands import detach

        detach(argv)

    scratch = staticmethod(safe_files.scratch)

    @staticmethod
    def _execute(
        argv: "Sequence[str]", timeout: float, stdin: bytes, env: "Mapping[str, str] | None", log: "str | None"
    ) -> "Result":
        from .commands import execute  # a run without changes starts no process, and need not load what that takes

        return execute(argv, timeout, stdin, env, log)

    # -- reading

    def read(self, path: str, limit: int = 16 * 1024 * 1024) -> "bytes | None":
        """The bytes of a regular file, or None when there is none."""
        try:
            # Without O_NONBLOCK, opening a FIFO that a user left in our way would hang for ever.
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise Failed("{} is not a regular file".format(path), "move it away")
            return _all_of(fd, path, limit)
        finally:
            os.close(fd)

    def read_unlinked(self, path: str, limit: int = 1024 * 1024) -> "tuple[bytes, os.stat_result] | None":
        """`read` for a file in another user's home: (bytes, status), or None. A link there is Failed, not followed."""
        try:
            with safe_files.opened(path) as fd:
                status = os.fstat(fd)
                if not stat.S_ISREG(status.st_mode):
                    raise Failed("{} is not a regular file".format(path), "move it away")
                return _all_of(fd, path, limit), status
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            raise Failed(
                "{} is a symbolic link, and its directory is another user's".format(path), "put a file in its place"
            ) from None

    def sha256(self, path: str) -> str:
        """The digest of a regular file of any size, which is no link."""
        import hashlib  # 5 ms, and few runs need it

        digest = hashlib.sha256()
        with safe_files.opened(path) as fd:
            for piece in iter(lambda: os.read(fd, 1024 * 1024), b""):
                digest.update(piece)
        return digest.hexdigest()

    def text(self, path: str) -> "str | None":
        """A file as text (undecodable bytes survive a round trip), or None when there is none."""
        data = self.read(path)
        return None if data is None else data.decode("utf-8", "surrogateescape")

    def stat(self, path: str) -> "os.stat_result | None":
        """os.lstat, or None when there is nothing."""
        try:
            return os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def free(self, path: str) -> int:
        """Bytes that are free where `path` is."""
        status = os.statvfs(path)
        return status.f_bavail * status.f_frsize

    def names(self, directory: str) -> "list[str]":
        """Sorted names in a directory; [] when there is none."""
        try:
            return sorted(os.listdir(directory))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def place(self, path: str) -> str:
        """Where a file that we manage is: what a symbolic link leads to, or `path` itself. See `safe_files.behind`."""
        return path if self.link(path) is None else safe_files.behind(path)

    def link(self, path: str) -> "str | None":
        """Where a symbolic link points, or None."""
        try:
            return os.readlink(path)
        except OSError:
            return None

    def which(self, program: str) -> "str | None":
        """The full path of a program on our PATH, or None."""
        for directory in PATH.split(":"):
            path = os.path.join(directory, program)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
        return None

    def get_unix(self, path: str, target: str, timeout: float = 10) -> "tuple[int, bytes]":
        """(status, body) of GET `target` on a Unix socket; OSError where nobody answers within `timeout` seconds."""
        return _get_unix(path, target, timeout)

    def unix_peer(self, path: str) -> "int | None":
        """The PID of who listens on a Unix socket, or None. Connecting starts a socket-activated service."""
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.settimeout(2)
            try:
                connection.connect(path)
            except OSError:
                return None
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            return int(struct.unpack("3i", credentials)[0])

    def uid(self, user: str) -> "int | None":
        try:
            return pwd.getpwnam(user).pw_uid
        except KeyError:
            return None

    def user_name(self, uid: int) -> str:
        """The name of a user, or the number where it has none here."""
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return str(uid)

    def gid(self, group: str) -> "int | None":
        try:
            return grp.getgrnam(group).gr_gid
        except KeyError:
            return None

    def boot_id(self) -> str:
        return (self.text("/proc/sys/kernel/random/boot_id") or "").strip()

    def uptime(self) -> float:
        """Seconds since boot, suspended time included: the clock of a process's start ticks, deaf to clock changes."""
        return time.clock_gettime(7)  # CLOCK_BOOTTIME; the name came with Python 3.7

    def changed_at(self, path: str) -> "float | None":
        """When a file was last changed, as `uptime` then was; None where it is absent or its time is in the future."""
        times = []
        for name in {path, self.place(path)}:  # a link may be turned, its file be written
            status = self.stat(name)
            if status is None:
                return None
            times.append(status.st_ctime)
        age = time.time() - max(times)
        return self.uptime() - age if age >= 0 else None

    # -- writing

    def write(
        self,
        path: str,
        data: bytes,
        mode: int = 0o644,
        uid: int = 0,
        gid: int = 0,
        validate: "Callable[[str], object] | None" = None,
    ) -> None:
        """Replace (or create) a file: sibling, owner, mode, fsync, `validate(sibling)`, rename. A link to it stays.

        When it was written is kept as (boot id, uptime): whether a process is older than that, no clock can spoil.
        """
        place = self.place(path)
        record = {"digest": self.memory.digest(data), "boot": self.boot_id(), "uptime": None}
        self.memory.put("written", path, record)
        safe_files.replace(place, data, mode, uid, gid, validate)
        self.memory.put("written", path, dict(record, uptime=self.uptime()))

    def receive(self, path: str, fill: "Callable[[IO[bytes]], object]", mode: int, uid: int, gid: int) -> None:
        """`write` for what is too large for our memory: `fill` writes it to the open sibling, or raises."""
        safe_files.replace(path, fill, mode, uid, gid)

    def keep(self, path: str, data: bytes) -> None:
        """Replace a file in our own state directory: 0600, ours."""
        safe_files.replace(path, data, 0o600, os.geteuid(), os.getegid())

    def append(self, path: str, data: bytes) -> None:
        """More bytes for a file in our own state directory, which is made where there is none: 0600, ours."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            while data:
                data = data[os.write(fd, data) :]
        finally:
            os.close(fd)

    def set_mode(self, path: str, mode: int) -> None:
        with safe_files.opened(self.place(path)) as fd:
            os.fchmod(fd, mode)

    def set_owner(self, path: str, uid: int, gid: int) -> None:
        with safe_files.opened(self.place(path)) as fd:
            os.fchown(fd, uid, gid)

    def make_directory(self, path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        safe_files.make_directory(path, mode, uid, gid)

    def make_link(self, target: str, path: str) -> None:
        safe_files.make_link(target, path)

    def remove(self, path: str) -> None:
        """Remove a file, a link or an empty directory; nothing there is fine."""
        safe_files.remove(path)

    def try_out(self, path: str, data: bytes, mode: int, validate: "Callable[[str], object]") -> None:
        """`validate` a file as `write` would put it there, and leave nothing behind."""
        safe_files.try_out(self.place(path), data, mode, validate)

    def rename(self, source: str, destination: str) -> None:
        os.rename(source, destination)

    def signal(self, pid: int, number: int) -> None:
        os.kill(pid, number)

    def about_to_write(self) -> None:
        """Said before a change that is not made by a method of this class: one through Docker's socket."""


class ReadOnly(System):
    """The host in check mode: reads as always, every write raises."""

    writable = False

    def _refuse(self, *args: "Any", **kwargs: "Any") -> "Any":
        raise AssertionError("a kind tried to write in check mode: this is a bug of provision")

    run = detach = write = receive = keep = append = set_mode = set_owner = make_directory = make_link = remove = (
        try_out
    ) = rename = _refuse
    signal = about_to_write = _refuse


def _all_of(fd: int, path: str, limit: int) -> bytes:
    data = bytearray()
    while True:
        piece = os.read(fd, 65536)  # /proc/sys answers a read of megabytes with ENOMEM
        if not piece:
            return bytes(data)
        data += piece
        if len(data) > limit:
            raise Failed("{} is larger than {} bytes".format(path, limit), "look at what fills it")


def _get_unix(path: str, target: str, timeout: float) -> "tuple[int, bytes]":
    """HTTP/1.0, so that the answer is neither chunked nor kept open; http.client would cost 20 ms to import."""
    end = time.monotonic() + timeout
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(timeout)
        connection.connect(path)
        connection.sendall("GET {} HTTP/1.0\r\nHost: localhost\r\n\r\n".format(target).encode("ascii"))
        answer = bytearray()
        while True:
            connection.settimeout(max(0.01, end - time.monotonic()))
            data = connection.recv(65536)
            if not data:
                break
            answer += data
            if len(answer) > UNIX_LIMIT or time.monotonic() > end:
                raise socket.timeout("no end of the answer to {}".format(target))
    head, _, body = bytes(answer).partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if len(words) < 2 or not words[1].isdigit():
        raise OSError("{} does not speak HTTP".format(path))
    return int(words[1]), body
