"""What the first look at each host has told, while the run waits for the last of them.

The law: what will be told again when the host is changed is not told twice; what the host says only now (a refusal, its
end) is told whole. What is kept of a host until its turn is small.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from provision.events import (
    Event,
    HostFacts,
    HostStarted,
    Notice,
    Outcome,
    Preflight,
    Progress,
    ResourceDone,
    Sink,
)
from provision.preflight import Seen

OF_THE_FLEET = ("routes", "addresses", "ssh_client")
"""Facts that matter to the questions of other hosts."""
NEEDED = ("os", "architecture", "kernel", "init", "docker", "time", *OF_THE_FLEET)
"""Facts that the controller's questions are about."""


def _weight(impact: Mapping[str, Any] | None) -> int:
    return -1 if impact is None else ("none", "reload", "restart").index(impact["level"])


@dataclass
class HostInFirstPass:
    """One host. `held` are events that wait for what becomes of it."""

    held: list[Event] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    impact: Mapping[str, Any] | None = None
    """The heaviest of what the changes would do to others on the host."""
    answers: list[Preflight] = field(default_factory=list)
    notices: set[str] = field(default_factory=set)
    seen: Seen | None = None


class FirstPass:
    """A listener to the sessions of the first look, from any thread. `hold`: tell of a host only when it is decided
    whether this was all of its run."""

    def __init__(self, sink: Sink, *, hold: bool) -> None:
        self._sink = sink
        self._hold = hold
        self._lock = Lock()
        self._hosts: dict[str, HostInFirstPass] = {}

    def __call__(self, event: Event) -> None:
        name = getattr(event, "host", None)
        with self._lock:
            told = name is None or self._keep(self._hosts.setdefault(name, HostInFirstPass()), event)
        if told:
            self._sink(event)

    def _keep(self, heard: HostInFirstPass, event: Event) -> bool:
        """Note what an event says; may it be told now?"""
        match event:
            case HostStarted() | Progress():
                return True
            case Preflight():
                heard.answers.append(event)
                return False
            case Notice():
                heard.notices.add(event.text)
                return True
            case HostFacts():
                heard.seen = Seen({name: event.facts.get(name) for name in NEEDED}, time.time())
            case ResourceDone() if event.outcome is Outcome.WOULD_CHANGE:
                heard.changes.append(f"{event.role}: {event.kind} {event.name}")
                heard.impact = max(heard.impact, event.impact, key=_weight)
        if self._hold:
            heard.held.append(event)
        return not self._hold

    def flush(self, host: str) -> None:
        """This was all of the host's run: tell what was held."""
        for event in self._take(host):
            self._sink(event)
        heard = self.of(host)
        if heard.seen is not None:
            heard.seen = Seen({name: heard.seen.facts[name] for name in OF_THE_FLEET}, heard.seen.at)

    def drop(self, host: str) -> None:
        """The host will be told anew."""
        self._take(host)

    def _take(self, host: str) -> list[Event]:
        with self._lock:
            heard = self._hosts.get(host, HostInFirstPass())
            held, heard.held = heard.held, []
        return held

    def of(self, host: str) -> HostInFirstPass:
        return self._hosts.get(host, HostInFirstPass())

    @property
    def seen(self) -> Mapping[str, Seen]:
        return {name: heard.seen for name, heard in self._hosts.items() if heard.seen is not None}

    def repeats(self, event: Event) -> bool:
        """Has the first look told this already?"""
        return isinstance(event, Notice) and event.host is not None and event.text in self.of(event.host).notices
