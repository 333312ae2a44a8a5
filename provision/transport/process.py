"""A local process as a channel: the base of the local transport and of the one over the `ssh` program.

The law: no shell is started that was not asked for, no zombie is left, and no file descriptor outlives `close`.
"""

import contextlib
import os
import select
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence

from provision.errors import ConnectionLost, HostError, HostTimeout
from provision.transport.channel import EXIT_LIMIT, SEND_LIMIT, Deadline

CHUNK = 1 << 16
GRACE = 0.5
"""Seconds that a closed process gets to end before it is left to a thread that reaps it (or is killed)."""


class ProcessChannel:
    """A child process in a session of its own (no terminal to prompt on, no Ctrl-C of ours), stderr merged."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            argv,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        self._stdin, self._stdout = stdin, stdout
        os.set_blocking(self._stdin.fileno(), False)
        self._input_lock = threading.Lock()

    def send(self, data: bytes) -> None:
        deadline = Deadline(SEND_LIMIT)
        view = memoryview(data)
        with self._input_lock:
            while view:
                try:
                    view = view[os.write(self._stdin.fileno(), view) :]
                except BlockingIOError:
                    self._wait_writable(deadline)
                except (OSError, ValueError) as error:
                    raise self.failure() or ConnectionLost(self._gone(error), "run it again") from error

    def _wait_writable(self, deadline: Deadline) -> None:
        poll = select.poll()
        poll.register(self._stdin.fileno(), select.POLLOUT)
        if not poll.poll(deadline.left() * 1000):
            raise HostTimeout(
                f"the process on the host read nothing for {deadline.seconds:.0f} s", "look at its load and disk"
            )

    def _gone(self, error: Exception) -> str:
        status = self.exit_status(EXIT_LIMIT)
        return f"the process ended with status {status}" if status is not None else f"the channel is closed ({error})"

    def receive(self, timeout: float) -> bytes:
        data = self._read(timeout)
        if not data and (failure := self.failure()):
            raise failure
        return data

    def _read(self, timeout: float) -> bytes:
        """The next bytes; b"" at the end of the stream; TimeoutError."""
        try:
            poll = select.poll()
            poll.register(self._stdout.fileno(), select.POLLIN)
            if not poll.poll(max(0.0, timeout) * 1000):
                raise TimeoutError(f"nothing came within {timeout:g} s")
            return os.read(self._stdout.fileno(), CHUNK)
        except ValueError as error:  # closed here, by another thread
            raise ConnectionLost("the channel was closed", "run it again") from error

    def close_input(self) -> None:
        with self._input_lock, contextlib.suppress(OSError):
            self._stdin.close()

    def exit_status(self, timeout: float) -> int | None:
        status = self._process.poll()
        if status is None and timeout > 0:
            status = self._wait(timeout)
        return status if status is None or status >= 0 else 128 - status

    def _wait(self, timeout: float) -> int | None:
        """subprocess's own wait with a time limit sleeps and asks again, up to 50 ms late; the kernel can tell."""
        try:
            descriptor = os.pidfd_open(self._process.pid)
        except (AttributeError, OSError):  # before Linux 5.3, or ended (and reaped) a moment ago
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self._process.wait(timeout)
            return None
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            poll.poll(timeout * 1000)
        finally:
            os.close(descriptor)
        return self._process.poll()

    def failure(self) -> HostError | None:
        return None

    def close(self) -> None:
        """Close the pipes and hang up, as a closed SSH connection does. A process that ignores the hang-up (the
        agent, which must not leave dpkg half-way) ends in its own time, and a thread reaps it."""
        self._close_pipes()
        self._signal(signal.SIGHUP)
        self._reap()

    def _close_pipes(self) -> None:
        # Without the lock: a sender that blocks on a full pipe must not hold up the close.
        for pipe in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):
                pipe.close()

    def _signal(self, number: int) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # PermissionError: it runs under sudo
                self._process.send_signal(number)

    def _reap(self) -> None:
        if self.exit_status(GRACE) is None and self._process.returncode is None:
            threading.Thread(target=self._process.wait, daemon=True, name=f"reap-{self._process.pid}").start()
