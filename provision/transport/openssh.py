"""The transport of kind `openssh`: the pipes of the `ssh` program, one process a channel.

The law: as strict as the other transport, whatever ssh_config says: host keys are checked, those of jump hosts too;
no terminal is there to ask on; nothing is shared or forwarded (ControlMaster, agents, ports), since a shared connection
would outlive the run. The ssh program itself says when it is logged in (LocalCommand prints a random word), so its
own words before that are errors to explain, and what comes after is the host's.
"""

import contextlib
import math
import os
import secrets
import shlex
import signal
from collections.abc import Mapping, Sequence

from provision.errors import ConnectionLost, HostError, Unreachable
from provision.target import Target
from provision.transport import explain
from provision.transport.askpass import Askpass
from provision.transport.channel import ALIVE_COUNT, ALIVE_INTERVAL, EXIT_LIMIT, Channel, Deadline
from provision.transport.hostkeys import HostKeys
from provision.transport.known_hosts import fingerprint, short_kind
from provision.transport.process import ProcessChannel
from provision.transport.route import hop_arguments, jump_limit, whole_limit
from provision.transport.ssh_config import NO_SSH, Resolved, SshConfig
from provision.transport.throttle import Dropped, Gates

PRELUDE_LIMIT = 1 << 20
"""Bytes that ssh may say before it is logged in (banners)."""
TAIL = 1024
SLACK = 1.0
"""Seconds that ssh gets beyond the time limit to say itself what was wrong."""
NEW_OPTIONS = "SessionType,StdinNull,ForkAfterAuthentication"
"""Unknown to ssh before 8.7."""


class OpenSshConnection:
    """One host, through one `ssh` process for each channel. Nothing is connected before the first `open`."""

    def __init__(
        self,
        target: Target,
        settings: Resolved,
        arguments: tuple[str, ...],
        *,
        config: SshConfig,
        host_keys: HostKeys,
        gates: Gates,
    ) -> None:
        self._target = target
        self._settings = settings
        self._config = config
        self._arguments = arguments
        self._host_keys = host_keys
        self._gates = gates
        self._channels: list[OpenSshChannel] = []
        self._closed = False

    def open(self, command: str) -> Channel:
        if self._closed:
            raise ConnectionLost("the connection was closed", "connect again")
        own = self._settings.connect_timeout or self._target.connect_timeout
        limit = whole_limit(own, self._settings, self._arguments, self._config)
        proxy = proxy_command(self._settings, self._arguments, self._config, self._host_keys.accept_new)
        place = f"jump host {self._settings.one('proxyjump')}" if proxy else self._settings.label

        def attempt(deadline: Deadline) -> "OpenSshChannel":
            return self._start(command, proxy, deadline)

        channel = self._gates.run(place, limit, attempt)
        self._channels.append(channel)
        return channel

    def _start(self, command: str, proxy: str, deadline: Deadline) -> "OpenSshChannel":
        word = secrets.token_hex(16)
        options = strict_options(self._host_keys.accept_new, deadline.left(), self._target.password is None)
        options += ["-o", "PermitLocalCommand=yes", "-o", f"LocalCommand=echo {word}"]
        options += ["-o", f"ProxyCommand={proxy}"] if proxy else []
        arguments = _without_jump(self._arguments) if proxy else self._arguments
        argv = ["ssh", *options, *arguments, "--", self._target.address, command]
        with Askpass(self._target.password, self._settings) as askpass:
            channel = OpenSshChannel(argv, {**os.environ, **askpass.environment, "SHELL": "/bin/sh"}, self._settings)
            try:
                said = channel.wait_for(word.encode() + b"\n", deadline, askpass.given)
            except BaseException as error:
                channel.close()
                if askpass.asked_again():  # it has ended ssh: the one password we have was not taken
                    raise explain.denied(self._settings, self._settings.user, [], True) from error
                raise
            self._report_new_key(said)
            return channel

    def _report_new_key(self, said: str) -> None:
        kind = explain.added_key(said)
        if not kind:
            return
        for entry in self._host_keys.lookup(self._settings).plain:
            if short_kind(entry.kind) == kind:
                self._host_keys.tell(self._settings, entry.kind, fingerprint(entry.blob))
                return
        self._host_keys.tell(self._settings, kind, "")

    def close(self) -> None:
        self._closed = True
        for channel in self._channels:
            channel.close()


