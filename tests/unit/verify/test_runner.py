"""What pytest's reports become: nothing that did not run is ok, and every host's test is told of its host."""

from collections.abc import Sequence
from typing import Any

import pytest

from provision.events import Event, Outcome, ResourceDone
from provision.secrets import Mask, Secret
from provision.target import Target
from provision.verify import runner
from provision.verify.hosts import LOST, host_in
from provision.verify.subject import Subject, unwired


def subject(name: str, **more: Any) -> Subject:
    return Subject(Target(name, name, **more), ("all",), ("docker_engine",), {"docker_engine": {}})


def tally(*names: str, mask: Sequence[str] = ()) -> tuple[runner._Counts, list[Event]]:
    events: list[Event] = []
    return runner._Counts([subject(name) for name in names], events.append, Mask(map(Secret, mask))), events


def report(host: str, outcome: Any = "passed", when: Any = "call", text: Any = None, *more: Any) -> pytest.TestReport:
    properties = [("host", host), ("role", "docker_engine"), *more]
    made = pytest.TestReport(f"x.py::test_a[{host}]", ("x.py", 1, "a"), {}, outcome, text, when)
    made.user_properties = properties
    return made


def test_a_host_without_a_test_is_unknown() -> None:
    counted, _ = tally("a", "b")
    counted.pytest_runtest_logreport(report("a"))
    hosts = counted.summary("run").hosts
    assert (hosts["a"].outcome, hosts["b"].outcome) == (Outcome.OK, Outcome.UNKNOWN)


def test_a_failed_set_up_counts_and_a_passed_one_does_not() -> None:
    counted, _ = tally("a")
    counted.pytest_runtest_logreport(report("a", when="setup"))
    assert counted.summary("run").outcome is Outcome.UNKNOWN
    counted.pytest_runtest_logreport(report("a", "failed", "setup", "no such fixture"))
    assert counted.summary("run").outcome is Outcome.FAILED


def test_a_lost_host_is_one_failure_and_its_skipped_tests_are_not_told() -> None:
    counted, events = tally("a")
    counted.pytest_runtest_logreport(report("a", "failed", "setup", "a is away; plug it in", (LOST, "Unreachable")))
    counted.pytest_runtest_logreport(report("a", "skipped", "setup", ("x.py", 1, "Skipped: a is away")))
    ended = counted.summary("run").hosts["a"]
    assert ended.outcome is Outcome.UNREACHABLE
    assert str(ended.error) == "a is away; plug it in"
    assert not [event for event in events if isinstance(event, ResourceDone)]


def test_what_a_failed_test_says_shows_no_secret() -> None:
    counted, events = tally("a", mask=["hunter2!"])
    failed = report("a", "failed", "call", "E   found hunter2! in it")
    counted.pytest_runtest_logreport(failed)
    assert "hunter2!" not in repr(events) + str(counted.summary("run"))
    assert "hunter2!" not in str(failed.longrepr), "JUnit's file is written from this"


def test_a_test_of_no_host_is_of_every_host() -> None:
    counted, _ = tally("a", "b")
    alone = report("", "failed", "call", "wrong")
    counted.pytest_runtest_logreport(alone)
    assert {host.outcome for host in counted.summary("run").hosts.values()} == {Outcome.FAILED}


@pytest.mark.parametrize(
    ("nodeid", "host"),
    [
        ("x.py::test_a[web]", "web"),
        ("x.py::test_a[web-1]", "web-1"),
        ("x.py::test_a[web-two]", "web"),
        ("x.py::test_a[other]", ""),
        ("x.py::test_a", ""),
    ],
)
def test_the_host_in_an_id(nodeid: str, host: str) -> None:
    assert host_in(nodeid, ["web", "web-1"]) == host


def test_a_subject_goes_through_a_pipe_and_comes_back() -> None:
    there = subject("a", password=Secret("p"), become=True, become_password=Secret("q"), common_args=("-J", "b"))
    assert unwired(there.wired()) == there


def test_more_than_a_few_hosts_get_workers() -> None:
    assert [runner.workers(hosts, 8) for hosts in (1, 2, 8, 50)] == [0, 2, 8, 8]
