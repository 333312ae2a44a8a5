"""The proof as a resource: what it says on the run in which it ran, and on the next."""

import json
import os

import pytest

from provision.agent.docker.engine_api import NotRunning
from provision.agent.engine import kinds
from provision.agent.engine.resource import converge
from provision.agent.gpu import driver, driver_kind
from provision.agent.gpu.proof import gate, host_checks, left, runs
from provision.agent.gpu.proof import receipt as proof_receipt
from provision.agent.gpu.proof.kind import GpuProof
from provision.agent.host.errors import Failed, Unknown
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
    monkeypatch.setattr(runs, "ContainerRuns", Containers)
    monkeypatch.setattr(GpuProof, "_measure", lambda *_: dict(FOUND, levels=dict(FOUND["levels"])))
    host = Rooted(tmp_path)
    host.put("/var/lib/provision/x", "")
    host.put("/proc/sys/kernel/random/boot_id", "b\n")

    def run(check=False, **changes):
        values = dict.fromkeys(GpuProof.fields)
        values.update(levels=[0, 1, 2, 3], gate=[0, 1, 2, 3], max_age=86400)
        values.update(changes)
        host.writable = not check
        proof = GpuProof(**values)
        result = converge(proof, host, check=check)
        if not check:
            proof.announce(host)
        return result

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


def test_with_max_age_0_each_run_proves_anew_and_passes(run):
    for _ in range(2):
        proven = run(max_age=0)
        assert (proven["outcome"], proven["proof"]["ran"]) == ("ok", True)


def test_a_proof_names_what_it_did_not_look_at(run):
    left = run(gate=[0, 1, 2, 3, 5])["proof"]["not_looked_at"]
    assert left[:2] == ["level 4: survival of reloads", "level 6: DCGM's diagnosis"]
    assert left[2:] == [
        *("the way in: {}".format(way) for way in ("runtime", "gpus", "nvidia-docker")),
        "libraries for graphics, video and display",
    ]


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
    assert json.loads(host.text(gate.VERDICT))["causes"] == [
        bad["cause"],
        "level 2 is not proven",
        "level 3 is not proven",
    ]
    monkeypatch.setattr(GpuProof, "_measure", lambda *_: dict(FOUND, levels=dict(FOUND["levels"])))
    assert run()["proof"]["ran"] is False
    assert host.stat(gate.PROVEN) is not None, "what holds again is told again, though nothing was due"


def test_no_gpu_is_a_proof_of_nothing_for_others(run, monkeypatch):
    monkeypatch.setattr(GpuProof, "_measure", lambda *_: dict(FOUND, levels=dict(FOUND["levels"]), gpus=[]))
    assert run()["outcome"] == "ok"
    assert json.loads(run.host.text(gate.VERDICT))["verdict"] == "passed"
    assert run.host.stat(gate.PROVEN) is None


def test_a_proof_that_cannot_begin_closes_the_gate(run, monkeypatch):
    def gone(*_):
        raise Failed("the image nope:1 is not on this host", "name it in container_images.images")

    run()
    monkeypatch.setattr(runs, "ContainerRuns", gone)
    ended = run(image="nope:1")
    assert ended["error"]["cause"] == "level 2: the image nope:1 is not on this host"
    assert ended["error"]["fix"] == "name it in container_images.images"
    assert run.host.stat(gate.PROVEN) is None


LATER = {
    "4": (proof_receipt.SURVIVAL, {"the kernel": os.uname().release}),
    "5": (proof_receipt.SPEED, {"the boot": "b"}),
}


def keep(host, level, verdict="passed", **key):
    """The receipt of a level that a probe of its own proves."""
    name, known = LATER[level]
    checks = [host_checks.check("x", verdict, "", "" if verdict == "passed" else "it is slow")]
    receipt = {"schema": 1, "time": "2026-11-29T09:00:00Z", "verdict": verdict, "key": dict(known, **key)}
    proof_receipt.keep(host, dict(receipt, levels={level: {"verdict": verdict, "checks": checks}}), name)


@pytest.mark.parametrize("level", sorted(LATER))
def test_the_gate_opens_when_the_last_level_that_is_asked_for_has_passed(run, level):
    host, asked = run.host, [0, 1, 2, 3, int(level)]
    run(gate=asked)
    assert json.loads(host.text(gate.VERDICT))["causes"] == ["level {} is not proven".format(level)]
    assert host.stat(gate.PROVEN) is None
    keep(host, level)
    assert gate.publish(host, asked) == {"verdict": "passed", "open": True, "time": "2026-11-29T09:00:00Z"}
    keep(host, level, "failed")
    assert gate.publish(host, asked)["open"] is False
    assert json.loads(host.text(gate.PROVEN) or "null") is None
    assert json.loads(host.text(gate.VERDICT))["causes"] == ["it is slow"]
    assert run(gate=[0, 1, 2, 3])["proof"]["gate"]["open"], "a level that nobody asks for any more does not count"


