"""Hooks before and after a host: real programs; the session between them is played."""

import json
import os
import pickle
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from provision.events import Error, Event, HostFinished, HostStarted, Notice, Outcome, Progress
from provision.rollout import Job, hooks
from provision.rollout.hooks import Hooks, PlannedChange, call, run_hooked
from provision.rollout.policy import Policy
from provision.rollout.windows import Windows, window, zone
from provision.run import Run
from provision.target import Target

PLANNED = PlannedChange(2, ("docker_engine: packages docker.io",), {"would-change": 1})
OK = HostFinished("a", Outcome.CHANGED, {"changed": 1}, 0.1)


class Between:
    """Stands for the session."""

    def __init__(self) -> None:
        self.held = 0
        self.result = OK

    def __call__(self, job: Job, run: Run, pool: Any, sink: Any, cancel: threading.Event) -> HostFinished:
        self.held += 1
        sink(HostStarted(job.target.name))
        sink(Progress(job.target.name, "at work"))
        return self.result


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Between:
    found = Between()
    monkeypatch.setattr(hooks, "run_host", found)
    return found


def script(tmp_path: Path, text: str, name: str = "hook") -> tuple[str, ...]:
    path = tmp_path / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return (str(path), "an argument; $HOME")


def roll(given: Hooks, cancel: threading.Event | None = None) -> tuple[HostFinished, list[Event]]:
    events: list[Event] = []
    job = Job(Target("a", "10.0.0.7"), (), {})
    flag = cancel or threading.Event()
    return run_hooked(job, Run("r1", "me", False), None, events.append, flag, given, PLANNED), events  # type: ignore[arg-type]


def test_a_hook_is_told_what_is_about_to_happen_and_what_came_of_it(tmp_path: Path, between: Between) -> None:
    log = tmp_path / "log"
    argv = script(tmp_path, f'cat >> {log}; echo "$1" >> {log}\n')
    result, events = roll(Hooks(argv, argv))
    assert result.outcome is Outcome.CHANGED
    before, argument, after, _ = log.read_text().splitlines()
    assert argument == "an argument; $HOME", "no shell has seen it"
    told = {"run": "r1", "host": "a", "address": "10.0.0.7", "wave": 2, "impact": None}
    told["changes"] = ["docker_engine: packages docker.io"]  # type: ignore[assignment]
    assert json.loads(before) == told
    assert json.loads(after) == told | {"outcome": "changed"}
    assert [type(event) for event in events].count(HostStarted) == 1
    steps = [event.step.split()[0] for event in events if isinstance(event, Progress)]
    assert steps == ["before_host:", "at", "after_host:"]


def test_not_yet_leaves_the_host_pending_with_the_hooks_own_words(tmp_path: Path, between: Between) -> None:
    result, _ = roll(Hooks(script(tmp_path, "echo 3 jobs run until 14:00; echo more; exit 75\n"), ("/bin/false",)))
    assert (result.outcome, between.held) == (Outcome.PENDING, 0)
    assert str(result.error) == "before_host says not yet: 3 jobs run until 14:00; run apply again"
    assert result.counts == {"would-change": 1}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo scontrol: error >&2; exit 1\n", "ended with status 1: scontrol: error; the host was not touched"),
        ("exit 3\n", "ended with status 3: it said nothing"),
        ("kill -9 $$\n", "ended with status -9"),
    ],
)
def test_any_other_status_fails_the_host_untouched(tmp_path: Path, between: Between, text: str, words: str) -> None:
    result, _ = roll(Hooks(script(tmp_path, text), ("/bin/false",)))
    assert (result.outcome, between.held) == (Outcome.FAILED, 0)
    assert words in str(result.error)


def test_a_hook_that_is_not_there(between: Between) -> None:
    result, _ = roll(Hooks(("/no/such/hook",)))
    assert "does not run: No such file" in str(result.error)


def test_a_hook_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path, between: Between) -> None:
    pid = tmp_path / "pid"
    argv = script(tmp_path, f"sleep 300 & echo $! > {pid}; trap '' TERM; sleep 300; sleep 300\n")
    result, _ = roll(Hooks(argv, timeout=0.5))
    assert (result.outcome, between.held) == (Outcome.FAILED, 0)
    assert "did not end within 0.5 s" in str(result.error)
    child = int(pid.read_text())
    for _ in range(100):
        if not alive(child):
            return
        time.sleep(0.05)
    raise AssertionError("what the hook started is still there")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_a_hook_leaves_in_the_background_keeps_nobody(tmp_path: Path, between: Between) -> None:
    pid = tmp_path / "pid"
    said = call(script(tmp_path, f"sleep 300 & echo $! > {pid}; echo done\n"), {}, 200, None)
    assert (said.status, said.out) == (0, "done\n")
    os.kill(int(pid.read_text()), 9)


def test_an_interrupt_ends_before_host_and_not_after_host(tmp_path: Path, between: Between) -> None:
    cancel, started = threading.Event(), tmp_path / "started"
    argv = script(tmp_path, f"touch {started}; sleep 300\n")

    def interrupt() -> None:
        while not started.exists():
            time.sleep(0.01)
        cancel.set()

    threading.Thread(target=interrupt, daemon=True).start()
    result, _ = roll(Hooks(argv), cancel)
    assert (result.outcome, between.held) == (Outcome.FAILED, 0)
    assert "was interrupted" in str(result.error)
    result, events = roll(Hooks(argv), cancel)
    assert (result.outcome, events) == (Outcome.NOT_STARTED, [])

    cancel.clear()
    done = tmp_path / "done"
    between.result = HostFinished("a", Outcome.FAILED, {}, 0.1, Error("interrupted"))
    before = script(tmp_path, "exit 0\n", "before")
    after = script(tmp_path, f"sleep 0.5; touch {done}\n", "after")
    timer = threading.Timer(0.2, cancel.set)
    timer.start()
    result, _ = roll(Hooks(before, after), cancel)
    timer.join()
    assert done.exists()
    assert str(result.error) == "interrupted"


def test_after_host_that_fails_is_told_and_never_hides_another_failure(tmp_path: Path, between: Between) -> None:
    after = script(tmp_path, "echo cannot resume >&2; exit 1\n")
    result, _ = roll(Hooks(None, after))
    assert result.outcome is Outcome.FAILED
    assert "after_host" in str(result.error)
    assert "cannot resume" in str(result.error)
    between.result = HostFinished("a", Outcome.FAILED, {}, 0.1, Error("dockerd does not start"))
    result, events = roll(Hooks(None, after))
    assert str(result.error) == "dockerd does not start"
    assert any(isinstance(event, Notice) and "cannot resume" in event.text for event in events)


def test_a_hook_that_does_not_read_what_it_is_told(between: Between) -> None:
    said = call(("/bin/true",), {"changes": ["x" * 1000] * 1000}, 60, None)
    assert said.status == 0


def test_what_goes_to_an_executor_can_be_pickled() -> None:
    policy = Policy(windows=Windows((window("Sat 02:00-06:00"),), zone("Europe/Berlin")), hooks=Hooks(("drain",)))
    run = Run("r1", "me", False, closed=policy.closed)
    again, found, planned = pickle.loads(pickle.dumps((run, policy.hooks, PLANNED)))
    assert (found, planned) == (policy.hooks, PLANNED)
    when = datetime(2026, 11, 25, 22, tzinfo=UTC)
    assert again.closed(when) == policy.closed(when) is not None
