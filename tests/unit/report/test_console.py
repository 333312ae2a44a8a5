"""The live view: only what runs, never more rows than the screen, and nothing of a host's that a terminal obeys."""

import re

import pytest

from provision.events import (
    CHECKED,
    Event,
    HostChecked,
    HostFinished,
    HostStarted,
    Outcome,
    Progress,
    RunStarted,
    Summary,
    WaveStarted,
)
from provision.report import Output, view
from provision.report.console import Console
from provision.report.transcript import Transcript
from tests.unit.report.conftest import NASTY, Clock, Terminal

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7][;m]")


def live(terminal: Terminal, clock: Clock) -> Console:
    return Console(Output(terminal), Transcript(clock=clock), clock)


def rows(console: Console) -> list[str]:
    return console._picture().plain.split("\n")


def test_a_terminal_gets_the_live_view_and_a_dumb_one_plain_lines(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert type(view(Output(terminal), Transcript())).__name__ == "Console"
    monkeypatch.setenv("TERM", "dumb")
    assert type(view(Output(terminal), Transcript())).__name__ == "Plain"


def test_only_hosts_that_run_have_a_row(terminal: Terminal) -> None:
    clock = Clock()
    console = live(terminal, clock)
    console(RunStarted("R", "apply", ("a", "bb", "c"), False))
    for name in ("a", "bb"):
        console(HostStarted(name))
    console(Progress("bb", "docker_engine: packages docker.io", 0.0, "waits for apt"))
    clock.now += 61
    console(HostFinished("a", Outcome.CHANGED, {}, 1.0))
    assert rows(console) == [
        "bb   61 s docker_engine: packages docker.io: waits for apt",
        "1 min 01 s: 1/3 done, 1 running, 1 waiting, 1 changed",
    ]
    console.close()


def test_a_step_keeps_its_age_until_the_next_step(terminal: Terminal) -> None:
    clock = Clock()
    console = live(terminal, clock)
    console(RunStarted("R", "apply", ("a",), False))
    console(HostStarted("a"))
    console(Progress("a", "one"))
    clock.now += 5
    console(Progress("a", "one", 5.0))
    assert rows(console)[0] == "a    5 s one"
    console(Progress("a", "two"))
    assert rows(console)[0] == "a    0 s two"
    console.close()


@pytest.mark.parametrize(("columns", "height"), [(40, 10), (80, 24), (20, 6)])
def test_many_hosts_fit_the_screen(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, columns: int, height: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", str(height))
    console = live(terminal, Clock())
    names = tuple(f"dgx{number:03}.example.com" for number in range(100))
    console(RunStarted("R", "apply", names, False))
    for name in names:
        console(HostStarted(name))
        console(Progress(name, "docker_engine: packages docker.io docker-cli containerd"))
    shown = rows(console)
    assert len(shown) <= height - 3
    assert max(map(len, shown)) < columns
    assert any("more hosts" in row for row in shown)
    console.close()


def test_a_run_leaves_the_same_lines_as_elsewhere(terminal: Terminal, run: list[Event]) -> None:
    console = live(terminal, Clock())
    for event in run:
        console(event)
    text = terminal.getvalue()
    assert COLOUR.search(text)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    for line in (
        "web1: changed daemon: file /etc/key (content)",
        "db1: failed engine: packages docker.io",
        "2 hosts: db1, db2: engine: packages docker.io: apt cannot lock; wait for the other apt",
        "5 hosts: 1 ok, 1 changed, 1 unreachable, 2 failed in 0.0 s",
    ):
        assert line in plain
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is hidden for good"


def test_no_color(terminal: Terminal, run: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    console = live(terminal, Clock())
    for event in run:
        console(event)
    assert not COLOUR.search(terminal.getvalue())


def test_what_a_host_says_is_only_text(terminal: Terminal) -> None:
    console = live(terminal, Clock())
    console(RunStarted("R", "apply", ("a",), False))
    console(HostStarted("a"))
    console(Progress("a", NASTY, 0.0, NASTY))
    assert "[bold]x[/bold]" in rows(console)[0]
    console._live.refresh()
    end = HostFinished("a", Outcome.OK, {}, 1.0)
    console(end)
    console(Summary("R", Outcome.OK, {"a": end}))
    for forbidden in ("\x07", "\x00", "\x1b[31m", "\x1b]", "\u202e"):
        assert forbidden not in terminal.getvalue()


def test_closing_twice_and_before_the_start_is_harmless(terminal: Terminal) -> None:
    console = live(terminal, Clock())
    console.close()
    console.abandon()
    console.close()
    assert terminal.getvalue() == ""


def test_500_hosts_in_waves_on_24_lines(terminal: Terminal) -> None:
    clock = Clock()
    console = live(terminal, clock)
    names = tuple(f"dgx{number:03}.example.com" for number in range(500))
    console(RunStarted("R", "apply", names, False))
    for name in names:
        console(HostStarted(name))
        console(HostChecked(name, Outcome.WOULD_CHANGE, {}, 0.1))
    console(WaveStarted(1, 3, names[:1]))
    console(HostFinished(names[0], Outcome.CHANGED, {}, 1.0))
    console(WaveStarted(2, 3, names[1:101]))
    for name in names[1:101]:
        console(HostStarted(name))
    clock.now += 10
    for name in names[1:41]:
        console(HostFinished(name, Outcome.CHANGED if name != names[1] else Outcome.FAILED, {}, 10.0))
    for name in names[61:101]:
        console(Progress(name, "docker_engine: packages docker-ce"))
    shown = rows(console)
    assert len(shown) <= 21
    assert max(map(len, shown)) < 80
    assert shown[0].startswith("dgx041.example.com   10 s connecting"), "the longest running first"
    assert shown[-3] == "… 42 more hosts: 40 docker_engine: packages docker-ce, 2 connecting"
    assert shown[-2] == "wave 2 of 3 █████████░░░░░░░░░░░░░░░ 40/100, 4.1 hosts/s, 1 min 52 s left"
    assert shown[-1] == "10.0 s: 41/500 done, 60 running, 399 for later waves, 40 changed, 1 failed"
    console.close()


def test_what_is_left_is_told_once_it_is_known(terminal: Terminal) -> None:
    clock = Clock()
    console = live(terminal, clock)
    names = tuple(f"h{number:02}" for number in range(20))
    console(RunStarted("R", "apply", names, False))
    clock.now += 10
    for name in names[:4]:
        console(HostFinished(name, Outcome.OK, {}, 1.0))
    assert "left" not in rows(console)[-2]
    console(HostFinished(names[4], Outcome.OK, {}, 1.0))
    assert rows(console)[-2] == "all hosts ██████░░░░░░░░░░░░░░░░░░ 5/20, 0.5 hosts/s, 30.0 s left"
    for name in names[5:]:
        console(HostFinished(name, Outcome.OK, {}, 1.0))
    assert "left" not in rows(console)[-2]
    console.close()


def test_a_host_that_waits_for_the_others_has_no_row_until_it_goes_on(terminal: Terminal) -> None:
    console = live(terminal, Clock())
    console(RunStarted("R", "apply", ("a", "b"), False))
    for name in ("a", "b"):
        console(HostStarted(name))
        console(Progress(name, "facts"))
    console(Progress("a", CHECKED))
    assert [row.split()[0] for row in rows(console)[:-1]] == ["b"]
    assert rows(console)[-1].endswith("0/2 done, 1 running, 1 waiting")
    console(Progress("a", "docker_engine: packages docker.io"))
    assert rows(console)[1] == "a    0 s docker_engine: packages docker.io"
    console(HostFinished("a", Outcome.CHANGED, {}, 1.0))
    console(Progress("a", "too late"))
    assert [row.split()[0] for row in rows(console)[:-1]] == ["b"]
    console.close()
