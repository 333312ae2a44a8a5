"""A run as a whole, for reports that are made at its end: what became of each host, and of each wave.

The law: a listener that only collects. A host that starts again (checked first, then in its wave) is told anew: what
counts is its last time. A host's facts are kept in short (`traits`), or 1,000 hosts would fill the memory.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from provision import gpu_fleet
from provision.events import (
    Answered,
    Error,
    Event,
    HostChecked,
    HostFacts,
    HostFinished,
    HostStarted,
    Notice,
    Outcome,
    Preflight,
    ResourceDone,
    RoleSkipped,
    RunStarted,
    Stopped,
    Summary,
    WaveFinished,
    WaveStarted,
)
from provision.fact_summary import Traits, traits


@dataclass
class HostRecord:
    """One host. Times are seconds since the run began."""

    name: str
    outcome: Outcome = Outcome.NOT_STARTED
    seconds: float = 0.0
    began: float = 0.0
    wave: int | None = None
    error: Error | None = None
    rolled_back: bool = False
    traits: Traits = field(default_factory=dict)
    roles: list[RoleSkipped] = field(default_factory=list)
    """Skipped roles and refusals."""
    steps: list[ResourceDone] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    answers: list[Preflight] = field(default_factory=list)
    """Of the preflight. They are not asked again when the host starts anew."""
    status: Mapping[str, Any] | None = None
    """What it has answered to `status`."""

    def finish(self, event: HostFinished) -> None:
        self.outcome = event.outcome
        if event.outcome is not Outcome.NOT_STARTED:
            self.seconds, self.error, self.rolled_back = event.seconds, event.error, event.rolled_back


@dataclass
class WaveRecord:
    """One wave. Times are seconds since the run began; `gate` None: it did not end."""

    number: int
    of: int
    hosts: tuple[str, ...]
    began: float
    seconds: float = 0.0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    gate: bool | None = None
    reason: str = ""


class Record:
    """Listens to a run; `replay` does so for one that is past."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self.run = ""
        self.verb = ""
        self.check = False
        self.started = now()
        self.seconds = 0.0
        self.outcome: Outcome | None = None
        """None: the run did not end."""
        self.hosts: dict[str, HostRecord] = {}
        self.waves: list[WaveRecord] = []
        self.stopped: Stopped | None = None
        self.notices: list[str] = []

    @classmethod
    def replay(cls, events: Iterable[tuple[str, Event]]) -> "Record":
        """The record of events with their times (RFC 3339)."""
        at = datetime.now(UTC)
        record = cls(lambda: at)
        for time, event in events:
            try:
                at = datetime.fromisoformat(time)
            except ValueError:
                at = record.started  # a damaged line: its time is not known
            record(event)
        return record

    def __call__(self, event: Event) -> None:
        at = self._now()
        if isinstance(event, RunStarted):
            self.run, self.verb, self.check, self.started = event.run, event.verb, event.check, at
            self.hosts = {name: HostRecord(name) for name in event.hosts}
        self.seconds = max(self.seconds, (at - self.started).total_seconds())
        name = getattr(event, "host", None)
        if name is not None:
            self._hear(self.hosts.setdefault(name, HostRecord(name)), event)
        else:
            self._hear_run(event)

    def _hear(self, host: HostRecord, event: Event) -> None:
        match event:
            case HostStarted():
                anew = HostRecord(host.name, Outcome.UNKNOWN, began=self.seconds, wave=host.wave)
                anew.answers = host.answers
                self.hosts[host.name] = anew
            case HostFacts():
                host.traits = traits(event.facts)
            case RoleSkipped():
                host.roles.append(event)
            case ResourceDone():
                host.steps.append(event)
            case Preflight():
                host.answers.append(event)
            case Answered() if event.question == "status":
                host.status = event.answer
            case Notice():
                host.notices.append(event.text)
            case HostChecked():
                host.outcome, host.seconds = Outcome.NOT_STARTED, event.seconds
            case HostFinished():
                host.finish(event)

    def _hear_run(self, event: Event) -> None:
        match event:
            case Notice():
                self.notices.append(event.text)
            case WaveStarted():
                self.waves.append(WaveRecord(event.number, event.of, event.hosts, self.seconds))
                for name in event.hosts:
                    self.hosts[name].wave = event.number
            case WaveFinished() if self.waves:
                wave = self.waves[-1]
                wave.seconds, wave.outcomes = event.seconds, event.outcomes
                wave.gate, wave.reason = event.gate, event.reason
            case Stopped():
                self.stopped = event
            case Summary():
                self.outcome = event.outcome
                for name, result in event.hosts.items():  # a GPU that is slower than its equals fails its host late
                    if result.error is not None and name in self.hosts:
                        self.hosts[name].finish(result)


def levels(step: ResourceDone) -> list[tuple[str, Mapping[str, Any]]]:
    """The levels of a proof, as (name, {"verdict", "checks", "seconds"}); none where the step proved nothing. They come
    from a host: what is not as it should be is left out."""
    found = (step.proof or {}).get("levels")
    if not isinstance(found, Mapping):
        return []
    return [(str(name), item) for name, item in sorted(found.items()) if isinstance(item, Mapping)]


def checks(level: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The checks of a level, each with name, verdict, detail, cause and fix."""
    found = level.get("checks")
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list | tuple) else []


def measured(record: Record) -> list[gpu_fleet.MeasuredGpu]:
    """The GPUs whose speed some host has told, by its last proof."""
    found = {}
    for host in record.hosts.values():
        for step in host.steps:
            if step.proof is not None and "speed" in step.proof:
                found[host.name] = gpu_fleet.gpus(host.name, step.proof)
    return [gpu for gpus in found.values() for gpu in gpus]
