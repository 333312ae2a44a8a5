"""The connections of one run: which transport a host gets, and what its connections share.

The law: paramiko is imported only when a host needs it; a run shares its jump hosts, its turns at a busy sshd, its
answers from `ssh -G`, its parsed known_hosts and its loaded keys, and nothing else.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import yaml

from provision.errors import Unreachable
from provision.secrets import Secret
from provision.target import Target
from provision.transport.channel import Connection, Deadline
from provision.transport.hostkeys import HostKeys
from provision.transport.local import LocalConnection
from provision.transport.needs_openssh import why_openssh
from provision.transport.openssh import OpenSshConnection
from provision.transport.route import Routes, Socket, jump_limit, refuse_circles
from provision.transport.ssh_config import Resolved, SshConfig
from provision.transport.throttle import Dropped, Gates

if TYPE_CHECKING:
    from provision.transport.auth import KeyFiles
    from provision.transport.protocol import Transport
    from provision.transport.ssh import SshConnection

_LOADING = threading.Lock()


class Pool:
    """All connections of one run. Thread-safe: `connect` is called from many threads."""

    def __init__(
        self, *, accept_new_host_keys: bool = False, on_host_key: Callable[[str], None] = lambda message: None
    ) -> None:
        """`on_host_key` is told of each key that was added, from the thread that connects."""
        self._config = SshConfig()
        self._host_keys = HostKeys(accept_new_host_keys, on_host_key)
        self._gates = Gates()
        self._routes = Routes(self._config, self._log_in_to_jump)
        self._lock = threading.Lock()
        self._keys: KeyFiles | None = None

    def connect(self, target: Target) -> Connection:
        """A connection to `target`. Unreachable, in one sentence. Kind `openssh` connects at each `open` instead."""
        if target.connection == "local":
            return LocalConnection()
        if not target.address or target.address.startswith("-"):
            raise Unreachable(f"{target.address!r} is not the address of a host", "correct ansible_host")
        arguments = _arguments(target)
        settings = self._config.resolve(target.address, arguments)
        refuse_circles(settings, arguments, self._config)
        known = self._host_keys.lookup(settings)
        if target.connection == "openssh" or why_openssh(settings, known, target.password is not None):
            return OpenSshConnection(
                target, settings, arguments, config=self._config, host_keys=self._host_keys, gates=self._gates
            )
        limit = settings.connect_timeout or target.connect_timeout
        return self._log_in(
            settings, arguments, limit=limit, password=target.password, identity=target.private_key_file
        )

    def close(self) -> None:
        """Close the connections to jump hosts. Connections handed out are closed by those who have them."""
        self._routes.close()

    def _log_in_to_jump(self, settings: Resolved, arguments: tuple[str, ...]) -> "SshConnection":
        return self._log_in(settings, arguments, limit=jump_limit(settings), password=None, identity=None)

    def _log_in(
        self,
        settings: Resolved,
        arguments: tuple[str, ...],
        *,
        limit: float,
        password: Secret | None,
        identity: str | None,
    ) -> "SshConnection":
        place, open_way = self._routes.way(settings, arguments)

        def attempt(deadline: Deadline) -> "tuple[Transport, Socket]":
            way = open_way(deadline)
            try:
                # Loaded with the line open: paramiko takes 0.2 s, in which the hosts' sshds get ready.
                with deadline.paused():
                    protocol = _protocol()
                    keys = self._key_files()
                return protocol.log_in(
                    way.sock,
                    settings,
                    host_keys=self._host_keys,
                    keys=keys,
                    deadline=deadline,
                    password=password,
                    identity=identity,
                ), way
            except Dropped:
                said = way.said()
                way.close()
                if settings.is_set("proxycommand"):  # no sshd has dropped us: its own words say what is wrong
                    cause = f"the ProxyCommand of {settings.label} ended: {said or 'it said nothing'}"
                    raise Unreachable(cause, "run the command by hand") from None
                raise
            except BaseException:
                way.close()
                raise

        transport, way = self._gates.run(place, limit, attempt)
        connection: SshConnection = _ssh().SshConnection(settings, transport, way.close)
        return connection

    def _key_files(self) -> "KeyFiles":
        """Made once, when the first host needs them."""
        from provision.transport import auth  # noqa: PLC0415

        with self._lock:
            if self._keys is None:
                self._keys = auth.KeyFiles()
            return self._keys


def _ssh() -> Any:
    """ssh.py, with fabric, while other hosts log in. Not what invoke takes along for the tests of those who use it
    (unittest.mock, and with that asyncio), nor its own copy of yaml: a tenth of a run without changes."""
    mock: Any = ModuleType("unittest.mock")
    mock.Mock = object
    with _LOADING, _in_place_of_modules({"unittest.mock": mock, "invoke.vendor.yaml": yaml}):
        from provision.transport import ssh  # noqa: PLC0415
    return ssh


def _protocol() -> ModuleType:
    """protocol.py. Not invoke, which paramiko would take along for the `Match exec` of an ssh_config (`ssh -G` reads
    ours): 35 ms before the first login. It comes with fabric, while other hosts log in."""
    with _LOADING, _in_place_of_modules({"invoke": None}):
        from provision.transport import protocol  # noqa: PLC0415
    return protocol


@contextmanager
def _in_place_of_modules(stand_ins: dict[str, ModuleType | None]) -> Iterator[None]:
    """What an import finds meanwhile in place of modules that are not loaded; None, as Python has it: nothing."""
    modules: dict[str, Any] = sys.modules
    absent = {name: module for name, module in stand_ins.items() if name not in modules}
    modules.update(absent)
    try:
        yield
    finally:
        for name in absent:
            del modules[name]


def _arguments(target: Target) -> tuple[str, ...]:
    """The command line for ssh: the inventory's own settings first, since the first value of an option wins."""
    own: list[str] = []
    if target.port is not None:
        own += ["-p", str(target.port)]
    if target.user is not None:
        own += ["-l", target.user]
    if target.private_key_file is not None:
        own += ["-i", target.private_key_file]
    return (*own, *target.common_args)
