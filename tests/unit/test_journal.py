"""The journal: what was written comes back, whatever happened to the writer or to the file."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from provision import journal
from provision.errors import InputError
from provision.events import (
    TYPES,
    Error,
    Event,
    HostChecked,
    HostFinished,
    HostStarted,
    Looked,
    Notice,
    Outcome,
    Progress,
    ResourceDone,
    RunStarted,
    Stopped,
    Summary,
    WaveFinished,
    WaveStarted,
)
from provision.journal import Journal, Past

TOLD = {"verb": "apply", "limit": "web"}
DIFF = ({"key": "mode", "before": "0600", "after": "0644", "text": None},)
ENDS = {
    "a": HostFinished("a", Outcome.CHANGED, {"changed": 1}, 1.5),
    "b": HostFinished("b", Outcome.FAILED, {}, 0.5, Error("no space", "free some", "df", "trace"), True),
    "c": HostFinished("c", Outcome.NOT_STARTED, {}, 0.0),
}
EVENTS: list[Event] = [
    RunStarted("R", "apply", ("a", "b", "c"), False),
    HostStarted("a"),
    HostChecked("a", Outcome.WOULD_CHANGE, {"would-change": 1}, 0.1),
    WaveStarted(1, 2, ("a", "b")),
    HostStarted("a"),
    HostStarted("b"),
    ResourceDone("a", "r", "file", "/x", Outcome.CHANGED, DIFF, "note", 0.2, Error("x"), {"levels": []}),
    Notice("ü \x1b[31m", "a"),
    ENDS["a"],
    ENDS["b"],
    WaveFinished(1, 2, {"changed": 1, "failed": 1}, False, "stopped", 2.0),
    Stopped("too many", ("b",), 1, ("kernel 5.4 (others: 5.15)",)),
    ENDS["c"],
    Summary("R", Outcome.FAILED, ENDS),
]


def write(where: Path, run: str = "R", events: list[Event] = EVENTS) -> Past:
    kept = Journal(where, run, TOLD)
    for event in events:
        kept(event)
    kept.close()
    assert kept.problem is None
    return journal.find(where, run)


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    past = write(tmp_path)
    assert [event for _, event in past.events()] == EVENTS
    assert all(time.endswith("Z") for time, _ in past.events())
    assert past.told["limit"] == "web"
    assert past.end["counts"] == {"changed": 1, "failed": 1, "not-started": 1}
    assert not past.lasts()


def test_each_event_has_a_name_but_those_told_to_nobody_else() -> None:
    kinds = set(Event.__subclasses__()) - {Looked, Progress}
    assert kinds == set(TYPES)


def test_who_failed_and_who_is_left(tmp_path: Path) -> None:
    past = write(tmp_path)
    assert past.failed() == ["b"]
    assert past.unfinished() == ["b", "c"]


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    past = write(tmp_path / "new" / "runs")
    assert stat.S_IMODE(past.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(past.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("cut", [1, 20, 200, 900])
def test_a_torn_file_is_read_as_far_as_it_goes(tmp_path: Path, cut: int) -> None:
    past = write(tmp_path)
    past.path.write_bytes(past.path.read_bytes()[:-cut] + b'\n\xff{"type": 3}\n[]\n{"type":"new-one"}\n')
    past = journal.find(tmp_path, "R")
    found = [event for _, event in past.events()]
    assert found == EVENTS[: len(found)]
    assert past.end == {}
    assert set(past.results) == {"a", "b", "c"}


def test_a_controller_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from provision.journal import Journal;"
        "from provision.events import *; j = Journal(Path(sys.argv[1]), 'K', {});"
        "j(RunStarted('K', 'apply', ('a', 'b'), False)); j(HostStarted('a'));"
        "print('written', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        past = journal.find(tmp_path, "last")
        assert past.lasts()
        os.kill(process.pid, signal.SIGKILL)
        process.wait(20)
    past = journal.find(tmp_path, "K")
    assert not past.lasts()
    assert past.end == {}
    assert past.results == {"a": Outcome.UNKNOWN, "b": Outcome.NOT_STARTED}
    assert past.failed() == ["a"]


def test_a_disk_that_takes_nothing_is_a_word_at_the_end_and_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = Journal(tmp_path / "file", "R", {})
    kept(EVENTS[0])
    kept.close()
    assert kept.problem is not None
    assert "not recorded" in kept.problem


def test_a_run_is_found_by_its_beginning_and_the_newest_by_last(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run is recorded yet"):
        journal.find(tmp_path, "last")
    for name in ("20260101-aa", "20260102-bb", "20260102-bbc"):
        write(tmp_path, name)
    assert journal.find(tmp_path, "20260101").run == "20260101-aa"
    assert journal.find(tmp_path, "20260102-bb").run == "20260102-bb"
    assert journal.find(tmp_path, "last").run == "20260102-bbc"
    assert [past.run for past in journal.runs(tmp_path)] == ["20260101-aa", "20260102-bb", "20260102-bbc"]
    for name, words in (("20260102", "2 runs begin"), ("x", "no run 'x'"), ("", "no run ''")):
        with pytest.raises(InputError, match=words):
            journal.find(tmp_path, name)


def test_only_so_many_runs_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "KEPT", 3)
    for number in range(6):
        write(tmp_path, f"run{number}", EVENTS[:2])
    assert [past.run for past in journal.runs(tmp_path)] == ["run3", "run4", "run5"]


def test_they_take_no_more_than_so_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "BYTES", 2 * write(tmp_path, "run0").path.stat().st_size + 10)
    for number in range(1, 5):
        write(tmp_path, f"run{number}")
    assert [past.run for past in journal.runs(tmp_path)] == ["run2", "run3", "run4"], "two, and the one that began last"


def test_the_place_is_what_xdg_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert journal.folder() == tmp_path / "provision" / "runs"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert journal.folder() == tmp_path / ".local" / "state" / "provision" / "runs"


def test_each_line_is_json(tmp_path: Path) -> None:
    past = write(tmp_path)
    lines = past.path.read_text("ascii").splitlines()
    assert len(lines) == len(EVENTS) + 2
    assert all(json.loads(line)["time"] for line in lines)
