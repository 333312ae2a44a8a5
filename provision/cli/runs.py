"""The verb runs: what the journals of past runs hold, told again.

The law: a run is told by the same views as when it happened; nothing is connected to.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from provision import journal, report
from provision.cli import hosts
from provision.cli.options import Asked
from provision.errors import InputError
from provision.journal import Past
from provision.report import files, runs
from provision.report.jsonlines import JsonLines
from provision.report.plain import Plain
from provision.report.record import Record
from provision.report.transcript import Story
from provision.rollout import review
from provision.rollout.review import Plan


def listed(as_json: bool) -> int:
    """All runs, the newest last."""
    output = report.Output(sys.stdout)
    found = journal.runs(journal.folder())
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

    story = Story(diff=asked.diff, verbose=asked.verbose, clock=lambda: now().timestamp())
    view = JsonLines(output, now) if asked.as_json else Plain(output, story)
    for time, event in found.events():
        at = runs.moment(time) or at
        view(event)
    if isinstance(found, Past) and not found.end:
        report.warn("the run is still going on" if found.lasts() else "the run has no end: it was killed")
    return _ended(output)


def _named(name: str) -> Past | Plan:
    """A recorded run, or the plan in a file. Raises InputError."""
    return review.read(Path(name)) if Path(name).is_file() else journal.find(journal.folder(), name)


def _ended(output: report.Output) -> int:
    output.flush()
    if output.problem:
        report.warn(output.problem)
    return 1 if output.problem else 0
