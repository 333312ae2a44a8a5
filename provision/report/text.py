"""Text made fit for a line on a terminal, and the wording that all views share.

The law: no escape sequence and no control character of a host reaches a terminal. Pure functions only.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.report.ranges import folded

if TYPE_CHECKING:
    from provision.events import Error

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS, …: titles, clipboard
    r"|\x1b[ -/]*[0-~]"
)
_CONTROL = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ud800-\udfff]"
)
"""C0, C1, line separators, what turns the direction of text round, and halves of a pair."""

NAMES_SHOWN = 20
"""Hosts that are listed by name in one line; of more, the rest is counted."""


@dataclass(frozen=True)
class Line:
    """One line, clean; `style` is one of STYLES, for views that have colours."""

    text: str
    style: str = ""


STYLES = {
    "": "",
    "good": "green",
    "change": "yellow",
    "bad": "bold red",
    "quiet": "dim",
    "added": "green",
    "removed": "red",
    "place": "cyan",
    "strong": "bold",
}
"""Names of styles to what rich calls them."""


def clean(text: str) -> str:
    """One line's text without escape sequences; other control characters become visible (`\\x07`)."""
    return _CONTROL.sub(_visible, _ESCAPES.sub("", text).expandtabs(8))


def _visible(match: re.Match[str]) -> str:
    return match[0].encode("ascii", "backslashreplace").decode() if match[0] > "\x7f" else f"\\x{ord(match[0]):02x}"


def flat(text: str) -> str:
    """Any text as one line."""
    return clean(" ".join(text.split()))


def line(text: str, style: str = "") -> Line:
    """A line of any text."""
    return Line(flat(text) if "\n" in text or "\r" in text else clean(text), style)


def indented(text: str, style: str = "", depth: int = 4) -> list[Line]:
    """A text of several lines, each indented; the colours of the programs that wrote it are gone."""
    return [Line(" " * depth + clean(part), style) for part in text.splitlines()]


def tail(text: str, lines: int) -> str:
    """The last lines of a text; what a carriage return overwrote is left out."""
    shown = [part.rstrip().rsplit("\r", 1)[-1] for part in text.strip("\r\n").split("\n")]
    return "\n".join(shown[-lines:])


def duration(seconds: float) -> str:
    """3.2 s, 2 min 05 s, 1 h 02 min."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def hosts(count: int) -> str:
    """1 host, 2 hosts."""
    return "1 host" if count == 1 else f"{count} hosts"


def names(found: Sequence[str]) -> str:
    """Names in one line; many as ranges, as --limit takes them; of what is too many even so, the first and how many
    more."""
    parts = [(name, 1) for name in found] if len(found) <= NAMES_SHOWN else list(folded(found))
    more = sum(count for _, count in parts[NAMES_SHOWN:])
    return ", ".join(part for part, _ in parts[:NAMES_SHOWN]) + (f" and {more} more" if more else "")


def value(found: Any) -> str:
    """A value of a difference as people write it; None means that it is not there."""
    if found is None:
        return "(absent)"
    if isinstance(found, str) and found and found == found.strip():
        return found
    return json.dumps(found, ensure_ascii=False, sort_keys=True, default=str)


def headline(error: "Error") -> str:
    """What is the matter and what to do, in one line."""
    cause = error.cause.strip().split("\n", 1)[0]
    return f"{cause}; {error.fix}" if error.fix else cause


def details(error: "Error") -> str:
    """What else is known of an error: more lines of the cause, what the programs said, and a trace if it is a bug."""
    more = error.cause.strip().partition("\n")[2]
    expected = error.place or (error.fix and "bug of provision" not in error.fix)
    return "\n".join(part.strip("\n") for part in (more, error.output, "" if expected else error.trace) if part.strip())


WIDEST = 60
"""Characters of padding in a table's column: one long value must not push all others off the screen."""


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Line]:
    """Columns as wide as they need to be, up to WIDEST; the last one is not padded."""
    cells = [tuple(map(flat, row)) for row in rows]
    widths = [min(WIDEST, max(map(len, column))) for column in zip(titles, *cells, strict=True)]
    padded = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (titles, *cells)
    ]
    return [Line(padded[0], "strong"), *map(Line, padded[1:])]
