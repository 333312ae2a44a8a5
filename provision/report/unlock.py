"""Who holds hosts, and which runs were ended: one line for each host that is held or was; the others are counted."""

from collections.abc import Iterator, Sequence

from provision.events import BAD, Answered, Event, HostFinished, Outcome, Summary
from provision.questions.unlock import Unlock
from provision.report.status import holder, named
from provision.report.story import Story
from provision.report.text import Line, hosts, line


class UnlockStory(Story):
    """The story of the verb unlock."""

    def __init__(self) -> None:
        super().__init__()
        self._free = 0

    def lines(self, event: Event) -> Iterator[Line]:
        if isinstance(event, Answered):
            yield from self._answered(event)
        else:
            yield from super().lines(event)

    def finished(self, event: HostFinished) -> Iterator[Line]:
        if event.outcome in BAD:
            yield from super().finished(event)

    def summary(self, event: Summary) -> Iterator[Line]:
        if self._free:
            yield line(f"nothing holds {hosts(self._free)}", "quiet")
        yield from super().summary(event)

    def _answered(self, event: Answered) -> Iterator[Line]:
        found = Unlock.model_validate(event.answer)
        if found.lock is None:
            self._free += 1
            return
        who = named(found.lock.run, found.lock.by)
        said = {
            "ended": f"{who} was ended, after its step in hand",
            "killed": f"{who} was killed, since its step in hand did not end: run apply again",
            "cleared": f"{who} had died on this host; its name is cleared, and nothing holds the host",
        }
        text = said.get(found.state) or holder(found.lock)
        yield line(f"{event.host}: {text}", "place" if found.state == "held" else "change")

    @property
    def told(self) -> Sequence[Outcome]:
        return (Outcome.OK,)
