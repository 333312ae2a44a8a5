"""Level 5 as a resource: when it is due, that it leaves jobs alone, what it keeps, and what it says."""

import json
import time

import pytest

from provision.agent.docker import in_use
from provision.agent.engine.resource import converge
from provision.agent.facts import gather
from provision.agent.gpu.speed import kind
from provision.agent.gpu.speed.kind import GpuSpeed
from provision.agent.host import child
from provision.agent.host.system import System
from tests.agent import false_gpu
from tests.agent.rooted import Rooted

PCI = [{"address": "0000:1{}:00.0".format(index), "device": "2335", "device_class": "0302"} for index in range(2)]
UUIDS = ["GPU-{:08x}-0000-0000-0000-000000000000".format(index) for index in range(2)]
JOB = {"pid": 7511, "user": "alice", "command": "python3"}


def gpu(index, read=4588.0, *checks):
    """A GPU as the program answers."""
    return {
        "bus": PCI[index]["address"], "uuid": UUIDS[index], "mode": "full", "about": {"name": "Stand-in"}, "shared": [],
        "figures": {"read": {"best": read, "unit": "GB/s"}}, "limits": {"read": 4814.3}, "seconds": {"all": 2.8},
        "results": {"fma32": {"crc": "a30f443b"}}, "left_out": [],
        "checks": list(checks) or [{"name": "memory read", "verdict": "passed", "detail": 1, "cause": "", "fix": ""}],
    }  # fmt: skip


