"""Who holds hosts, and which runs were ended: one line for each host that is held or was; the others are counted."""

from collections.abc import Iterator

from provision.events import Answered, Summary
from provision.questions.unlock import Unlock
from provision.report.answers import AnswersTranscript
from provision.report.status import holder, named
from provision.report.text import Line, hosts, line


class UnlockTranscript(AnswersTranscript):
    """The story of the verb unlock."""

    def __init__(self) -> None:
        super().__init__()
        self._free = 0

    def summary(self, event: Summary) -> Iterator[Line]:
        if self._free:
            are = "is" if self._free == 1 else "are"
            yield line(f"{hosts(self._free)} {are} free", "quiet")
        yield from super().summary(event)

    def answered(self, event: Answered) -> Iterator[Line]:
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
