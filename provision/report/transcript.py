"""What the lines of a run say: one event to the lines that people read, on a terminal as elsewhere.

The law: knows nothing of where the lines go. A story is told once, in order; it remembers only what it needs so as not
to say a thing twice.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from provision.events import (
    BAD,
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
    Verdict,
    WaveFinished,
    WaveStarted,
)
from provision.report import summary
from provision.report.text import Line, details, duration, headline, hosts, indented, line, names, tail, value

STYLE = {
    Outcome.OK: "good",
    Outcome.SKIPPED: "quiet",
    Outcome.CHANGED: "change",
    Outcome.WOULD_CHANGE: "change",
    Outcome.PENDING: "change",
    Outcome.NOT_STARTED: "bad",
    Outcome.UNKNOWN: "bad",
    Outcome.UNREACHABLE: "bad",
    Outcome.FAILED: "bad",
}
VERDICTS = {
    Verdict.PASS: "good",
    Verdict.WARN: "change",
    Verdict.FAIL: "bad",
    Verdict.UNKNOWN: "bad",
    Verdict.NOT_APPLICABLE: "quiet",
}
QUIET = (Verdict.PASS, Verdict.NOT_APPLICABLE)
"""Answers that are only counted, unless all is to be shown."""
CHANGES = {"check": (Outcome.WOULD_CHANGE,), "verify": ()}
"""What a verb other than apply does to hosts."""
SLOW = 1.0
"""Seconds from which on a line says how long its step took."""
OUTPUT_LINES = 10
"""Lines of a failed program that are shown where it failed; the end of the run shows the same."""


class Story:
    """The story of an apply or a check. `diff` shows the differences, `verbose` also what is ok already, `quiet`
    failures and the summary only."""

    def __init__(
        self,
        *,
        diff: bool = False,
        verbose: bool = False,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._diff = diff
        self.verbose = verbose
        self._quiet = quiet
        self._clock = clock
        self._started = clock()
        self._explained: set[str] = set()
        self._skipped: set[tuple[str, str]] = set()
        self._answers: Counter[Verdict] = Counter()
        self._taken_over = 0
        """Logins that an earlier run has proven, and this one has not."""
        self.verb = ""

    def lines(self, event: Event) -> Iterator[Line]:
        """The lines that this event is worth; often none."""
        if not self._quiet or _must_be_told(event):
            yield from self._lines(event)

    def _lines(self, event: Event) -> Iterator[Line]:
        match event:
            case RunStarted():
                self._started = self._clock()
                self.verb = event.verb
            case HostStarted():
                yield line(f"{event.host}: started", "quiet")
            case HostFacts():
                yield from self.facts(event)
            case RoleSkipped():
                yield from self._role(event)
            case ResourceDone():
                yield from self._resource(event)
            case Preflight():
                yield from self._preflight(event)
            case Notice():
                yield line(f"{event.host}: note: {event.text}" if event.host else f"note: {event.text}", "place")
            case HostFinished():
                yield from self.finished(event)
            case Summary():
                yield from self.summary(event)
            case _:
                yield from _of_the_fleet(event)

    @property
    def told(self) -> Sequence[Outcome]:
        """Outcomes that the last line counts even where there are none."""
        return (Outcome.OK, *CHANGES.get(self.verb, (Outcome.CHANGED,)))

    def facts(self, event: HostFacts) -> Iterator[Line]:
        """Facts are no news in a run that is about changes."""
        yield from ()

    def finished(self, event: HostFinished) -> Iterator[Line]:
        """A host's end, with the cause of its failure unless a line has told it."""
        if event.outcome is Outcome.NOT_STARTED:
            return  # the end says it once for all of them
        counts = counted(event.counts)
        undone = ", its change was undone" if event.rolled_back else ""
        text = f"{event.host}: {event.outcome} in {duration(event.seconds)}{undone}" + (
            f" ({counts})" if counts else ""
        )
        if event.error is not None and event.host not in self._explained:
            text += f": {headline(event.error)}"
        yield line(text, STYLE[event.outcome])

    def summary(self, event: Summary) -> Iterator[Line]:
        """The failures once more, what the preflight found, and the last line."""
        yield from summary.failures(event)
        if self._answers:
            counts = ", ".join(f"{self._answers[verdict]} {verdict}" for verdict in Verdict if self._answers[verdict])
            yield line(f"preflight: {counts}", "quiet")
        if self._taken_over:
            text = f"logins that an earlier run has proven, and this one has not: {self._taken_over}"
            yield line(f"{text} (--set registry_login.max_age=0 proves them now)", "quiet")
        yield self.total(event)

    def total(self, event: Summary) -> Line:
        """The last line: how many hosts came out how."""
        text = summary.total(event, self.told) + f" in {duration(self._clock() - self._started)}"
        return Line(text, "bad" if event.outcome in BAD else "strong")

    def _role(self, event: RoleSkipped) -> Iterator[Line]:
        told = Error(event.reason, event.fix)
        if event.outcome in BAD:
            self._explained.add(event.host)
        elif (event.host, event.role) in self._skipped:
            return  # told when all hosts were checked, before the first wave
        self._skipped.add((event.host, event.role))
        yield line(f"{event.host}: {event.outcome} {event.role}: {headline(told)}", STYLE[event.outcome])

    def _preflight(self, event: Preflight) -> Iterator[Line]:
        self._answers[event.verdict] += 1
        if event.verdict in QUIET and not self.verbose:
            return
        told = headline(Error(event.text, event.fix))
        yield line(f"{event.host}: preflight {event.verdict}: {event.question}: {told}", VERDICTS[event.verdict])

    def _resource(self, event: ResourceDone) -> Iterator[Line]:
        self._taken_over += event.kind == "registry_proof" and event.outcome is Outcome.OK and bool(event.note)
        proven_now = (event.proof or {}).get("ran", False)
        if event.outcome is Outcome.OK and not self.verbose and not proven_now:
            return
        text = f"{event.host}: {event.outcome} {event.role}"
        if event.kind != "role":
            text += f": {event.kind} {event.name}"
        keys = ", ".join(str(item["key"]) for item in event.diff)
        text += "".join(f" ({part})" for part in (keys, event.note) if part)
        if event.seconds >= SLOW:
            text += f" in {duration(event.seconds)}"
        if event.error is not None:
            self._explained.add(event.host)
            text += f": {headline(event.error)}"
        yield line(text, STYLE[event.outcome])
        if event.error is not None:
            yield from indented(tail(details(event.error), OUTPUT_LINES), "quiet")
        if self._diff:
            for item in event.diff:
                yield from difference(item)


