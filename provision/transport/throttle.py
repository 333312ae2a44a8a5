"""How many logins may be under way at one place at a time, and the second try for what sshd drops.

The law: sshd's default MaxStartups (10:30:100) drops connections at random from the tenth unfinished login on, so at
most HANDSHAKES are under way to one sshd or through one jump host; what is dropped all the same is tried again after
a random pause, within the time limit of the host.
"""

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from provision.errors import Unreachable
from provision.transport.channel import Deadline

HANDSHAKES = 8
RETRIES = 5
FIRST_PAUSE = 0.2
"""Seconds, doubled with each retry."""
Result = TypeVar("Result")


class Dropped(Exception):
    """The server closed the connection before the login: MaxStartups, most likely."""


def dropped(place: str) -> Unreachable:
    return Unreachable(
        f"{place} closes each new connection before the login",
        "look at sshd's log there: MaxStartups, PerSourcePenalties, or a ban (fail2ban, hosts.deny)",
    )


class Gates:
    """One queue for each place. Thread-safe."""

    def __init__(self) -> None:
        self._gates: dict[str, threading.BoundedSemaphore] = {}
        self._lock = threading.Lock()

    def run(self, place: str, limit: float, attempt: Callable[[Deadline], Result]) -> Result:
        """`attempt`, in its turn, and again while sshd drops it. The `limit` (seconds) starts with the turn."""
        with self._lock:
            gate = self._gates.setdefault(place, threading.BoundedSemaphore(HANDSHAKES))
        with gate:
            deadline = Deadline(limit)
            for number in range(RETRIES + 1):
                try:
                    return attempt(deadline)
                except Dropped:
                    pause = random.uniform(0.5, 1.5) * FIRST_PAUSE * 2**number  # noqa: S311 - no secret
                    if number == RETRIES or pause >= deadline.left():
                        break
                time.sleep(pause)
        raise dropped(place)
