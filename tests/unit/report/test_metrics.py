"""Metrics for Prometheus' textfile collector, read by a strict parser of its text format."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provision.events import Answered, Event, HostFinished, HostStarted, Outcome, ResourceDone, RunStarted, Summary
from provision.report import files
from provision.report.metrics import metrics
from provision.report.record import Record
from tests.unit.report.conftest import NASTY
from tests.unit.report.fleet import recorded

NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*"'
SAMPLE = re.compile(rf"({NAME})\{{((?:{LABEL})(?:,{LABEL})*)\}} (-?[0-9]+(?:\.[0-9]+)?)")
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
Key = tuple[str, tuple[tuple[str, str], ...]]
START = datetime(2026, 11, 29, 9, 0, tzinfo=UTC)


def parsed(text: str) -> dict[Key, float]:
    """Samples by name and labels. Each name has its HELP and TYPE once, then all of its samples, none of them twice."""
    assert text.endswith("\n")
    found: dict[Key, float] = {}
    seen: list[str] = []
    lines = text.removesuffix("\n").split("\n")
    while lines:
        about = re.fullmatch(rf"# HELP ({NAME}) [^\n]+", lines.pop(0))
        assert about is not None
        assert about[1] not in seen
        seen.append(about[1])
        assert lines.pop(0) == f"# TYPE {about[1]} gauge"
        before = len(found)
        while lines and not lines[0].startswith("#"):
            sample = SAMPLE.fullmatch(lines.pop(0))
            assert sample is not None
            assert sample[1] == about[1]
            labels = re.findall(r'([a-zA-Z0-9_]+)="((?:[^"\\]|\\.)*)"', sample[2])
            given = [(name, re.sub(r"\\.", lambda match: ESCAPES[match[0]], value)) for name, value in labels]
            assert len({name for name, _ in given}) == len(given)
            key = (sample[1], tuple(sorted(given)))
            assert key not in found
            found[key] = float(sample[3])
        assert len(found) > before
    return found


def record(*events: Event, seconds: float = 12.5) -> Record:
    at = iter([START])
    made = Record(lambda: next(at, START + timedelta(seconds=seconds)))
    at = iter([START])
    for event in events:
        made(event)
    return made


def run(verb: str, *events: Event, **outcomes: Outcome) -> Record:
    ended = {name: HostFinished(name, outcome, {}, 1.0) for name, outcome in outcomes.items()}
    worst = max(outcomes.values(), key=list(Outcome).index)
    started = RunStarted("R", verb, tuple(outcomes), verb != "apply")
    return record(started, *map(HostStarted, outcomes), *events, *ended.values(), Summary("R", worst, ended))


def value(text: str, name: str, **labels: str) -> float | None:
    return parsed(text).get((name, tuple(sorted(labels.items()))))


def test_a_run_tells_its_hosts_by_outcome_its_time_and_how_long_it_took() -> None:
    text = metrics(run("apply", a=Outcome.OK, b=Outcome.OK, c=Outcome.CHANGED))
    counts = {str(outcome): value(text, "provision_hosts", verb="apply", outcome=outcome) for outcome in Outcome}
    assert counts == dict.fromkeys(map(str, Outcome), 0) | {"ok": 2, "changed": 1}
    assert value(text, "provision_run_timestamp_seconds", verb="apply") == START.timestamp() + 12.5
    assert value(text, "provision_run_duration_seconds", verb="apply") == 12.5
    assert value(text, "provision_last_success_timestamp_seconds", verb="apply") == START.timestamp() + 12.5


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.UNREACHABLE, Outcome.PENDING])
def test_the_last_success_is_kept_where_a_run_was_none(outcome: Outcome) -> None:
    name = "provision_last_success_timestamp_seconds"
    before = metrics(run("apply", a=Outcome.OK))
    text = metrics(run("apply", a=outcome), before)
    assert value(text, name, verb="apply") == START.timestamp() + 12.5
    assert value(metrics(run("apply", a=outcome), text), name, verb="apply") == START.timestamp() + 12.5
    assert value(metrics(run("check", a=outcome), before), name, verb="check") is None
    assert name not in metrics(run("apply", a=outcome), f'{name}{{verb="apply"}} nonsense\n')


def test_a_run_that_did_not_end_is_no_success() -> None:
    text = metrics(record(RunStarted("R", "apply", ("a", "b"), False), HostStarted("a")))
    assert "provision_last_success_timestamp_seconds" not in text
    assert value(text, "provision_hosts", verb="apply", outcome="unknown") == 1
    assert value(text, "provision_hosts", verb="apply", outcome="not-started") == 1


def test_status_tells_what_is_pending_and_how_old_the_proof_is() -> None:
    answers = [
        Answered("a", "status", Outcome.PENDING, {
            "pending": [{"age": 60.0}, {"age": 3600.0}, {"age": None}],
            "proof": {"verdict": "passed", "age": 7200.0, "gpus": 8,
                      "gate": {"verdict": "passed", "open": True, "age": 7300.0}},
        }),
        Answered("b", "status", Outcome.OK, {"pending": [], "proof": {"verdict": "failed", "age": None, "gpus": 8}}),
        Answered("c", "status", Outcome.OK, {"pending": [], "proof": None}),
    ]  # fmt: skip
    text = metrics(run("status", *answers, a=Outcome.PENDING, b=Outcome.OK, c=Outcome.OK))
    hosts = {key: number for key, number in parsed(text).items() if "host" in dict(key[1])}
    assert {(name, dict(labels)["host"]): number for (name, labels), number in hosts.items()} == {
        ("provision_host_pending_seconds", "a"): 3600,
        ("provision_host_proof_age_seconds", "a"): 7200,
        ("provision_gpus_proven", "a"): 8,
        ("provision_gpu_gate_open", "a"): 1,
        ("provision_gpu_gate_age_seconds", "a"): 7300,
        ("provision_gpus_proven", "b"): 0,
    }


@pytest.mark.parametrize(
    ("outcome", "verdict", "proven"),
    [(Outcome.OK, "passed", 2), (Outcome.CHANGED, "passed", 2), (Outcome.FAILED, "failed", 0),
     (Outcome.WOULD_CHANGE, "passed", 0)],
)  # fmt: skip
def test_a_proof_of_a_run_counts_only_where_it_holds(outcome: Outcome, verdict: str, proven: int) -> None:
    receipt = {"verdict": verdict, "time": "2026-11-29T08:00:12Z", "gpus": [{}, {}]}
    step = ResourceDone("a", "gpu_smoke_test", "gpu_proof", "gpu", outcome, proof=receipt)
    text = metrics(run("apply", step, a=outcome))
    assert value(text, "provision_gpus_proven", verb="apply", host="a") == proven
    assert value(text, "provision_host_proof_age_seconds", verb="apply", host="a") == 3600.5


def test_the_gate_is_told_as_the_last_probe_of_the_host_has_left_it() -> None:
    def step(kind: str, opened: bool, made: str) -> ResourceDone:
        proof = {"verdict": "passed", "time": "2026-11-29T08:00:12Z", "gpus": [{}, {}]}
        told = {"verdict": "passed" if opened else "unknown", "open": opened, "time": made}
        return ResourceDone("a", "gpu_smoke_test", kind, "gpu", Outcome.OK, proof={**proof, "gate": told})

    first, last = step("gpu_proof", False, "yesterday"), step("gpu_survival", True, "2026-11-29T08:00:12Z")
    text = metrics(run("apply", first, last, a=Outcome.OK))
    assert value(text, "provision_gpu_gate_open", verb="apply", host="a") == 1
    assert value(text, "provision_gpu_gate_age_seconds", verb="apply", host="a") == 3600.5
    assert value(text, "provision_gpus_proven", verb="apply", host="a") == 2, "of containers, not of level 4"
    assert value(metrics(run("apply", first, a=Outcome.OK)), "provision_gpu_gate_open", verb="apply", host="a") == 0


def test_what_a_host_tells_of_another_form_is_left_out() -> None:
    receipt = {"verdict": "passed", "time": "yesterday", "gpus": 8}
    step = ResourceDone("a", "gpu_smoke_test", "gpu_proof", "gpu", Outcome.OK, proof=receipt)
    assert "host=" not in metrics(run("apply", step, a=Outcome.OK))


def test_values_of_labels_are_escaped() -> None:
    name = 'a"b\\c\nd' + NASTY
    answer = Answered(name, "status", Outcome.OK, {"pending": [{"age": 1.0}], "proof": None})
    text = metrics(run("status", answer, **{name: Outcome.OK}))
    assert value(text, "provision_host_pending_seconds", verb="status", host=name) == 1


def test_a_fleet_is_valid() -> None:
    found = parsed(metrics(recorded(200)))
    assert sum(number for (name, _), number in found.items() if name == "provision_hosts") == 200


def test_the_file_is_replaced_whole_and_its_last_success_stays(tmp_path: Path) -> None:
    path = tmp_path / "provision.prom"
    assert files.write(run("apply", a=Outcome.OK), {"metrics": path})
    first = path.stat().st_ino
    assert files.write(run("apply", a=Outcome.FAILED), {"metrics": path})
    assert path.stat().st_ino != first
    assert [item.name for item in tmp_path.iterdir()] == ["provision.prom"]
    text = path.read_text()
    assert value(text, "provision_last_success_timestamp_seconds", verb="apply") == START.timestamp() + 12.5
    assert value(text, "provision_hosts", verb="apply", outcome="failed") == 1
