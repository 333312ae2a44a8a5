"""A fleet that is not there: the real agent on a thousand hosts, each a folder, behind one local socket.

The law: only the transport and the door to the host are made up. The controller is the real program (`python -m
bench.simulator controller DIRECTORY apply …` is provision.py with another Pool); what it sends is read as the loader
reads it; then the real agent runs in a process of its own, with a System whose root is the host's folder. A host named
in the file `down` does not answer; one named in `bad` has a validator that refuses.
"""

import json
import os
import signal
import socket
import sys
import zlib
from pathlib import Path
from typing import Any

from provision import cli
from provision.agent import main
from provision.agent.engine import kinds
from provision.agent.files import file
from provision.agent.host import results, system
from provision.agent.wire import MARKER
from provision.cli import run_verb
from provision.errors import ConnectionLost, HostError, Unreachable
from provision.target import Target

SOCKET = "socket"
MAPPED = ("read", "stat", "names", "link", "keep", "set_mode", "set_owner", "remove", "write", "make_directory")
OS_RELEASE = 'ID=ubuntu\nVERSION_ID="22.04"\nVERSION_CODENAME=jammy\nPRETTY_NAME="Ubuntu {} LTS"\n'


# -- hosts


class Rooted(system.System):
    """The door to a host that is a folder. `state` is the state directory, below the root."""

    def __init__(self, state: str) -> None:
        self.root = state.removesuffix("/var/lib/provision")
        system.System.__init__(self, state)

    def at(self, path: str) -> str:
        return path if path.startswith(self.root + "/") else self.root + path

    def query(self, argv: list[str], timeout: float = 30, stdin: bytes = b"", env: Any = None) -> Any:
        if argv[0] == "validate":
            bad = Path(self.root).name in _names(Path(self.root).parents[1], "bad")
            return results.CommandResult(argv, int(bad), "", "the simulated validator says no" if bad else "")
        if argv[0] == "stat":  # room for everything
            return results.CommandResult(argv, 0, "9999999 4096 999999 999999 9999999 ext2/ext3\n", "")
        return results.CommandResult(argv, results.MISSING, "", "not on a simulated host")

    def which(self, program: str) -> None:
        return None


class RootedReadOnly(Rooted):
    """The same door in check mode."""

    writable = False


def _mapped(name: str) -> Any:
    inner = getattr(system.System, name)

    def method(self: Rooted, path: str, *arguments: Any, **named: Any) -> Any:
        return inner(self, self.at(path), *arguments, **named)

    return method


for _name in MAPPED:
    setattr(Rooted, _name, _mapped(_name))
for _name, _method in vars(system.ReadOnly).items():
    if _method is system.ReadOnly._refuse:
        setattr(RootedReadOnly, _name, _method)


class _Sources:
    """Nothing is kept on a simulated host: its modules are imported already."""

    path = ""

    def to_keep(self) -> None:
        return None


def build(directory: Path, hosts: int, old: int = 50) -> list[str]:
    """Make the folders of so many hosts, an inventory, and a role; each `old`th host has an older system."""
    width = len(str(hosts))  # Ansible's ranges have one width
    names = [f"sim{number:0{width}d}" for number in range(1, hosts + 1)]
    for number, name in enumerate(names, 1):
        etc = directory / "hosts" / name / "etc"
        etc.mkdir(parents=True)
        (etc.parent / "var" / "lib").mkdir(parents=True)
        (etc / "os-release").write_text(OS_RELEASE.format("22.04.1" if number % old == 0 else "22.04.4"))
    (directory / "roles").mkdir()
    (directory / "roles" / "files.py").write_text(ROLE)
    variables = f"    roles: [files]\n    ansible_user: root\n  hosts:\n    sim[{1:0{width}d}:{hosts}]:\n"
    (directory / "hosts.yml").write_text("all:\n  vars:\n" + variables)
    for name in ("down", "bad"):
        (directory / name).write_text("")
    return names