def bad(verdict, cause):
    return {"name": "memory read", "verdict": verdict, "detail": "", "cause": cause, "fix": "look"}


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host with two GPUs; `answers` is what the program will say, `asked` what it was asked."""
    found = Rooted(tmp_path)
    found.put("/var/lib/provision/x", "")
    found.put("/proc/sys/kernel/random/boot_id", "b\n")
    found.answers, found.asked, found.users = [], [], []
    found.nvidia = {"pci": PCI, "driver_loaded": "580.159.04"}

    def run(system, program, request, modules, timeout):
        found.asked.append(request)
        return {"gpus": found.answers.pop(0), "peers": None, "seconds": 2.9}

    monkeypatch.setattr(child, "run", run)
    monkeypatch.setattr(gather, "nvidia", lambda *_: found.nvidia)
    monkeypatch.setattr(in_use, "users", lambda _: {"processes": found.users, "containers": []})
    return found


def run(host, check=False, **changes):
    values = dict(
        full=True, max_age=3600, beside_jobs=False, gate=[0, 1, 5], limit=60, least={"read": 0.85}, slack={"read": 0.04}
    )
    return converge(GpuSpeed(**dict(values, **changes)), host, check)


def test_it_is_measured_once_and_told_with_its_figures_until_it_is_too_old(host):
    host.answers = [[gpu(0), gpu(1, 4570.0)], [gpu(0), gpu(1)]]
    first = run(host)
    assert (first["outcome"], first["note"]) == ("ok", "passed now: 2 GPUs, level 5 (full), read 4570 GB/s")
    assert [item["figures"] for item in first["proof"]["speed"]] == [
        {"read": [4588.0, "GB/s"]},
        {"read": [4570.0, "GB/s"]},
    ]
    assert (first["proof"]["ran"], host.told) == (True, ["level 5"])
    second = run(host)
    assert (second["outcome"], second["proof"]["ran"], len(host.asked)) == ("ok", False, 1)
    assert second["note"].startswith("proven 0 h ago: 2 GPUs")
    assert run(host, max_age=0)["outcome"] == "ok"
    assert len(host.asked) == 2


def test_a_check_measures_nothing_and_says_what_is_due(host):
    found = run(host, check=True)
    assert (found["outcome"], host.asked) == ("would-change", [])
    assert found["diff"][0]["before"] == "due: never proven"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"pci": PCI[:1]}, "the set of GPUs changed"),
        ({"driver_loaded": "590.1"}, "the driver changed"),
    ],
)
def test_it_is_due_when_what_it_rests_on_has_changed(host, what, words):
    host.answers = [[gpu(0), gpu(1)]]
    run(host)
    host.nvidia = dict(host.nvidia, **what)
    assert words in run(host, check=True)["diff"][0]["before"]
    host.nvidia = {"pci": PCI, "driver_loaded": "580.159.04"}
    assert "the settings changed" in run(host, check=True, full=False)["diff"][0]["before"]
    host.put("/proc/sys/kernel/random/boot_id", "c\n")
    assert "the boot changed" in run(host, check=True)["diff"][0]["before"]


def test_beside_a_job_nothing_is_measured_unless_told(host):
    host.users = [JOB]
    found = run(host)
    assert (found["outcome"], host.asked) == ("unknown", [])
    assert "level 5: shared with PID 7511 (python3, alice): no GPU is measured beside jobs" in found["error"]["cause"]
    host.answers = [[gpu(0), gpu(1)]]
    assert run(host, beside_jobs=True)["outcome"] == "ok"
    assert host.asked[0]["beside_jobs"]


def test_a_slow_gpu_is_named_and_does_not_become_the_measure(host):
    host.answers = [
        [gpu(0), gpu(1)],
        [gpu(0, 4590.0), gpu(1, 3000.0, bad("failed", "memory read is slow"))],
        [gpu(0), gpu(1)],
    ]
    run(host)
    found = run(host, max_age=0)
    assert found["outcome"] == "failed"
    assert found["error"]["cause"] == "level 5: GPU 1 (0000:11:00.0): memory read is slow"
    assert found["error"]["fix"] == "look"
    assert found["proof"]["failed_checks"] == ["GPU 1 (0000:11:00.0): memory read is slow"]
    assert run(host, check=True)["diff"][0]["before"] == "due: the last proof did not pass"
    run(host)
    last = host.asked[-1]["last"]
    assert [last[uuid]["figures"]["read"]["best"] for uuid in UUIDS] == [4590.0, 4588.0]


def test_what_was_measured_in_the_other_mode_is_no_measure(host):
    host.answers = [[gpu(0), gpu(1)], [gpu(0), gpu(1)]]
    run(host)
    run(host, full=False)
    assert host.asked[-1]["last"] == {}


def test_a_shared_gpu_is_unknown(host):
    host.answers = [[gpu(0), gpu(1, 2000.0, bad("unknown", "shared with PID 7511"))]]
    found = run(host)
    assert found["outcome"] == "unknown"
    assert "GPU 1 (0000:11:00.0): shared with PID 7511; look" in found["error"]["cause"]


def test_a_receipt_that_is_damaged_is_made_anew(host):
    host.put("/var/lib/provision/proofs/gpu-speed.json", '{"schema": 1')
    assert run(host, check=True)["diff"][0]["before"] == "due: never proven"
    host.answers = [[gpu(0), gpu(1)]]
    assert run(host)["outcome"] == "ok"


@pytest.mark.skipif(not false_gpu.COMPILER, reason="SKIPPED FOR LACK OF gcc: the program is not run in a child")
def test_the_program_runs_in_a_child_from_what_came_with_the_plan(tmp_path, monkeypatch):
    """As on a host: none of the program's files is there, and nothing is imported but what was sent."""
    libraries = {kind: false_gpu.build(tmp_path, "false_speed_" + kind) for kind in ("cuda", "nvml")}
    system = System(state=str(tmp_path / "state"))
    (tmp_path / "state").mkdir()
    for name in kind.MODULES:
        module = __import__(name, fromlist=["x"])
        with open(module.__file__, encoding="utf-8") as file:
            text = file.read()
        for given, library in (("libcuda.so.1", libraries["cuda"]), ("libnvidia-ml.so.1", libraries["nvml"])):
            text = text.replace('("{}", '.format(given), '("{}", '.format(library))
        system.modules[name] = text
    monkeypatch.setattr(gather, "nvidia", lambda *_: {"pci": PCI, "driver_loaded": "580.159.04"})
    monkeypatch.setattr(in_use, "users", lambda _: {"processes": [], "containers": []})
    system.progress = lambda text: None
    began = time.time()
    found = run(system, full=False)
    assert (found["outcome"], found["error"]) == ("ok", None)
    receipt = json.loads((tmp_path / "state" / "proofs" / "gpu-speed.json").read_text())
    assert [item["uuid"] for item in receipt["speed"]["gpus"]] == UUIDS
    assert receipt["key_time"] >= began
    assert {name for item in found["proof"]["speed"] for name in item["figures"]} >= {"read", "wgmma", "peer"}
