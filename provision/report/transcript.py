"""What the lines of a run say: one event to the lines that people read, on a terminal as elsewhere.

The law: knows nothing of where the lines go. A story is told once, in order; it remembers only what it needs so as not
to say a thing twice.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

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
from provision.report.alike import Alike, positions
from provision.report.differences import difference
from provision.report.text import Line, details, duration, headline, hosts, indented, line, names, tail

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
"""Lines of a failed program that are shown where it failed, if all is to be shown."""
AT_END = 20
"""Lines of them that are shown at the end."""
FEW = 10
"""Hosts, each of which has lines of its own. Of more, what is to be said is gathered, and told once at the end."""


class Transcript:
    """The story of an apply or a check. Why something failed is told at the end, once for all hosts that it is true of.

    `diff` shows the differences, `verbose` also what is ok already, and all of each host when it happens, `quiet`
    failures and the summary only.
    """

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
        self.clock = clock
        self._started = clock()
        self._causes = Alike()
        self._gathered = Alike()
        self._many = False
        self._order: Mapping[str, int] = {}
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
                self._started = self.clock()
                self.verb = event.verb
                self._many = len(event.hosts) > FEW and not self.verbose
                self._order = positions(event.hosts)
            case HostFacts():
                yield from self.facts(event)
            case RoleSkipped():
                yield from self._role(event)
            case ResourceDone():
                yield from self._resource(event)
            case Preflight():
                yield from self._preflight(event)
            case HostFinished():
                yield from self.finished(event)
            case Summary():
                yield from self.summary(event)
            case _:
                yield from self._course(event)

    def _course(self, event: Event) -> Iterator[Line]:
        match event:
            case HostStarted():
                if self.verbose:
                    yield line(f"{event.host}: started", "quiet")
            case HostChecked():
                yield from self._checked(event)
            case Notice(host=str(host)):
                yield from self._say(host, f"note: {event.text}", "place")
            case _:
                yield from _of_the_fleet(event)

    @property
    def gathers(self) -> bool:
        """Is there little to read while the run lasts?"""
        return self._many and not self._quiet

    @property
    def told(self) -> Sequence[Outcome]:
        """Outcomes that the last line counts even where there are none."""
        return (Outcome.OK, *CHANGES.get(self.verb, (Outcome.CHANGED,)))

    def _say(self, host: str, text: str, style: str, below: Sequence[Line] = ()) -> Iterator[Line]:
        """A line of a host's own; of many hosts it is gathered."""
        if self._many:
            self._gathered.add(host, text, style, below=tuple(below))
        else:
            yield line(f"{host}: {text}", style)
            yield from below

    def _explain(self, host: str, text: str, error: Error) -> bool:
        """Keep why something failed for the end. Is it told here as well, where it has happened?"""
        first = self._causes.add(host, text, "bad", error=error)
        return first or not self._many

    def facts(self, event: HostFacts) -> Iterator[Line]:
        """Facts are no news in a run that is about changes."""
        yield from ()

    def finished(self, event: HostFinished) -> Iterator[Line]:
        """A host's end; of many hosts only one that failed without a step that did."""
        if event.outcome is Outcome.NOT_STARTED:
            return  # the end says it once for all of them
        counts = counted(event.counts)
        undone = ", its change was undone" if event.rolled_back else ""
        text = f"{event.host}: {event.outcome} in {duration(event.seconds)}{undone}" + (
            f" ({counts})" if counts else ""
        )
        tell = not self._many
        if event.error is not None and event.host not in self._causes:
            tell = self._explain(event.host, headline(event.error), event.error)
            text += f": {headline(event.error)}" if self.verbose else ""
        if tell:
            yield line(text, STYLE[event.outcome])
        elif undone:
            self._gathered.add(event.host, "its change was undone", "bad")

    def _checked(self, event: HostChecked) -> Iterator[Line]:
        self._gathered.drop(event.host, STYLE[Outcome.WOULD_CHANGE])  # it was a plan; its wave is told
        if not self._many:
            yield line(f"{event.host}: waits for its wave ({counted(event.counts)})", "quiet")

    def summary(self, event: Summary) -> Iterator[Line]:
        """What was gathered, each cause of a failure, what the preflight found, and the last line."""
        yield from self._gathered.lines(self._order)
        for host, text, error in summary.failures(event):
            if host not in self._causes:
                self._causes.add(host, text, "bad", error=error)
        yield from self._causes.paragraphs(self._order, AT_END)
        if self._answers:
            counts = ", ".join(f"{self._answers[verdict]} {verdict}" for verdict in Verdict if self._answers[verdict])
            yield line(f"preflight: {counts}", "quiet")
        if self._taken_over:
            text = f"logins that an earlier run has proven, and this one has not: {self._taken_over}"
            yield line(f"{text} (--set registry_login.max_age=0 proves them now)", "quiet")
        yield self.total(event)

    def total(self, event: Summary) -> Line:
        """The last line: how many hosts came out how."""
        text = summary.total(event, self.told) + f" in {duration(self.clock() - self._started)}"
        return Line(text, "bad" if event.outcome in BAD else "strong")

    def _role(self, event: RoleSkipped) -> Iterator[Line]:
        told = Error(event.reason, event.fix)
        if event.outcome in BAD:
            if self._explain(event.host, f"{event.role}: {headline(told)}", told):
                why = f": {headline(told)}" if self.verbose else ""
                yield line(f"{event.host}: {event.outcome} {event.role}{why}", STYLE[event.outcome])
            return
        if (event.host, event.role) in self._skipped:
            return  # told when all hosts were checked, before the first wave
        self._skipped.add((event.host, event.role))
        yield from self._say(event.host, f"{event.outcome} {event.role}: {headline(told)}", STYLE[event.outcome])

    def _preflight(self, event: Preflight) -> Iterator[Line]:
        self._answers[event.verdict] += 1
        if event.verdict in QUIET and not self.verbose:
            return
        error = Error(event.text, event.fix)
        told = f"{event.question}: {headline(error)}"
        if event.verdict in (Verdict.FAIL, Verdict.UNKNOWN):
            self._explain(event.host, f"preflight: {told}", error)
            if not self.verbose:
                return
        yield from self._say(event.host, f"preflight {event.verdict}: {told}", VERDICTS[event.verdict])

    def _resource(self, event: ResourceDone) -> Iterator[Line]:
        self._taken_over += event.kind == "registry_proof" and event.outcome is Outcome.OK and bool(event.note)
        proven_now = (event.proof or {}).get("ran", False)
        if event.outcome is Outcome.OK and not self.verbose and not proven_now:
            return
        step = event.role if event.kind == "role" else f"{event.role}: {event.kind} {event.name}"
        text = f"{event.outcome} {step}"
        keys = ", ".join(str(item["key"]) for item in event.diff)
        text += "".join(f" ({part})" for part in (keys, event.note) if part)
        if event.seconds >= SLOW and not self._many:
            text += f" in {duration(event.seconds)}"
        below = [found for item in event.diff for found in difference(item)] if self._diff else []
        if event.error is None:
            yield from self._say(event.host, text, STYLE[event.outcome], below)
        elif self._explain(event.host, f"{step}: {headline(event.error)}", event.error):
            if self.verbose:
                text += f": {headline(event.error)}"
                below = [*indented(tail(details(event.error), OUTPUT_LINES), "quiet"), *below]
            yield line(f"{event.host}: {text}", STYLE[event.outcome])
            yield from below


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
        case Notice():
            yield line(f"note: {event.text}", "place")
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


def _ranked(counts: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    for outcome in Outcome:
        if counts.get(outcome):
            yield outcome, counts[outcome]


def opening(event: RunStarted) -> str:
    """What is about to happen."""
    return f"{event.verb} on {hosts(len(event.hosts))}, run {event.run}"
