"""The program that runs in a container: on this machine, with a stand-in for libcuda, and without any."""

import json
import os
import subprocess
import sys

import pytest

from provision.agent.gpu import container_program
from provision.agent.gpu.proof import container_checks
from provision.agent.gpu.proof.container import Ran
from tests.agent import false_gpu

needs = pytest.mark.skipif(not false_gpu.COMPILER, reason="SKIPPED FOR LACK OF gcc: the CUDA program is not tested")
UUIDS = ["GPU-{:08x}-0000-0000-0000-000000000000".format(index) for index in range(8)]


@pytest.fixture
def cuda(tmp_path, monkeypatch):
    def cuda(**options):
        library = false_gpu.build(tmp_path, "false_cuda", **options)
        monkeypatch.setattr(container_program, "LIBRARIES", (library,))
        monkeypatch.setattr(container_program, "NVML", ())
        monkeypatch.setattr(container_program, "nvml", lambda: None)
        return container_program.main({})

    return cuda


def sees(answer, expected):
    return container_checks.sees("all", answer, expected)


@needs
def test_a_kernel_runs_on_each_gpu_and_its_result_is_checked(cuda):
    answer = cuda()
    assert [device["uuid"] for device in answer["cuda"]["devices"]] == UUIDS
    assert {device["kernel"] for device in answer["cuda"]["devices"]} == {"ok"}
    assert sees(answer, UUIDS)["verdict"] == "passed"
    assert container_checks.computes(answer)["verdict"] == "passed"


@needs
def test_a_wrong_result_is_found(cuda):
    check = container_checks.computes(cuda(WRONG=1))
    assert check["verdict"] == "failed"
    assert "1024 of 1024 results are wrong" in check["cause"]


@needs
@pytest.mark.parametrize(("code", "words"), [(802, "fabric manager"), (999, "nvidia-uvm"), (100, "CUDA sees no GPU")])
def test_each_way_not_to_start_has_its_cause(cuda, code, words):
    check = sees(cuda(INIT=code), UUIDS)
    assert check["verdict"] == "failed"
    assert words in check["cause"]
    assert check["fix"]


@needs
def test_a_gpu_too_few_and_one_too_many_are_named(cuda):
    answer = cuda()
    assert "does not see GPU-ff" in sees(answer, UUIDS + ["GPU-ff"])["cause"]
    assert UUIDS[7] in sees(answer, UUIDS[:7])["cause"]
    assert sees(answer, [])["verdict"] == "failed", "none asked, none seen"


def test_without_a_gpu_all_else_is_told():
    """As a program of its own, as in a container."""
    program = os.path.abspath(container_program.__file__)
    out = subprocess.check_output([sys.executable, "-I", "-S", "-B", program, "{}"])
    answer = json.loads(out.decode())
    assert answer["uid"] == os.getuid()
    assert len(answer["limits"]["memlock"]) == 2
    assert answer["shm"] is None or answer["shm"] > 0
    if not os.path.exists("/dev/nvidiactl"):
        assert "libcuda.so.1" in answer["cuda"]["error"]["text"]
        assert "no libcuda" in sees(answer, UUIDS)["cause"]
        assert sees(answer, [])["verdict"] == "passed"


def test_limits_are_compared_as_configured():
    answer = {"limits": {"memlock": [-1, -1], "stack": [67108864, 67108864]}, "shm": 1 << 30}
    good = list(container_checks.limits(answer, {"memlock": [-1, -1], "stack": 67108864, "shm": 1 << 30}))
    assert [item["verdict"] for item in good] == ["passed"] * 3
    answer["limits"]["memlock"] = [8388608, 8388608]
    bad = list(container_checks.limits(answer, {"memlock": [-1, -1]}))
    assert bad[0]["cause"] == "memlock in the container is 8388608 / 8388608 and not unlimited / unlimited"


@pytest.mark.parametrize(
    ("text", "size"), [("1G", 1 << 30), ("64m", 64 << 20), ("1GiB", 1 << 30), ("1073741824", 1 << 30), ("x", None)]
)
def test_sizes_as_docker_reads_them(text, size):
    assert container_checks.size(text) == size


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ('could not select device driver "" with capabilities: [[gpu]]', "not on the Docker daemon's PATH"),
        ("couldn't find binary nvidia-container-cli in PATH", "nvidia-container-cli is not on this host"),
        ("unknown or invalid runtime name: nvidia", "not registered"),
        ("CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=all", "no CDI spec"),
        ("error setting rlimit type 8: operation not permitted", "CAP_SYS_RESOURCE"),
        ('exec: "nvidia-container-runtime": executable file not found in $PATH', "binary is gone"),
        ("something that nobody has seen", "the container did not run: something that nobody has seen"),
    ],
)
def test_what_docker_says_is_explained(message, words):
    check = container_checks.answered("all", Ran(error=message))
    assert check["verdict"] == "failed"
    assert words in check["cause"]
    assert check["fix"]
