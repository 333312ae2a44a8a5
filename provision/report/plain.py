"""A run as plain lines, for everything that is no terminal: a file, a pipe, a journal, a dumb terminal.

The law: no colours, nothing is ever drawn again, each line is whole and is there as soon as it is known.
"""

from provision.events import Event, Progress, RunStarted
from provision.report.output import Output
from provision.report.transcript import Story, opening


class Plain:
    """One line per event that matters."""

    def __init__(self, output: Output, story: Story) -> None:
        self._output = output
        self._story = story

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress):
            return
        if isinstance(event, RunStarted):
            self._output.line(opening(event))
        for line in self._story.lines(event):
            self._output.line(line.text)

    def tell(self, text: str) -> None:
        self._output.line(text)

    def close(self) -> None:
        self._output.flush()

    def abandon(self) -> None:
        """There is nothing to leave behind."""
