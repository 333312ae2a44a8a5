"""A run as plain lines, word by word."""

import io
from dataclasses import replace

import pytest

from provision.events import (
    Error,
    Event,
    HostFinished,
    HostStarted,
    Outcome,
    Preflight,
    ResourceDone,
    RunStarted,
    Summary,
    Verdict,
)
from provision.report import Output, view
from provision.report.summary import exit_status
from provision.report.transcript import Transcript
from tests.unit.report.conftest import NASTY, Clock

GOLDEN = """\
apply on 5 hosts, run R1
web1: changed daemon: file /etc/x (content, mode) (restarts docker) in 12.3 s
web1: changed daemon: file /etc/key (content)
web1: skipped nvidia: no NVIDIA device
web1: note: a key was added
web1: changed in 14.0 s (1 ok, 1 skipped, 2 changed)
web2: ok in 0.4 s (4 ok)
db1: failed engine: packages docker.io
db1: failed in 1.0 s (1 failed)
db2: failed engine: packages docker.io
db2: failed in 1.0 s (1 failed)
far: unreachable in 10.0 s

2 hosts: db1, db2: engine: packages docker.io: apt cannot lock; wait for the other apt
    db1 said:
    E: one
    E: two

1 host: far: no route; look at the cable

5 hosts: 1 ok, 1 changed, 1 unreachable, 2 failed in 0.0 s
"""
DIFFS = """\
    --- /etc/x (found)
    +++ /etc/x (asked)
    @@ -1 +1 @@
    -old
    +new
    mode: (absent) -> 0644
web1: changed daemon: file /etc/key (content)
    content: differs (secret)
"""


def told(events: list[Event], **story: bool) -> str:
    stream = io.StringIO()
    shown = view(Output(stream), Transcript(**story, clock=Clock()))
    for event in events:
        shown(event)
    shown.close()
    return stream.getvalue()


def test_a_run(run: list[Event]) -> None:
    assert told(run) == GOLDEN


@pytest.mark.parametrize("ran", [True, False])
def test_a_proof_is_told_on_the_run_in_which_it_ran(ran: bool) -> None:
    note = "passed now: 1 GPU, levels 0, 1, 2, 3, cdi"
    step = ResourceDone("web1", "gpu_smoke_test", "gpu_proof", "gpu", Outcome.OK, (), note, 3.1, proof={"ran": ran})
    line = f"web1: ok gpu_smoke_test: gpu_proof gpu ({note}) in 3.1 s\n"
    assert told([step]) == (line if ran else "")


@pytest.mark.parametrize(("note", "said"), [("proven 143 min ago", True), ("", False)])
def test_a_login_that_is_not_proven_now_is_told(note: str, said: bool) -> None:
    proof = ResourceDone("web1", "registry_login", "registry_proof", "r.corp as ci", Outcome.OK, note=note)
    shown = told([proof, Summary("r", Outcome.OK, {})])
    assert ("logins that an earlier run has proven, and this one has not: 1 (--set registry_login.max" in shown) is said


def test_diff_shows_the_differences(run: list[Event]) -> None:
    assert DIFFS in told(run, diff=True)


def test_verbose_says_why_where_it_has_happened(run: list[Event]) -> None:
    shown = told(run, verbose=True)
    assert (
        "db2: failed engine: packages docker.io: apt cannot lock; wait for the other apt\n    E: one\n    E: two\n"
        in shown
    )
    assert "far: started\n" in shown
    assert "far: unreachable in 10.0 s: no route; look at the cable\n" in shown


def test_verbose_shows_what_is_ok(run: list[Event]) -> None:
    assert "web1: ok engine: packages docker.io\n" in told(run, verbose=True)


def ended(verb: str, *outcomes: Outcome) -> tuple[str, int]:
    hosts = {f"h{n}": HostFinished(f"h{n}", outcome, {}, 1.0) for n, outcome in enumerate(outcomes)}
    summary = Summary("R", Outcome.OK, hosts)
    return told([RunStarted("R", verb, tuple(hosts), verb == "check"), summary]).splitlines()[-1], exit_status(summary)


