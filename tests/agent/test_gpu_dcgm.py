"""Level 6: what dcgmi leaves becomes a verdict. The outputs are modelled on what DCGM's documentation shows."""

import json

import pytest

from provision.agent.docker import in_use
from provision.agent.engine.resource import converge
from provision.agent.gpu import dcgm
from provision.agent.gpu.proof import receipt as proof_receipt
from provision.agent.host.errors import TimedOut
from tests.agent.rooted import Rooted, answer

RUN = ["dcgmi", "diag", "-r", "1", "-j"]


def three(*results):
    """As 3.x prints: GPUs by number, reasons as texts."""
    tests = [{"name": "Denylist", "results": [{"gpu_ids": "0,1", "status": "PASS"}]}, None]
    tests.append({"name": "Persistence Mode", "results": list(results)})
    category = {"category": "Deployment", "tests": tests}
    return json.dumps({"DCGM GPU Diagnostic": {"test_categories": [category], "version": "3.2.0"}})


def four(*results):
    """As 4.x prints: entities, reasons as objects, a summary for each test."""
    tests = [{"name": "memory", "results": list(results), "test_summary": {"status": "Pass"}}]
    category = {"category": "Integration", "tests": tests}
    return json.dumps({"DCGM Diagnostic": {"test_categories": [category]}, "metadata": {"version": "4.2.3"}})


PASS3, PASS4 = {"gpu_ids": "0,1", "status": "PASS"}, {"entity_group": "GPU", "entity_id": 0, "status": "Pass"}
BAD3 = {"gpu_ids": "1", "status": "FAIL", "warnings": ["Pending page retirements"]}
BAD4 = dict(PASS4, entity_id=1, status="Fail", warnings=[{"warning": "A DBE was found", "error_id": 4}])


@pytest.fixture
def host(tmp_path, monkeypatch):
    found = Rooted(tmp_path)
    found.put("/var/lib/provision/x", "")
    found.put("/proc/sys/kernel/random/boot_id", "b\n")
    found.used = []
    monkeypatch.setattr(in_use, "users", lambda _: {"processes": found.used, "containers": []})
    return found


def run(host, *outputs, check=False, **changes):
    host.commands = [(["dcgmi"], output) for output in outputs]
    values = dict(dict(suite=1, timeout=300, max_age=3600, gate=[0, 1, 6]), **changes)
    result = converge(dcgm.GpuDcgm(**values), host, check)
    host.done()
    return result


@pytest.mark.parametrize(
    ("output", "status", "outcome", "words"),
    [
        (three(PASS3), 0, "ok", ""),
        ("WARNING: a line before it\n" + three(PASS3), 0, "ok", ""),
        (four(PASS4), 0, "ok", ""),
        (three(PASS3, BAD3), 1, "failed", "level 6: Persistence Mode: GPU 1: Pending page retirements"),
        (four(PASS4, BAD4), 226, "failed", "level 6: memory: GPU 1: A DBE was found"),
        (three(dict(PASS3, status="WARN")), 0, "failed", "level 6: Persistence Mode: GPU 0,1: WARN"),
        (three(dict(PASS3, status="Not Run")), 0, "unknown", "level 6: Persistence Mode: GPU 0,1: Not Run"),
        (four(dict(PASS4, status="Skip")), 0, "unknown", "cannot tell (exit status 0"),
        (four(), 0, "unknown", "level 6: memory: DCGM gives no result"),
        (three(PASS3), 1, "unknown", "cannot tell (exit status 1"),
        ("Error: unable to connect to the host engine", 205, "unknown", "unable to connect to the host engine"),
        ('{"DCGM GPU Diagnostic": {', 0, "unknown", "cannot tell"),
        ("", 127, "unknown", "exit status 127: no output"),
    ],
)
def test_nothing_but_pass_is_a_pass(host, output, status, outcome, words):
    found = run(host, answer(output, status=status))
    told = (found["error"] or {}).get("cause", "")
    assert (found["outcome"], words in told) == (outcome, True), told
    kept = json.loads(host.text("/var/lib/provision/" + proof_receipt.DCGM))
    assert kept["verdict"] == {"ok": "passed"}.get(outcome, outcome)


def test_a_skipped_test_beside_others_that_passed_is_named_as_not_looked_at(host):
    found = run(host, answer(three(dict(PASS3, status="SKIPPED"))))
    assert found["outcome"] == "ok"
    assert found["note"] == "passed now: dcgmi diag -r 1, 1 tests; DCGM did not look at: Persistence Mode"


def test_it_is_run_again_when_it_is_due_and_never_in_a_check(host):
    assert run(host, check=True)["outcome"] == "would-change"
    assert run(host, answer(four(PASS4)))["outcome"] == "ok"
    assert run(host)["outcome"] == "ok"
    assert run(host, answer(four(PASS4)), max_age=0)["outcome"] == "ok"
    host.put("/proc/sys/kernel/random/boot_id", "c\n")
    assert run(host, answer(four(BAD4)))["outcome"] == "failed"
    assert run(host, answer(four(PASS4)))["outcome"] == "ok"


def test_one_that_does_not_end_and_one_beside_jobs_are_unknown(host):
    def hangs(*_):
        raise TimedOut("killed")

    assert "did not end within 300 s" in run(host, hangs)["error"]["cause"]
    host.used = [{"pid": 7511, "user": "alice", "command": "python3"}]
    assert "shared with 1 process: python3 7511 (alice)" in run(host, suite=2)["error"]["cause"]
    assert run(host, answer(four(PASS4)))["outcome"] == "ok", "suite 1 loads no GPU"
