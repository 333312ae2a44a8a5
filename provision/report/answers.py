"""The base of the stories that hosts tell in answer to a question: status, why, unlock.

The law: what a host answered is told when all have; before that only what went wrong, so that 500 hosts fill no screen.
"""

from collections.abc import Iterator, Sequence

from provision.events import BAD, Answered, Event, HostFinished, HostStarted, Outcome
from provision.report.text import Line
from provision.report.transcript import Transcript


class AnswersTranscript(Transcript):
    """A story of answers: `answered` takes each, and `summary` tells of all."""

    def lines(self, event: Event) -> Iterator[Line]:
        if isinstance(event, Answered):
            yield from self.answered(event)
        elif not isinstance(event, HostStarted):
            yield from super().lines(event)

    def answered(self, event: Answered) -> Iterator[Line]:
        raise NotImplementedError

    def finished(self, event: HostFinished) -> Iterator[Line]:
        if event.outcome in BAD:
            yield from super().finished(event)

    @property
    def told(self) -> Sequence[Outcome]:
        return (Outcome.OK,)
