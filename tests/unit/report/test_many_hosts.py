"""What a run on many hosts says: nothing twice, and each cause once with all hosts that it is true of."""

import io
import re
from collections import Counter

import pytest

from provision.events import (
    Error,
    Event,
    HostFinished,
    HostStarted,
    Outcome,
    Preflight,
    ResourceDone,
    RoleSkipped,
    RunStarted,
    Summary,
    Verdict,
)
from provision.report import Output, view
from provision.report.alike import shape
from provision.report.ranges import folded
from provision.report.transcript import Transcript
from tests.unit.report import fleet
from tests.unit.report.conftest import Clock

NAMES = tuple(f"gpu{number:03}.example.com" for number in range(1, 501))
BIP = ({"key": "bip", "before": None, "after": "192.168.127.1/24", "text": None},)


def told(events: list[Event], clock: Clock | None = None, step: float = 0, **story: bool) -> list[str]:
    stream, clock = io.StringIO(), clock or Clock()
    shown = view(Output(stream), Transcript(**story, clock=clock))
    for event in events:
        shown(event)
        clock.now += step
    shown.close()
    return stream.getvalue().splitlines()


def address(number: int) -> str:
    return f"10.0.{number // 250}.{number % 250}"


def run(verb: str = "check") -> list[Event]:
    """Each host would change the same two things; each 50th is not reached, each 50th but one fails."""
    events: list[Event] = [RunStarted("R1", verb, NAMES, True)]
    ends = {}
    for number, host in enumerate(NAMES):
        events.append(HostStarted(host))
        outcome, error = Outcome.WOULD_CHANGE, None
        if number % 50 == 7:
            outcome = Outcome.UNREACHABLE
            error = Error(f"{address(number)} port 22 refused the connection", "check that sshd runs there")
        else:
            events += [
                RoleSkipped(host, "nvidia_docker", Outcome.SKIPPED, "there is no NVIDIA GPU on the PCI bus"),
                ResourceDone(
                    host, "docker_daemon", "json_keys", "/etc/docker/daemon.json", outcome, BIP, "restarts Docker"
                ),
                ResourceDone(host, "docker_daemon", "docker_service", "docker", outcome),
                Preflight(host, "reboot", Verdict.WARN, "the host waits for a reboot", "reboot it"),
            ]
        if number % 50 == 8:
            outcome, error = Outcome.FAILED, Error("apt cannot lock", "wait for the other apt", f"E: lock of {host}")
            events.append(ResourceDone(host, "engine", "packages", "docker.io", outcome, error=error))
            error = Error("engine: packages docker.io: apt cannot lock", "wait for the other apt", error.output)
        ends[host] = HostFinished(host, outcome, {str(outcome): 1}, 0.4, error)
        events.append(ends[host])
    return [*events, Summary("R1", Outcome.FAILED, ends)]


def test_500_hosts_fit_a_screen_and_nothing_is_said_twice() -> None:
    lines = told(run())
    assert len(lines) < 24
    assert [line for line, count in Counter(filter(None, lines)).items() if count > 1] == []
    shown = "\n".join(lines)
    assert shown.count("apt cannot lock") == 1
    assert shown.count("refused the connection") == 1
    assert "10 hosts: gpu008.example.com, gpu058.example.com, " in shown
    assert (
        f"{address(7)} port 22 refused the connection; check that sshd runs there (so for {NAMES[7]}; the others"
        in shown
    )
    assert f"    {NAMES[8]} said:" in lines
    head = next(number for number, line in enumerate(lines) if line.startswith("490 hosts: gpu[001:007].example.com, "))
    assert [line.strip() for line in lines[head + 1 : head + 5]] == [
        "skipped nvidia_docker: there is no NVIDIA GPU on the PCI bus",
        "would-change docker_daemon: json_keys /etc/docker/daemon.json (bip) (restarts Docker)",
        "would-change docker_daemon: docker_service docker",
        "preflight warn: reboot: the host waits for a reboot; reboot it",
    ]
    assert lines[-1].startswith("500 hosts: 0 ok, 480 would-change, 10 unreachable, 10 failed")


def test_each_host_is_named() -> None:
    named = " ".join(re.findall(r"hosts?: (.*?): ", "\n".join(told(run()))))
    assert all(f"gpu{number:03}" in named for number in range(8, 501, 50))