@pytest.mark.parametrize(("level", "name"), [("4", "the kernel"), ("4", "the driver"), ("5", "the boot")])
def test_a_receipt_of_another_boot_kernel_or_driver_does_not_open_the_gate(run, level, name):
    run()
    keep(run.host, level, **{name: "another"})
    assert gate.publish(run.host, [0, 1, 2, 3, int(level)])["verdict"] == "unknown"


def test_a_check_leaves_the_verdict_for_others_alone(run):
    assert run(check=True)["outcome"] == "would-change"
    assert run.host.stat(gate.FOLDER) is None


def test_a_driver_that_is_not_whole_withdraws_the_proof_and_makes_none_of_its_own(run, monkeypatch):
    found = {"gpus": [], "loaded": "580.159.04"}
    monkeypatch.setattr(driver, "inspect", lambda _: found)

    def asserted():
        resource = driver_kind.NvidiaDriver(expect_gpus=1)
        result = converge(resource, run.host, check=True)
        resource.announce(run.host)
        return result["outcome"]

    assert asserted() == "failed"
    assert run.host.stat(gate.FOLDER) is None
    run()
    assert asserted() == "failed"
    assert gate.last(run.host)["open"] is False
    assert json.loads(run.host.text(gate.VERDICT))["causes"] == ["1 NVIDIA GPU is declared and 0 are on the PCI bus"]
    assert run()["proof"]["gate"]["open"]


class Docker:
    """A daemon with these images, or none that runs."""

    def __init__(self, *tags):
        self.tags = list(tags)
        self.runs = True

    def __call__(self, system):
        return self

    def get(self, path):
        if not self.runs:
            raise NotRunning("the Docker daemon does not run")
        return [{"RepoTags": [tag]} for tag in self.tags] + [{"RepoTags": None}]

    def delete(self, path):
        self.tags.remove(path.partition("/images/")[2])


def left_of(run, resource, monkeypatch, docker):
    monkeypatch.setattr(left, "Engine", docker)
    kind, fields = resource.when_removed("r")
    return lambda check=False: converge(kinds.make(kind, fields), run.host, check)


def test_the_proof_goes_with_its_role_gate_receipts_and_image(run, monkeypatch):
    run()
    docker = Docker("provision-proof:1", "theirs:1")
    remove = left_of(run, GpuProof(**dict.fromkeys(GpuProof.fields)), monkeypatch, docker)
    told = {item["key"]: item["before"] for item in remove(check=True)["diff"]}
    assert told == {
        "gate": ["/run/provision/gpu-proven", "/run/provision/gpu-proof.json"],
        "receipts": ["proofs/gpu.json"],
        "images": ["provision-proof:1"],
    }
    assert remove()["outcome"] == "changed"
    assert docker.tags == ["theirs:1"]
    assert run.host.stat("/run/provision") is None
    assert remove()["outcome"] == "ok"


def test_without_docker_the_gate_goes_all_the_same(run, monkeypatch):
    run()
    docker = Docker("provision-proof:1")
    docker.runs = False
    assert left_of(run, GpuProof(**dict.fromkeys(GpuProof.fields)), monkeypatch, docker)()["outcome"] == "changed"
    assert run.host.stat("/run/provision/gpu-proven") is None


def test_with_what_brings_gpus_into_containers_the_gate_goes_and_the_receipt_stays(run, monkeypatch):
    run()
    remove = left_of(run, driver_kind.NvidiaDriver(expect_gpus=None), monkeypatch, Docker("provision-proof:1"))
    assert remove()["outcome"] == "changed"
    assert run.host.stat("/run/provision/gpu-proven") is None
    assert proof_receipt.read(run.host, proof_receipt.RECEIPT) is not None


def test_a_level_is_told_by_the_first_check_that_is_as_bad_as_it():
    unsure, bad = (
        host_checks.check("a", "unknown", "", "cannot be told"),
        host_checks.check("b", "failed", "", "is broken", "mend it"),
    )
    with pytest.raises(Failed) as failed:
        host_checks.raise_bad("2", {"verdict": "failed", "checks": [unsure, bad]})
    assert (failed.value.cause, failed.value.fix) == ("level 2: is broken", "mend it")
    assert "a: cannot be told" in failed.value.output
    with pytest.raises(Unknown, match="level 2: cannot be told$"):
        host_checks.raise_bad("2", {"verdict": "unknown", "checks": [unsure]})