class OpenSshChannel(ProcessChannel):
    """The pipes of one `ssh` process."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], settings: Resolved) -> None:
        try:
            super().__init__(argv, env)
        except FileNotFoundError:
            raise Unreachable("the ssh program is not installed here", NO_SSH) from None
        self._settings = settings
        self._pending = b""
        self._tail = b""

    def wait_for(self, word: bytes, deadline: Deadline, password: bool) -> str:
        """Wait until ssh is logged in; what it said before. Unreachable; Dropped."""
        late, text = Deadline(deadline.left() + SLACK), b""
        while word not in text:
            said = explain.SshOutput(text.decode(errors="replace"), self._settings, password, deadline.seconds)
            try:
                data = self._read(late.left())
            except TimeoutError:
                raise explain.timed_out(said) from None
            if not data or len(text) > PRELUDE_LIMIT:
                raise explain.failure(said) or Dropped(said.text)
            text += data
        before, self._pending = text.split(word, 1)
        self._tail = b""
        return before.decode(errors="replace")

    def _read(self, timeout: float) -> bytes:
        if self._pending:
            data, self._pending = self._pending, b""
        else:
            data = super()._read(timeout)
        self._tail = (self._tail + data)[-TAIL:]
        return data

    def failure(self) -> HostError | None:
        """ssh ends with 255 where it failed itself; a command that ends so is told apart by ssh's last words."""
        if super().exit_status(EXIT_LIMIT) != 255:
            return None
        return explain.lost(self._tail.decode(errors="replace"), self._settings)

    def exit_status(self, timeout: float) -> int | None:
        status = super().exit_status(timeout)
        if status == 255 and explain.lost(self._tail.decode(errors="replace"), self._settings):
            return None
        return status

    def close(self) -> None:
        """End the ssh process (and the ones of its jump hosts, which are in its group)."""
        self._close_pipes()
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
            if super().exit_status(EXIT_LIMIT) is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()


def strict_options(accept_new: bool, connect_timeout: float, batch: bool) -> list[str]:
    """Options that must stand first on the command line, since the first value of an option wins."""
    pairs = {
        "IgnoreUnknown": NEW_OPTIONS,
        "StrictHostKeyChecking": "accept-new" if accept_new else "yes",
        "BatchMode": "yes" if batch else "no",
        "ConnectTimeout": str(math.ceil(connect_timeout)),
        "ConnectionAttempts": "1",
        "ControlMaster": "no",
        "ControlPath": "none",
        "ServerAliveInterval": str(ALIVE_INTERVAL),
        "ServerAliveCountMax": str(ALIVE_COUNT),
        "ClearAllForwardings": "yes",
        "RemoteCommand": "none",
        "SessionType": "default",
        "StdinNull": "no",
        "ForkAfterAuthentication": "no",
        "UpdateHostKeys": "no",
        "LogLevel": "INFO",
        "NumberOfPasswordPrompts": "1",
    }
    if not batch:  # one guess: where the server takes `password`, it is not tried again as keyboard-interactive
        pairs["PreferredAuthentications"] = "gssapi-with-mic,publickey,password,keyboard-interactive"
    return ["-T", "-a", "-x", *(word for pair in pairs.items() for word in ("-o", "=".join(pair)))]


def proxy_command(settings: Resolved, arguments: Sequence[str], config: SshConfig, accept_new: bool) -> str:
    """ProxyJump as a ProxyCommand with our strictness ("" for none): OpenSSH's own would obey a lax ssh_config."""
    if settings.is_set("proxycommand") or not settings.is_set("proxyjump"):
        return ""
    host, hop = hop_arguments(settings.one("proxyjump"), arguments)
    jump = config.resolve(host, hop)
    nested = proxy_command(jump, hop, config, accept_new)
    options = strict_options(accept_new, whole_limit(jump_limit(jump), jump, hop, config), batch=True)
    options.remove("-T")
    if nested:
        options += ["-o", f"ProxyCommand={nested}"]
    words = ["ssh", *options, *_without_jump(hop), "-W", "[%h]:%p", "--", host]
    # %h and %p are for the ssh that runs this; what is quoted inside for the next one keeps its own.
    return " ".join(shlex.quote(word if word == "[%h]:%p" else word.replace("%", "%%")) for word in words)


def _without_jump(arguments: Sequence[str]) -> list[str]:
    """`-J` and a ProxyCommand of ours exclude one another."""
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if not skip and not argument.startswith("-J"):
            kept.append(argument)
        skip = argument == "-J"
    return kept
