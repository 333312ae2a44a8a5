"""The arithmetic of waves and budgets, and a rollout that stops itself; hosts are played."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.events import (
    Event,
    HostChecked,
    HostFacts,
    HostFinished,
    HostStarted,
    Notice,
    Outcome,
    Preflight,
    ResourceDone,
    Stopped,
    Verdict,
    WaveFinished,
    WaveStarted,
)
from provision.inventory.loader import load
from provision.rollout import Job, Policy, Rollout
from provision.rollout.hooks import Hooks
from provision.rollout.policy import GivenPolicy, policy
from provision.rollout.waves import Amount, Budget, amount, gate, growing, layout, ordered, targets
from provision.rollout.windows import Windows, window
from provision.run import Run
from provision.secrets import Mask
from provision.target import Target
from tests.unit.played import Fleet, Played

WAVES = tuple(map(amount, ("1", "10%", "50%", "100%")))
ALL = Amount(100, True)


# -- arithmetic


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [(0, []), (1, [1]), (2, [1, 2]), (5, [1, 3, 5]), (20, [1, 2, 10, 20]), (101, [1, 11, 51, 101])],
)
def test_targets_are_cumulative_and_rounded_up(hosts: int, expected: list[int]) -> None:
    assert targets(WAVES, hosts) == expected


@pytest.mark.parametrize("text", ["0", "0%", "101%", "-1", "1.5", "x", "", "10 %", "1e3"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match=r"no number of hosts|not possible|more than all"):
        amount(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1,10%,100%", None),
        ("100%", None),
        ("1,1,100%", "comes after"),
        ("50%,10%,100%", "comes after"),
        ("1,50%", "end"),
    ],
)
def test_waves_must_grow_and_reach_everybody(text: str, problem: str | None) -> None:
    found = growing([amount(part) for part in text.split(",")])
    assert found is None if problem is None else problem in str(found)


@given(st.integers(1, 60), st.integers(1, 8), st.randoms(use_true_random=False))
def test_no_wave_takes_two_hosts_of_one_rack_and_each_host_comes_once(count: int, racks: int, random: Any) -> None:
    names = [f"h{number}" for number in range(count)]
    places = {name: str(random.randrange(racks)) for name in names}
    found = layout(names, WAVES, places)
    assert sorted(host for wave in found for host in wave) == sorted(names)
    assert all(len({places[host] for host in wave}) == len(wave) for wave in found)
    ends = [sum(map(len, found[: number + 1])) for number in range(len(found))]
    assert set(targets(WAVES, count)) <= set(ends)


def test_without_racks_waves_keep_the_order() -> None:
    assert layout(list("abcdef"), [Amount(1), Amount(50, True), ALL], None) == [("a",), ("b", "c"), ("d", "e", "f")]


def test_orders() -> None:
    names = ["b", "a", "c"]
    assert ordered(names, "sorted", "r") == ["a", "b", "c"]
    assert ordered(names, "reverse_inventory", "r") == ["c", "a", "b"]
    assert ordered(names, "shuffle", "r1") == ordered(names, "shuffle", "r1")


def test_a_budget_is_reached_at_its_number() -> None:
    budget = Budget(Amount(10, True).of(11))
    assert budget.limit == 2
    for name, outcome in (("a", "failed"), ("b", "ok"), ("c", "pending"), ("d", "not-started")):
        budget.count(name, Outcome(outcome))
    assert not budget.reached
    budget.count("e", Outcome.UNREACHABLE)
    assert budget.reached
    assert not Budget(None, ["x"] * 9).reached


def test_a_gate_wants_proof() -> None:
    assert gate([Outcome.CHANGED, Outcome.FAILED]) is None
    assert "2 pending" in str(gate([Outcome.PENDING, Outcome.PENDING]))
    assert gate([Outcome.SKIPPED]) is not None


# -- what is asked for


def told(text: str, waves: str | None = None, failures: str | None = None, **racks: str) -> tuple[Policy, list[str]]:
    found, problems = policy(load(text, "x.yml"), GivenPolicy(waves, failures), ["a", "b"], lambda name: racks)
    return found, [str(problem) for problem in problems]


def test_the_inventory_says_and_the_command_line_says_instead() -> None:
    text = "{waves: [1, 100%], max_failures: 5%, order: sorted, pause: 3, spread: rack, before_host: [drain]}"
    found, problems = told(text, a="r1", b="r2")
    assert not problems
    assert (found.waves, found.max_failures) == ((Amount(1), ALL), Amount(5, True))
    assert (found.order, found.pause, found.places, found.hooks.before) == (
        "sorted",
        3,
        {"a": "r1", "b": "r2"},
        ("drain",),
    )
    found, problems = told(text, "100%", "7", a="r1", b="r2")
    assert (found.waves, found.max_failures, problems) == ((ALL,), Amount(7), [])


def test_one_failure_stops_waves_and_none_stops_a_plain_run() -> None:
    assert Policy().limit(100) is None
    assert Policy(waves=(ALL,)).limit(100) == 1
    assert Policy(max_failures=Amount(3, True)).limit(101) == 4


def test_all_mistakes_come_at_once_with_their_places() -> None:
    text = "waves: [1, 50%]\nmax_failure: 3\norder: random\npause: -1\nspread: rack\n"
    _, problems = told(text, "x", "0", a="r1")
    assert problems[0].startswith(
        "x.yml:2:1: rollout.max_failure: no such setting; did you mean max_failures:?"
    ) or any(
        problem.startswith("x.yml:2:1: rollout.max_failure: no such setting; did you mean") for problem in problems
    )
    together = "\n".join(problems)
    for part in ("rollout.order", "rollout.pause", "--waves x", "--max-failures: 0"):
        assert part in together
    assert "end with 100%" in told("waves: [1, 50%]")[1][0]
    assert "b must have the variable rack" in told("spread: rack", a="r1")[1][0]
    assert "must be a mapping" in told("[1]")[1][0]


# -- a rollout

KERNEL = {"kernel": "5.15"}


class Host:
    """What a host says in a check, and in its wave."""

    def __init__(self, first: str = "would-change", then: str = "changed", kernel: str = "5.15") -> None:
        self.first, self.then, self.kernel = first, then, kernel


class Hosts(Fleet):
    """Each says what its Host says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        self.hosts: dict[str, Host] = {}
        self.events: list[Event] = []
        self.touched: list[str] = []
        self.runs: list[Run] = []
        self.notices: list[str] = []

    def connect(self, target: Target) -> Fleet:
        self.unreachable = tuple(name for name, host in self.hosts.items() if host.first == "unreachable")
        return super().connect(target)

    def play(self, session: Played) -> None:
        name, sink, host = session.name, session.sink, self.hosts[session.name]
        self.runs.append(session.run)
        for text in self.notices:
            sink(Notice(text, name))
        sink(HostFacts(name, {"kernel": host.kernel}))
        if not session.run.check:
            self.touched.append(name)
        sink(ResourceDone(name, "r", "file", "/x", Outcome(host.first if session.run.check else host.then)))

    def roll(self, found: Policy, **more: Any) -> dict[str, str]:
        jobs = [Job(Target(name, name), (), {}) for name in self.hosts]
        rollout = Rollout(Run("r1", "me", False), "apply", jobs, self.events.append, Mask(), 4, found, **more)
        summary = rollout.execute(self)  # type: ignore[arg-type]
        return {name: str(result.outcome) for name, result in summary.hosts.items()}

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    return Hosts(monkeypatch)