def test_the_same_difference_is_shown_once() -> None:
    lines = told(run(), diff=True)
    assert lines.count("        bip: (absent) -> 192.168.127.1/24") == 1


def test_all_of_each_host_is_shown_if_asked_for() -> None:
    lines = told(run(), verbose=True)
    assert (
        lines.count("gpu009.example.com: failed engine: packages docker.io: apt cannot lock; wait for the other apt")
        == 1
    )
    assert sum("would-change docker_daemon: docker_service docker" in line for line in lines) == 490


def test_what_was_a_plan_is_not_told_beside_what_was_done() -> None:
    lines = told(list(fleet.fleet(200, fleet.Clock(), names="dgx{:03}")))
    shown = "\n".join(lines)
    assert "would-change" not in shown
    assert "waits for its wave" not in shown
    assert re.search(
        r"\d+ hosts: .*dgx.*: changed docker_daemon: service docker \(stale\)|    changed docker_daemon", shown
    )
    assert shown.count("no route to host") == 1


def test_now_and_then_it_is_told_how_far_a_long_run_is() -> None:
    lines = told(run(), step=0.1)
    far = [line for line in lines if "/500 done" in line]
    assert 5 < len(far) < 10
    assert not [line for line in told(run(), step=0.001) if "/500 done" in line]
    assert not [line for line in told(run(), step=0.1, quiet=True) if "/500 done" in line]


def test_quietly_failures_are_told_once() -> None:
    lines = told(run(), quiet=True)
    assert sum("apt cannot lock" in line for line in lines) == 1
    assert not [line for line in lines if "docker_service" in line]


def test_what_kept_two_hosts_out_is_told_with_all_that_did() -> None:
    fails = [
        Preflight("a", "disk", Verdict.FAIL, "20 MB are free", "free space"),
        Preflight("a", "clock", Verdict.UNKNOWN, "no answer"),
    ]
    end = HostFinished(
        "a", Outcome.FAILED, {}, 1.0, Error("preflight: disk: 20 MB are free (and 1 more); nothing was changed")
    )
    lines = told([RunStarted("R", "apply", ("a",), False), *fails, end, Summary("R", Outcome.FAILED, {"a": end})])
    assert [line for line in lines if "preflight: " in line][:2] == [
        "1 host: a: preflight: disk: 20 MB are free; free space",
        "1 host: a: preflight: clock: no answer",
    ]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1 is silent", "10.0.0.2 is silent", True),
        ("fe80::1%eth0 is silent", "fe80::2%eth0 is silent", True),
        ("a.example.com is not known", "b.example.com is not known", True),
        ("the name a has no address", "the name b has no address", True),
        ("an key SHA256:abc+/1", "an key SHA256:xyz", True),
        ("GPU-00000000-0000-0000-0000-000000000000 is lost", "GPU-00000001-0000-0000-0000-00000000000f is lost", True),
        ("memlock is 65536", "memlock is 8388608", False),
        ("docker.io 20.10.24 is older", "docker.io 26.1.5 is older", False),
        ("the database is down", "the batabase is down", False),
    ],
)
def test_a_text_is_the_same_but_for_what_is_the_hosts_own(one: str, other: str, same: bool) -> None:
    assert (shape("a.example.com", one) == shape("b.example.com", other)) is same


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ("a1 a2 a3", "a[1:3]"),
        ("a1 a2", "a1 a2"),
        ("a08 a09 a10 a11", "a[08:11]"),
        ("a8 a9 a10", "a[8:10]"),
        ("a9 a10 a011", "a9 a10 a011"),
        ("r1n1 r1n2 r1n3 r2n1 r2n2 r2n3", "r1n[1:3] r2n[1:3]"),
        ("a1.x a2.x a3.y", "a1.x a2.x a3.y"),
        ("a1 a2 a3 a5 b a6 a7 a8", "a[1:3] a5 b a[6:8]"),
        ("web db", "web db"),
        ("", ""),
    ],
)
def test_names_that_count_up_are_a_range(names: str, shown: str) -> None:
    found = list(folded(names.split()))
    assert " ".join(part for part, _ in found) == shown
    assert sum(count for _, count in found) == len(names.split())
