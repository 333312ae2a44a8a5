"""What happens in a run, as plain values: the engine's only output. Every view of a run is a listener to these.

The law: an event carries no secret (the agent taints, the rollout masks) and is picklable. `Progress` is for people
who watch; it is not part of `--json`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """The one spelling of how something ended, from best to worst as `worst` ranks them."""

    OK = "ok"
    SKIPPED = "skipped"
    CHANGED = "changed"
    WOULD_CHANGE = "would-change"
    PENDING = "pending"
    NOT_STARTED = "not-started"
    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"
    FAILED = "failed"


_RANK = {outcome: rank for rank, outcome in enumerate(Outcome)}
BAD = frozenset({Outcome.UNKNOWN, Outcome.UNREACHABLE, Outcome.FAILED, Outcome.NOT_STARTED})
"""Outcomes with which a run has failed (exit status 1)."""


def worst(outcomes: "list[Outcome]") -> Outcome:
    """The worst of some outcomes. A host or run is `skipped` only where all of it was; nothing at all is ok."""
    done = [outcome for outcome in outcomes if outcome is not Outcome.SKIPPED]
    if outcomes and not done:
        return Outcome.SKIPPED
    return max(done, key=_RANK.__getitem__, default=Outcome.OK)


@dataclass(frozen=True)
class Error:
    """Why something failed: one sentence, what to do, and what the host's programs said."""

    cause: str
    fix: str = ""
    output: str = ""
    trace: str = ""
    place: str = ""
    """FILE:LINE of a role whose own code is at fault: every host would meet it."""

    def __str__(self) -> str:
        return f"{self.cause}; {self.fix}" if self.fix else self.cause


@dataclass(frozen=True)
class Event:
    """The base of all; never sent itself."""


@dataclass(frozen=True)
class RunStarted(Event):
    run: str
    verb: str
    hosts: tuple[str, ...]
    check: bool


@dataclass(frozen=True)
class HostStarted(Event):
    host: str


@dataclass(frozen=True)
class HostFacts(Event):
    host: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Progress(Event):
    """The step that a host is in, and for how long (seconds); `text` is what it waits for, if it does."""

    host: str
    step: str
    seconds: float = 0.0
    text: str = ""


CHECKED = "checked: waits for the first look at all hosts to end"
"""The step of a host that has been looked at and is not touched yet."""


@dataclass(frozen=True)
class RoleSkipped(Event):
    """A role that had nothing to do on this host (skipped), or must not go on (failed)."""

    host: str
    role: str
    outcome: Outcome
    reason: str
    fix: str = ""


@dataclass(frozen=True)
class ResourceDone(Event):
    host: str
    role: str
    kind: str
    name: str
    outcome: Outcome
    diff: tuple[Mapping[str, Any], ...] = ()
    """Each difference: key, and before and after, or text (a unified diff)."""
    note: str = ""
    seconds: float = 0.0
    error: Error | None = None
    proof: Mapping[str, Any] | None = None
    """What a probe measured, as JSON types; kept in the run's record."""
    impact: Mapping[str, Any] | None = None
    """What the change does, or would do, to others on the host: level (none, reload, restart of Docker), why, systemd,
    survive, containers, processes, effect (agent/engine/impact.py)."""
    rolled_back: bool = False
    """It failed, and what its group had changed was put back."""


@dataclass(frozen=True)
class Looked(Event):
    """The digests of what a check saw on a host, for a plan that is saved; like `Progress`, told to nobody else."""

    host: str
    seen: Mapping[str, tuple[str, str, str]]


@dataclass(frozen=True)
class Answered(Event):
    """What a host answered to a question (provision/questions), checked, as JSON types."""

    host: str
    question: str
    outcome: Outcome
    answer: Mapping[str, Any]


@dataclass(frozen=True)
class Notice(Event):
    """Something worth knowing that is no outcome: a host key that was added, an interrupted run that was found."""

    text: str
    host: str | None = None


class Verdict(StrEnum):
    """How a question of the preflight was answered."""

    PASS = "pass"  # noqa: S105 - a verdict
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "n/a"


@dataclass(frozen=True)
class Preflight(Event):
    """One question that was asked before the first change: a host with a FAIL or an UNKNOWN is not touched."""

    host: str
    question: str
    verdict: Verdict
    text: str
    """What was found, as a sentence."""
    fix: str = ""


@dataclass(frozen=True)
class HostFinished(Event):
    host: str
    outcome: Outcome
    counts: Mapping[str, int]
    """Resources and skipped roles by outcome."""
    seconds: float
    error: Error | None = None
    rolled_back: bool = False


@dataclass(frozen=True)
class HostChecked(Event):
    """A run in waves looks at all hosts first: this one has something to change, and is not touched before its wave.

    It then starts anew (`HostStarted`), and what was told of its resources until here was a plan.
    """

    host: str
    outcome: Outcome
    counts: Mapping[str, int]
    seconds: float


@dataclass(frozen=True)
class WaveStarted(Event):
    """`number` counts from 1; `of` is how many waves there will be."""

    number: int
    of: int
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class WaveFinished(Event):
    """`gate`: may the next wave start? Always true where nothing speaks against it; `reason` says what does."""

    number: int
    of: int
    outcomes: Mapping[str, int]
    gate: bool
    reason: str
    seconds: float


@dataclass(frozen=True)
class Stopped(Event):
    """The run has stopped itself: no further host is started."""

    reason: str
    failed: tuple[str, ...]
    waiting: int
    """Hosts that are not started."""
    differences: tuple[str, ...] = ()
    """The first facts in which the failed hosts differ from the good ones."""


@dataclass(frozen=True)
class Summary(Event):
    run: str
    outcome: Outcome
    hosts: Mapping[str, HostFinished] = field(default_factory=dict)


Sink = Callable[[Event], None]
"""Takes each event as it happens, from any thread."""

TYPES: Mapping[type[Event], str] = {
    RunStarted: "run-started",
    HostStarted: "host-started",
    HostFacts: "facts",
    RoleSkipped: "role",
    ResourceDone: "resource",
    Answered: "answer",
    Notice: "notice",
    HostChecked: "host-checked",
    Preflight: "preflight",
    HostFinished: "host-finished",
    WaveStarted: "wave-started",
    WaveFinished: "wave-finished",
    Stopped: "stopped",
    Summary: "summary",
}
"""Events as `--json` and the journal name them. `Progress` is in neither."""
