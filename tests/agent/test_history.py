"""The host's own short history of runs that wrote anything."""

import json

from provision.agent.run import history
from tests.agent.fake_host import Host


def lines(host):
    return [json.loads(line) for line in host.files.get("/state/history.jsonl", "").splitlines()]


def run(host, name, *outcomes):
    found = history.History(host, {"id": name, "by": "me@here"})
    for number, outcome in enumerate(outcomes):
        found.add("role", "file /{}".format(number), outcome)
    found.keep()


def test_a_run_that_wrote_is_a_line():
    host = Host()
    run(host, "r1", "ok", "changed", "failed")
    found = lines(host)[0]
    assert (found["run"], found["by"]) == ("r1", "me@here")
    assert (found["changed"], found["failed"]) == (["role: file /1"], ["role: file /2"])


def test_a_run_that_wrote_nothing_is_none():
    host = Host()
    run(host, "r1", "ok", "ok")
    assert lines(host) == []


def test_a_run_that_had_to_wait_is_a_line():
    host = Host()
    run(host, "r1", "ok", "pending")
    assert (lines(host)[0]["run"], lines(host)[0]["waits"]) == ("r1", ["role: file /1"])


def test_it_is_bounded(monkeypatch):
    monkeypatch.setattr(history, "KEPT", 3)
    host = Host()
    for number in range(6):
        run(host, "r{}".format(number), *["changed"] * 60)
    assert [line["run"] for line in lines(host)] == ["r3", "r4", "r5"]
    assert (len(lines(host)[0]["changed"]), lines(host)[0]["more"]) == (50, 10)


SPREAD = {"id": "r1", "by": "me@here", "spread": True}


def test_what_this_very_run_did_is_put_together_from_all_its_lines():
    host = Host()
    run(host, "r0", "changed")
    run(host, "r1", "ok", "changed")
    run(host, "r1", "changed", "failed")
    found = history.of(host, SPREAD)
    assert found == {"changed": ["role: file /1", "role: file /0"], "failed": ["role: file /1"]}
    assert history.of(host, dict(SPREAD, id="r2")) is None
    assert history.of(host, {"id": "r1", "by": "me@here"}) is None, "only a run that is spread comes again"


def test_a_host_that_remembers_nothing_or_nonsense_has_not_been_there():
    host = Host()
    assert history.of(host, SPREAD) is None
    host.files["/state/history.jsonl"] = "nonsense\n"
    assert history.of(host, SPREAD) is None