def test_hosts_in_sync_are_done_by_the_check_and_the_others_come_wave_by_wave(fleet: Hosts) -> None:
    fleet.hosts = {f"h{number:02}": Host("ok" if number % 2 else "would-change") for number in range(20)}
    outcomes = fleet.roll(Policy(WAVES))
    assert sorted(set(outcomes.values())) == ["changed", "ok"]
    assert sorted(fleet.touched) == [f"h{number:02}" for number in range(0, 20, 2)]
    assert [len(wave.hosts) for wave in fleet.of(WaveStarted)] == [1, 4, 5]
    assert [(wave.number, wave.of, wave.gate) for wave in fleet.of(WaveFinished)] == [
        (1, 3, True),
        (2, 3, True),
        (3, 3, True),
    ]
    assert len(fleet.of(HostChecked)) == 10
    assert len(fleet.of(HostFinished)) == 20
    first = fleet.events.index(fleet.of(WaveStarted)[0])
    assert all(fleet.events.index(event) < first for event in fleet.of(HostChecked))


def test_a_failed_proof_stops_the_run_and_says_how_the_failed_differ(fleet: Hosts) -> None:
    fleet.hosts = {f"h{number:02}": Host() for number in range(20)}
    fleet.hosts["h05"] = Host(then="failed", kernel="5.4")
    outcomes = fleet.roll(Policy(tuple(map(amount, ("1", "50%", "100%")))))
    counted = {word: list(outcomes.values()).count(word) for word in set(outcomes.values())}
    assert counted["failed"] == 1
    assert counted["not-started"] >= 10
    assert outcomes["h19"] == "not-started"
    [stop] = fleet.of(Stopped)
    assert stop.failed == ("h05",)
    assert stop.differences == ("kernel 5.4 (others: 5.15)",)
    assert stop.waiting == counted["not-started"]
    assert [wave.gate for wave in fleet.of(WaveFinished)] == [True, False]
    assert HostStarted("h05") in fleet.events


