"""Hosts by an executor: one host's trouble stays its own, secrets are masked, a cancel is orderly."""

import threading
from typing import Any

import pytest

from provision.errors import ProtocolError, Refused, RoleFault, Unreachable
from provision.events import (
    Event,
    HostFacts,
    HostFinished,
    HostStarted,
    Notice,
    Outcome,
    Preflight,
    ResourceDone,
    RunStarted,
    Stopped,
    Summary,
    Verdict,
    worst,
)
from provision.login import NoPython
from provision.plan import RefusedByRole
from provision.rollout import Job, Rollout, hosts
from provision.run import Run
from provision.secrets import HIDDEN, Mask, Secret
from provision.session import Interrupted
from provision.target import Target


class Pool:
    def connect(self, target: Target) -> Any:
        if target.name == "far":
            raise Unreachable("far does not answer", "look at the cable")
        return self

    def close(self) -> None: ...


def done(host: str, outcome: Outcome, text: str = "") -> ResourceDone:
    return ResourceDone(host, "r", "file", "/x", outcome, ({"key": "content", "text": text},))


BEHAVIOUR: dict[str, Any] = {
    "good": [done("good", Outcome.OK)],
    "new": [done("new", Outcome.CHANGED), done("new", Outcome.OK)],
    "bad": [done("bad", Outcome.OK), done("bad", Outcome.FAILED)],
    "refused": [RefusedByRole("docker_daemon", "bip overlaps eth1", "take another")],
    "buggy": [ProtocolError("the agent crashed")],
    "broken": [ZeroDivisionError("oops")],
    "leaky": [done("leaky", Outcome.OK, "password=hunter2 aHVudGVyMg")],
    "would": [done("would", Outcome.WOULD_CHANGE)],
    "bare": [NoPython("no python3", "apply")],
}


class Session:
    """Plays what BEHAVIOUR says; stands for the real one, which has tests of its own."""

    def __init__(
        self,
        target: Target,
        connection: Any,
        planner: Any,
        run: Run,
        sink: Any,
        cancel: threading.Event,
        reached: Any = None,
    ) -> None:
        self.name, self.sink, self.cancel = target.name, sink, cancel

    def execute(self) -> None:
        if self.name == "slow":
            assert self.cancel.wait(20)
            raise Interrupted("interrupted in the step 'x'", "run again")
        for item in BEHAVIOUR[self.name]:
            if isinstance(item, Exception):
                raise item
            self.sink(item)


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "Session", Session)


def run(*names: str, check: bool = False, forks: int = 4, secrets: tuple[Secret, ...] = (), during: Any = None):
    events: list[Event] = []
    jobs = [Job(Target(name, name), (), {}) for name in names]
    roll = Rollout(Run("r1", "me", check), "apply", jobs, events.append, Mask(secrets), forks)
    if during:
        during(roll, events)
    return roll.execute(Pool()), events  # type: ignore[arg-type]


def test_each_host_ends_on_its_own() -> None:
    summary, events = run("good", "new", "bad", "far", "refused", "buggy", "broken")
    outcomes = {name: str(result.outcome) for name, result in summary.hosts.items()}
    assert outcomes == {
        "good": "ok",
        "new": "changed",
        "bad": "failed",
        "far": "unreachable",
        "refused": "failed",
        "buggy": "failed",
        "broken": "failed",
    }
    assert summary.outcome is Outcome.FAILED
    assert isinstance(events[0], RunStarted)
    assert events[-1] is summary or events[-1] == summary
    assert summary.hosts["far"].error.fix == "look at the cable"  # type: ignore[union-attr]
    assert "docker_daemon: bip overlaps eth1" in str(summary.hosts["refused"].error)
    assert "ZeroDivisionError" in summary.hosts["broken"].error.trace  # type: ignore[union-attr]
    assert summary.hosts["new"].counts == {"changed": 1, "ok": 1}


def test_hosts_that_would_change_share_what_they_need_and_are_left_alone_where_that_cannot_be_had() -> None:
    asked = list[list[str]]()

    def share(jobs: Any, pool: Any) -> Any:
        asked.append([job.target.name for job in jobs])
        raise Refused("no network", "plug it in")

    events: list[Event] = []
    jobs = [Job(Target(name, name), (), {}) for name in ("good", "would", "far")]
    roll = Rollout(Run("r1", "me", False), "apply", jobs, events.append, Mask(), share=share)
    summary = roll.execute(Pool())  # type: ignore[arg-type]
    assert asked == [["would"]]
    assert str(summary.hosts["good"].outcome) == "ok"
    assert str(summary.hosts["would"].error) == "no network; nothing was changed; plug it in"
    assert summary.hosts["would"].outcome is Outcome.FAILED
    assert [event.outcome for event in events if isinstance(event, ResourceDone) and event.host == "would"] == []


def test_a_resource_that_failed_without_an_error_still_fails_its_host() -> None:
    summary, _ = run("bad")
    assert summary.hosts["bad"].outcome is Outcome.FAILED


