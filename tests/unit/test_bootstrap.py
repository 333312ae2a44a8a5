"""Stage 0's failures: what apt said, as one sentence with what to do."""

import pytest

from provision.as_root import READY
from provision.bootstrap import DONE, install_python
from provision.errors import Refused
from provision.secrets import Secret
from provision.target import Target


class Host:
    """A connection and its one channel: prints `output` once the script has come."""

    def __init__(self, output: bytes) -> None:
        self.outputs = [READY.encode() + b"\n", output]
        self.sent = b""
        self.command = ""

    def open(self, command: str) -> "Host":
        self.command = command
        return self

    def send(self, data: bytes) -> None:
        self.sent += data

    def receive(self, timeout: float) -> bytes:
        return self.outputs.pop(0) if self.outputs else b""

    def close_input(self) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("output", "cause", "fix"),
    [
        (
            b"Err:1 http://d bookworm\n  407  Proxy Authentication Required\nE: Unable to locate package python3\n",
            "407",
            "apt_proxy",
        ),
        (
            b"W: Failed to fetch http://d  Temporary failure resolving 'deb.example'\n",
            "name deb.example",
            "name server",
        ),
        (b"  Could not connect to 10.0.0.1:9 (10.0.0.1). - connect (111)\n", "connect to 10.0.0.1:9 ", "apt_proxy"),
        (
            b"  Unable to connect to 10.0.0.1:9:\nE: Unable to locate package python3\n",
            "connect to 10.0.0.1:9 ",
            "mirror",
        ),
        (b"E: You don't have enough free space in /var/cache/apt/archives/.\n", "no space left", "df -h"),
        (b"E: Could not get lock /var/lib/dpkg/lock-frontend. It is held\n", "/var/lib/dpkg/lock-frontend", "wait"),
        (b"E: something new\n", "something new", "by hand"),
        (b"", "no output", "by hand"),
    ],
)
def test_why_python_could_not_be_installed(output: bytes, cause: str, fix: str) -> None:
    with pytest.raises(Refused) as caught:
        install_python(Host(output), Target("h", "h"))  # type: ignore[arg-type]
    assert "python3 could not be installed" in caught.value.cause
    assert cause in caught.value.cause
    assert fix in caught.value.fix
    assert "\n" not in str(caught.value)


def test_apts_configuration_goes_over_stdin_and_never_into_the_command() -> None:
    host = Host(DONE.encode())
    install_python(host, Target("h", "h"), Secret('Acquire::http::Proxy "http://u:pw@p";'))  # type: ignore[arg-type]
    assert b"u:pw@p" in host.sent
    assert "pw" not in host.command
