"""What every transport offers: a channel (one remote process) on a connection (one host), and a deadline.

The law: stdout and stderr of the process arrive as one stream of bytes (each in its own order; sshd reads them from two
pipes, so what was written to both at once may change places); every call ends in bounded time.
"""

import contextlib
import time
from collections.abc import Iterator
from typing import Protocol

from provision.errors import HostError

SEND_LIMIT = 60.0
"""Seconds that one `send` may block because the other side does not read."""
EXIT_LIMIT = 2.0
"""Seconds to wait for the exit status of a process whose stream has ended."""
ALIVE_INTERVAL = 15
"""Seconds of silence after which a keepalive is sent, unless ServerAliveInterval says otherwise."""
ALIVE_COUNT = 3
"""Unanswered keepalives after which the connection counts as lost."""


class Channel(Protocol):
    """One process on the host. One thread may send while another receives."""

    def send(self, data: bytes) -> None:
        """Block until all of `data` is taken. ConnectionLost: the process or the connection is gone.
        HostTimeout: nobody read for SEND_LIMIT seconds."""

    def receive(self, timeout: float) -> bytes:
        """At least one byte; b"" at the end of the stream. TimeoutError: nothing came within `timeout` seconds.
        ConnectionLost: the stream ended because the connection died."""

    def close_input(self) -> None:
        """End of file on the process's stdin."""

    def exit_status(self, timeout: float) -> int | None:
        """The exit status, waiting up to `timeout` seconds. None: still running, or died with the connection.
        A process killed by a signal reports 128 + signal on a local channel and None over SSH."""

    def failure(self) -> HostError | None:
        """Why the stream ended, where the transport and not the process ended it; None where the process did.
        Ask after an early end. Does not block longer than EXIT_LIMIT seconds."""

    def close(self) -> None:
        """Give the channel up and free what it holds here. The process sees end of file and a hang-up."""


class Connection(Protocol):
    """One host, logged in."""

    def open(self, command: str) -> Channel:
        """Run `command` as `ssh HOST COMMAND` would: no terminal, the login user's shell. Unreachable: kind
        `openssh` connects only here. ConnectionLost, HostTimeout: the connection of kind `ssh` has died."""

    def close(self) -> None:
        """Close the connection and every channel on it."""


class Deadline:
    """A moment in the future that several steps share."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, never below 1 ms: zero means "do not block" to a socket."""
        return max(0.001, self._end - time.monotonic())

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """What is done inside takes none of the time."""
        started = time.monotonic()
        yield
        self._end += time.monotonic() - started

    def passed(self) -> bool:
        return time.monotonic() >= self._end
