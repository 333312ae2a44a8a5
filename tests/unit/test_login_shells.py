"""The loader as each login shell of this machine starts it: the shell gets the command line as sshd hands it on."""

import json
import shutil
import subprocess
import zlib

import pytest

from provision import loader, login
from provision.agent.wire import MARKER

SHELLS = ("sh", "bash", "dash", "zsh", "csh", "tcsh", "fish", "busybox sh")
BOOT = "import os; os.write(1, b'loaded ' + packed)"


def part(text: str) -> bytes:
    body = zlib.compress(text.encode())
    return b"%08x" % len(body) + body


def start(shell: str, command: str, source: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    words = shell.split()
    program = shutil.which(words[0])
    if program is None:
        pytest.skip(f"this machine has no {words[0]}: install it to test logins with it")
    return subprocess.run([program, *words[1:], "-c", command], input=source, capture_output=True, check=False)


@pytest.mark.parametrize("interpreter", [None, "/usr/bin/python3"])
@pytest.mark.parametrize("shell", SHELLS)
def test_the_loader_runs_under(shell: str, interpreter: str | None) -> None:
    source = part(json.dumps({"boot": BOOT})) + b"00000004rest"
    done = start(shell, loader.command(interpreter), source)
    assert (done.stdout, done.stderr) == (MARKER + b"loaded rest", b"")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_host_without_python_says_so_under(shell: str) -> None:
    done = start(shell, loader.command("/nowhere/python3"))
    assert done.stdout.decode() == f"{loader.NO_PYTHON}\n"
    assert done.returncode == 96


@pytest.mark.parametrize(
    "message", [loader.NO_PYTHON, loader.OLD_PYTHON, loader.SMALL_PYTHON, *(known.pattern for known in login._SUDO)]
)
def test_the_command_line_has_no_message_that_is_looked_for(message: str) -> None:
    """A traceback of Python quotes the loader, and a shell that traces quotes all of it."""
    assert message not in loader.command()