def test_a_gpu_that_is_slower_than_its_equals_fails_its_host_and_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(host: str, read: float) -> ResourceDone:
        gpu = {"index": 0, "uuid": "GPU-0", "name": "H200", "mode": "full", "figures": {"read": [read, "GB/s"]}}
        return ResourceDone(host, "r", "gpu_speed", "gpu", Outcome.OK, proof={"speed": [gpu]})

    for host, read in (("a", 4588.0), ("b", 4580.0), ("c", 4000.0)):
        monkeypatch.setitem(BEHAVIOUR, host, [measured(host, read)])
    summary, events = run("a", "b", "c")
    assert {name: str(result.outcome) for name, result in summary.hosts.items()} == {
        "a": "ok",
        "b": "ok",
        "c": "failed",
    }
    assert summary.outcome is Outcome.FAILED
    assert str(summary.hosts["c"].error).startswith(
        "GPU 0 (GPU-0): memory read 4000 GB/s is 13 % under the median of 3"
    )
    [step] = [event for event in events if isinstance(event, ResourceDone) and event.outcome is Outcome.FAILED]
    assert (step.host, step.kind, step.name) == ("c", "gpu_speed", "beside its equals")


def test_secrets_are_masked_in_every_event() -> None:
    _, events = run("leaky", secrets=(Secret("hunter2"),))
    assert "hunter2" not in repr(events)
    assert HIDDEN in repr(events)


def test_a_cancel_lets_hosts_in_flight_end_and_starts_no_more() -> None:
    def soon(roll: Rollout, events: list[Event]) -> None:
        def when_started() -> None:
            while not any(isinstance(event, HostStarted) for event in events):
                threading.Event().wait(0.01)
            roll.cancel()

        threading.Thread(target=when_started, daemon=True).start()

    summary, events = run("slow", "good", forks=1, during=soon)
    assert summary.hosts["slow"].outcome is Outcome.FAILED
    assert "interrupted" in str(summary.hosts["slow"].error)
    assert summary.hosts["good"].outcome is Outcome.NOT_STARTED
    assert HostStarted("good") not in events


def test_check_of_a_host_without_python_says_so_and_touches_nothing() -> None:
    summary, events = run("bare", check=True)
    done = [event for event in events if isinstance(event, ResourceDone)]
    assert [(event.role, event.outcome) for event in done] == [("bootstrap", Outcome.WOULD_CHANGE)]
    assert summary.hosts["bare"].outcome is Outcome.WOULD_CHANGE


def test_events_come_one_at_a_time() -> None:
    inside = threading.Lock()

    def sink(event: Event) -> None:
        assert inside.acquire(blocking=False), "two events at once"
        inside.release()

    jobs = [Job(Target("good", "good"), (), {}) for _ in range(50)]
    Rollout(Run("r", "me", False), "apply", jobs, sink, Mask(), 16).execute(Pool())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], "ok"),
        (["ok", "changed"], "changed"),
        (["skipped", "skipped"], "skipped"),
        (["skipped", "ok"], "ok"),
        (["changed", "pending"], "pending"),
        (["would-change", "unknown"], "unknown"),
        (["unreachable", "failed"], "failed"),
    ],
)
def test_the_worst_outcome_counts(outcomes: list[str], expected: str) -> None:
    assert worst([Outcome(item) for item in outcomes]) == expected


def test_notices_from_outside_a_session_are_masked_too() -> None:
    events: list[Event] = []
    roll = Rollout(Run("r", "me", False), "apply", [], events.append, Mask([Secret("hunter2")]))
    roll.sink(Notice("key hunter2"))
    assert events == [Notice(f"key {HIDDEN}")]
    assert isinstance(roll.execute(Pool()), Summary)  # type: ignore[arg-type]
    assert not [event for event in events if isinstance(event, HostFinished)]


def test_a_bare_host_is_asked_once_it_has_python_and_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions: list[tuple[bool, bool]] = []
    verdicts = iter([Verdict.WARN, Verdict.FAIL])
    monkeypatch.setattr(hosts.bootstrap, "install_python", lambda *given: None)

    class Bare(Session):
        def execute(self) -> None:
            sessions.append((self.run.check, self.run.preflight is not None))
            if len(sessions) % 4 in (1, 2):
                raise NoPython("no python3", "apply")
            if self.run.check:
                self.sink(HostFacts("bare", {}))
                self.sink(Preflight("bare", "disk", next(verdicts), "it is full", "free some"))
                self.sink(done("bare", Outcome.WOULD_CHANGE))
            else:
                self.sink(done("bare", Outcome.CHANGED))

        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self.run: Run = given[3]

    monkeypatch.setattr(hosts, "Session", Bare)
    summary, events = run("bare")
    assert sessions == [(True, True), (False, False), (True, True), (False, False)]
    assert summary.hosts["bare"].outcome is Outcome.CHANGED
    assert [event.outcome for event in events if isinstance(event, ResourceDone)] == [Outcome.CHANGED, Outcome.CHANGED]
    assert ("disk", "warn") in [(event.question, event.verdict) for event in events if isinstance(event, Preflight)]
    summary, _ = run("bare")
    assert summary.hosts["bare"].outcome is Outcome.FAILED
    assert "preflight: disk: it is full; nothing but python3 was changed" in str(summary.hosts["bare"].error)
    assert len(sessions) == 7, "nothing came after the answer"


def test_a_fault_of_a_role_ends_the_run_at_the_first_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BEHAVIOUR, "first", [RoleFault("roles/x.py:14", "File has no 'contents'", "mend the role")])
    summary, events = run("first", "good", "new", forks=1)
    assert [str(result.outcome) for result in summary.hosts.values()] == ["failed", "not-started", "not-started"]
    error = summary.hosts["first"].error
    assert str(error) == "roles/x.py:14: File has no 'contents'; mend the role"
    stopped = [event for event in events if isinstance(event, Stopped)]
    assert [event.reason for event in stopped] == ["every host would meet the fault at roles/x.py:14"]
