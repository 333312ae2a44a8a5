"""The one door to the host: every command, read and write goes through here.

The law: commands are argv lists, never shell strings; they run with LC_ALL=C, stdin closed and a time limit. Files are
replaced, never edited in place, and never through a symbolic link that another user could have put there. `ReadOnly`
is the same door with the writes nailed shut: check mode is that object and not an `if`.
"""

import os
import stat

from . import safe_files, unix_http
from .errors import Failed, TimedOut
from .reader import Reader
from .state import StateFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any, Callable, ContextManager, Mapping, Sequence

    from .results import CommandResult

STATE = "/var/lib/provision"


class System(Reader):
    """The host, for reading and writing."""

    writable = True

    def __init__(self, state: str = STATE) -> None:
        Reader.__init__(self)
        self.state = state
        self.state_file = StateFile(self)
        self.foreseen: "dict[str, bytes | None]" = {}  # in check mode: {path: what would stand there by now}
        self.journal: "Any" = None  # of the change that is at work: rollback/transaction.py hears of each write first
        self.sources: "Any" = None  # our own sources, for what has to run when we are gone; main.py gives them
        self.bundle: "Any" = None  # what packages and images are taken from in place of a network (parcels.py)
        self.lists: "Any" = None  # apt's, once updated: (what was wrong with that, [files of sources that came since])
        self.modules: "dict[str, str]" = {}  # source of modules that only some hosts need, by name: pynvml
        self.progress: "Callable[[str], None]" = lambda text: (
            None
        )  # told what is being waited for; main.py sends it with the next beat

    # -- commands

    def query(
        self, argv: "Sequence[str]", timeout: float = 30, stdin: bytes = b"", env: "Mapping[str, str] | None" = None
    ) -> "CommandResult":
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
    ) -> "CommandResult":
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
    ) -> "CommandResult":
        from .commands import execute  # a run without changes starts no process, and need not load what that takes

        return execute(argv, timeout, stdin, env, log)

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
        status = self.stat(place)
        if place != path and status is not None and not stat.S_ISREG(status.st_mode):
            cause = "{} is a symbolic link that leads to {}, which is no regular file".format(path, place)
            raise Failed(cause, "put a file in its place, or remove the link")
        self.state_file.put(
            "written", path, {"digest": self.state_file.digest(data), "boot": self.boot_id(), "uptime": None}
        )
        if self.journal is not None:
            self.journal.writes(place, data)
        safe_files.replace(place, data, mode, uid, gid, validate)
        self.wrote(path, data)

    def wrote(self, path: str, data: bytes) -> None:
        """It stands there from now on."""
        record = {"digest": self.state_file.digest(data), "boot": self.boot_id(), "uptime": self.uptime()}
        self.state_file.put("written", path, record)

    def receive(self, path: str, fill: "Callable[[IO[bytes]], object]", mode: int, uid: int, gid: int) -> None:
        """`write` for what is too large for our memory: `fill` writes it to the open sibling, or raises."""
        safe_files.replace(path, fill, mode, uid, gid)

    def keep(self, path: str, data: bytes, mode: int = 0o600) -> None:
        """Replace a file of our own, in the state directory or in /run."""
        safe_files.replace(path, data, mode, os.geteuid(), os.getegid())

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
        if self.journal is not None:
            self.journal.writes(path, target)
        safe_files.make_link(target, path)

    def keep_old(self, path: str) -> None:
        """Give what is at `path` a second name, for `put_back`: see `safe_files.keep`."""
        safe_files.keep(path)

    def put_back(self, path: str, rights: "tuple[int, int, int] | None") -> None:
        safe_files.put_back(path, rights)

    def forget_old(self, path: str) -> None:
        safe_files.forget(path)

    def remove(self, path: str) -> None:
        """Remove a file, a link or an empty directory; nothing there is fine."""
        safe_files.remove(path)

    def try_out(self, path: str, data: bytes, mode: int, validate: "Callable[[str], object]") -> None:
        """`validate` a file as `write` would put it there, and leave nothing behind."""
        safe_files.try_out(self.place(path), data, mode, validate)

    def rename(self, source: str, destination: str) -> None:
        safe_files.rename(source, destination)

    def signal(self, pid: int, number: int) -> None:
        os.kill(pid, number)


class ReadOnly(System):
    """The host in check mode: reads as always, every write raises."""

    writable = False

    def _refuse(self, *args: "Any", **kwargs: "Any") -> "Any":
        raise AssertionError("a kind tried to write in check mode: this is a bug of provision")

    def ask_unix(self, method: str, *words: "Any", **more: "Any") -> "ContextManager[unix_http.Response]":
        return Reader.ask_unix(self, method, *words, **more) if method in unix_http.READING else self._refuse()

    run = detach = write = receive = keep = append = set_mode = set_owner = make_directory = make_link = _refuse
    remove = try_out = rename = _refuse
    signal = keep_old = put_back = forget_old = _refuse
