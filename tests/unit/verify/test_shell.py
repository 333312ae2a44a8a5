"""The shell on this machine: what comes back, what cannot get mixed up, and what ends it."""

import os
from collections.abc import Iterator

import pytest

from provision.errors import HostTimeout, Refused
from provision.target import Target
from provision.transport import Pool
from provision.verify.shell import Shell

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="verification is done as root")
LOCAL = Target("here", "here", connection="local")


@pytest.fixture
def shell() -> Iterator[Shell]:
    made = Shell(LOCAL, Pool())
    yield made
    made.close()


@needs_root
@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("printf 'a\\n\\n'; printf b >&2; exit 3", (3, b"a\n\n", b"b")),
        ("cat", (0, b"", b"")),
        ("cd /; false", (1, b"", b"")),
        ("printf '\\0\\377'", (0, b"\0\xff", b"")),
        ("echo 'it'\"'\"'s'", (0, b"it's\n", b"")),
        ("echo one\necho two", (0, b"one\ntwo\n", b"")),
    ],
)
def test_status_output_and_errors_stay_apart(shell: Shell, command: str, answer: tuple[int, bytes, bytes]) -> None:
    assert shell.run(command) == answer
    assert shell.run("echo next") == (0, b"next\n", b"")


@needs_root
def test_a_syntax_error_is_the_command_s(shell: Shell) -> None:
    answer = shell.run("if then (")
    assert answer.status != 0
    assert b"yntax error" in answer.stderr
    assert shell.run("echo next").stdout == b"next\n"


@needs_root
def test_what_a_command_leaves_running_does_not_speak_for_the_next(shell: Shell) -> None:
    shell.run("(sleep 0.2; echo late) & true")
    assert shell.run("sleep 0.5; echo mine").stdout in (b"late\nmine\n", b"mine\n")
    assert shell.run("echo next").stdout == b"next\n"


@needs_root
def test_a_big_answer(shell: Shell) -> None:
    assert len(shell.run("head -c 5000000 /dev/zero; head -c 3000000 /dev/zero >&2").stderr) == 3000000


@needs_root
def test_a_command_that_hangs_ends_the_shell_and_is_named(shell: Shell) -> None:
    with pytest.raises(HostTimeout, match=r"sleep 60.*did not end within 0\.2 s"):
        shell.run("sleep 60", timeout=0.2)
    with pytest.raises(HostTimeout, match="sleep 60"):
        shell.run("true")


@needs_root
def test_a_shell_that_is_not_root_s_is_refused(tmp_path: object) -> None:
    with pytest.raises(Refused, match=r"sudo|gave no root shell|root"):
        Shell(Target("here", "here", connection="local", become=True, python_interpreter=None), _AsNobody())


class _AsNobody(Pool):
    """Every command as nobody would run it."""

    def connect(self, target: Target):  # type: ignore[no-untyped-def]
        connection = super().connect(target)
        opened = connection.open
        connection.open = lambda command: opened("sh -c 'echo provision: no; exit 1'")  # type: ignore[method-assign]
        return connection
