"""The transport of kind `ssh`: fabric and paramiko, made to behave as OpenSSH does.

The law: only this file and auth.py import fabric and paramiko, and they are imported only when a host needs them.
The socket is ours, the host key is judged by known_hosts.py before any credential is sent, and one deadline covers
banner, key exchange and login.
"""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

import fabric
import paramiko
from paramiko.auth_handler import AuthOnlyHandler
from paramiko.common import cMSG_GLOBAL_REQUEST
from paramiko.ssh_exception import SSHException

from provision.errors import ConnectionLost, HostError, HostTimeout, Unreachable
from provision.secrets import Secret
from provision.transport.auth import KeyFiles, Login
from provision.transport.channel import ALIVE_COUNT, ALIVE_INTERVAL, EXIT_LIMIT, SEND_LIMIT, Channel, Deadline
from provision.transport.handshakes import Dropped
from provision.transport.hostkeys import HostKeys
from provision.transport.ssh_config import Resolved

SLICE = 15.0
"""Seconds. Sending and receiving share paramiko's time limit, so neither waits longer than this at a time."""
CHUNK = 1 << 16
CHANNEL_LIMIT = 30.0
"""Seconds for the host to open a channel and start a command on it."""

logger = logging.getLogger("paramiko")
if logger.level == logging.NOTSET:  # its tracebacks would go to stderr; what matters is in our errors
    logger.setLevel(logging.CRITICAL + 1)


class _AuthHandler(AuthOnlyHandler):
    """Remembers the methods that the server would take; paramiko forgets them."""

    def _parse_userauth_failure(self, message: Any) -> None:
        position = message.packet.tell()
        self.transport.offered = message.get_list()
        message.packet.seek(position)
        super()._parse_userauth_failure(message)


class Transport(paramiko.ServiceRequestingTransport):
    """paramiko's transport without host certificates (it cannot check them), and with keepalives that count."""

    def __init__(self, sock: Any, settings: Resolved) -> None:
        super().__init__(sock)
        self.channel_timeout = CHANNEL_LIMIT
        self.offered: list[str] = []
        self.unanswered = 0
        self._accepted = threading.Event()
        self._alive_count = int(settings.one("serveralivecountmax", "0")) or ALIVE_COUNT
        self._restrict(settings)

    def _restrict(self, settings: Resolved) -> None:
        """Only what ssh_config allows, in its order; limits.py has made sure that something is left."""
        security = self.get_security_options()
        for attribute, option in (("kex", "kexalgorithms"), ("ciphers", "ciphers"), ("digests", "macs")):
            known = getattr(security, attribute)
            wanted = [name for name in settings.words(option) if name in known]
            if wanted:
                setattr(security, attribute, wanted)

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        return tuple(self._filter_algorithm("keys"))

    def prefer_host_keys(self, kinds: list[str], settings: Resolved) -> None:
        """Ask first for the types on file, or the server might show a key of another type, which would be unknown."""
        allowed = settings.words("hostkeyalgorithms")
        usable = [kind for kind in self._preferred_keys if not allowed or kind in allowed]
        signatures = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
        first = [name for kind in kinds for name in signatures.get(kind, (kind,)) if name in usable]
        self._preferred_keys = (*first, *(name for name in usable if name not in first))

    def get_auth_handler(self) -> Any:
        return _AuthHandler(self)

    def _parse_service_accept(self, message: Any) -> None:
        super()._parse_service_accept(message)
        self._accepted.set()

    def ensure_session(self) -> None:
        """Ask once for the login service, and wait for the answer without the polling of the original."""
        if not self._accepted.is_set():
            message = paramiko.Message()
            message.add_byte(paramiko.common.cMSG_SERVICE_REQUEST)
            message.add_string("ssh-userauth")
            self._send_message(message)
            deadline = Deadline(self.auth_timeout)
            while not self._accepted.wait(0.1):
                if not self.is_active():
                    raise self.get_exception() or SSHException("the server closed the connection")
                if deadline.passed():
                    raise TimeoutError("no answer to the request for a login")
            self.auth_handler = self.get_auth_handler()

    def keep_alive(self, interval: float) -> None:
        self.packetizer.set_keepalive(interval, self._ask_if_alive)

    def _ask_if_alive(self) -> None:
        """Called by the reading thread after a silent interval. The answer (a failure, by design) resets the count."""
        if self.unanswered >= self._alive_count:
            self.saved_exception = TimeoutError(f"no answer to {self.unanswered} keepalives")
            self.packetizer.close()
            return
        self.unanswered += 1
        message = paramiko.Message()
        message.add_byte(cMSG_GLOBAL_REQUEST)
        message.add_string("keepalive@openssh.com")
        message.add_boolean(True)
        self._send_user_message(message)

    def _parse_request_failure(self, message: Any) -> None:
        self.unanswered = 0
        super()._parse_request_failure(message)

    def _parse_request_success(self, message: Any) -> None:
        self.unanswered = 0
        super()._parse_request_success(message)


