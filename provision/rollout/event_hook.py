"""The program of `--on-event`: told of a run's start, waves, stop and end, as one JSON object on stdin each.

The law: it is run beside the rollout, one event after the other, each within a time limit; nothing that it does changes
the run or its exit status. What goes wrong is told once, at the end.
"""

import queue
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from provision.events import BAD, Event, RunStarted, Stopped, Summary, WaveFinished, WaveStarted
from provision.rollout.hooks import call

TIMEOUT = 30.0
"""Seconds for one event."""
CLOSING = 30.0
"""Seconds for all that is not told yet when the run is over."""


class EventHook:
    """Listens to a run and tells the program. `about` is in every object."""

    def __init__(
        self, argv: tuple[str, ...], about: Mapping[str, Any], timeout: float = TIMEOUT, closing: float = CLOSING
    ) -> None:
        self._argv = argv
        self._about = about
        self._timeout = timeout
        self._closing = closing
        self._deadline: float | None = None
        """When all must have been told; None while the run goes on."""
        self._failures: list[str] = []
        self._told = 0
        self._waiting: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = threading.Thread(target=self._work, name="on-event", daemon=True)
        self._thread.start()

    def __call__(self, event: Event) -> None:
        told = describe(event)
        if told is not None:
            self._waiting.put({**told, **self._about})

    def close(self) -> str:
        """Wait for what is not told yet; what went wrong as one sentence, or "". Harmless when called twice."""
        if self._thread is None:
            return ""
        self._deadline = time.monotonic() + self._closing
        self._waiting.put(None)
        self._thread.join()
        self._thread = None
        if not self._failures:
            return ""
        many = f"{len(self._failures)} of {self._told} events (first {self._failures[0]})"
        return f"--on-event: {self._argv[0]} failed at {many}; look at that program"

    def _work(self) -> None:
        while (told := self._waiting.get()) is not None:
            self._told += 1
            why = self._tell(told)
            if why:
                self._failures.append(f"at {told['event']}: {why}")

    def _tell(self, told: Mapping[str, Any]) -> str:
        """Why the program failed, or ""."""
        left = self._timeout if self._deadline is None else min(self._timeout, self._deadline - time.monotonic())
        left = round(left, 1)
        if left <= 0:
            return "there was no time left"
        try:
            said = call(self._argv, told, left, None)
        except OSError as error:  # there is no room for what it is told
            return f"could not be told: {error.strerror or error}"
        if said.status == 0:
            return ""
        return said.why or f"ended with status {said.status}: {said.tail}"


def describe(event: Event) -> dict[str, Any] | None:
    """An event as the program gets it; None for one that it is not told of."""
    match event:
        case RunStarted():
            return {"event": "start", "check": event.check, "hosts": list(event.hosts)}
        case WaveStarted():
            wave = {"event": "wave", "number": event.number, "of": event.of, "ended": False}
            return {**wave, "hosts": list(event.hosts)}
        case WaveFinished():
            wave = {"event": "wave", "number": event.number, "of": event.of, "ended": True}
            shut = {"gate": event.gate, "reason": event.reason, "seconds": event.seconds}
            return {**wave, "outcomes": dict(event.outcomes), **shut}
        case Stopped():
            found = {"event": "stop", "reason": event.reason, "waiting": event.waiting}
            return {**found, "failed": list(event.failed), "differences": list(event.differences)}
        case Summary():
            outcomes = Counter(str(result.outcome) for result in event.hosts.values())
            bad = {name: result for name, result in event.hosts.items() if result.outcome in BAD}
            failed = {name: str(result.error or result.outcome) for name, result in bad.items()}
            return {"event": "end", "outcome": str(event.outcome), "outcomes": dict(outcomes), "failed": failed}
        case _:
            return None
