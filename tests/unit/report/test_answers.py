"""What hosts answered, as people read it: five hosts or five hundred, and hosts that talk nonsense."""

import io
from typing import Any

import pytest

from provision.events import Answered, Error, Event, HostFinished, HostStarted, Outcome, RunStarted, Summary
from provision.report import Output, view
from provision.report.status import StatusTranscript, age
from provision.report.transcript import Transcript
from provision.report.unlock import UnlockTranscript
from provision.report.why import WhyTranscript
from tests.unit.report.conftest import NASTY
from tests.unit.test_questions import LOCK, PENDING, STATUS, UNFINISHED

RUN = {
    "run": "r1", "by": "alice@ctl", "comment": "", "time": "", "age": 7300.0, "seconds": 3.0, "changed": 3,
    "failed": [],
}  # fmt: skip
PROOF = {"verdict": "passed", "time": "", "age": 72000.0, "gpus": 8, "levels": ["0", "1"], "failed": []}


def shown(story: Transcript, question: str, answers: dict[str, tuple[Outcome, dict[str, Any]]]) -> list[str]:
    stream = io.StringIO()
    told = view(Output(stream), story)
    results = {}
    told(RunStarted("R", question, (*answers, "far"), True))
    for host, (outcome, answer) in answers.items():
        told(HostStarted(host))
        told(Answered(host, question, outcome, answer))
        results[host] = HostFinished(host, outcome, {str(outcome): 1}, 0.5)
        told(results[host])
    results["far"] = HostFinished("far", Outcome.UNREACHABLE, {}, 0.5, Error("no route", "look at the cable"))
    told(results["far"])
    worst: Event = Summary("R", Outcome.UNREACHABLE, results)
    told(worst)
    return stream.getvalue().splitlines()


def status(answers: dict[str, dict[str, Any]], verbose: bool = False) -> list[str]:
    whole = {host: (Outcome.PENDING if "pending" in changes else Outcome.OK, STATUS | changes)
             for host, changes in answers.items()}  # fmt: skip
    return shown(StatusTranscript(verbose=verbose), "status", whole)


def test_hosts_that_have_something_to_tell_have_a_row_and_their_sentences() -> None:
    lines = status(
        {
            "web1": {
                "pending": [PENDING],
                "last_run": RUN,
                "proof": PROOF,
                "lock": LOCK | {"comment": "kernel rollout"},
            },
            "web2": {"unmanaged": [{"role": "site", "left": ["file /etc/site"]}], "reboot": ["linux-image"]},
            "web3": {"last_run": RUN},
            "web4": {"last_run": RUN | {"age": 3 * 86400.0}, "proof": PROOF},
        }
    )
    assert lines[1] == "far: unreachable in 0.5 s"
    assert lines[2:9] == [
        "HOST  PENDING            LAST RUN            LAST PROOF        UNMANAGED  LOCK",
        "web1  docker_daemon 2 h  2 h ago, 3 changed  20 h ago, 8 GPUs  -          alice@ctl, 3 s",
        "web2  -                  -                   -                 site       -",
        "web1: held since 2026-11-25T22:00:00Z (3 s) by run r1 of alice@ctl: 'kernel rollout'",
        "web1: pending docker_daemon for 2 h: 3 containers use GPUs (run r1 of alice@ctl; service docker)",
        "web2: unmanaged: the role site is not asked for any more, and has left file /etc/site",
        "web2: wants a reboot for linux-image",
    ]
    assert lines[9] == (
        "2 hosts have nothing to tell (-v shows all): last run 2 h to 3 d ago; proven 20 h ago, 1 never"
    )
    assert lines[-1].startswith("5 hosts: 3 ok, 1 pending, 1 unreachable in ")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"lock": LOCK | {"held": False, "pid": None}}, "run r1 of alice@ctl died on this host; nothing holds it"),
        (
            {"lock": LOCK | {"orphan": True}},
            "held since 2026-11-25T22:00:00Z (3 s) by run r1 of alice@ctl, whose controller is gone and which is only"
            " ending its step",
        ),
        (
            {"unfinished": UNFINISHED},
            "an unfinished change of run r1 of alice@ctl, begun 3 s ago, was left on the host: the next apply"
            " settles it",
        ),
        (
            {"unfinished": UNFINISHED | {"deadline": "soon"}, "lock": LOCK},
            "an unfinished change of run r1 of alice@ctl, begun 3 s ago, is being watched until soon",
        ),
        ({"last_run": RUN | {"failed": ["r: file /x"]}}, "run r1 of alice@ctl failed 2 h ago: r: file /x"),
        (
            {"proof": PROOF | {"verdict": "failed", "failed": ["no such device"]}},
            "the proof of the GPUs 20 h ago: failed: no such device",
        ),
        (
            {"interrupted": {"run": "r1", "by": "", "step": "service docker", "cause": "it hung"}},
            "run r1 was cut off in the step 'service docker', which failed: it hung; run apply again",
        ),
        ({"reboot": []}, "wants a reboot"),
    ],
)
def test_each_thing_is_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    assert f"web1: {sentence}" in status({"web1": changes})


