"""A run as plain lines, for everything that is no terminal: a file, a pipe, a journal, a dumb terminal. Of many hosts
a line now and then says how far it is.

The law: no colours, nothing is ever drawn again, each line is whole and is there as soon as it is known.
"""

from provision.events import Event, HostChecked, HostFinished, HostStarted, Progress, RunStarted
from provision.report.output import Output
from provision.report.progress import Course
from provision.report.transcript import Transcript, opening

SECONDS = 10.0
"""Between two lines that say how far a run of many hosts is."""


class Plain:
    """One line per event that matters."""

    def __init__(self, output: Output, story: Transcript) -> None:
        self._output = output
        self._story = story
        self._course = Course(story, story.clock)
        self._running: set[str] = set()
        self._tenths = 0
        self._told_at = story.clock()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress):
            return
        if isinstance(event, RunStarted):
            self._output.line(opening(event))
        for line in self._story.lines(event):
            self._output.line(line.text)
        self._tell_how_far(event)

    def _tell_how_far(self, event: Event) -> None:
        self._course(event)
        if isinstance(event, HostStarted):
            self._running.add(event.host)
        elif isinstance(event, HostFinished | HostChecked):
            self._running.discard(event.host)
        now, tenths = self._story.clock(), self._course.tenths()
        if self._story.gathers and now - self._told_at >= SECONDS and self._tenths != tenths and 0 < tenths < 10:
            self._output.line(self._course.total(len(self._running), speed=True))
            self._tenths, self._told_at = tenths, now

    def tell(self, text: str) -> None:
        self._output.line(text)

    def close(self) -> None:
        self._output.flush()

    def abandon(self) -> None:
        """There is nothing to leave behind."""
