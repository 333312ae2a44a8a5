"""The proof as a resource: what it says on the run in which it ran, and on the next."""

import json

import pytest

from provision.agent.engine.resource import converge
from provision.agent.gpu import driver
from provision.agent.gpu.proof import gate, host_checks, runs
from provision.agent.gpu.proof.kind import GpuProof
from tests.agent.rooted import Rooted

GPU = {"uuid": "GPU-00000000-0000-0000-0000-000000000000", "index": 0}
FOUND = {
    "levels": {"0": {"verdict": "passed", "checks": []}, "1": {"verdict": "passed", "checks": []}},
    "boot": "b",
    "driver": "580.159.04",
    "gpus": [GPU],
    "docker": {"process": "1 2", "ways": ["cdi"], "injection": ["cdi (--device nvidia.com/gpu)"]},
    "warnings": [],
}


class Containers:
    """Containers in which all is well."""

    containers = ()

    def __init__(self, *_):
        pass

    def level(self, number):
        return [host_checks.check("all", "passed")]

    def exited(self):
        return {"count": 1, "bytes": 2000000}


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "Run", Containers)
    monkeypatch.setattr(GpuProof, "_measure", lambda *_: dict(FOUND, levels=dict(FOUND["levels"])))
    host = Rooted(tmp_path)
    host.put("/var/lib/provision/x", "")

    def run(check=False):
        values = dict.fromkeys(GpuProof.fields)
        values.update(levels=[0, 1, 2, 3], max_age=86400)
        host.writable = not check
        return converge(GpuProof(**values), host, check=check)

    run.host = host
    return run


def test_the_run_that_proves_says_so_with_levels_and_way_and_the_next_says_how_old_it_is(run):
    first = run()
    assert (first["outcome"], first["proof"]["ran"]) == ("ok", True)
    shown = "1 GPU, levels 0, 1, 2, 3, cdi (--device nvidia.com/gpu); 1 exited container holds 2.0 MB"
    assert first["note"].startswith("passed now: " + shown)
    second = run()
    assert (second["outcome"], second["proof"]["ran"]) == ("ok", False)
    assert second["note"].startswith("proven 0 s ago: " + shown)


@pytest.mark.parametrize(
    ("count", "declared", "words"),
    [
        (1, None, "there is 1 NVIDIA GPU and no driver is loaded"),
        (2, None, "there are 2 NVIDIA GPUs and no driver is loaded"),
        (2, 1, "1 NVIDIA GPU is declared and 2 are on the PCI bus"),
        (1, 8, "8 NVIDIA GPUs are declared and 1 is on the PCI bus"),
    ],
)
def test_one_gpu_is_not_many(count, declared, words):
    found = {"gpus": ["0000:17:00.0"] * count, "loaded": None}
    assert driver.problems(found, declared)[0][0] == words


def test_a_level_that_was_not_tried_is_unknown_and_no_failed_check(run, monkeypatch):
    full = host_checks.check("kernel", "unknown", "", "the proof found no room on a GPU that is in use")
    monkeypatch.setattr(Containers, "level", lambda *_: [full])
    proof = run()["proof"]
    assert (proof["verdict"], proof["levels"]["3"]["verdict"]) == ("unknown", "unknown")
    assert proof["failed_checks"] == ["the proof found no room on a GPU that is in use"]


def test_a_pass_is_there_for_others_until_a_proof_fails(run, monkeypatch):
    host = run.host
    run()
    verdict = json.loads(host.text(gate.VERDICT))
    assert (verdict["verdict"], verdict["gpus"], verdict["driver"]) == ("passed", [GPU["uuid"]], "580.159.04")
    assert verdict["levels"] == {"0": "passed", "1": "passed", "2": "passed", "3": "passed"}
    assert host.stat(gate.PROVEN).st_mode & 0o777 == host.stat(gate.VERDICT).st_mode & 0o777 == 0o644
    bad = host_checks.check("GPUs", "failed", "", "2 NVIDIA GPUs are declared and 1 is on the PCI bus", "look")
    levels = dict(FOUND["levels"], **{"1": {"verdict": "failed", "checks": [bad]}})
    monkeypatch.setattr(GpuProof, "_measure", lambda *_: dict(FOUND, levels=levels))
    assert run()["outcome"] == "failed"
    assert host.stat(gate.PROVEN) is None
    assert json.loads(host.text(gate.VERDICT))["causes"] == [bad["cause"]]


def test_a_check_leaves_the_verdict_for_others_alone(run):
    assert run(check=True)["outcome"] == "would-change"
    assert run.host.stat(gate.FOLDER) is None
