"""The program that runs in a container: on this machine, with a stand-in for libcuda, and without any."""

import json
import os
import subprocess
import sys

import pytest

from provision.agent.docker import flags
from provision.agent.gpu import container_program
from provision.agent.gpu.proof import container_checks
from provision.agent.gpu.proof.container import Ran
from tests.agent import false_gpu

needs = pytest.mark.skipif(not false_gpu.COMPILER, reason="SKIPPED FOR LACK OF gcc: the CUDA program is not tested")
UUIDS = ["GPU-{:08x}-0000-0000-0000-000000000000".format(index) for index in range(8)]


@pytest.fixture
def cuda(tmp_path, monkeypatch):
    def cuda(nvml=None, **options):
        library = false_gpu.build(tmp_path, "false_cuda", **options)
        monkeypatch.setattr(container_program, "LIBRARIES", (library,))
        monkeypatch.setattr(container_program, "NVML", (nvml or false_gpu.build(tmp_path, "false_nvml"),))
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
@pytest.mark.parametrize("code", [2, 46])
def test_a_gpu_without_room_is_unknown_and_who_uses_it_is_named(cuda, code):
    failed = container_checks.computes(cuda(RETAIN=code))
    users = [{"pid": 7511, "user": "root", "command": "python3"}]
    check = container_checks.taken(failed, users)
    assert check["verdict"] == "unknown"
    assert "1 process: python3 7511 (root)" in check["cause"]
    assert "dmesg" not in failed["fix"]
    assert container_checks.taken(failed, [])["verdict"] == "failed", "nobody uses it, and it has no room"


@needs
def test_a_lacking_jit_compiler_is_named(cuda):
    check = container_checks.computes(cuda(LOAD=221))
    assert check["verdict"] == "failed"
    assert "no libnvidia-ptxjitcompiler" in check["cause"]
    assert "dmesg" not in check["fix"]


def test_a_failure_beside_a_gpu_without_room_stays_a_failure():
    kernels = ["cuMemAlloc_v2 failed with 2 CUDA_ERROR_OUT_OF_MEMORY", "7 of 1024 results are wrong"]
    devices = [{"uuid": uuid, "kernel": kernel} for uuid, kernel in zip(UUIDS, kernels)]  # noqa: B905 - 3.6
    check = container_checks.taken(
        container_checks.computes({"cuda": {"devices": devices}}), [{"pid": 1, "user": "root", "command": "x"}]
    )
    assert check["verdict"] == "failed"
    assert "7 of 1024" in check["cause"]


def test_without_its_cli_the_runtime_and_the_flag_have_sentences_of_their_own():
    message = "exec: nvidia-container-cli: executable file not found in $PATH"
    runtime = container_checks.answered(
        "all (runtime)", Ran(error="OCI runtime create failed:\n" + message), "/var/log/docker.log"
    )
    assert "the nvidia runtime works in legacy mode" in runtime["cause"]
    assert "--gpus" not in runtime["cause"] + runtime["fix"]
    flag = container_checks.answered("all (gpus)", Ran(error=message), "/var/log/docker.log")
    assert "--gpus goes through" in flag["cause"]


@needs
def test_a_wrong_result_on_a_gpu_in_use_stays_a_failure(cuda):
    failed = container_checks.computes(cuda(WRONG=1))
    assert container_checks.taken(failed, [{"pid": 1, "user": "root", "command": "x"}])["verdict"] == "failed"


@needs
@pytest.mark.parametrize(("code", "words"), [(802, "fabric manager"), (999, "nvidia-uvm"), (100, "CUDA sees no GPU")])
def test_each_way_not_to_start_has_its_cause(cuda, code, words):
    check = sees(cuda(INIT=code), UUIDS)
    assert check["verdict"] == "failed"
    assert words in check["cause"]
    assert check["fix"]
    assert "journalctl -u docker" not in check["fix"]


@needs
@pytest.mark.parametrize(
    ("code", "cause", "fix"),
    [
        (34, "the CUDA toolkit's stub", "stubs directory"),
        (304, "cannot be opened", "ls -l /dev/nvidia*"),
        (803, "do not go with this driver", "compat libraries"),
        (804, "do not go with this driver", "compat libraries"),
        (805, "MPS", "nvidia-cuda-mps-control"),
        (807, "MPS", "CUDA_MPS_PIPE_DIRECTORY"),
    ],
)
def test_a_cuda_that_does_not_start_has_its_cause_and_its_fix(cuda, code, cause, fix):
    found = sees(cuda(INIT=code), UUIDS)
    assert (found["verdict"], cause in found["cause"], fix in found["fix"]) == ("failed", True, True), found


@needs
@pytest.mark.parametrize(
    ("code", "cause", "fix"),
    [
        (214, "error in its memory", "ROW_REMAPPER"),
        (220, "an NVLink", "nvlink -e"),
        (222, "driver is too old", "upgrade the driver"),
        (700, "a kernel that is right", "reset the GPU"),
        (702, "did not end in time", "display"),
        (715, "a kernel that is right", "reset the GPU"),
        (719, "a kernel that is right", "replace it"),
    ],
)
def test_a_kernel_that_does_not_run_has_its_cause_and_its_fix(cuda, code, cause, fix):
    found = container_checks.computes(cuda(RETAIN=code))
    assert (found["verdict"], cause in found["cause"], fix in found["fix"]) == ("failed", True, True), found


@needs
def test_a_gpu_too_few_and_one_too_many_are_named(cuda):
    answer = cuda()
    assert "does not see GPU-ff" in sees(answer, UUIDS + ["GPU-ff"])["cause"]
    assert UUIDS[7] in sees(answer, UUIDS[:7])["cause"]
    assert sees(answer, [])["verdict"] == "failed", "none asked, none seen"


