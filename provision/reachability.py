"""A change that can cut a host off: whether a new connection still reaches it, and what to say when none does.

The law: only a new connection counts. The host says beforehand that such a change is coming, for afterwards it may not
be heard any more; it puts everything back by itself unless it is told in time, over a new connection, that it was
reached.
"""

import time
from collections.abc import Callable

from provision.errors import ConnectionLost, HostError, HostTimeout

Reached = Callable[[float], bool]
"""Can the host be reached over a new connection, within so many seconds? Tells the host so over that one."""
LAST_TRY = 1.0
"""Seconds, once the old connection is gone."""


class Lifeline:
    """One host's."""

    def __init__(self, reached: Reached, now: Callable[[], float] = time.monotonic) -> None:
        self._reached = reached
        self._now = now
        self._armed = 0.0
        self._end = 0.0
        self._cut = False

    def arm(self, seconds: float) -> None:
        """The change comes now; the host will wait so long for a new connection."""
        self._armed = seconds
        self._end = self._now() + seconds

    def reach(self, seconds: float) -> None:
        """The change was made: see whether a new connection gets through. The host hears of it by that one."""
        self._cut = not self._reached(seconds)
        if not self._cut:
            self._armed = 0.0

    def explain(self, error: ConnectionLost | HostTimeout, step: str) -> HostError:
        """Why the connection ended: the transport knows how, the session in which step, and we whether it was cut."""
        in_time = self._now() < self._end  # later it has put everything back, so that it is reached then says nothing
        if self._armed and not self._cut and in_time and self._reached(LAST_TRY):
            cause = f"the change ended the connection to this host, and a new one gets through ({step!r})"
            return ConnectionLost(cause, "the change stands if it came up: run again to see")
        if self._armed:
            cause = f"the change cut this host off: no new connection reached it within {self._armed:g} s"
            fix = "it puts the old configuration back by itself, in a minute, or at its next boot if it went down"
            return ConnectionLost(cause, fix + "; then correct it")
        if isinstance(error, HostTimeout):
            return error
        return ConnectionLost(f"{error.cause} in the step {step!r}", f"the host ends that step by itself; {error.fix}")