def test_a_second_run_says_that_nothing_changed() -> None:
    assert ended("apply", *[Outcome.OK] * 10) == ("10 hosts: 10 ok, 0 changed in 0.0 s", 0)


def test_each_way_to_end() -> None:
    assert ended("apply", Outcome.OK, Outcome.CHANGED) == ("2 hosts: 1 ok, 1 changed in 0.0 s", 0)
    assert ended("check", Outcome.OK) == ("1 host: 1 ok, 0 would-change in 0.0 s", 0)
    assert ended("check", Outcome.OK, Outcome.WOULD_CHANGE)[1] == 3
    assert ended("apply", Outcome.PENDING) == ("1 host: 0 ok, 0 changed, 1 pending in 0.0 s", 3)
    assert ended("apply", Outcome.SKIPPED)[1] == 0
    for bad in (Outcome.FAILED, Outcome.UNREACHABLE, Outcome.UNKNOWN, Outcome.NOT_STARTED):
        assert ended("check", Outcome.WOULD_CHANGE, bad)[1] == 1


def test_hosts_that_were_not_started_are_told_once() -> None:
    finished = [HostFinished(name, Outcome.NOT_STARTED, {}, 0.0) for name in ("a", "b")]
    text = told([*finished, Summary("R", Outcome.NOT_STARTED, {item.host: item for item in finished})])
    assert "2 hosts: a, b: not started\n" in text
    assert text.count("not started") == 1


def test_what_waits_for_another_role_is_named() -> None:
    deferred = ResourceDone("h", "docker_daemon", "role", "docker_daemon", Outcome.WOULD_CHANGE, note="known after x")
    assert told([deferred]) == "h: would-change docker_daemon (known after x)\n"


def test_text_of_a_host_cannot_leave_its_line(run: list[Event]) -> None:
    done = next(event for event in run if isinstance(event, ResourceDone) and event.error)
    assert done.error is not None
    evil = replace(done, name=NASTY, note=NASTY, error=replace(done.error, cause=NASTY, output=NASTY))
    text = told([evil], diff=True, verbose=True)
    assert "\x1b" not in text
    assert "\r" not in text
    assert "[bold]x[/bold]" in text
    assert len(text.splitlines()) == 2  # the line, and what is left of its output


ANSWERED = """\
apply on 2 hosts, run R1
a: preflight warn: reboot: the host waits for a reboot; reboot it
a: changed in 1.0 s
b: failed in 1.0 s

1 host: b: preflight: disk: 20 MB are free; free space

preflight: 2 pass, 1 warn, 1 fail, 1 n/a
2 hosts: 0 ok, 1 changed, 1 failed in 0.0 s
"""


def answered() -> list[Event]:
    good = HostFinished("a", Outcome.CHANGED, {}, 1.0)
    bad = HostFinished("b", Outcome.FAILED, {}, 1.0, Error("preflight: disk: 20 MB are free", "free space"))
    return [
        RunStarted("R1", "apply", ("a", "b"), False),
        HostStarted("a"),
        Preflight("a", "clock", Verdict.PASS, "the clock is right"),
        Preflight("a", "disk", Verdict.PASS, "there is room"),
        Preflight("a", "locks", Verdict.NOT_APPLICABLE, "no package is changed here"),
        Preflight("a", "reboot", Verdict.WARN, "the host waits for a reboot", "reboot it"),
        Preflight("b", "disk", Verdict.FAIL, "20 MB are free", "free space"),
        good,
        bad,
        Summary("R1", Outcome.FAILED, {"a": good, "b": bad}),
    ]


def test_what_passed_in_the_preflight_is_only_counted() -> None:
    assert told(answered()) == ANSWERED
    loud = told(answered(), verbose=True)
    assert "a: preflight pass: clock: the clock is right\n" in loud
    assert "a: preflight n/a: locks: no package is changed here\n" in loud
