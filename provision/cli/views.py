"""Who listens to a run: its journal, the view on standard output, and the reports that were asked for.

The law: the journal comes first, so that nothing is shown that is not kept. A report is written when the run is over,
also when it was interrupted.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision import journal, report
from provision.cli.options import Asked
from provision.events import Event
from provision.journal import Journal

if TYPE_CHECKING:
    from provision.report.record import Record


class Views:
    """All listeners as one."""

    def __init__(self, view: report.View, run: str, asked: Asked, told: Mapping[str, Any] | None) -> None:
        """`told` None: this run is not recorded."""
        self._view = view
        self._wanted: Mapping[str, Path | None] = {"html": asked.report, "junit": asked.junit, "metrics": asked.metrics}
        self._record = _record() if any(self._wanted.values()) else None
        self._hook = None
        if asked.on_event is not None and told is not None:
            from provision.rollout.event_hook import EventHook

            about = {"run": run, **{name: told[name] for name in ("verb", "by", "comment")}}
            self._hook = EventHook(asked.on_event, about)
        self._journal = Journal(journal.folder(), run, told) if told is not None else None

    def __call__(self, event: Event) -> None:
        for listener in (self._journal, self._record, self._view, self._hook):
            if listener is not None:
                listener(event)

    def close(self) -> bool:
        """Write what is left; False where a report could not be written. Harmless when called twice."""
        self._view.close()
        complete = True
        if self._record is not None:
            from provision.report import files

            complete = files.write(self._record, self._wanted)
            self._record = None
        if self._hook is not None and (problem := self._hook.close()):
            report.warn(f"warning: {problem}")
        if self._journal is not None:
            self._journal.close()
            if self._journal.problem:
                report.warn(f"warning: {self._journal.problem}")
            self._journal = None
        return complete


def _record() -> "Record":
    from provision.report.record import Record

    return Record()
