"""A run on a terminal: what has happened scrolls by, and below it stand the hosts that are running now.

The law: the picture is drawn at a fixed rate and not by events (100 hosts make thousands a second), it never has more
rows than the screen, and each host has one row of one line, the longest running first; of those that have no room, the
steps are counted. After the end only permanent lines are left. How far the run is, stands in `progress.py`.
"""

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import rich.console
from rich.live import Live
from rich.text import Text

from provision.events import CHECKED, Event, HostChecked, HostFinished, HostStarted, Progress, RunStarted, Summary
from provision.report.output import Output
from provision.report.progress import Course
from provision.report.text import STYLES, Line, flat
from provision.report.transcript import Transcript

RATE = 5
"""Pictures a second."""
SPARE = 4
"""Rows of the screen that are left to what scrolls by and to the summary."""

LOW = 10
"""Rows; a lower screen has no room for a bar."""


@dataclass
class _Row:
    """A host that is running: the step that it is in, and since when."""

    step: str
    since: float
    waits: str = ""


class Console:
    """The live view."""

    def __init__(self, output: Output, story: Transcript, clock: Callable[[], float] = time.monotonic) -> None:
        self._output = output
        self._story = story
        self._clock = clock
        self._course = Course(story, clock)
        self._lines: deque[Line] = deque()
        self._running: dict[str, _Row] = {}
        self._waiting: set[str] = set()
        """Hosts that have been looked at and are not touched yet."""
        self._over = threading.Event()
        self._console = rich.console.Console(file=output, highlight=False, markup=False, emoji=False)  # type: ignore[arg-type]
        self._live = Live(
            _Picture(self._picture),
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._painter = threading.Thread(target=self._paint, name="painter", daemon=True)

    def __call__(self, event: Event) -> None:
        self._course(event)
        if isinstance(event, RunStarted):
            self._live.start()
            self._painter.start()
        elif isinstance(event, Summary):
            self.close()
        else:
            self._keep_rows(event)
        if not isinstance(event, HostStarted):
            self._lines += self._story.lines(event)
        if isinstance(event, Summary):
            self._flush()

    def tell(self, text: str) -> None:
        self._lines.append(Line(text, "strong"))

    def close(self) -> None:
        if self._painter.ident is not None and not self._over.is_set():
            self._over.set()
            self._painter.join()
            self._running.clear()
            self._live.stop()
        self._flush()

    def abandon(self) -> None:
        if self._painter.ident is not None and not self._over.is_set():
            os.write(self._output.fileno(), b"\x1b[?25h\n")

    def _keep_rows(self, event: Event) -> None:
        match event:
            case HostStarted():
                self._running[event.host] = _Row("connecting", self._clock())
            case Progress(step=step) if step == CHECKED:
                self._running.pop(event.host, None)
                self._waiting.add(event.host)
            case Progress() if event.host in self._running or event.host in self._waiting:
                self._waiting.discard(event.host)
                self._running.setdefault(event.host, _Row("connecting", self._clock()))
                row = self._running[event.host]
                if event.step != row.step:
                    row.step, row.since = event.step, self._clock() - event.seconds
                row.waits = event.text
            case HostFinished() | HostChecked():
                self._running.pop(event.host, None)

    def _paint(self) -> None:
        while not self._over.wait(1 / RATE):
            if not self._flush():
                self._live.refresh()

    def _flush(self) -> bool:
        """Write what has been said since the last picture; one picture for all of it."""
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if lines:
            shown = Text("\n").join(Text(line.text, STYLES[line.style]) for line in lines)
            self._console.print(shown, soft_wrap=True)
        return bool(lines)

    def _picture(self) -> Text:
        now, width = self._clock(), max(20, self._console.width)
        rows = list(self._running.copy().items())
        bar = self._course.bar(width) if self._console.height >= LOW else ""
        room = max(1, self._console.height - SPARE - bool(bar))
        shown = rows if len(rows) <= room else rows[: room - 1]
        broad = min(max((len(host) for host, _ in shown), default=0), width // 2)
        lines = [_fit(f"{flat(host):<{broad}.{broad}} {_state(row, now)}", width) for host, row in shown]
        if len(shown) < len(rows):
            lines.append(_fit(_counted([row for _, row in rows[len(shown) :]]), width))
        lines += [_fit(bar, width)] if bar else []
        picture = Text("\n".join(lines), no_wrap=True, overflow="crop")
        picture.append(("\n" if lines else "") + _fit(self._course.total(len(rows), speed=not bar), width), "bold")
        return picture


def _counted(rows: Sequence[_Row]) -> str:
    """Hosts that have no row, by the step that they are in."""
    steps = Counter(flat(row.step) for row in rows)
    return f"… {len(rows)} more hosts: " + ", ".join(f"{count} {step}" for step, count in steps.most_common())


def _state(row: _Row, now: float) -> str:
    waits = f": {flat(row.waits)}" if row.waits else ""
    return f"{max(0, now - row.since):4.0f} s {flat(row.step)}{waits}"


def _fit(text: str, width: int) -> str:
    return text if len(text) < width else text[: width - 2] + "…"


class _Picture:
    """Asked for the rows each time that it is drawn."""

    def __init__(self, draw: Callable[[], Text]) -> None:
        self._draw = draw

    def __rich_console__(self, console: rich.console.Console, options: rich.console.ConsoleOptions) -> Iterator[Text]:
        yield self._draw()
