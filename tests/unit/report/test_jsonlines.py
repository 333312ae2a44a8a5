"""`--json`: the contract, field by field."""

import io
import json
from datetime import UTC, datetime
from typing import Any

from provision.events import TYPES, Event, Outcome, Preflight, Verdict
from provision.report import Output, view
from provision.report.transcript import Transcript

COUNTS = {"ok": 0, "changed": 0, "would_change": 0, "pending": 0, "failed": 0, "skipped": 0, "unknown": 0}


def lines(events: list[Event]) -> list[dict[str, Any]]:
    stream = io.StringIO()
    shown = view(Output(stream), Transcript(), as_json=True)
    for event in events:
        shown(event)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_line_has_a_type_and_a_time_in_utc(run: list[Event]) -> None:
    for line in lines(run):
        assert line["type"] in TYPES.values()
        assert line["time"].endswith("Z")
        assert datetime.fromisoformat(line["time"]).tzinfo == UTC


def test_progress_is_not_part_of_it(run: list[Event]) -> None:
    assert len(lines(run)) == len(run) - 1


def test_each_type_has_its_fields(run: list[Event]) -> None:
    common = {"type", "time"}
    fields = {line["type"]: set(line) - common for line in lines(run)}
    assert fields == {
        "run-started": {"schema", "run", "verb", "hosts", "check"},
        "host-started": {"host"},
        "facts": {"host", "facts"},
        "role": {"host", "role", "outcome", "reason", "fix"},
        "resource": {
            "host", "role", "kind", "name", "outcome", "diff", "note", "seconds", "proof", "impact", "rolled_back",
            "error", "output", "trace"
        },
        "notice": {"host", "text"},
        "host-finished": {"host", "outcome", "rolled_back", "seconds", "error", *COUNTS},
        "summary": {"run", "outcome", "hosts"},
    }  # fmt: skip


def test_a_resource_has_its_differences_and_its_error_as_text(run: list[Event]) -> None:
    resources = [line for line in lines(run) if line["type"] == "resource"]
    assert resources[1]["diff"][1] == {"key": "mode", "before": None, "after": "0644", "text": None}
    assert resources[0]["error"] is None
    assert resources[-1]["error"] == "apt cannot lock; wait for the other apt"
    assert resources[-1]["output"] == "E: one\nE: two"


def test_the_last_line_is_the_summary(run: list[Event]) -> None:
    summary = lines(run)[-1]
    assert summary["type"] == "summary"
    assert summary["outcome"] == "failed"
    assert list(summary["hosts"]) == ["web1", "web2", "db1", "db2", "far"]
    assert summary["hosts"]["web1"] == COUNTS | {
        "outcome": "changed", "rolled_back": False, "ok": 1, "changed": 2, "skipped": 1, "seconds": 14.0, "error": None
    }  # fmt: skip
    assert summary["hosts"]["far"]["error"] == "no route; look at the cable"


def test_outcomes_have_one_spelling() -> None:
    words = "ok changed would-change pending failed unreachable skipped unknown not-started"
    assert {str(outcome) for outcome in Outcome} == set(words.split(" "))


def test_what_is_for_people_goes_to_standard_error(capsys: Any) -> None:
    stream = io.StringIO()
    view(Output(stream), Transcript(), as_json=True).tell("press Ctrl-C again")
    assert stream.getvalue() == ""
    assert capsys.readouterr().err == "press Ctrl-C again\n"


def test_an_answer_of_the_preflight() -> None:
    [line] = lines([Preflight("a", "disk", Verdict.NOT_APPLICABLE, "found", "do")])
    del line["time"]
    assert line == {
        "type": "preflight", "host": "a", "question": "disk", "verdict": "n/a", "text": "found", "fix": "do"
    }  # fmt: skip
