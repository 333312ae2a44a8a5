"""How far a run is: hosts by state, the bar of its wave, how fast it goes, and how long it will take.

The law: numbers only from events; what is left is told only once enough hosts have ended to say so.
"""

from collections.abc import Callable

from provision.events import BAD, Event, HostChecked, HostFinished, Outcome, RunStarted, WaveStarted
from provision.report.text import duration
from provision.report.transcript import Transcript

ENOUGH = 5
"""Hosts; the rate of fewer says nothing."""
BAR = 24
"""Characters."""


class Course:
    """Listens to a run. A run in waves has two phases, each with its own rate: the check of all, and the waves."""

    def __init__(self, story: Transcript, clock: Callable[[], float]) -> None:
        self._story = story
        self._clock = clock
        self._started = self._since = clock()
        self._ended: dict[Outcome, int] = {}
        self._hosts = 0
        self._checked = 0
        self._queued = 0
        """Hosts that were checked and wait for their wave."""
        self._wave: WaveStarted | None = None
        self._here = 0
        """Hosts of this wave, or of the one pass there is, that have ended."""
        self._phase = [0, 0]
        """Hosts of this phase: those that have ended, and all."""

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._started = self._since = self._clock()
                self._hosts = len(event.hosts)
                self._phase = [0, self._hosts]
            case HostChecked():
                self._checked += 1
                self._queued += 1
                self._count()
            case HostFinished():
                self._ended[event.outcome] = self._ended.get(event.outcome, 0) + 1
                self._count()
            case WaveStarted():
                if self._wave is None:
                    self._since, self._phase = self._clock(), [0, self._checked]
                self._wave, self._here = event, 0
                self._queued -= len(event.hosts)

    def _count(self) -> None:
        self._here += 1
        self._phase[0] += 1

    def tenths(self) -> int:
        """How many tenths of the hosts of this phase have ended."""
        return 10 * self._phase[0] // max(1, self._phase[1])

    def bar(self, width: int) -> str:
        """`wave 2 of 4 ██████░░░░░░ 12/50, 2.0 hosts/s, 19 s left`, or "" for a run of few hosts without waves."""
        if self._wave is None and self._hosts <= ENOUGH * 2:
            return ""
        size = len(self._wave.hosts) if self._wave else self._hosts
        title = f"wave {self._wave.number} of {self._wave.of}" if self._wave else "all hosts"
        count = ", ".join([f"{self._here}/{size}", *self._speed()])
        room = max(4, min(BAR, width - len(title) - len(count) - 4))
        full = room * min(self._here, size) // max(1, size)
        return f"{title} {'█' * full}{'░' * (room - full)} {count}"

    def total(self, running: int, *, speed: bool) -> str:
        """`1 min 01 s: 3/9 done, 2 running, 4 waiting, 1 changed`; `speed`: and how fast, where no bar says it."""
        done = sum(self._ended.values())
        changed = self._ended.get(Outcome.CHANGED, 0) + self._ended.get(Outcome.WOULD_CHANGE, 0)
        failed = sum(self._ended.get(outcome, 0) for outcome in BAD)
        pending = self._ended.get(Outcome.PENDING, 0)
        waiting = max(0, self._hosts - done - running - self._queued)
        parts = [f"{done}/{self._hosts} done", f"{running} running"]
        parts += [f"{waiting} waiting"] if waiting else []
        parts += [f"{self._queued} for later waves"] if self._queued > 0 else []
        parts += [f"{changed} to change" if self._story.verb == "check" else f"{changed} changed"] if changed else []
        parts += [f"{pending} pending"] if pending else []
        parts += [f"{failed} failed"] if failed else []
        parts += self._speed() if speed else []
        return f"{duration(self._clock() - self._started)}: " + ", ".join(parts)

    def _speed(self) -> list[str]:
        ended, of = self._phase
        elapsed = self._clock() - self._since
        if ended < ENOUGH or ended >= of or elapsed <= 0:
            return []
        rate = ended / elapsed
        told = f"{rate:.1f} hosts/s" if rate >= 0.2 else f"{rate * 60:.1f} hosts/min"
        return [told, f"{duration((of - ended) / rate)} left"]
