"""What reaches a terminal: never an escape sequence, never a control character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.events import Error
from provision.report import text


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]52;c;ZXZpbA==\x1b\\after", "after"),
        ("\x9b31mred", "red"),
        ("\x1bcreset", "reset"),
        ("bell\x07", "bell\\x07"),
        ("a\tb", "a       b"),
        ("right\u202eleft", "right\\u202eleft"),
        ("half\ud800", "half\\ud800"),
        ("Größe …", "Größe …"),
    ],
)
def test_clean(given_text: str, shown: str) -> None:
    assert text.clean(given_text) == shown


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(anything: str) -> None:
    for line in [text.line(anything), *text.indented(anything)]:
        assert not [c for c in line.text if ord(c) < 32 or 0x7F <= ord(c) < 0xA0]
        line.text.encode("utf-8")


def test_tail_shows_what_a_terminal_would_have_shown() -> None:
    assert text.tail("a\n10%\r50%\r100%\nb\n\n", 2) == "100%\nb"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.04, "0.0 s"), (3.21, "3.2 s"), (59.96, "1 min 00 s"), (125, "2 min 05 s"), (3720, "1 h 02 min")],
)
def test_duration(seconds: float, shown: str) -> None:
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "(absent)"),
        ("a b", "a b"),
        ("", '""'),
        (" a", '" a"'),
        (True, "true"),
        ({"b": 1, "a": "ü"}, '{"a": "ü", "b": 1}'),
    ],
)
def test_value(value: object, shown: str) -> None:
    assert text.value(value) == shown


def test_names_of_many_hosts_are_counted() -> None:
    assert text.names(["a", "b"]) == "a, b"
    assert text.names([f"a{number}" for number in range(0, 50, 2)]).endswith("a38 and 5 more")
    assert text.names([f"gpu{number:03}" for number in range(1, 501)]) == "gpu[001:500]"


def test_a_trace_is_shown_for_bugs_only() -> None:
    disk_full = Error("No space left on device", "free space", trace="Traceback …")
    assert "Traceback" not in text.details(disk_full)
    assert "Traceback" in text.details(Error("KeyError: 'x'", trace="Traceback …"))
    assert "Traceback" in text.details(Error("KeyError", "this is a bug of provision: report it", trace="Traceback …"))
    crash = Error("the agent crashed: KeyError\nTraceback …", "this is a bug of provision: please report it")
    assert text.headline(crash) == "the agent crashed: KeyError; this is a bug of provision: please report it"
    assert text.details(crash) == "Traceback …"


def test_one_long_value_does_not_push_the_others_off_the_screen() -> None:
    lines = text.table(("NAME", "VALUE", "FROM"), [("a", "x" * 200, "host"), ("b", "short", "all")])
    assert len(lines[2].text) < 80
    assert lines[1].text.endswith("x  host")
