"""Who owns an option: one row for each state in which hosts are, and below it the sentence about them.

The law: hosts of which the same is to be said share a row, so that 500 of them are as readable as one.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from provision.events import Answered, Summary
from provision.report.answers import AnswersTranscript
from provision.report.text import Line, line, names, table, value

COLUMNS = ("HOSTS", "KEY", "ASKED", "IN THE FILE", "ELSEWHERE", "LIVE")
SHOWN = 3
"""Hosts that a row names."""


class WhyTranscript(AnswersTranscript):
    """The story of the verb why."""

    def __init__(self) -> None:
        super().__init__()
        self._found: dict[str, Sequence[Mapping[str, Any]]] = {}

    def answered(self, event: Answered) -> Iterator[Line]:
        self._found[event.host] = event.answer["entries"]
        yield from ()

    def summary(self, event: Summary) -> Iterator[Line]:
        rows: dict[tuple[str, ...], list[str]] = {}
        said: dict[str, list[str]] = {}
        for host in event.hosts:
            for entry in self._found.get(host, ()):
                rows.setdefault(_cells(entry), []).append(host)
                said.setdefault(entry["verdict"], []).append(host)
        if rows:
            yield from table(COLUMNS, [(_some(found), *cells) for cells, found in rows.items()])
            yield from (line(f"{names(found)}: {sentence}", "place") for sentence, found in said.items())
        elif any(host in self._found for host in event.hosts):
            yield line("no entry of it is set, asked for or remembered on any of these hosts", "quiet")
        yield from super().summary(event)


def _cells(entry: Mapping[str, Any]) -> tuple[str, ...]:
    asked = entry["asked"]
    return (
        entry["key"],
        value(asked["value"]) if asked else "-",
        value(entry["value"]) if entry["in_file"] else "-",
        ", ".join(found["value"] for found in entry["elsewhere"]) or "-",
        value(entry["live"]) if entry["live"] is not None else ", ".join(entry["process"]) or "-",
    )


def _some(found: Sequence[str]) -> str:
    more = len(found) - SHOWN
    return ", ".join(found[:SHOWN]) + (f" and {more} more" if more > 0 else "")
