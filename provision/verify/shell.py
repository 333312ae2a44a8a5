"""One root shell on one host, on one channel: commands in, status, output and errors out.

The law: nothing is sent before it is due (sudo's password after sudo's own prompt, commands after the shell has said
that it is there); the end of each answer is a word that nobody can guess; every command has a time limit. A shell that
missed an answer is of no use any more, and says so.
"""

import contextlib
import re
import secrets as random
import shlex
import time
from typing import NamedTuple

from provision.errors import ConnectionLost, HostError, HostTimeout, Refused
from provision.target import Target
from provision.transport import Channel, Pool

LOGIN_LIMIT = 60.0
"""Seconds from the open channel to the shell's first word."""
COMMAND_LIMIT = 60.0
"""Seconds for a command that is given no limit of its own."""
NOISE_LIMIT = 1 << 20
"""Bytes that a login may print before the shell says that it is there."""
OUTPUT_LIMIT = 64 << 20
"""Bytes of one command's output."""

# /run is a tmpfs, so that errors can be kept aside on a host whose disk is full. EXIT also follows a lost connection.
PREAMBLE = """\
exec 2>/dev/null
LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin; export LC_ALL PATH; unset LANGUAGE
trap 'rm -f "$provision_errors"' EXIT; trap exit HUP PIPE TERM
provision_errors=$(mktemp -p /run) || provision_errors=$(mktemp)
"""


class CommandOutput(NamedTuple):
    """What a command came to."""

    status: int
    stdout: bytes
    stderr: bytes


class Shell:
    """A shell as root (where the target says `become`, or logs in as root). Use it from one thread."""

    def __init__(self, target: Target, pool: Pool) -> None:
        """Connects. Raises HostError."""
        self._name = target.name
        self._lost: HostError | None = None
        self._connection = pool.connect(target)
        try:
            self._channel = self._log_in(target)
        except BaseException:
            self._connection.close()
            raise

    def run(self, command: str, timeout: float = COMMAND_LIMIT) -> CommandOutput:
        """Run a line of sh, with stdin closed, within `timeout` seconds. HostTimeout, ConnectionLost: from then on
        every command of this shell raises that."""
        if self._lost is not None:
            raise self._lost
        try:
            return self._run(command, timeout)
        except HostError as error:
            self._lost = error
            raise

    def close(self) -> None:
        """Close the connection; the shell removes what it kept on the host."""
        with contextlib.suppress(HostError):
            self._channel.close_input()
        self._channel.close()
        self._connection.close()

    def _run(self, command: str, timeout: float) -> CommandOutput:
        word = random.token_hex(16)
        # eval in a subshell: a syntax error, `exit` or `cd` in the command ends with it. The first word parts the
        # output from what an earlier command left running in the background may still say.
        line = (
            f'printf %s {word}; ( eval {shlex.quote(command)} ) </dev/null 2>"$provision_errors"; '
            f'provision_status=$?; printf %s {word}; [ -s "$provision_errors" ] && cat "$provision_errors"; '
            f'printf "%s%d\n" {word} $provision_status\n'
        )
        self._channel.send(line.encode())
        whole = re.compile(b"%s(.*)%s(.*)%s([0-9]+)\n" % ((word.encode(),) * 3), re.DOTALL)
        end, deadline, data = word.encode(), time.monotonic() + timeout, bytearray()
        while True:
            data += self._receive(deadline, command, timeout)
            if end in data[-len(end) - 8 :] and (found := whole.search(data)):
                return CommandOutput(int(found[3]), found[1], found[2])
            if len(data) > OUTPUT_LIMIT:
                raise HostTimeout(f"{self._name}: {_short(command)} printed more than 64 MiB", "let it print less")

    def _receive(self, deadline: float, command: str, timeout: float) -> bytes:
        try:
            data = self._channel.receive(max(0.001, deadline - time.monotonic()))
        except TimeoutError:
            cause = f"{self._name}: {_short(command)} did not end within {timeout:g} s"
            raise HostTimeout(cause, "run it by hand on that host") from None
        if not data:
            raise ConnectionLost(f"{self._name}: the shell ended in {_short(command)}", "run it by hand on that host")
        return data

    def _log_in(self, target: Target) -> Channel:
        ready, prompt = f"provision-ready-{random.token_hex(8)}", f"provision-sudo-{random.token_hex(8)}:"
        # sh is told to read commands from stdin only by its argument, or a `sh -c` would end with its one line.
        command = f"sh -c 'echo {ready} $(id -u); exec sh -s'"
        if target.become:
            command = f"sudo -S -p {prompt} -- {command}" if target.become_password else f"sudo -n -- {command}"
        channel = self._connection.open(command)
        try:
            self._wait_for(channel, target, ready.encode(), prompt.encode())
            channel.send(PREAMBLE.encode())
        except BaseException:
            channel.close()
            raise
        return channel

    def _wait_for(self, channel: Channel, target: Target, ready: bytes, prompt: bytes) -> None:
        noise, asked, deadline = b"", False, time.monotonic() + LOGIN_LIMIT
        while not (said := re.search(ready + rb" (\d*)\r?\n", noise)):
            try:
                data = channel.receive(max(0.001, deadline - time.monotonic()))
            except TimeoutError:
                cause = f"{self._name} started no shell within {LOGIN_LIMIT:g} s"
                raise HostTimeout(cause, "log in by hand and look at its load and disks") from None
            if not data or len(noise) > NOISE_LIMIT:
                raise channel.failure() or _refused(target, noise)
            noise += data
            if noise.count(prompt) > asked:
                if asked or target.become_password is None:
                    fix = "correct ansible_become_password; it was tried once"
                    raise Refused(f"{self._name}: sudo did not take the password", fix)
                channel.send(target.become_password.reveal().encode() + b"\n")
                asked = True
        if said[1] != b"0":
            raise Refused(f"{self._name}: verification needs root", "set ansible_become: true, or log in as root")


def _refused(target: Target, noise: bytes) -> HostError:
    last = (noise.decode("utf-8", "replace").strip().splitlines() or ["no output"])[-1]
    return Refused(f"{target.name} gave no root shell: {last:.300}", "try it by hand: ssh HOST sudo -n true")


def _short(command: str) -> str:
    return repr(command if len(command) <= 120 else command[:117] + "...")
