"""The page: what a host says is text in it and nothing else; it needs nobody; hosts that are alike share an entry."""

import json
import re
from typing import Any

from provision.events import (
    Error,
    HostFinished,
    HostStarted,
    Outcome,
    ResourceDone,
    RunStarted,
)
from provision.report.html import page
from provision.report.record import Record
from tests.unit.report.fleet import recorded
from tests.unit.report.made_up import HOSTILE, answered, hostile
from tests.unit.test_questions import PENDING, STATUS


def data_of(text: str) -> dict[str, object]:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert match is not None
    found: dict[str, object] = json.loads(match[1])
    return found


def test_no_tag_of_a_host_gets_into_the_page() -> None:
    text = page(hostile())
    assert text.count("<script") == 2
    for part in ("<img", "<!--", "owned</title>"):
        assert part not in text
    assert data_of(text)["hosts"][0]["name"] == HOSTILE  # type: ignore[index]


def test_it_loads_nothing_and_runs_only_its_own_script() -> None:
    text = page(recorded(20))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy[1]
    without_data = re.sub(r'<script type="application/json".*?</script>', "", text, flags=re.S)
    assert not re.search(r"https?://|url\(|@import|src=|<link", without_data)


def test_hosts_that_say_the_same_share_one_entry() -> None:
    small, large = len(page(recorded(200))), len(page(recorded(1000)))
    assert large < 900_000
    assert (large - small) / 800 < 900, "bytes a host"
    found = data_of(page(recorded(1000)))
    assert len(found["hosts"]) == 1000  # type: ignore[arg-type]
    assert len(found["changes"]) < 10  # type: ignore[arg-type]


def test_what_sets_the_odd_ones_apart() -> None:
    groups = data_of(page(recorded(300)))["groups"]
    assert groups[0]["apart"] == []  # type: ignore[index]
    assert ["kernel"] in [group["apart"] for group in groups]  # type: ignore[attr-defined]
    assert ["GPUs"] in [group["apart"] for group in groups]  # type: ignore[attr-defined]


def test_a_run_that_never_ended_is_shown_as_such() -> None:
    record = Record()
    record(RunStarted("R", "apply", ("a", "b"), False))
    record(HostStarted("a"))
    found = data_of(page(record))
    assert [host["outcome"] for host in found["hosts"]] == ["unknown", "not-started"]  # type: ignore[attr-defined]


def test_what_hosts_remember_is_columns_and_sentences() -> None:
    found: Any = data_of(page(answered(dgx1=STATUS | {"pending": [PENDING]}, dgx2=STATUS)))
    assert found["columns"] == ["PENDING", "LAST RUN", "LAST PROOF", "UNMANAGED", "LOCK"]
    waits, quiet = found["hosts"]
    assert waits["told"][0].startswith("docker_daemon ")
    assert waits["says"][0].startswith("pending docker_daemon for ")
    assert (quiet["told"][0], quiet["says"]) == ("-", [])
    assert data_of(page(recorded(3)))["columns"] == []


def test_each_step_that_failed_says_why() -> None:
    record = Record()
    record(RunStarted("R", "verify", ("a",), True))
    for name in ("one", "two"):
        record(ResourceDone("a", "mine", "test", name, Outcome.FAILED, error=Error(f"{name} is wrong", "look")))
    record(HostFinished("a", Outcome.FAILED, {}, 1.0, Error("mine: one is wrong")))
    steps: Any = data_of(page(record))["steps"]
    assert [step["note"] for step in steps] == ["one is wrong; look", "two is wrong; look"]
