"""What one host may cost the controller: an estimate, in microseconds of a processor, of all that it says.

The law: each word is paid for before anything is made of it. The prices are no less than what it costs from the wire to
the last report, as bench/hostile_host.py measures it; a long conversation earns a little with time, for its beats.
"""

import time
from collections.abc import Callable
from typing import Any

from provision.errors import Garbled

MOST = 900_000.0
"""Of one conversation; an apply has two with a host that it changes. A long run says a tenth of that, and so do facts
with 7,000 routes."""
EARNED = 1000.0
"""For each second."""
RECEIVED, SMALL = 150.0, 1500
"""What a piece of data costs that is much smaller than a packet could be; from so many bytes on it is nothing."""
BYTE, MARK = 0.03, 0.5
"""To find the messages in it: of each byte, and of each mark of JSON."""
MESSAGE, VALUE = 40.0, 10.0
OF_FACTS = 4.0
"""A value of facts, of which less is made."""
EXTRA = {"confirm": 100_000.0}
"""A new connection."""
PIECE = 50.0
"""Of a file of the bundle."""
CHARACTERS = 100
"""Of a text, that cost as much as a value; a line of it costs so much as well."""
DEEPEST = 50
"""Levels of a message; a daemon.json of the field has five. What masks or shows values goes through by recursion."""


class Allowance:
    """Of one conversation. Everything here raises Garbled where it is used up."""

    def __init__(self, step: Callable[[], str], now: Callable[[], float] = time.monotonic) -> None:
        """`step`: where the host is, for the error."""
        self._step = step
        self._now = now
        self._began = now()
        self._spent = 0.0

    def received(self, data: bytes) -> None:
        """Bytes that have come in."""
        small = max(0.0, 1 - len(data) / SMALL)
        marks = data.count(b",") + data.count(b"[") + data.count(b"{")
        self._spend(RECEIVED * small + BYTE * len(data) + MARK * marks)

    def heard(self, message: dict[str, Any]) -> None:
        """A message that was in it."""
        kind = message.get("type")
        price = OF_FACTS if "facts" in message and kind in ("hello", "replan") else VALUE
        self._spend(MESSAGE + EXTRA.get(str(kind), 0.0) + price * self._weight(message, DEEPEST, kind))

    def pieces(self, count: int) -> None:
        """That it has asked for."""
        self._spend(PIECE * count)

    def _weight(self, value: Any, depth: int, kind: Any) -> int:
        """How many values that is; of a long text, as many as cost the same."""
        if depth == 0:
            raise Garbled(f"the agent's {kind!r:.80} message is nested too deeply")
        found, inner = len(value), value
        if isinstance(value, dict):
            inner = value.values()
            found += sum(len(key) for key in value) // CHARACTERS
        for item in inner:
            if isinstance(item, str):
                found += len(item) // CHARACTERS + item.count("\n") if len(item) > CHARACTERS else 0
            elif isinstance(item, dict | list):
                found += self._weight(item, depth - 1, kind)
        return found

    def _spend(self, cost: float) -> None:
        self._spent += cost
        if self._spent > MOST + EARNED * (self._now() - self._began):
            raise Garbled(f"the agent says more than we take from one host, in the step {self._step()!r:.200}")
