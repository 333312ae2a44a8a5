"""A host is ok only where its agent has told of all that was planned, and of nothing else."""

from typing import Any

import pytest

from provision.agent.wire import MARKER, encode
from provision.errors import ProtocolError
from provision.plan import Stage
from provision.resources import Directory, File, KernelModule, LineInFile, Service
from tests.unit.test_session import BYE, FACTS, HELLO, Channel, hold, result

X = Directory(path="/x")
Y = Directory(path="/y")
ONE = [Stage("r", (X, Y)), Stage("s", (Y,))]
ALL = (result(), result(name="/y", position=1), result(role="s", name="/y", stage=1))
REPLAN = encode({"type": "replan", "stage": 1, "facts": FACTS})


def said(*results: bytes, stages: Any = ONE) -> list[str]:
    """The outcomes of a conversation in which the agent tells that."""
    events, _ = hold(Channel(MARKER + HELLO, *results, BYE), planner=lambda facts: stages)
    return [str(event.outcome) for event in events if type(event).__name__ == "ResourceDone"]


def test_a_plan_that_was_told_of_in_full_is_believed() -> None:
    assert said(*ALL) == ["changed"] * 3
    assert said(stages=[]) == []
    assert said(stages=[Stage("r")]) == []


@pytest.mark.parametrize("told", [(), ALL[:1], ALL[:2], ALL[1:], (ALL[0], ALL[2])])
def test_a_plan_that_ends_without_all_of_its_results_is_our_bug(told: tuple[bytes, ...]) -> None:
    with pytest.raises(ProtocolError, match=r"left without a word of '[rs]: directory /[xy]'"):
        said(*told)


@pytest.mark.parametrize(
    "odd",
    [
        result(role="t"),
        result(role="s"),
        result(stage=2),
        result(stage=-1),
        result(name="/z"),
        result(kind="file"),
        result(position=-1),
        result(position=1),
        result(kind="role", name="r"),
        result(kind="role", name="s", outcome="pending"),
    ],
)
def test_a_result_that_was_not_planned_is_our_bug(odd: bytes) -> None:
    with pytest.raises(ProtocolError, match="which was not planned"):
        said(odd, *ALL)


def test_a_result_that_comes_twice_is_our_bug() -> None:
    with pytest.raises(ProtocolError, match="which was not planned"):
        said(ALL[0], *ALL)


def test_a_failure_ends_a_run_and_what_waits_may_be_told_of_in_part() -> None:
    assert said(result(outcome="failed")) == ["failed"]
    assert said(result(outcome="pending"), ALL[2]) == ["pending", "changed"]
    waits = result(kind="role", name="r", outcome="pending")
    assert said(waits, ALL[2]) == ["pending", "changed"]
    with pytest.raises(ProtocolError, match="without a word of 's: directory /y'"):
        said(waits)


def test_what_a_role_asks_for_no_more_comes_before_the_service_of_its_stage() -> None:
    stage = [Stage("r", (X, Service(name="docker")))]
    dropped = result(kind="file", name="/old", position=1)
    service = result(kind="service", name="docker", position=2)
    assert said(ALL[0], dropped, service, stages=stage) == ["changed"] * 3
    with pytest.raises(ProtocolError, match="without a word of 'r: service docker'"):
        said(ALL[0], dropped, stages=stage)


def test_a_stage_that_was_never_planned_for_good_is_missing() -> None:
    later = [Stage("r", (X,)), Stage("s", deferred="r")]
    with pytest.raises(ProtocolError, match="without a word of 's: its resources'"):
        said(ALL[0], stages=later)
    rounds = [later, [later[0], Stage("s", (File(path="/f", content="x"),))]]
    channel = Channel(MARKER + HELLO, ALL[0], REPLAN, result(role="s", kind="file", name="/f", stage=1), BYE)
    events, _ = hold(channel, planner=lambda facts: rounds.pop(0))
    assert len(events) == 4


def test_a_name_may_hold_more_than_the_path_or_be_spelled_as_the_kernel_does() -> None:
    stages = [Stage("r", (LineInFile(path="/etc/x", line="a 1"), KernelModule(name="nf-conntrack")))]
    line = result(kind="line_in_file", name="a 1 in /etc/x")
    assert said(line, result(kind="kernel_module", name="nf_conntrack", position=1), stages=stages) == ["changed"] * 2


@pytest.mark.parametrize("name", ["/xy", "/a/x", "/x/y"])
def test_a_name_that_only_contains_the_planned_one_is_another(name: str) -> None:
    with pytest.raises(ProtocolError, match="which was not planned"):
        said(result(name=name), stages=[Stage("r", (X,))])
