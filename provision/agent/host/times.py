"""Moments as they are written on the host (UTC, to the second), and how long ago one was.

The law: a moment that cannot be read has no age; it never raises, for a record may be of any version.
"""

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORM = "%Y-%m-%dT%H:%M:%SZ"


def now() -> str:
    return at(time.time())


def at(seconds: float) -> str:
    """A moment in seconds since 1970."""
    return time.strftime(FORM, time.gmtime(seconds))


def age(moment: "Any") -> "float | None":
    """Seconds since a moment that was written so, or None for what is none."""
    from calendar import timegm  # only where somebody asks: 10 ms with what it and strptime import

    try:
        return round(time.time() - timegm(time.strptime(moment, FORM)), 1)
    except (ValueError, TypeError, OverflowError):
        return None


def told(seconds: float) -> str:
    """3 min 2 s, 5 h 10 min, 2 d 4 h."""
    seconds = int(seconds)
    for size, word, part, its_word in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            return "{} {} {} {}".format(seconds // size, word, seconds % size // part, its_word)
    return "{} s".format(seconds)
