"""The way to a host: TCP, a ProxyCommand, or a channel through the one connection to its jump host.

The law: jump hosts in OpenSSH's order (each next one is reached through the ones before it), one connection a jump
host and run, and what is wrong with a jump host is said of the jump host.
"""

import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.errors import HostError, Unreachable
from provision.transport import connect
from provision.transport.channel import Deadline
from provision.transport.ssh_config import Resolved, SshConfig

if TYPE_CHECKING:
    from provision.transport.ssh import SshConnection

REMEMBER_DEAD = 60.0
"""Seconds that a dead jump host is not tried again: or each of 1,000 hosts behind it would wait for it."""
DEFAULT_LIMIT = 10.0
"""Seconds to connect to a jump host, unless its ConnectTimeout says otherwise."""
DEEPEST = 8
"""Jump hosts in a row; more is a loop in ssh_config."""
HOP = re.compile(r"(?:ssh://)?(?:(?P<user>.+)@)?(?P<host>\[[^]]+\]|[^:]+?)(?::(?P<port>\d+))?/?")


@dataclass
class Socket:
    """A way that is open: what to talk through, what to close besides, and why it closed by itself."""

    sock: Any
    close: Callable[[], None]
    said: Callable[[], str] = lambda: ""


@dataclass
class _Jump:
    lock: threading.Lock = field(default_factory=threading.Lock)
    connection: "SshConnection | None" = None
    error: HostError | None = None
    failed_at: float = 0.0


def hop_arguments(chain: str, arguments: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """(host, arguments for ssh) of the last jump host of `a,b,c`; the ones before it are its own ProxyJump.

    As with OpenSSH, of the host's own arguments only -F goes for its jump hosts too.
    """
    before, _, last = chain.rpartition(",")
    match = HOP.fullmatch(last.strip())
    if not match or last.strip().startswith("-"):
        raise Unreachable(f"ProxyJump {chain!r} is not a list of [user@]host[:port]", "correct it in ssh_config")
    own: list[str] = []
    for number, argument in enumerate(arguments):
        if argument.startswith("-F"):
            own += [argument] if argument[2:] else list(arguments[number : number + 2])
    own += ["-o", f"ProxyJump={before}"] if before else []
    own += ["-l", match["user"]] if match["user"] else []
    own += ["-p", match["port"]] if match["port"] else []
    return match["host"].strip("[]"), tuple(own)


def hops(settings: Resolved, arguments: Sequence[str], config: SshConfig) -> Iterator[Resolved]:
    """The jump hosts on the way to a host, the one next to it first. Without end where they go round in circles."""
    hop, own = settings, arguments
    while hop.is_set("proxyjump") and not hop.is_set("proxycommand"):
        host, own = hop_arguments(hop.one("proxyjump"), own)
        hop = config.resolve(host, own)
        yield hop


def refuse_circles(settings: Resolved, arguments: Sequence[str], config: SshConfig) -> None:
    """Unreachable: the jump hosts' own jump hosts never end. Asked before any of them is waited for."""
    if len(list(itertools.islice(hops(settings, arguments, config), DEEPEST))) == DEEPEST:
        raise Unreachable(
            f"the jump hosts of {settings.label} go round in circles", f"correct ProxyJump {settings.one('proxyjump')}"
        )


def jump_limit(jump: Resolved) -> float:
    """Seconds to log in to a jump host: they are its own, beside those of the host behind it."""
    return jump.connect_timeout or DEFAULT_LIMIT


def whole_limit(own: float, settings: Resolved, arguments: Sequence[str], config: SshConfig) -> float:
    """Seconds for a login that contains those to all the jump hosts before it, as those of the `ssh` program do."""
    return own + sum(map(jump_limit, hops(settings, arguments, config)))


class Routes:
    """The jump hosts of one run. Thread-safe."""

    def __init__(self, config: SshConfig, log_in: "Callable[[Resolved, tuple[str, ...]], SshConnection]") -> None:
        self._config = config
        self._log_in = log_in
        self._jumps: dict[tuple[str, ...], _Jump] = {}
        self._lock = threading.Lock()

    def way(self, settings: Resolved, arguments: Sequence[str]) -> tuple[str, Callable[[Deadline], Socket]]:
        """(place whose sshd sees the handshake first, a function that opens the way). Connects the jump host."""
        if settings.is_set("proxycommand"):
            return settings.label, lambda deadline: _proxied(settings)
        if not settings.is_set("proxyjump"):
            return settings.label, lambda deadline: _direct(settings, deadline)
        host, hop = hop_arguments(settings.one("proxyjump"), arguments)
        jump = self._jump(host, hop)

        def through(deadline: Deadline) -> Socket:
            # Asked for again at each attempt: a jump connection that has died meanwhile is made anew.
            return Socket(*self._jump(host, hop).tunnel(settings.hostname, settings.port, deadline))

        return f"jump host {jump.label}", through

    def _jump(self, host: str, arguments: tuple[str, ...]) -> "SshConnection":
        with self._lock:
            jump = self._jumps.setdefault((host, *arguments), _Jump())
        with jump.lock:
            if jump.connection and jump.connection.alive():
                return jump.connection
            if jump.error and time.monotonic() - jump.failed_at < REMEMBER_DEAD:
                raise jump.error
            if jump.connection:
                jump.connection.close()
            jump.connection = jump.error = None
            try:
                settings = self._config.resolve(host, arguments)
                jump.connection = self._log_in(settings, arguments)
            except HostError as error:
                named = error.cause if error.cause.startswith("jump host") else f"jump host {host}: {error.cause}"
                jump.error, jump.failed_at = Unreachable(named, error.fix), time.monotonic()
                raise jump.error from error
            return jump.connection

    def close(self) -> None:
        with self._lock:
            jumps = list(self._jumps.values())
            self._jumps.clear()
        for jump in reversed(jumps):
            if jump.connection:
                jump.connection.close()


def _direct(settings: Resolved, deadline: Deadline) -> Socket:
    bind = settings.one("bindaddress") if settings.is_set("bindaddress") else ""
    sock = connect.tcp(settings.hostname, settings.port, deadline, settings.one("addressfamily", "any"), bind)
    return Socket(sock, sock.close)


def _proxied(settings: Resolved) -> Socket:
    process = connect.ProxyProcess(settings.expand(settings.one("proxycommand")))
    return Socket(process.socket, process.close, process.said)
