"""The transport of kind `ssh`: one host through fabric, and its channels.

The law: fabric and paramiko are imported only when a host needs them, and only by this file, protocol.py and auth.py.
fabric's own way to connect (any host key, jump hosts backwards, Nagle) is never taken: it is handed a connection.
"""

import contextlib
from collections.abc import Callable
from functools import cache
from typing import Any

import fabric
import paramiko
from paramiko.ssh_exception import SSHException

from provision.errors import ConnectionLost, HostError, HostTimeout, Unreachable
from provision.transport.channel import ALIVE_INTERVAL, EXIT_LIMIT, SEND_LIMIT, Channel, Deadline
from provision.transport.protocol import CHANNEL_LIMIT, Transport, hang_up
from provision.transport.ssh_config import Resolved
from provision.transport.throttle import Dropped

SLICE = 15.0
"""Seconds. Sending and receiving share paramiko's time limit, so neither waits longer than this at a time."""
CHUNK = 1 << 16


@cache
def configuration() -> fabric.Config:
    """fabric's configuration without any of its files: `ssh -G` has said all there is to say. Made once."""
    return fabric.Config(lazy=True, ssh_config=paramiko.SSHConfig())


class _Client(paramiko.SSHClient):
    """fabric connects through a client, whose own way accepts any host key; ours is handed a transport instead."""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._logged_in = transport

    def connect(self, *arguments: object, **options: object) -> None:
        self._transport = self._logged_in


class _Fabric(fabric.Connection):  # type: ignore[misc]
    """fabric's connection, which leaves the configuration that all hosts share alone: it keeps what its class has no
    attribute for in there, and has that merged anew in place, where other threads read it."""

    inline_ssh_env = None


class SshConnection:
    """One host, logged in. `release` closes what the connection stands on besides its socket."""

    def __init__(self, settings: Resolved, transport: Transport, release: Callable[[], None]) -> None:
        self.label = settings.label
        self.transport = transport
        self._release = release
        self._fabric = _Fabric(
            settings.hostname, user=settings.user, port=settings.port, config=configuration(), gateway=False
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
        reason = self.transport.lost_reason or str(self.transport.saved_exception or "")
        return ConnectionLost(
            f"the connection to {self.label} was lost" + (f" ({reason})" if reason else ""),
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
                raise HostTimeout(
                    f"{self.label} opened no channel within {CHANNEL_LIMIT:g} s", "look at its load"
                ) from error
            raise lost or Unreachable(
                f"{self.label} refused to run a command: {error}",
                "check MaxSessions and ForceCommand in its sshd_config",
            ) from error
        return SshChannel(channel, self)

    def tunnel(self, host: str, port: int, deadline: Deadline) -> tuple[Any, Callable[[], None]]:
        """(a channel from this jump host to host:port, as a socket; how to close it). Unreachable names this host.
        Dropped: this connection is gone; another may do."""
        try:
            channel = self.transport.open_channel(
                "direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=deadline.left()
            )
        except paramiko.ChannelException as error:
            what = {1: "may not forward to", 2: "cannot connect to"}.get(error.code, "has no channel to")
            fix = {1: "allow it with AllowTcpForwarding there"}.get(
                error.code, "check the address and port as seen from there"
            )
            raise Unreachable(f"jump host {self.label} {what} {host} port {port} ({error.text})", fix) from error
        except (SSHException, OSError, EOFError) as error:
            if self.alive():
                raise Unreachable(
                    f"jump host {self.label} did not reach {host} port {port} within {deadline.seconds:g} s",
                    "check that the host is up, as seen from the jump host",
                ) from error
            raise Dropped(f"the connection to jump host {self.label} was lost") from error

        def close() -> None:
            with contextlib.suppress(OSError, EOFError, SSHException):
                channel.close()

        return channel, close

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