ROLE = '''
"""Fifteen files; the last one has a validator."""
from provision import role
from provision.resources import File


class Settings(role.Settings):
    version: int = 1


def resources(facts, settings):
    for number in range(14):
        yield File(path=f"/etc/file-{number}", content=f"version {settings.version}\\\\n" + "line\\\\n" * number)
    yield File(path="/etc/proven", content=f"{settings.version}\\\\n", validate_with=("validate", "{}"))
'''


def _names(directory: Path, name: str) -> set[str]:
    return set((directory / name).read_text().split())


def serve(directory: Path) -> None:
    """Answer on the socket until this process is ended; one process for each session."""
    kinds.make("file", dict.fromkeys(file.File.fields))  # its module is loaded before the first fork
    main.System, main.ReadOnly = Rooted, RootedReadOnly
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / SOCKET))
        listener.listen(256)
        print("ready", flush=True)
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _agent(directory, connection)
            connection.close()


def _agent(directory: Path, connection: socket.socket) -> None:
    """What sshd, the login shell and the loader do; then the agent itself. Does not return."""
    try:
        for number in (0, 1):
            os.dup2(connection.fileno(), number)
        connection.close()
        name = _exactly(64).decode().strip()
        os.write(1, b"Welcome to a simulated host\r\n" + MARKER)
        head, sources = (zlib.decompress(_exactly(int(_exactly(8), 16))) for _ in range(2))
        payload = json.loads(head)
        assert b"agent.main" in sources.split(b"\0")[::2]
        state = str(directory / "hosts" / name / "var" / "lib" / "provision")
        main.start(dict(payload["options"], state=state), _Sources())
    finally:
        os._exit(1)


def _exactly(count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = os.read(0, count - len(data))
        if not piece:
            os._exit(98)
        data += piece
    return data


# -- the controller's end


class Channel:
    """The controller's end of a session."""

    def __init__(self, path: str, name: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._socket.sendall(name.encode().ljust(64))

    def send(self, data: bytes) -> None:
        try:
            self._socket.settimeout(60)
            self._socket.sendall(data)
        except OSError as error:
            raise ConnectionLost(f"the simulated host is gone: {error}") from None

    def receive(self, timeout: float) -> bytes:
        self._socket.settimeout(timeout)
        try:
            return self._socket.recv(65536)
        except TimeoutError:
            raise
        except OSError as error:
            raise ConnectionLost(f"the simulated host is gone: {error}") from None

    def close_input(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def exit_status(self, timeout: float) -> int | None:
        return None

    def failure(self) -> HostError | None:
        return None

    def close(self) -> None:
        self._socket.close()


class Pool:
    """In place of provision.transport.Pool."""

    directory = Path()

    def __init__(self, **options: Any) -> None:
        self._down = _names(self.directory, "down")

    def connect(self, target: Target) -> "Connection":
        if target.name in self._down:
            raise Unreachable(f"{target.name} does not answer", "switch it on")
        return Connection(str(self.directory / SOCKET), target.name)

    def close(self) -> None:
        """Nothing is shared."""


class Connection:
    def __init__(self, path: str, name: str) -> None:
        self._path = path
        self._name = name

    def open(self, command: str) -> Channel:
        return Channel(self._path, self._name)

    def close(self) -> None:
        """The channel is all there is."""


def controller(directory: Path, words: list[str]) -> None:
    """provision.py, but for its transport."""
    Pool.directory = directory
    run_verb.Pool = Pool  # type: ignore[assignment,misc]
    sys.argv = ["provision.py", *words]
    try:
        cli.main()
    finally:
        # Not ru_maxrss: that of a child counts what its parent had when it forked.
        status = Path("/proc/self/status").read_text()
        (directory / "peak").write_text(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(Path(sys.argv[2]))
    else:
        controller(Path(sys.argv[2]), sys.argv[3:])