def test_a_last_run_that_had_to_wait_says_so() -> None:
    waited = {"last_run": RUN | {"changed": 0, "waits": ["docker_daemon: docker_service docker"]}, "reboot": []}
    assert any("2 h ago, waits" in line for line in status({"web1": waited}))


def test_five_hundred_hosts_take_few_lines_unless_all_are_asked_for() -> None:
    quiet: dict[str, dict[str, Any]] = {f"h{number}": {"last_run": RUN, "proof": PROOF} for number in range(500)}
    assert len(status(quiet | {"odd": {"reboot": []}})) <= 12
    assert len(status(quiet, verbose=True)) > 500


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "?"), (-5, "0 s"), (59, "59 s"), (61, "1 min"), (7199, "119 min"), (7200, "2 h"), (172800, "2 d")],
)
def test_ages_are_short(seconds: float | None, words: str) -> None:
    assert age(seconds) == words


# -- why


def entry(sentence: str, **changes: Any) -> dict[str, Any]:
    found = {
        "key": "bip", "in_file": True, "value": "10.0.0.1/24", "elsewhere": [], "process": [], "live": None,
        "asked": {"role": "docker_daemon", "value": "10.0.0.1/24", "origin": "", "level": ""}, "verdict": sentence,
    }  # fmt: skip
    return {"entries": [found | changes]}


def why(answers: dict[str, dict[str, Any]]) -> list[str]:
    return shown(WhyTranscript(), "why", {host: (Outcome.OK, answer) for host, answer in answers.items()})


def test_hosts_of_which_the_same_is_to_be_said_share_a_row() -> None:
    same = {f"h{number}": entry("bip is ours") for number in range(30)}
    other = {
        "odd": entry("bip is a flag", in_file=False, elsewhere=[{"value": "1.1.1.1/8"}], asked=None, process=["x"])
    }
    lines = why(same | other)
    assert lines[2:5] == [
        "HOSTS                   KEY  ASKED        IN THE FILE  ELSEWHERE  LIVE",
        "h0, h1, h2 and 27 more  bip  10.0.0.1/24  10.0.0.1/24  -          -",
        "odd                     bip  -            -            1.1.1.1/8  x",
    ]
    assert lines[5] == "h[0:29]: bip is ours"
    assert lines[6] == "odd: bip is a flag"


def test_a_map_without_entries_is_said() -> None:
    assert "no entry of it is set, asked for or remembered on any of these hosts" in why({"h1": {"entries": []}})


# -- unlock


def test_who_holds_a_host_is_told_and_the_free_ones_are_counted() -> None:
    free = (Outcome.OK, {"state": "free", "lock": None})
    lines = shown(
        UnlockTranscript(),
        "unlock",
        {
            "h1": (Outcome.WOULD_CHANGE, {"state": "held", "lock": LOCK}),
            "h2": (Outcome.CHANGED, {"state": "ended", "lock": LOCK}),
            "h3": (Outcome.CHANGED, {"state": "killed", "lock": LOCK}),
            "h4": (Outcome.CHANGED, {"state": "cleared", "lock": LOCK | {"held": False, "pid": None}}),
            "h5": free,
            "h6": free,
        },
    )
    assert lines[1:5] == [
        "h1: held since 2026-11-25T22:00:00Z (3 s) by run r1 of alice@ctl",
        "h2: run r1 of alice@ctl was ended, after its step in hand",
        "h3: run r1 of alice@ctl was killed, since its step in hand did not end: run apply again",
        "h4: run r1 of alice@ctl had died on this host; its name is cleared, and nothing holds the host",
    ]
    assert "2 hosts are free" in lines


# -- nonsense


def nasty(value: Any) -> Any:
    if isinstance(value, str):
        return NASTY
    if isinstance(value, dict):
        return {key: item if key in ("state", "key") else nasty(item) for key, item in value.items()}
    return [nasty(item) for item in value] if isinstance(value, list) else value


def test_no_escape_of_a_host_reaches_the_output() -> None:
    full = {
        "pending": [PENDING | {"staged": ["x"]}], "unfinished": UNFINISHED, "last_run": RUN | {"failed": ["x"]},
        "proof": PROOF | {"failed": ["x"]}, "unmanaged": [{"role": "x", "left": ["x"]}],
        "lock": LOCK | {"comment": "x"}, "reboot": ["x"],
        "interrupted": {"run": "x", "by": "x", "step": "x", "cause": "x"},
    }  # fmt: skip
    lines = status({"h1": nasty(full)})
    lines += why({"h1": nasty(entry("x", live="x", elsewhere=[{"value": "x"}], process=["x"]))})
    lines += shown(UnlockTranscript(), "unlock", {"h1": (Outcome.WOULD_CHANGE, nasty({"state": "held", "lock": LOCK}))})
    text = "\n".join(lines)
    assert "red" in text
    assert all(mark.isprintable() or mark == "\n" for mark in text)
