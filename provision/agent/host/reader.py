"""What can be read on the host without a command: files, links, sockets, accounts, clocks.

system.py adds the rest of the door. Nothing here changes anything, and nothing hangs: a FIFO in the place of a file is
refused, a socket has a time limit.
"""

import _socket as socket
import contextlib
import errno
import fcntl
import grp
import os
import pwd
import stat
import struct
import time

from . import safe_files, unix_http
from .errors import Failed
from .results import PATH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ContextManager, Iterable, Mapping


class Reader:
    """The host, for reading."""

    def __init__(self) -> None:
        self._checked: "set[str]" = set()  # directories below /etc that only root can change

    def read(self, path: str, limit: int = 16 * 1024 * 1024) -> "bytes | None":
        """The bytes of a regular file, or None when there is none."""
        try:
            # Without O_NONBLOCK, opening a FIFO that a user left in our way would hang for ever.
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            cause = "{} is a symbolic link that leads to itself".format(path)
            raise Failed(cause, "put a file in its place, or remove the link") from None
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
            fix = "put a file in its place, or name the file that it leads to"
            raise Failed("{} is a symbolic link, and none is followed here".format(path), fix) from None

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

    def check_place(self, path: str) -> None:
        """Failed where others than root could put something else at a path that root's programs go by."""
        folder = os.path.dirname(path)
        if folder not in self._checked and path.startswith(safe_files.ROOTS):
            safe_files.refuse_place(path)
            self._checked.add(folder)

    def check_unlocked(self, path: str) -> None:
        """Failed where a file, or its directory, is locked against changes by root, too."""
        places = {path}
        with contextlib.suppress(Failed):  # where such a link leads nobody writes
            places.add(self.place(path))
        for place in places:
            safe_files.refuse_locked(place)

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
        with self.ask_unix("GET", path, target, timeout=timeout) as answer:
            return answer.status, answer.read()

    def ask_unix(
        self,
        method: str,
        path: str,
        target: str,
        body: "bytes | Iterable[bytes]" = b"",
        headers: "Mapping[str, str] | None" = None,
        timeout: float = 10,
    ) -> "ContextManager[unix_http.Response]":
        """One HTTP request on a Unix socket: any other than GET and HEAD changes something."""
        return unix_http.asked(method, path, target, body, headers or {}, timeout)

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

    def is_up(self, interface: str) -> bool:
        """Is the network interface there, and up?"""
        status = self.text("/sys/class/net/{}/flags".format(interface))
        return status is not None and bool(int(status, 16) & 1)

    def address_of(self, interface: str) -> "str | None":
        """The first IPv4 address of a network interface with its prefix, as the kernel has it; None without one."""
        request = struct.pack("256s", interface.encode("utf-8", "surrogateescape")[:15])
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as any_socket:
            try:
                address, mask = (fcntl.ioctl(any_socket.fileno(), code, request)[20:24] for code in (0x8915, 0x891B))
            except OSError:  # SIOCGIFADDR, SIOCGIFNETMASK: no such interface, or no address
                return None
        prefix = bin(struct.unpack("!I", mask)[0]).count("1")
        return "{}/{}".format(socket.inet_ntop(socket.AF_INET, address), prefix)

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


def _all_of(fd: int, path: str, limit: int) -> bytes:
    data = bytearray()
    while True:
        piece = os.read(fd, 65536)  # /proc/sys answers a read of megabytes with ENOMEM
        if not piece:
            return bytes(data)
        data += piece
        if len(data) > limit:
            raise Failed("{} is larger than {} bytes".format(path, limit), "look at what fills it")