def negotiate(transport: Transport, label: str, deadline: Deadline) -> tuple[str, bytes]:
    """Banner and key exchange; the type and the blob of the server's host key. Unreachable; Dropped."""
    transport.banner_timeout = transport.handshake_timeout = deadline.left()
    try:
        transport.start_client(timeout=deadline.left())
    except (SSHException, OSError, EOFError) as error:
        if deadline.passed():
            raise _silent(label, deadline) from error
        if not transport.remote_version:
            raise Dropped(str(error)) from error
        raise Unreachable(
            f"no agreement with sshd on {label}: {error}", "try `ansible_connection: openssh`, or update sshd"
        ) from error
    if not transport.initial_kex_done:
        raise _silent(label, deadline)
    key = transport.get_remote_server_key()
    return key.get_name(), key.asbytes()


def _silent(label: str, deadline: Deadline) -> Unreachable:
    return Unreachable(
        f"{label} took the connection but sshd did not answer within {deadline.seconds:g} s",
        "check that it is sshd that listens there and that the host is not overloaded",
    )


def log_in(
    sock: Any,
    settings: Resolved,
    host_keys: HostKeys,
    keys: KeyFiles,
    deadline: Deadline,
    password: Secret | None,
    identity: str | None,
) -> Transport:
    """A transport over `sock`: key exchanged, host verified, user logged in. Unreachable; Dropped: try again."""
    transport = Transport(sock, settings)
    try:
        transport.prefer_host_keys(host_keys.lookup(settings).kinds, settings)
        kind, blob = negotiate(transport, settings.label, deadline)
        host_keys.verify(settings, kind, blob)
        Login(transport, settings, keys, deadline).run(password, identity)
    except BaseException:
        hang_up(transport)
        raise
    return transport


def hang_up(transport: Transport) -> None:
    """Close a transport. A shutdown wakes paramiko's reading thread at once instead of 0.1 s later."""
    transport.packetizer.close()
    if isinstance(transport.sock, socket.socket):
        with contextlib.suppress(OSError):
            transport.sock.shutdown(socket.SHUT_RDWR)
    transport.close()
    with contextlib.suppress(OSError, EOFError):
        transport.sock.close()


def configuration() -> fabric.Config:
    """fabric's configuration without any of its files: `ssh -G` has said all there is to say."""
    return fabric.Config(lazy=True, ssh_config=paramiko.SSHConfig())


class _Client(paramiko.SSHClient):
    """fabric connects through a client, whose own way accepts any host key; ours is handed a transport instead."""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._logged_in = transport

    def connect(self, *arguments: object, **options: object) -> None:
        self._transport = self._logged_in