def test_what_fails_in_the_check_counts_and_nothing_is_touched(fleet: Hosts) -> None:
    fleet.hosts = {"a": Host(), "b": Host("unreachable"), "c": Host()}
    assert fleet.roll(Policy((ALL,))) == {"a": "not-started", "b": "unreachable", "c": "not-started"}
    assert fleet.touched == []


def test_a_budget_of_more_lets_a_wave_go_on(fleet: Hosts) -> None:
    fleet.hosts = {"a": Host(), "b": Host("unreachable"), "c": Host(then="failed"), "d": Host()}
    outcomes = fleet.roll(Policy((Amount(1), ALL), Amount(3)))
    assert outcomes == {"a": "changed", "b": "unreachable", "c": "failed", "d": "changed"}
    assert not fleet.of(Stopped)


def test_a_wave_that_only_pends_opens_no_gate(fleet: Hosts) -> None:
    fleet.hosts = {"a": Host(then="pending"), "b": Host()}
    assert fleet.roll(Policy((Amount(1), ALL))) == {"a": "pending", "b": "not-started"}
    assert "1 pending" in fleet.of(WaveFinished)[0].reason


def test_without_waves_a_budget_stops_what_has_not_started(fleet: Hosts) -> None:
    fleet.hosts = {f"h{number}": Host(then="failed") for number in range(30)}
    outcomes = list(fleet.roll(Policy(max_failures=Amount(2))).values())
    assert 2 <= outcomes.count("failed") <= 5
    assert outcomes.count("failed") + outcomes.count("not-started") == 30
    assert not fleet.of(HostChecked)


def test_an_interrupt_is_no_failure_of_the_fleet(fleet: Hosts) -> None:
    fleet.hosts = {f"h{number}": Host() for number in range(4)}
    jobs = [Job(Target(name, name), (), {}) for name in fleet.hosts]

    def sink(event: Event) -> None:
        fleet.events.append(event)
        if isinstance(event, WaveStarted) and event.number == 2:
            rollout.cancel()

    rollout = Rollout(Run("r1", "me", False), "apply", jobs, sink, Mask(), 4, Policy((Amount(1), ALL)))
    summary = rollout.execute(fleet)  # type: ignore[arg-type]
    assert [str(result.outcome) for result in summary.hosts.values()] == ["changed"] + ["not-started"] * 3
    assert [wave.gate for wave in fleet.of(WaveFinished)] == [True, False]
    assert not fleet.of(Stopped)


def test_a_preflight_keeps_hosts_out(fleet: Hosts) -> None:
    fleet.hosts = {name: Host() for name in "abc"}
    said = {"a": Verdict.FAIL, "b": Verdict.WARN, "c": Verdict.UNKNOWN}
    found = {name: [Preflight(name, "disk", verdict, "it is full", "free some")] for name, verdict in said.items()}
    outcomes = fleet.roll(Policy((ALL,), Amount(3)), judge=lambda candidates, seen, addresses: found)
    assert outcomes == {"a": "failed", "b": "changed", "c": "unknown"}
    assert fleet.touched == ["b"]
    assert [event.host for event in fleet.of(Preflight)] == ["a", "b", "c"]


# -- two passes, with and without waves