def _must_be_told(event: Event) -> bool:
    """Is it a failure, or what a run begins and ends with?"""
    if isinstance(event, Preflight):
        return event.verdict is Verdict.FAIL
    if isinstance(event, WaveFinished):
        return not event.gate
    if isinstance(event, HostFinished | ResourceDone | RoleSkipped):
        return event.outcome in BAD
    return isinstance(event, RunStarted | Summary | Stopped)


def _of_the_fleet(event: Event) -> Iterator[Line]:
    """What concerns the course of the run."""
    match event:
        case HostChecked():
            yield line(f"{event.host}: waits for its wave ({counted(event.counts)})", "quiet")
        case WaveStarted():
            yield line(f"wave {event.number} of {event.of}: {hosts(len(event.hosts))}: {names(event.hosts)}", "strong")
        case WaveFinished():
            found = f"wave {event.number} of {event.of}: {counted(event.outcomes)} in {duration(event.seconds)}"
            yield line(found + (f": {event.reason}" if event.reason else ""), "" if event.gate else "bad")
        case Stopped():
            yield line(f"stopped: {event.reason}; {hosts(event.waiting)} not started", "bad")
            for found in event.differences:
                yield line(f"    what the failed hosts have and no good one has: {found}", "place")


def counted(counts: Mapping[str, int]) -> str:
    """`2 changed, 1 failed`, from best to worst."""
    return ", ".join(f"{count} {outcome}" for outcome, count in _ranked(counts))


def difference(item: Mapping[str, Any]) -> Iterator[Line]:
    """One difference: a unified diff as it is, a single value as `key: before -> after`."""
    if item.get("text"):
        for part in indented(str(item["text"])):
            yield Line(part.text, _diff_style(part.text[4:]))
    elif item["before"] == item["after"]:  # a secret: both sides say that it differs, and nothing else
        yield line(f"    {item['key']}: {value(item['after'])}", "change")
    else:
        yield line(f"    {item['key']}: {value(item['before'])} -> {value(item['after'])}", "change")


def _diff_style(text: str) -> str:
    if text.startswith(("+++", "---")):
        return "strong"
    return {"+": "added", "-": "removed", "@": "place"}.get(text[:1], "")


def _ranked(counts: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    for outcome in Outcome:
        if counts.get(outcome):
            yield outcome, counts[outcome]


def opening(event: RunStarted) -> str:
    """What is about to happen."""
    return f"{event.verb} on {hosts(len(event.hosts))}, run {event.run}"
