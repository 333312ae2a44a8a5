"""Maintenance windows: when what disrupts may be done, and when that is again. Pure, but for the zone's own rules.

    Sat 02:00-06:00        Mon-Fri 22:00-05:00        Sat,Sun 00:00-24:00        02:00-04:00 (every day)

The law: a window belongs to the day on which it opens, and one that ends before it began ends on the next day. Times
are those of a wall clock in the zone; they are compared as instants, so that a change of the clocks opens and closes
nothing twice.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from provision.errors import nearest

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
FULL = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WINDOW = re.compile(r"(?:(?P<days>[A-Za-z][A-Za-z,\s-]*?)\s+)?(?P<opens>\S+?)\s*-\s*(?P<closes>\S+)")
_TIME = re.compile(r"(\d{1,2}):(\d\d)")
EXAMPLE = "as in Sat 02:00-06:00 or Mon-Fri 22:00-05:00"


@dataclass(frozen=True)
class Window:
    """Minutes of the day, from midnight; `closes` at or before `opens` is of the next day."""

    days: frozenset[int]
    """0 is Monday."""
    opens: int
    closes: int


@dataclass(frozen=True)
class Windows:
    """Some windows, in one zone; None: the controller's own."""

    windows: tuple[Window, ...]
    zone: ZoneInfo | None = None

    def open_at(self, now: datetime) -> bool:
        """Is any window open at this (aware) time?"""
        return any(opens <= now < closes for opens, closes in self._spans(now, range(-1, 1)))

    def next_opening(self, now: datetime) -> datetime:
        """When the next window opens, in the zone."""
        later = [opens for opens, _ in self._spans(now, range(9)) if opens > now]
        return min(later).astimezone(self.zone)

    def closed(self, now: datetime) -> str | None:
        """Why nothing that disrupts may be done now, as a clause; None where it may."""
        if not self.windows or self.open_at(now):
            return None
        opening = self.next_opening(now)
        return f"outside the maintenance windows; the next opens {opening:%a %Y-%m-%d %H:%M %Z}".rstrip()

    def _spans(self, now: datetime, days: range) -> Iterator[tuple[datetime, datetime]]:
        """Opening and closing of the windows of these days, counted from today, as instants."""
        today = now.astimezone(self.zone).date()
        for offset in days:
            day = today + timedelta(offset)
            for window in self.windows:
                if day.weekday() in window.days:
                    over = 24 * 60 if window.closes <= window.opens else 0
                    yield _instant(day, window.opens, self.zone), _instant(day, window.closes + over, self.zone)


def _instant(day: date, minutes: int, zone: tzinfo | None) -> datetime:
    """A time of the wall clock as an instant; without a zone, by the rules of this machine."""
    more, rest = divmod(minutes, 24 * 60)
    there = day + timedelta(more)
    wall = datetime(there.year, there.month, there.day, rest // 60, rest % 60, tzinfo=zone)
    return wall.astimezone(UTC)


def window(text: str) -> Window:
    """One window. Raises ValueError, as a sentence."""
    match = _WINDOW.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no window: write days and times, {EXAMPLE}")
    opens, closes = _minutes(match["opens"]), _minutes(match["closes"])
    if opens == 24 * 60:
        raise ValueError(f"{text!r} opens at 24:00: write 00:00 of the next day")
    if opens == closes:
        raise ValueError(f"{text!r} opens and closes at the same time: for a whole day write 00:00-24:00")
    return Window(frozenset(_days(match["days"])) if match["days"] else frozenset(range(7)), opens, closes)


def _minutes(text: str) -> int:
    match = _TIME.fullmatch(text)
    minutes = int(match[1]) * 60 + int(match[2]) if match else -1
    if match is None or int(match[2]) > 59 or minutes > 24 * 60:
        raise ValueError(f"{text!r} is no time of the day: write hours and minutes, as in 02:00 or 22:30")
    return minutes


def _days(text: str) -> Iterator[int]:
    for part in text.split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        start = _day(first)
        yield from ((start + number) % 7 for number in range((_day(last) - start) % 7 + 1 if dash else 1))


def _day(word: str) -> int:
    low = word.lower()
    if len(low) >= 3 and (found := [number for number, name in enumerate(FULL) if name.startswith(low)]):
        return found[0]
    close = nearest(word, [*DAYS, *(name.capitalize() for name in FULL)])
    raise ValueError(
        f"{word!r} is no day" + (f"; did you mean {close}?" if close else f": there are {', '.join(DAYS)}")
    )


def zone(name: str) -> ZoneInfo:
    """A time zone. Raises ValueError, as a sentence."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        known = _zones()
        if not known:
            raise ValueError("this machine has no time zones: install tzdata") from None
        close = nearest(name, known)
        hint = f"did you mean {close}?" if close else "write it as in Europe/Berlin, or UTC"
        raise ValueError(f"there is no time zone {name!r}; {hint}") from None


@cache
def _zones() -> Sequence[str]:
    return sorted(available_timezones())


__all__ = ["Window", "Windows", "window", "zone"]
