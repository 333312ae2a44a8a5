"""Real sshd processes of the tests' own on 127.0.0.1, with keys and configuration in a temporary folder.

The law: unprivileged ports and own host keys; nothing on the machine is changed, and each process ends with the test.
"""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
ME = pwd.getpwuid(os.getuid()).pw_name


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def keygen(path: Path, *options: str) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-C", path.name, *options, "-f", str(path)], check=True)
    return path


class Sshd:
    """One server. `options` are lines of sshd_config."""

    def __init__(self, folder: Path, name: str, user_key: Path, *options: str, host_key: Path | None = None) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.name = name
        self.port = free_port()
        self.host_key = host_key or keygen(self.folder / "host_key", "-t", "ed25519")
        authorized = self.folder / "authorized_keys"
        authorized.write_text(user_key.with_suffix(".pub").read_text())
        config = self.folder / "sshd_config"
        lines = (
            *options,
            f"Port {self.port}",
            f"SetEnv HOME={self.folder}",  # no .bashrc of whoever runs the tests
            "ListenAddress 127.0.0.1",
            f"HostKey {self.host_key}",
            f"AuthorizedKeysFile {authorized}",
            f"PidFile {self.folder}/pid",
            "StrictModes no",
            "UsePAM no",
            "PermitRootLogin yes",
            "KbdInteractiveAuthentication no",
        )
        config.write_text("\n".join(lines) + "\n")
        os.makedirs("/run/sshd", exist_ok=True)
        self.log = self.folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [str(SSHD), "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stderr=log
            )
        self._wait()

    def _wait(self) -> None:
        for _ in range(200):
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)
        raise AssertionError(f"sshd did not start: {self.log.read_text()}")

    @property
    def known_name(self) -> str:
        return f"[127.0.0.1]:{self.port}"

    @property
    def public_key(self) -> str:
        """Type and base64 of the host key."""
        return " ".join(self.host_key.with_suffix(".pub").read_text().split()[:2])

    def fingerprint(self) -> str:
        shown = subprocess.run(
            ["ssh-keygen", "-lf", str(self.host_key) + ".pub"], check=True, capture_output=True, text=True
        )
        return shown.stdout.split()[1]

    def children(self) -> list[int]:
        """The processes that serve connections."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                words = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(words[1]) == self.process.pid and words[0] != "Z":
                found.append(int(stat.parent.name))
        return found

    def stop(self) -> None:
        for pid in [*self.children(), self.process.pid]:
            try:
                os.kill(pid, 15)
            except ProcessLookupError:
                continue
        self.process.wait(10)


class Mute:
    """A server that accepts TCP and then does `behave(connection)`: says nothing, by default."""

    def __init__(self, greeting: bytes = b"", close: bool = False) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self.accepted = 0
        self._open: list[socket.socket] = []
        self._greeting, self._close = greeting, close
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.accepted += 1
            if self._greeting:
                connection.sendall(self._greeting)
            if self._close:
                connection.close()
            else:
                self._open.append(connection)

    def forget(self) -> None:
        """Close what was accepted."""
        while self._open:
            self._open.pop().close()

    def stop(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.forget()


class Slow:
    """In front of a server on this machine: it takes connections at once, and passes them on after `seconds`."""

    def __init__(self, port: int, seconds: float) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._behind, self._seconds = port, seconds
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                here, _ = self._server.accept()
            except OSError:
                return
            self._open.append(here)
            threading.Thread(target=self._join, args=(here,), daemon=True).start()

    def _join(self, here: socket.socket) -> None:
        time.sleep(self._seconds)
        there = socket.create_connection(("127.0.0.1", self._behind))
        self._open.append(there)
        threading.Thread(target=_copy, args=(there, here), daemon=True).start()
        _copy(here, there)

    def stop(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        while self._open:
            self._open.pop().close()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
