"""Maintenance windows: what is written, when it is open, and across days and changes of the clocks."""

import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.inventory.loader import load
from provision.rollout.policy import GivenPolicy, Policy, policy
from provision.rollout.windows import Window, Windows, window, zone

BERLIN = ZoneInfo("Europe/Berlin")
WEEK = frozenset(range(7))


@pytest.mark.parametrize(
    ("text", "days", "opens", "closes"),
    [
        ("Sat 02:00-06:00", {5}, 120, 360),
        ("Mon-Fri 22:00-05:00", {0, 1, 2, 3, 4}, 1320, 300),
        ("fri-mon 1:00-2:00", {4, 5, 6, 0}, 60, 120),
        ("Sat, Sun 00:00-24:00", {5, 6}, 0, 1440),
        ("Mon,Wed-Thu 02:00 - 03:00", {0, 2, 3}, 120, 180),
        ("saturday 02:00-03:00", {5}, 120, 180),
        ("02:00-04:00", WEEK, 120, 240),
        ("23:30-00:00", WEEK, 1410, 0),
    ],
)
def test_what_can_be_written(text: str, days: set[int], opens: int, closes: int) -> None:
    assert window(text) == Window(frozenset(days), opens, closes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Sat", "is no window"),
        ("", "is no window"),
        ("Sut 02:00-03:00", "'Sut' is no day"),
        ("Saturnday 02:00-03:00", "did you mean Saturday?"),
        ("Sat 25:00-26:00", "'25:00' is no time of the day"),
        ("Sat 02:60-03:00", "'02:60' is no time of the day"),
        ("Sat 24:00-02:00", "opens at 24:00"),
        ("Sat 02:00-02:00", "for a whole day write 00:00-24:00"),
        ("Sat 2-3", "'2' is no time of the day"),
    ],
)
def test_what_cannot(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        window(text)
    assert words in str(caught.value)


def at(text: str, where: Any = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=where)


NIGHTS = Windows((window("Mon-Fri 22:00-05:00"),), BERLIN)


@pytest.mark.parametrize(
    ("time", "is_open"),
    [
        ("2026-11-23 21:59", False),
        ("2026-11-23 22:00", True),
        ("2026-11-24 04:59", True),
        ("2026-11-24 05:00", False),
        ("2026-11-28 04:59", True),
        ("2026-11-28 22:30", False),
        ("2026-11-23 04:00", False),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_on_which_it_opens(time: str, is_open: bool) -> None:
    assert NIGHTS.open_at(at(time)) is is_open
    assert (NIGHTS.closed(at(time)) is None) is is_open


def test_it_says_when_the_next_one_opens_in_its_own_zone() -> None:
    found = Windows((window("Sat 02:00-06:00"), window("Sun 03:00-04:00")), BERLIN)
    assert found.closed(at("2026-11-25 22:00", UTC)) == (
        "outside the maintenance windows; the next opens Sat 2026-11-28 02:00 CET"
    )
    assert str(found.closed(at("2026-11-28 06:00"))).endswith("Sun 2026-11-29 03:00 CET")
    assert Windows(()).closed(at("2026-11-28 06:00")) is None


def test_an_hour_that_does_not_exist_and_one_that_comes_twice() -> None:
    found = Windows((window("Sun 02:15-02:45"),), BERLIN)
    before = at("2026-03-29 00:00", UTC)
    open_minutes = [m for m in range(180) if found.open_at(before + timedelta(minutes=m))]
    assert open_minutes == list(range(75, 105)), "half an hour, though the clocks jump over it"
    before = at("2026-10-25 00:00", UTC)
    open_minutes = [m for m in range(180) if found.open_at(before + timedelta(minutes=m))]
    assert open_minutes == list(range(15, 45)), "once, though the clocks show it twice"


@given(
    st.lists(st.tuples(st.sets(st.integers(0, 6), min_size=1), st.integers(0, 1439), st.integers(0, 1440)), min_size=1),
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)),
)
def test_the_next_opening_is_open_and_nothing_before_it_is(given: Any, when: datetime) -> None:
    made = tuple(Window(frozenset(days), opens, closes) for days, opens, closes in given if opens != closes)
    found, now = Windows(made, BERLIN), when.replace(tzinfo=UTC)
    if not made or found.open_at(now):
        return
    opening = found.next_opening(now)
    assert opening > now
    assert found.open_at(opening)
    step = (opening - now) / 7
    assert not any(found.open_at(now + step * part) for part in range(1, 7))


def test_without_a_zone_it_is_the_controllers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        found = Windows((window("Sat 02:00-06:00"),))
        assert found.open_at(at("2026-11-28 07:30", UTC))
        assert str(found.closed(at("2026-11-28 12:00", UTC))).endswith("Sat 2026-12-05 02:00 EST")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert os.environ.get("TZ") == before


# -- in the inventory


def told(text: str, **wanted: Any) -> tuple[Policy, list[str]]:
    found, problems = policy(load(text, "x.yml"), GivenPolicy(**wanted), ["a"], lambda name: {})
    return found, [str(problem) for problem in problems]


def test_windows_and_zone_of_the_inventory() -> None:
    found, problems = told("windows: [Sat 02:00-06:00]\ntimezone: Europe/Berlin\nhook_timeout: 5\n")
    assert not problems
    assert str(found.closed(at("2026-11-25 22:00", UTC))).endswith("Sat 2026-11-28 02:00 CET")
    assert found.closed(at("2026-11-28 03:00")) is None
    assert found.hooks.timeout == 5
    assert told("windows: 22:30-23:00")[0].windows == Windows((Window(WEEK, 1350, 1380),)), (
        "YAML 1.1 makes that a number"
    )
    assert Policy().closed() is None


def test_mistakes_have_their_place_and_a_suggestion() -> None:
    _, problems = told(
        "windows:\n- Sat 02:00-06:00\n- Sam 02:00-03:00\n- 5\ntimezone: Europe/Berlim\nhook_timeout: 0\n"
    )
    together = "\n".join(problems)
    assert "x.yml:3:3: rollout.windows.1: 'Sam' is no day" in together
    assert "x.yml:4:3: rollout.windows.2: should be a text of days and times" in together
    assert (
        "x.yml:5:11: rollout.timezone: there is no time zone 'Europe/Berlim'; did you mean Europe/Berlin?" in together
    )
    assert "rollout.hook_timeout" in together


def test_a_zone() -> None:
    assert zone("UTC").key == "UTC"
    with pytest.raises(ValueError, match="no time zone"):
        zone("../x")


def test_hooks_are_looked_at_where_they_would_run() -> None:
    text = "before_host: [/bin/true]\nafter_host: [no-such-program-here, x]\n"
    assert told(text)[1] == []
    [problem] = told(text, hooks=True)[1]
    assert problem.startswith("x.yml:2:13: rollout.after_host: there is no program 'no-such-program-here' here")
    refused = told(text, hooks=True, no_exec=True)[1]
    assert len(refused) == 2
    assert "rollout.before_host is a program, and --no-exec forbids those" in refused[0]
