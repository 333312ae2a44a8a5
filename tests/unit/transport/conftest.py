"""Servers, keys and targets for the transport's tests. Everything lives in the test's temporary folder."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from provision.target import Target
from provision.transport import Pool

from .sshd import SSHD, Mute, Sshd, keygen


class Lab:
    """A user with a key, a known_hosts and an ssh_config of its own, and servers on 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = keygen(folder / "id", "-t", "ed25519")
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.touch()
        self.config = folder / "config"
        self.configure()
        self._running: list[Any] = []

    def configure(self, *lines: str) -> None:
        defaults = (
            f"UserKnownHostsFile {self.known_hosts}",
            "GlobalKnownHostsFile /dev/null",
            "IdentityAgent none",
            "HashKnownHosts no",
        )
        self.config.write_text("\n".join((*lines, "Host *", *defaults)) + "\n")

    def sshd(self, name: str = "server", *options: str, known: bool = True, **more: Any) -> Sshd:
        if SSHD is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)("no sshd here: apt-get install openssh-server")
        server = self.keep(Sshd(self.folder, name, self.key, *options, **more))
        if known:
            self.trust(f"{server.known_name} {server.public_key}")
        return server

    def mute(self, **behaviour: Any) -> Mute:
        return self.keep(Mute(**behaviour))

    def keep(self, server: Any) -> Any:
        self._running.append(server)
        return server

    def trust(self, *lines: str) -> None:
        with self.known_hosts.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def target(self, server: Any = None, **changes: Any) -> Target:
        fields: dict[str, Any] = {
            "name": "host",
            "address": "127.0.0.1",
            "port": server.port if server else None,
            "private_key_file": str(self.key),
            "common_args": ("-F", str(self.config)),
        }
        return Target(**{**fields, **changes})

    def stop(self) -> None:
        for server in reversed(self._running):
            server.stop()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    lab.stop()


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool()
    yield pool
    pool.close()


@pytest.fixture(params=["ssh", "openssh"])
def kind(request: pytest.FixtureRequest) -> str:
    """Both transports over SSH pass the same tests."""
    return str(request.param)


@pytest.fixture
def run() -> Callable[..., tuple[bytes, int | None]]:
    """Connect, run a command to its end, close: (output, exit status)."""

    def run(pool: Pool, target: Target, command: str = "true") -> tuple[bytes, int | None]:
        connection = pool.connect(target)
        try:
            channel = connection.open(command)
            channel.close_input()
            output = b""
            while data := channel.receive(20):
                output += data
            return output, channel.exit_status(10)
        finally:
            connection.close()

    return run


@pytest.fixture
def closed_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