def test_a_plain_apply_tells_of_a_host_once(fleet: Hosts) -> None:
    fleet.hosts = {"a": Host(), "b": Host("ok"), "c": Host("failed"), "d": Host("unreachable")}
    assert fleet.roll(Policy()) == {"a": "changed", "b": "ok", "c": "failed", "d": "unreachable"}
    assert fleet.touched == ["a"]
    shown = {name: [event.outcome for event in fleet.of(ResourceDone) if event.host == name] for name in "abcd"}
    assert shown == {"a": [Outcome.CHANGED], "b": [Outcome.OK], "c": [Outcome.FAILED], "d": []}
    assert sorted(event.host for event in fleet.of(HostStarted)) == ["a", "b", "c", "d"]
    assert sorted(event.host for event in fleet.of(HostFacts)) == ["a", "b", "c"]
    assert sorted(event.host for event in fleet.of(HostFinished)) == ["a", "b", "c", "d"]
    assert not fleet.of(HostChecked) + fleet.of(WaveStarted) + fleet.of(WaveFinished)
    assert not [event for event in fleet.of(Preflight) if event.host != "a"], (
        "who has nothing to change is asked nothing"
    )


def test_nothing_is_changed_anywhere_before_all_have_been_looked_at(fleet: Hosts) -> None:
    fleet.hosts = {f"h{number}": Host() for number in range(9)}
    fleet.roll(Policy())
    answers = [fleet.events.index(event) for event in fleet.of(Preflight)]
    changes = [fleet.events.index(event) for event in fleet.of(ResourceDone)]
    assert max(answers) < min(changes)
    assert [event.host for event in fleet.of(Preflight)] == sorted(event.host for event in fleet.of(Preflight))


def test_a_host_that_is_kept_out_of_a_plain_apply_shows_what_would_change(fleet: Hosts) -> None:
    fleet.hosts = {"a": Host(), "b": Host()}
    said = {"a": [Preflight("a", "disk", Verdict.FAIL, "it is full", "free some")]}
    assert fleet.roll(Policy(), judge=lambda *given: said) == {"a": "failed", "b": "changed"}
    assert [(event.host, event.outcome) for event in fleet.of(ResourceDone)] == [
        ("a", Outcome.WOULD_CHANGE),
        ("b", Outcome.CHANGED),
    ]
    [finished] = [event for event in fleet.of(HostFinished) if event.host == "a"]
    assert str(finished.error) == "preflight: disk: it is full; nothing was changed; free some"


def test_a_check_asks_too_and_a_fail_is_a_failure_there(fleet: Hosts) -> None:
    fleet.hosts = {"a": Host(), "b": Host(), "c": Host("ok")}
    jobs = [Job(Target(name, name), (), {}) for name in fleet.hosts]
    said = {"a": [Preflight("a", "disk", Verdict.FAIL, "it is full", "free some")]}
    rollout = Rollout(Run("r1", "me", True), "check", jobs, fleet.events.append, Mask(), 4, judge=lambda *given: said)
    summary = rollout.execute(fleet)  # type: ignore[arg-type]
    found = {name: str(result.outcome) for name, result in summary.hosts.items()}
    assert found == {"a": "failed", "b": "would-change", "c": "ok"}
    assert fleet.touched == []
    assert len(fleet.of(HostFinished)) == 3


def test_what_the_first_look_asks_of_a_session(fleet: Hosts) -> None:
    fleet.hosts = {"a": Host(), "b": Host("ok")}
    found = Policy(windows=Windows((window("02:00-02:01"),)))
    fleet.roll(found)
    passes = {(run.check, run.settle, run.preflight is not None) for run in fleet.runs}
    assert passes == {(True, True, True), (False, False, False)}
    [second] = [run for run in fleet.runs if not run.check]
    assert second.closed == found.closed


def test_what_the_first_look_noticed_is_told_once_and_at_once(fleet: Hosts) -> None:
    fleet.hosts = {"a": Host(), "b": Host("ok")}
    fleet.notices = ["a run was cut off"]
    fleet.roll(Policy())
    assert sorted(event.host for event in fleet.of(Notice)) == ["a", "b"]


def test_hooks_are_for_hosts_with_something_to_change(fleet: Hosts, tmp_path: Path) -> None:
    fleet.hosts = {"a": Host(), "b": Host("ok"), "c": Host()}
    log = tmp_path / "log"
    argv = ("/bin/sh", "-c", f"cat >> {log}; exit 0")
    assert fleet.roll(Policy((Amount(1), ALL), hooks=Hooks(argv, argv))) == {"a": "changed", "b": "ok", "c": "changed"}
    told = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(item["host"], item["wave"], item.get("outcome")) for item in told] == [
        ("a", 1, None),
        ("a", 1, "changed"),
        ("c", 2, None),
        ("c", 2, "changed"),
    ]
    assert told[0]["changes"] == ["r: file /x"]
