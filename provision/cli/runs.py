"""The verb runs: what the journals of past runs hold, told again.

The law: a run is told by the same views as when it happened; nothing is connected to.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from provision import journal, report
from provision.cli import hosts
from provision.cli.options import Asked
from provision.errors import InputError, Problem, nearest
from provision.journal import Past
from provision.report import files, runs
from provision.report.jsonlines import JsonLines
from provision.report.plain import Plain
from provision.report.record import Record
from provision.report.transcript import Transcript
from provision.rollout import review
from provision.rollout.review import SavedPlan


@dataclass(frozen=True)
class Wanted:
    """Which runs: what is None does not count."""

    by: str | None = None
    inventory: str | None = None
    host: str | None = None
    limit: str | None = None
    comment: str | None = None
    verb: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    newest: int | None = None

    def chosen(self, found: Sequence[Past]) -> list[Past]:
        """Those of these runs, in their order. Raises InputError for an outcome that no run can have."""
        if self.outcome is not None and self.outcome not in runs.OUTCOMES:
            close = nearest(self.outcome, runs.OUTCOMES)
            hint = f"did you mean {close!r}?" if close else f"there are: {', '.join(runs.OUTCOMES)}"
            raise InputError([Problem(f"--outcome: no run ends as {self.outcome!r}", hint=hint)])
        return [past for past in found if self._has(past)][-(self.newest or 0) :]

    def _has(self, past: Past) -> bool:
        """Whether it was the host's is asked last: that is read from the run's file."""
        told = past.told
        inventories = [str(place) for place in told.get("inventory") or ()]
        return (
            (self.since is None or ((at := runs.moment(str(told.get("time", "")))) is not None and at >= self.since))
            and (self.outcome is None or runs.outcome(past) == self.outcome)
            and (self.verb is None or told.get("verb") == self.verb)
            and (self.by is None or _whose(self.by, str(told.get("by") or "")))
            and (self.inventory is None or any(_named_so(self.inventory, place) for place in inventories))
            and _within(self.limit, told.get("limit"))
            and _within(self.comment, told.get("comment"))
            and (self.host is None or any(fnmatchcase(host, self.host) for host in past.hosts))
        )


def _whose(wanted: str, by: str) -> bool:
    """`alice` is all of alice's, `@ctl` all of that machine's."""
    user, _, machine = by.partition("@")
    of_user, at, of_machine = wanted.partition("@")
    return _like(user, of_user or "*") and (not at or _like(machine, of_machine or "*"))


def _named_so(wanted: str, place: str) -> bool:
    """`dgx`, `dgx.yml` or a path."""
    path = PurePath(place)
    return any(_like(name, wanted) for name in (path.name, path.stem, place)) or os.path.abspath(wanted) == place


def _within(wanted: str | None, text: object) -> bool:
    return wanted is None or _like(str(text or ""), f"*{wanted}*")


def _like(text: str, pattern: str) -> bool:
    return fnmatchcase(text.lower(), pattern.lower())


def listed(wanted: Wanted, as_json: bool) -> int:
    """The runs that are wanted, the newest last."""
    recorded = journal.runs(journal.folder())
    found = wanted.chosen(recorded)
    if not found:
        how = f"none of the {len(recorded)} that are recorded is like that" if recorded else "none is recorded yet"
        report.warn(f"no runs: {how}")
        return 0
    output = report.Output(sys.stdout)
    for line in runs.listed_json(found) if as_json else runs.listed(found):
        output.line(line.text)
    return _ended(output)


def show(name: str, asked: Asked) -> int:
    """One run: its lines, or `--json`, or the reports that are asked for. Raises InputError."""
    if problems := hosts.folders(asked):
        raise InputError(problems)
    found = _named(name)
    if asked.report or asked.junit:
        record = Record.replay(found.events())
        return 0 if files.write(record, {"html": asked.report, "junit": asked.junit}) else 1
    output = report.Output(sys.stdout)
    at = datetime.now(UTC)

    def now() -> datetime:
        return at

    story = Transcript(diff=asked.diff, verbose=asked.verbose, clock=lambda: now().timestamp())
    view = JsonLines(output, now) if asked.as_json else Plain(output, story)
    for time, event in found.events():
        at = runs.moment(time) or at
        view(event)
    if isinstance(found, Past) and not found.end:
        report.warn("the run is still going on" if found.lasts() else "the run has no end: it was killed")
    return _ended(output)


def _named(name: str) -> Past | SavedPlan:
    """A recorded run, or the plan in a file. Raises InputError."""
    return review.read(Path(name)) if Path(name).is_file() else journal.find(journal.folder(), name)


def _ended(output: report.Output) -> int:
    output.flush()
    if output.problem:
        report.warn(output.problem)
    return 1 if output.problem else 0