@needs
def test_a_container_without_nvml_fails_where_gpus_are_expected(cuda):
    answer = cuda(nvml="/nowhere/libnvidia-ml.so.1")
    assert answer["nvml"] is None
    check = sees(answer, UUIDS)
    assert check["verdict"] == "failed"
    assert "the container got no libnvidia-ml" in check["cause"]
    assert sees(dict(answer, cuda={"error": None, "devices": []}), [])["verdict"] == "passed", "none asked"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("#!/bin/sh\nexec /nowhere/nvidia-smi\n", "exit status 127: "),
        ("#!/nowhere/sh\n", "No such file"),
        ("#!/bin/sh\necho down; exit 9\n", "exit status 9: down"),
        ("#!/bin/sh\necho $1\n", None),
    ],
)
def test_nvidia_smi_is_run_where_the_spec_names_one(tmp_path, script, words):
    place = tmp_path / "nvidia-smi"
    place.write_text(script)
    place.chmod(0o755)
    check = container_checks.runs_nvidia_smi(
        container_program.main({"nvidia_smi": ["/nowhere", str(place)], "cuda": False})
    )
    if words is None:
        assert (check["verdict"], check["detail"]) == ("passed", "-L")
    else:
        assert check["verdict"] == "failed"
        assert words in check["cause"]


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
    ("text", "size"),
    [("1G", 1 << 30), ("64m", 64 << 20), ("1GiB", 1 << 30), ("1073741824", 1 << 30), ("x", None), ("", None)]
    + [("1 g", 1 << 30), ("1.5k", 1536), ("1p", 1 << 50), ("512b", 512), (" 64MB\n", 64 << 20), ("1.2.3g", None)],
)
def test_sizes_as_docker_reads_them(text, size):
    assert flags.size(text) == size


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ('could not select device driver "" with capabilities: [[gpu]]', "not on the Docker daemon's PATH"),
        ("couldn't find binary nvidia-container-cli in PATH", "nvidia-container-cli is not on this host"),
        ("unknown or invalid runtime name: nvidia", "not registered"),
        ("CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=all", "no CDI spec"),
        ("error setting rlimit type 8: operation not permitted", "CAP_SYS_RESOURCE"),
        ('exec: "nvidia-container-runtime": executable file not found in $PATH', "binary is gone"),
        (
            'error mounting "/usr/lib/libEGL_nvidia.so.575.51.03" to rootfs at "/usr/lib/libEGL_nvidia.so.575.51.03": '
            "bind mount source stat: stat /usr/lib/libEGL_nvidia.so.575.51.03: no such file or directory",
            "the CDI spec is stale",
        ),
        ('failed to stat CDI host device "/dev/nvidia1": no such file or directory', "a device file of the GPU is not"),
        ("nvidia-container-cli: mount error: stat failed: /dev/nvidia-uvm: no such file or directory", "a device file"),
        (
            "error running createContainer hook #0: fork/exec /usr/bin/nvidia-cdi-hook: no such file or directory",
            "calls a",
        ),
        ("/bin/python3: /lib/libc.so.6: version `GLIBC_2.38' not found (required by /x.so)", "C library is older"),
        (
            "mount error: failed to add device rules: unable to find any existing device filters attached",
            "device rules",
        ),
        ("something that nobody has seen", "the container did not run: something that nobody has seen"),
    ],
)
def test_what_docker_says_is_explained(message, words):
    check = container_checks.answered("all", Ran(error=message), "/var/log/docker.log")
    assert check["verdict"] == "failed"
    assert words in check["cause"]
    assert check["fix"]
    assert "journalctl -u docker" not in check["fix"]


MOUNTS = """\
30 1 0:1 / / rw - overlay overlay rw
31 30 0:2 /x /usr/lib/x86_64-linux-gnu/libcuda.so.580.159.04 ro - ext4 /dev/vda1 rw
32 30 0:2 /y {volume} ro - ext4 /dev/vda1 rw
"""


def test_a_library_is_there_where_it_is_mounted_or_in_a_mounted_volume_of_the_driver(tmp_path):
    volume = tmp_path / "nvidia"
    (volume / "lib64").mkdir(parents=True)
    (volume / "lib64" / "libnvidia-ml.so.1").touch()
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(volume=volume))
    wanted = ["libcuda", "libnvidia-ml", "libnvidia-ptxjitcompiler"]
    assert container_program.missing(wanted, ["nvidiactl"], str(mounts)) == ["libnvidia-ptxjitcompiler", "nvidiactl"]


def test_a_container_without_a_file_of_the_driver_fails_by_its_name():
    answer = container_program.main({"libraries": ["libnvidia-cfg"], "nodes": ["nvidia-uvm-tools"], "cuda": False})
    found = container_checks.complete("all (cdi)", answer, ["libnvidia-cfg", "nvidia-uvm-tools"])
    assert found["verdict"] == "failed"
    assert "lacks libnvidia-cfg, nvidia-uvm-tools, which the host's driver has" in found["cause"]


def test_nvidia_smi_works_while_the_rest_is_asked(tmp_path):
    """It takes as long as NVML's start, and CUDA's start need not wait for that."""
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    ended = container_program.started(["/bin/sh", "-c", 'timeout 10 cat "$0"', pipe])
    with open(pipe, "w") as file:
        file.write("GPU 0: NVIDIA H200")
    assert ended() == {"status": 0, "text": "GPU 0: NVIDIA H200"}


def test_a_container_without_the_nvidia_smi_of_the_host_fails():
    answer = container_program.main({"nvidia_smi": ["/nowhere/nvidia-smi", "/nor/here"], "cuda": False})
    found = container_checks.runs_nvidia_smi(answer)
    assert "there is no /nowhere/nvidia-smi and no /nor/here" in found["cause"]