class SshConnection:
    """One host, logged in. `release` closes what the connection stands on besides its socket."""

    def __init__(
        self, settings: Resolved, config: fabric.Config, transport: Transport, release: Callable[[], None]
    ) -> None:
        self.label = settings.label
        self.transport = transport
        self._release = release
        self._fabric = fabric.Connection(
            settings.hostname, user=settings.user, port=settings.port, config=config, gateway=False
        )
        self._fabric.client = _Client(transport)
        self._fabric.open()
        transport.keep_alive(float(settings.one("serveraliveinterval", "0")) or ALIVE_INTERVAL)

    def alive(self) -> bool:
        return bool(self.transport.is_active())

    def lost(self) -> HostError | None:
        """Why the connection is gone; None while it is there."""
        if self.alive():
            return None
        reason = self.transport.saved_exception
        return ConnectionLost(
            f"the connection to {self.label} was lost" + (f" ({reason})" if reason and str(reason) else ""),
            "check the network and sshd's log on the host, then run it again",
        )

    def open(self, command: str) -> Channel:
        try:
            channel = self._fabric.create_session()
            channel.settimeout(CHANNEL_LIMIT)
            channel.set_combine_stderr(True)
            channel.exec_command(command)
        except (SSHException, OSError, EOFError) as error:
            lost = self.lost()
            if lost is None and "imeout" in str(error):
                raise HostTimeout(f"{self.label} opened no channel within {CHANNEL_LIMIT:g} s", "look at its load") from error
            raise lost or Unreachable(
                f"{self.label} refused to run a command: {error}", "check MaxSessions and ForceCommand in its sshd_config"
            ) from error
        return SshChannel(channel, self)

    def tunnel(self, host: str, port: int, deadline: Deadline) -> Any:
        """A channel from this (jump) host to host:port, as a socket. Unreachable names this host."""
        try:
            return self.transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=deadline.left())
        except paramiko.ChannelException as error:
            what = {1: "may not forward to", 2: "cannot connect to"}.get(error.code, "has no channel to")
            fix = {1: "allow it with AllowTcpForwarding there"}.get(error.code, "check the address and port as seen from there")
            raise Unreachable(f"jump host {self.label} {what} {host} port {port} ({error.text})", fix) from error
        except (SSHException, OSError, EOFError) as error:
            if self.alive():
                raise Unreachable(
                    f"jump host {self.label} did not reach {host} port {port} within {deadline.seconds:g} s",
                    "check that the host is up, as seen from the jump host",
                ) from error
            raise Unreachable(f"the connection to jump host {self.label} was lost", "check it, then run it again") from error

    def close(self) -> None:
        hang_up(self.transport)
        self._fabric.close()
        self._release()


class SshChannel:
    """One command on the host. One thread may send while another receives."""

    def __init__(self, channel: paramiko.Channel, connection: SshConnection) -> None:
        self._channel = channel
        self._connection = connection

    def send(self, data: bytes) -> None:
        deadline = Deadline(SEND_LIMIT)
        view = memoryview(data)
        while view:
            try:
                sent = self._channel.send(bytes(view[:CHUNK]))
            except TimeoutError:
                if deadline.passed():
                    raise HostTimeout(
                        f"the process on {self._connection.label} read nothing for {deadline.seconds:.0f} s",
                        "look at its load and disk",
                    ) from None
                continue
            except (OSError, EOFError, SSHException) as error:
                raise self._gone() from error
            if not sent:
                raise self._gone()
            view = view[sent:]

    def _gone(self) -> HostError:
        lost = self._connection.lost()
        return lost or ConnectionLost(f"the process on {self._connection.label} is gone", "run it again")

    def receive(self, timeout: float) -> bytes:
        deadline = Deadline(timeout)
        while True:
            self._channel.settimeout(min(deadline.left(), SLICE))
            try:
                data: bytes = self._channel.recv(CHUNK)
            except TimeoutError:
                if deadline.passed():
                    raise TimeoutError(f"nothing came within {timeout:g} s") from None
                continue
            except (OSError, EOFError, SSHException) as error:
                raise self._gone() from error
            if not data and (failure := self.failure()):
                raise failure
            return data

    def close_input(self) -> None:
        with contextlib.suppress(OSError, EOFError, SSHException):
            self._channel.shutdown_write()

    def exit_status(self, timeout: float) -> int | None:
        if not self._channel.status_event.wait(max(0.0, timeout)):
            return None
        status = self._channel.exit_status
        return status if status >= 0 else None

    def failure(self) -> HostError | None:
        """An ended stream without an exit status, on a connection that is gone."""
        if not (self._channel.closed or self._channel.eof_received):
            return self._connection.lost()
        if self.exit_status(0) is not None or self._channel.eof_received:
            return None
        self._channel.status_event.wait(EXIT_LIMIT)
        return None if self.exit_status(0) is not None else self._connection.lost()

    def close(self) -> None:
        with contextlib.suppress(OSError, EOFError, SSHException):
            self._channel.close()
