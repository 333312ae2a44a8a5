"""Mutants of what a container gets of the driver: each part taken away alone is caught by level 2."""

import copy

import pytest

from provision.agent.gpu import injection
from provision.agent.gpu.proof import runs
from provision.agent.gpu.proof.container import Ran

UUID = "GPU-00000000-0000-0000-0000-000000000000"
WHOLE = {
    "nvml": {"error": None, "uuids": [UUID]},
    "cuda": {"error": None, "version": 13000, "devices": [{"uuid": UUID, "kernel": "ok"}]},
    "missing": [],
    "nvidia_smi": {"status": 0, "text": "GPU 0: NVIDIA H200 (UUID: {})".format(UUID)},
    "limits": {"memlock": [-1, -1], "stack": [67108864, 67108864], "nofile": [20000, 20000]},
    "shm": 1073741824,
}


def lacks(*path_and_value):
    def change(answer):
        *path, last, value = path_and_value
        for key in path:
            answer = answer[key]
        answer[last] = value

    return change


def cuda_error(code, name):
    text = "cuInit failed with {} {}".format(code, name)
    return lacks("cuda", {"error": {"call": "", "code": code, "text": text}, "devices": []})


NO_LIBCUDA = {"call": "dlopen", "code": None, "text": "libcuda.so.1: cannot open shared object file"}
NO_COMPILER = "cuModuleLoadData failed with 221 CUDA_ERROR_JIT_COMPILER_NOT_FOUND"
MUTANTS = {
    "the capability utility": (lacks("nvml", None), "no libnvidia-ml"),
    "the capability compute": (lacks("cuda", {"error": NO_LIBCUDA, "devices": []}), "no libcuda"),
    "the GPU's own node": (cuda_error(100, "CUDA_ERROR_NO_DEVICE"), "CUDA sees no GPU"),
    "nvidiactl, as CUDA tells it": (cuda_error(100, "CUDA_ERROR_NO_DEVICE"), "CUDA sees no GPU"),
    "nvidia-uvm, as CUDA tells it": (cuda_error(999, "CUDA_ERROR_UNKNOWN"), "nvidia-uvm"),
    "the PTX compiler, as CUDA tells it": (
        lacks("cuda", "devices", 0, "kernel", NO_COMPILER),
        "no libnvidia-ptxjitcompiler",
    ),
    "the GPU for NVML": (lacks("nvml", "uuids", []), "NVML in the container"),
    "the GPU for CUDA": (lacks("cuda", "devices", []), "CUDA in the container"),
    "nvidia-smi": (lacks("nvidia_smi", {"status": 127, "text": "there is no /usr/bin/nvidia-smi"}), "nvidia-smi"),
    "memlock": (lacks("limits", "memlock", [65536, 65536]), "memlock"),
    "/dev/shm": (lacks("shm", 67108864), "shm"),
}
MUTANTS.update({part: (lacks("missing", [part]), "lacks " + part) for part in injection.LIBRARIES + injection.NODES})


@pytest.fixture
def two(monkeypatch):
    """Level 2 of a host whose driver has every part, over this answer of the container."""

    def two(answer):
        run = object.__new__(runs.ContainerRuns)
        run._uuids, run._limits = [(UUID, "0")], {"memlock": [-1, -1], "shm": 1073741824}
        run._system, run.containers = None, []
        whole = {"libraries": list(injection.LIBRARIES), "nodes": list(injection.NODES), "nvidia_smi": ["/usr/bin/x"]}
        monkeypatch.setattr(run, "_request", lambda way: whole)
        monkeypatch.setattr(run, "_run", lambda way, name, *_, **__: (name, Ran(answer, 0)))
        monkeypatch.setattr(runs.in_use, "users", lambda _: {"processes": []})
        monkeypatch.setattr(runs.daemon_socket, "log", lambda _: "/var/log/docker.log")
        return [item for item in run._two("cdi") if item["verdict"] != "passed"]

    return two


def test_the_whole_set_passes(two):
    assert two(copy.deepcopy(WHOLE)) == []


@pytest.mark.parametrize("part", sorted(MUTANTS))
def test_a_part_that_is_taken_away_alone_fails_level_2(two, part):
    change, words = MUTANTS[part]
    answer = copy.deepcopy(WHOLE)
    change(answer)
    bad = two(answer)
    assert bad
    assert bad[0]["verdict"] == "failed"
    assert any(words in item["cause"] for item in bad), bad
