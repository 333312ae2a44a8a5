"""The status of hosts: one row for each that has something to tell, then what it is; of the others, the numbers.

The law: what a row leaves out, a line below it says in full; a host with nothing to tell takes no line of its own,
unless all are asked for, so that 500 hosts are read as easily as five.
"""

from collections.abc import Iterator, Mapping, Sequence

from provision.events import Answered, Outcome, Summary
from provision.questions.status import InterruptedRun, LastProof, LastRun, LockHolder, Pending, Status, Unfinished
from provision.report.alike import Alike, positions
from provision.report.answers import AnswersTranscript
from provision.report.text import Line, hosts, line, names, table
from provision.report.transcript import FEW

COLUMNS = ("HOST", "PENDING", "LAST RUN", "LAST PROOF", "UNMANAGED", "LOCK")


class StatusTranscript(AnswersTranscript):
    """The story of the verb status. `verbose`: hosts with nothing to tell have their row, too."""

    def __init__(self, *, verbose: bool = False) -> None:
        super().__init__(verbose=verbose)
        self._found: dict[str, Status] = {}

    def answered(self, event: Answered) -> Iterator[Line]:
        self._found[event.host] = Status.model_validate(event.answer)
        yield from ()

    def summary(self, event: Summary) -> Iterator[Line]:
        found = {name: self._found[name] for name in event.hosts if name in self._found}
        told = {name: status for name, status in found.items() if self.verbose or not status.quiet}
        if told:
            yield from table(COLUMNS, [row(name, status) for name, status in told.items()])
            yield from self._sentences(told)
        quiet = [status for name, status in found.items() if name not in told]
        if quiet:
            yield line(_quiet(quiet), "quiet")
        yield from super().summary(event)

    def _sentences(self, told: Mapping[str, Status]) -> Iterator[Line]:
        """What a person should look at, of many hosts once for all of which it is true."""
        found = [(name, *sentence) for name, status in told.items() for sentence in said(status)]
        if len(told) <= FEW or self.verbose:
            yield from (line(f"{name}: {text}", style) for name, text, style in found)
            return
        alike = Alike()
        for name, text, style in found:
            alike.add(name, text, style, ages=True)
        yield from alike.lines(positions(list(told)))

    @property
    def told(self) -> Sequence[Outcome]:
        return (Outcome.OK, Outcome.PENDING)


# -- a row


def row(host: str, status: Status) -> tuple[str, ...]:
    """What stands in COLUMNS."""
    waits = [f"{item.role} {age(item.age)}" for item in status.pending]
    waits += ["an unfinished change"] if status.unfinished else []
    roles = [item.role for item in status.unmanaged]
    return (
        host,
        ", ".join(waits) or "-",
        _last_run(status.last_run),
        _proof(status.proof),
        ", ".join(roles) or "-",
        _lock(status.lock),
    )


def _last_run(run: LastRun | None) -> str:
    if run is None:
        return "-"
    done = "failed" if run.failed else f"{run.changed} changed" if run.changed or not run.waits else "waits"
    return f"{age(run.age)} ago, {done}"


def _proof(proof: LastProof | None) -> str:
    if proof is None:
        return "-"
    return f"{age(proof.age)} ago, " + (
        f"{proof.gpus} GPU{'' if proof.gpus == 1 else 's'}" if proof.verdict == "passed" else proof.verdict
    )


def _lock(lock: LockHolder | None) -> str:
    if lock is None:
        return "-"
    return f"{lock.by or 'somebody'}, {age(lock.age)}" if lock.held else "stale"


# -- what is to be said


def said(status: Status) -> Iterator[tuple[str, str]]:
    """Whatever a person should look at: sentences, each with its style."""
    if status.lock is not None:
        yield holder(status.lock), "place"
    for item in status.pending:
        yield _pending(item), "change"
    if status.unfinished is not None:
        yield _unfinished(status.unfinished, status.running), "change"
    if status.interrupted is not None:
        yield _interrupted(status.interrupted), "bad"
    if status.last_run is not None and status.last_run.failed:
        run = status.last_run
        yield f"{named(run.run, run.by)} failed {age(run.age)} ago: {names(run.failed)}", "bad"
    if status.proof is not None and status.proof.verdict != "passed":
        why = f": {names(status.proof.failed)}" if status.proof.failed else ""
        yield f"the proof of the GPUs {age(status.proof.age)} ago: {status.proof.verdict}{why}", "bad"
    for left in status.unmanaged:
        yield f"unmanaged: the role {left.role} is not asked for any more, and has left {names(left.left)}", "change"
    if status.reboot is not None:
        yield "wants a reboot" + (f" for {names(status.reboot)}" if status.reboot else ""), "change"


def _pending(item: Pending) -> str:
    since = f" for {age(item.age)}" if item.age is not None else ""
    text = f"pending {item.role}{since}: {item.reason or 'no reason was kept'}"
    parts = [named(item.run, item.by) if item.run else "", names(item.resources)]
    parts += [f"staged: {names(item.staged)}"] if item.staged else []
    told = "; ".join(part for part in parts if part)
    return f"{text} ({told})" if told else text


def _unfinished(item: Unfinished, running: bool) -> str:
    begun = f"an unfinished change of {named(item.run, item.by)}, begun {age(item.age)} ago,"
    if running:
        return f"{begun} is being watched" + (f" until {item.deadline}" if item.deadline else "")
    return f"{begun} was left on the host: the next apply settles it"


def _interrupted(item: InterruptedRun) -> str:
    ended = f", which failed: {item.cause}" if item.cause else ""
    step = f" in the step {item.step!r}" if item.step else ""
    return f"{named(item.run, item.by)} was cut off{step}{ended}; run apply again"


def holder(lock: LockHolder) -> str:
    """Who holds the host, or has died holding it."""
    who = named(lock.run, lock.by) + (f": '{lock.comment}'" if lock.comment else "")
    if not lock.held:
        return f"{who} died on this host; nothing holds it"
    ending = ", whose controller is gone and which is only ending its step" if lock.orphan else ""
    since = f" since {lock.since} ({age(lock.age)})" if lock.since else ""
    return f"held{since} by {who}{ending}"


def named(run: str, by: str) -> str:
    """A run as people tell of it."""
    return f"run {run or '?'}" + (f" of {by}" if by else "")


# -- the others


def _quiet(found: Sequence[Status]) -> str:
    runs = _range([status.last_run.age if status.last_run else None for status in found], "last run")
    proofs = _range([status.proof.age if status.proof else None for status in found], "proven")
    have = "has" if len(found) == 1 else "have"
    return f"{hosts(len(found))} {have} nothing to tell (-v shows all): {runs}; {proofs}"


def _range(ages: Sequence[float | None], what: str) -> str:
    """`last run 2 h to 3 d ago, 12 never`."""
    known = [seconds for seconds in ages if seconds is not None]
    never = len(ages) - len(known)
    if not known:
        return f"{what} never"
    first, last = age(min(known)), age(max(known))
    return f"{what} {first if first == last else f'{first} to {last}'} ago" + (f", {never} never" if never else "")


def age(seconds: float | None) -> str:
    """45 s, 3 min, 20 h, 5 d; `?` where it cannot be told."""
    if seconds is None:
        return "?"
    for size, word in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (size == 60 and seconds >= size):
            return f"{int(seconds // size)} {word}"
    return f"{max(0, int(seconds))} s"
