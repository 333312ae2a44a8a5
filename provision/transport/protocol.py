"""paramiko's protocol engine, made to behave as OpenSSH does: algorithms, host key, login, keepalives.

The law: the host key is judged before any credential is sent; one deadline covers banner, key exchange and login; host
certificates are not asked for, since paramiko cannot check them.
"""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

import paramiko
from paramiko.auth_handler import AuthOnlyHandler
from paramiko.common import (
    MSG_CHANNEL_CLOSE,
    cMSG_GLOBAL_REQUEST,
    cMSG_SERVICE_REQUEST,
    cMSG_USERAUTH_REQUEST,
)
from paramiko.ssh_exception import SSHException

from provision.errors import Unreachable
from provision.secrets import Secret
from provision.transport import connect
from provision.transport.auth import KeyFiles, SshLogin
from provision.transport.channel import ALIVE_COUNT, Deadline
from provision.transport.hostkeys import HostKeys
from provision.transport.ssh_config import Resolved
from provision.transport.throttle import Dropped

CHANNEL_LIMIT = 30.0
"""Seconds for the host to open a channel and start a command on it."""

logger = logging.getLogger("paramiko")
if logger.level == logging.NOTSET:  # its tracebacks would go to stderr; what matters is in our errors
    logger.setLevel(logging.CRITICAL + 1)


_Engine: Any = paramiko.transport.ServiceRequestingTransport
_Login: Any = AuthOnlyHandler  # both more than the stubs say


class _AuthHandler(_Login):  # type: ignore[misc]
    """paramiko's login, which remembers the methods that the server would take, and does not lose its answers."""

    def send_auth_request(self, username: str, method: str, finish_message: Callable[[Any], None] | None = None) -> Any:
        """As the original, but the event that the answer sets is there before the question is sent: paramiko 5.1 makes
        a new one afterwards, and so waits in vain where a server is faster (seen in 1 of 6 logins on loopback)."""
        self.auth_method, self.username = method, username
        message = paramiko.Message()
        message.add_byte(cMSG_USERAUTH_REQUEST)
        for word in (username, "ssh-connection", method):
            message.add_string(word)
        if finish_message:
            finish_message(message)
        self.auth_event = threading.Event()
        with self.transport.lock:
            self.transport._send_message(message)
        return self.wait_for_response(self.auth_event)

    def _parse_userauth_failure(self, message: Any) -> None:
        position = message.packet.tell()
        self.transport.offered = message.get_list()
        message.packet.seek(position)
        super()._parse_userauth_failure(message)


class _Channel(paramiko.Channel):
    """A channel that sends nothing after its CLOSE: it names itself on its messages, and Transport drops late ones.

    paramiko asks whether the channel is closed, and sends in a second step. What slips in between reaches a number that
    sshd has freed, and it disconnects, which cuts off all hosts behind a jump host at once; or a number that it has
    given to a new channel, and another host reads our bytes. Both were seen, with 30 hosts behind one jump host.
    """

    close_sent = False

    def _send(self, data: bytes, message: Any) -> Any:
        message.channel = self
        return super()._send(data, message)  # type: ignore[misc]

    def _send_eof(self) -> Any:
        return self._named(super()._send_eof())  # type: ignore[misc]

    def _close_internal(self) -> Any:
        end, close = super()._close_internal()  # type: ignore[misc]
        return end, self._named(close)

    def _named(self, message: Any) -> Any:
        if message is not None:
            message.channel = self
        return message


class Transport(_Engine):  # type: ignore[misc]
    """paramiko's transport without host certificates (it cannot check them), and with keepalives that count."""

    _preferred_keys: tuple[str, ...]

    def __init__(self, sock: Any, settings: Resolved) -> None:
        super().__init__(sock)
        self.channel_timeout = CHANNEL_LIMIT
        self.offered: list[str] = []
        self.unanswered = 0
        self.lost_reason = ""
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
            message.add_byte(cMSG_SERVICE_REQUEST)
            message.add_string("ssh-userauth")
            self._send_message(message)
            deadline = Deadline(self.auth_timeout)
            while not self._accepted.wait(0.1):
                if not self.is_active():
                    raise self.get_exception() or SSHException("the server closed the connection")
                if deadline.passed():
                    raise TimeoutError("no answer to the request for a login")
            self.auth_handler = self.get_auth_handler()

    def open_channel(self, *arguments: Any, **options: Any) -> Any:
        channel = super().open_channel(*arguments, **options)
        channel.__class__ = _Channel  # paramiko has no way to say which class it makes
        return channel

    def _send_message(self, data: Any) -> None:
        """Messages of channels come here one at a time, under paramiko's lock."""
        channel = getattr(data, "channel", None)
        if channel is not None:
            if channel.close_sent:
                return
            channel.close_sent = data.asbytes()[0] == MSG_CHANNEL_CLOSE
        super()._send_message(data)

    def keep_alive(self, interval: float) -> None:
        self.packetizer.set_keepalive(interval, self._ask_if_alive)

    def _ask_if_alive(self) -> None:
        """Called by the reading thread after a silent interval. The answer (a failure, by design) resets the count."""
        if self.unanswered >= self._alive_count:
            self.lost_reason = f"no answer to {self.unanswered} keepalives"
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


def negotiate(transport: Transport, settings: Resolved, deadline: Deadline) -> tuple[str, bytes]:
    """Banner and key exchange; the type and the blob of the server's host key. Unreachable; Dropped."""
    transport.banner_timeout = transport.handshake_timeout = deadline.left()
    try:
        transport.start_client(timeout=deadline.left())
    except (SSHException, OSError, EOFError) as error:
        if deadline.passed():
            raise connect.silent(settings, deadline.seconds) from error
        if not transport.remote_version or isinstance(error, EOFError | ConnectionError):
            raise Dropped(str(error)) from error
        raise Unreachable(
            f"no agreement with sshd on {settings.label}: {error}", "try `ansible_connection: openssh`, or update sshd"
        ) from error
    if not transport.initial_kex_done:
        raise connect.silent(settings, deadline.seconds)
    key = transport.get_remote_server_key()
    return key.get_name(), key.asbytes()


def log_in(
    sock: Any,
    settings: Resolved,
    *,
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
        kind, blob = negotiate(transport, settings, deadline)
        host_keys.verify(settings, kind, blob)
        SshLogin(transport, settings, keys, deadline).run(password, identity)
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
