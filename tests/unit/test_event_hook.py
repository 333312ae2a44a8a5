"""The program of `--on-event`: a real one, told of a run in order, in a time limit, and never in the run's way."""

import json
import time
from pathlib import Path
from typing import Any

from provision.events import (
    Error,
    Event,
    HostFinished,
    HostStarted,
    Outcome,
    RunStarted,
    Stopped,
    Summary,
    WaveFinished,
    WaveStarted,
)
from provision.rollout.event_hook import EventHook
from tests.unit.test_hooks import script

ENDS = {
    "a": HostFinished("a", Outcome.CHANGED, {}, 1.0),
    "b": HostFinished("b", Outcome.FAILED, {}, 1.0, Error("apt cannot lock", "wait for the other apt")),
    "c": HostFinished("c", Outcome.NOT_STARTED, {}, 0.0),
}
RUN: list[Event] = [
    RunStarted("r1", "apply", ("a", "b", "c"), False),
    HostStarted("a"),
    WaveStarted(1, 2, ("a", "b")),
    WaveFinished(1, 2, {"changed": 1, "failed": 1}, False, "1 host has failed", 2.5),
    Stopped("1 host has failed", ("b",), 1, ("kernel",)),
    Summary("r1", Outcome.FAILED, ENDS),
]
ABOUT = {"run": "r1", "verb": "apply", "by": "me@ctl", "comment": "driver"}


def played(argv: tuple[str, ...], events: list[Event] | None = None, **limits: float) -> str:
    hook = EventHook(argv, ABOUT, **limits)
    for event in RUN if events is None else events:
        hook(event)
    return hook.close()


def test_the_program_is_told_start_wave_stop_and_end_in_order(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert played(script(tmp_path, f"sleep 0.05; cat >> {log}\n")) == ""
    told: list[dict[str, Any]] = [json.loads(line) for line in log.read_text().splitlines()]
    assert [{key: item.pop(key) for key in ABOUT} for item in told] == [ABOUT] * 5
    assert told == [
        {"event": "start", "check": False, "hosts": ["a", "b", "c"]},
        {"event": "wave", "number": 1, "of": 2, "hosts": ["a", "b"], "ended": False},
        {
            "event": "wave", "number": 1, "of": 2, "ended": True, "outcomes": {"changed": 1, "failed": 1},
            "gate": False, "reason": "1 host has failed", "seconds": 2.5,
        },
        {
            "event": "stop", "reason": "1 host has failed", "failed": ["b"], "waiting": 1, "differences": ["kernel"],
        },
        {
            "event": "end", "outcome": "failed", "outcomes": {"changed": 1, "failed": 1, "not-started": 1},
            "failed": {"b": "apt cannot lock; wait for the other apt", "c": "not-started"},
        },
    ]  # fmt: skip


def test_a_program_that_fails_is_one_sentence_and_is_told_of_the_rest(tmp_path: Path) -> None:
    argv = script(tmp_path, f"cat >> {tmp_path}/log; echo no route >&2; exit 7\n")
    assert played(argv) == (
        f"--on-event: {argv[0]} failed at 5 of 5 events (first at start: ended with status 7: no route); "
        "look at that program"
    )
    assert len((tmp_path / "log").read_text().splitlines()) == 5


def test_a_program_that_is_not_there_any_more_is_one_sentence() -> None:
    assert "/no/such failed at 5 of 5 events (first at start: does not run: No such file" in played(("/no/such",))


def test_a_slow_program_keeps_no_event_waiting_and_is_ended(tmp_path: Path) -> None:
    hook = EventHook(script(tmp_path, "exec sleep 300\n"), ABOUT, timeout=0.5, closing=0.5)
    began = time.monotonic()
    for event in RUN:
        hook(event)
    assert time.monotonic() - began < 0.3
    assert "first at start: did not end within 0.5 s" in hook.close()
    assert time.monotonic() - began < 8
    assert hook.close() == "", "harmless when called twice"


def test_a_run_that_ends_early_leaves_nothing_behind(tmp_path: Path) -> None:
    assert played(script(tmp_path, f"cat >> {tmp_path}/log\n"), RUN[:1]) == ""
    assert json.loads((tmp_path / "log").read_text())["event"] == "start"
