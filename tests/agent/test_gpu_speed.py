"""Level 5 on false GPUs: what a healthy one gives, and each way to be slow, wrong, taken or silent, with its cause."""

import pytest

from provision.agent.gpu.speed import program
from provision.agent.gpu.speed.program import link, worker
from provision.agent.gpu.speed.program import main as speed
from tests.agent import false_gpu

pytestmark = pytest.mark.skipif(not false_gpu.COMPILER, reason="SKIPPED FOR LACK OF gcc: the GPU's speed is not tested")
LEAST = {"memcpy_dtod": 0.85, "write": 0.85, "read": 0.85, "fma32": 0.95, "fma64": 0.95, "htod": 0.65, "dtoh": 0.7}
SLACK = {"memcpy_dtod": 0.04, "write": 0.04, "read": 0.04, "fma32": 0.03, "fma64": 0.03, "sustained": 0.1}


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    folder = tmp_path_factory.mktemp("libraries")
    return {kind: (false_gpu.build(folder, "false_speed_" + kind),) for kind in ("cuda", "nvml")}


@pytest.fixture
def measure(libraries, monkeypatch):
    """Measure `count` GPUs; the other words are what the false ones are like, as FALSE_<word>."""

    def measure(count=2, last=None, full=True, beside=False, limit=20, **words):
        for kind, names in libraries.items():
            monkeypatch.setitem(program.LIBRARIES, kind, names)
        monkeypatch.setattr(worker, "REST", 0)
        monkeypatch.setattr(link, "SIZE", link.MIB)
        for name, value in words.items():
            monkeypatch.setenv("FALSE_" + name, str(value))
        request = {"gpus": ["0000:{:02x}:00.0".format(0x10 + index) for index in range(count)], "full": full}
        request.update(beside_jobs=beside, limit=limit, least=LEAST, slack=SLACK, last=last or {})
        return speed.main(request)

    return measure


def bad(gpu):
    return [item for item in gpu["checks"] if item["verdict"] != "passed"]


@pytest.mark.parametrize("count", [1, 2, 8])
def test_healthy_gpus_pass_with_all_figures(measure, count):
    found = measure(count)
    assert [bad(gpu) for gpu in found["gpus"]] == [[]] * count
    names = {"memcpy_dtod", "write", "read", "htod", "dtoh", "fma32", "fma64", "mma", "wgmma", "sustained"}
    names |= {"peer"} if count > 1 else set()
    assert {frozenset(gpu["figures"]) for gpu in found["gpus"]} == {frozenset(names)}


def test_the_lean_way_leaves_out_what_says_the_same_twice_and_says_so(measure):
    [gpu] = measure(1, full=False)["gpus"]
    assert bad(gpu) == []
    assert set(gpu["figures"]) == {"memcpy_dtod", "write", "read", "htod", "dtoh", "fma32", "wgmma", "sustained"}
    assert gpu["left_out"] == ["FP64 and the second kernel of the tensor cores (mode lean)"]


def test_limits_are_what_the_driver_says_of_the_gpu(measure):
    [gpu] = measure(1)["gpus"]
    of_memory = 2 * 3201e6 * 6016 / 8 / 1e9
    assert gpu["limits"]["read"] == pytest.approx(of_memory, rel=1e-3)
    assert gpu["limits"]["fma32"] == pytest.approx(2 * 6 * 1980e6 * 128 / 1e12, rel=1e-2)
    assert gpu["limits"]["dtoh"] == pytest.approx(63, rel=1e-2)


FAULTS = [
    ({"MEMORY_1": 0.8}, "failed", "memory copy is slow: 3424 GB/s, 71 % of the 4814", "ECC"),
    ({"LINK_1": 0.5, "WIDTH_1": 8}, "failed", "the PCIe link runs at x8 instead of x16 under load", "seat the card"),
    ({"LINK_1": 0.5, "GENERATION_1": 4}, "failed", "generation 4 instead of 5", "seat the card"),
    ({"LINK_1": 0.5}, "failed", "PCIe device to host is slow: 27.75 GB/s", "lspci"),
    ({"CLOCK_1": 1200, "REASONS_1": 0}, "failed", "the multiprocessors run at 1200 of 1980 MHz", "nvidia-smi -rgc"),
    ({"CLOCK_1": 1200, "REASONS_1": 2}, "failed", "1200 of 1980 MHz: application clocks", "nvidia-smi -rac"),
    ({"CLOCK_1": 1200, "LIMIT_1": 300}, "failed", "power cap of 300 W instead of 700 W", "nvidia-smi -pl 700"),
    ({"CLOCK_1": 1200, "REASONS_1": 0x40}, "failed", "hardware thermal", "airflow"),
    ({"REASONS_1": 0x24, "CELSIUS_1": 91}, "failed", "slowed down by software thermal (91 degrees, 690 W)", "fans"),
    ({"REASONS_1": 0x80}, "failed", "power brake", "power supply"),
    ({"MEMORY_1": 0.5, "MEMORY_MHZ_1": 1593}, "failed", "the memory runs at 1593 of 3201 MHz", "nvidia-smi -rmc"),
    ({"BITS_1": 3}, "failed", "wrong bits: 6 units of 16 bytes, the first at offset 1232", "RMA"),
    ({"ODD_1": 4}, "failed", "computes wrongly: 4 of 24 blocks differ, on multiprocessor 4", "RMA"),
    ({"WRONG_1": 1}, "failed", "computes wrongly on all multiprocessors", "reset the GPU"),
    ({"LAG_1": 2}, "failed", "multiprocessor 2 takes 50 % longer", "locked clocks"),
    ({"PEER_1": 0.5}, "failed", "GPU to GPU is slow: 190 GB/s, where the others of this host do 380", "nvlink"),
    ({"PID_1": 7511}, "unknown", "shared with PID 7511", "speed.beside_jobs"),
    ({"LATER_PID_1": 7511, "MEMORY_1": 0.5}, "unknown", "shared with PID 7511; memory copy is slow", "nobody uses"),
    ({"MIG_1": 1}, "unknown", "cut up into MIG devices", "level 5"),
    ({"LOST_1": 1}, "failed", "the GPU fell off the bus", "power it off"),
    ({"FREE_1": 1}, "unknown", "the GPU has no free memory", "nvidia-smi"),
    ({"CRASH_1": "fma32"}, "failed", "the measuring process died (status 9) in the step fma32", "xid"),
]


OF_EIGHT = ({"MEMORY_1": 0.8}, {"ODD_1": 4}, {"PID_1": 7511}, {"CRASH_1": "fma32"})
ROWS = [(2, *row) for row in FAULTS] + [(8, *row) for row in FAULTS if row[0] in OF_EIGHT]


@pytest.mark.parametrize(("count", "words", "verdict", "cause", "fix"), ROWS)
def test_each_fault_is_of_its_gpu_alone_and_has_cause_and_fix(measure, count, words, verdict, cause, fix):
    gpus = measure(count, full=False, **words)["gpus"]
    assert [bad(gpu) for number, gpu in enumerate(gpus) if number != 1] == [[]] * (count - 1)
    found = [item for item in bad(gpus[1]) if cause in item["cause"]]
    assert found, bad(gpus[1])
    assert found[0]["verdict"] == verdict
    assert fix in found[0]["fix"]
    assert {item["verdict"] for item in bad(gpus[1])} == {verdict}


@pytest.mark.parametrize(
    ("function", "code", "verdict", "cause", "fix"),
    [
        ("cuInit", 802, "failed", "fabric manager", "nvidia-fabricmanager"),
        ("cuInit", 803, "failed", "two versions", "reboot"),
        ("cuInit", 999, "failed", "nvidia-uvm", "nvidia-modprobe"),
        ("cuInit", 100, "failed", "CUDA sees no such GPU", "/dev/nvidia"),
        ("cuDevicePrimaryCtxRetain", 46, "unknown", "exclusive", "nvidia-smi -c DEFAULT"),
        ("cuDevicePrimaryCtxRetain", 2, "unknown", "no free memory", "nvidia-smi"),
        ("cuModuleLoadDataEx", 221, "failed", "PTX compiler is not on this host", "install all libraries"),
        ("cuModuleLoadDataEx", 222, "failed", "too old for this program's PTX", "upgrade the driver"),
        ("cuLaunchKernel", 719, "failed", "a kernel failed on the GPU", "Xid"),
        ("cuEventSynchronize", 214, "failed", "ECC cannot correct", "RMA"),
        ("cuEventSynchronize", 700, "failed", "a kernel read or wrote memory", "Xid"),
        ("cuMemHostAlloc", 304, "failed", "refused the driver a call", "ulimit"),
        ("cuMemcpyPeerAsync", 220, "failed", "an NVLink has an error", "nvlink -e"),
        ("cuEventSynchronize", 4242, "failed", "not known here", "Xid"),
    ],
)
def test_each_error_of_cuda_has_verdict_cause_and_fix(measure, function, code, verdict, cause, fix):
    gpus = measure(2, full=False, **{"FAIL_" + function: code})["gpus"]
    [found] = bad(gpus[0])
    assert found["verdict"] == verdict
    assert cause in found["cause"]
    assert "failed with {}".format(code) in found["cause"]
    assert fix.lower() in found["fix"].lower()


def test_wrong_bits_are_told_though_the_driver_failed_later(measure):
    gpu, other = measure(2, BITS_0=3, FAIL_cuMemHostAlloc_0=304)["gpus"]
    assert ["refused" in bad(gpu)[0]["cause"], "wrong bits" in bad(gpu)[1]["cause"]] == [True, True]
    assert (bad(other), "peer" in other["figures"]) == ([], False), "there is no other GPU left to copy to"


def test_a_kernel_that_hangs_is_killed_in_time_and_the_other_gpu_is_measured(measure):
    good, hung = measure(2, full=False, limit=2, HANG_1="fma32")["gpus"]
    assert bad(good) == []
    assert good["figures"]["fma32"]
    [found] = bad(hung)
    assert (found["verdict"], found["detail"]) == ("unknown", "fma32")
    assert "did not end within 2 s, in the step fma32, and was killed" in found["cause"]


def test_a_hung_copy_between_gpus_is_told_and_the_gpus_own_figures_stand(measure):
    first, second = measure(2, full=False, FAIL_cuCtxEnablePeerAccess=999)["gpus"]
    assert first["figures"]["read"] and second["figures"]["read"]
    assert "GPU to GPU" in bad(first)[0]["cause"]


def test_a_gpu_is_held_against_its_own_last_proof(measure):
    [before] = measure(1)["gpus"]
    last = {before["uuid"]: {"figures": before["figures"], "results": before["results"], "time": "2026-11-29"}}
    assert bad(measure(1, last=last)["gpus"][0]) == []
    [gpu] = measure(1, last=last, MEMORY=0.95)["gpus"]
    causes = [item["cause"] for item in bad(gpu)]
    assert "memory read is slower than in the last proof (2026-11-29): 4359 GB/s instead of 4588, 5 % less" in causes


def test_less_at_full_power_than_the_last_time_has_its_reason(measure):
    [before] = measure(1)["gpus"]
    last = {before["uuid"]: {"figures": before["figures"], "results": before["results"], "time": "2026-11-29"}}
    [gpu] = measure(1, last=last, CLOCK=1700, LIMIT=500)["gpus"]
    [found] = [item for item in bad(gpu) if item["name"] == "tensor cores, sustained"]
    assert found["cause"].endswith("14 % less: power cap of 500 W instead of 700 W")
    assert "nvidia-smi -pl 700" in found["fix"]


def test_a_shared_gpu_that_is_slow_is_never_failed_and_wrong_bits_always(measure):
    [gpu] = measure(1, beside=True, PID=7511, MEMORY=0.5, LINK=0.5, CLOCK=900, REASONS=0x20)["gpus"]
    assert {item["verdict"] for item in bad(gpu)} == {"unknown"}
    assert all("shared with PID 7511" in item["cause"] for item in bad(gpu))
    [gpu] = measure(1, beside=True, PID=7511, MEMORY=1, LINK=1, CLOCK=1980, REASONS=4, BITS=1)["gpus"]
    assert [item["verdict"] for item in bad(gpu)] == ["failed"]


def test_memory_that_is_slow_for_a_while_is_measured_once_more(measure):
    """As where the driver still clears what a job before has freed."""
    [gpu] = measure(1, MEMORY=0.7, SLOW_LAUNCHES=96)["gpus"]
    assert (bad(gpu), gpu["again"]) == ([], ["memory"])


def test_a_power_cap_under_full_load_is_no_fault(measure):
    [gpu] = measure(1, CLOCK=1500, REASONS=4, WATT=690)["gpus"]
    assert bad(gpu) == []


def test_a_gpu_without_tensor_cores_and_an_old_driver_leave_them_out(measure):
    for words in ({"CAPABILITY": 75}, {"CAPABILITY": 90, "CUDA": 10020}):
        [gpu] = measure(1, **words)["gpus"]
        assert bad(gpu) == []
        assert "wgmma" not in gpu["figures"] and gpu["load"]["kernel"] == "fma32"
        assert any("tensor cores" in text for text in gpu["left_out"])


def test_what_the_driver_tells_no_limit_of_is_named(measure):
    [gpu] = measure(1, BUS=0, MEMORY=0.1)["gpus"]
    assert bad(gpu) == []
    told = ["memory copy: the driver tells no limit", "memory read: the driver tells no limit"]
    assert gpu["left_out"] == told + ["memory write: the driver tells no limit"]


def test_results_that_nobody_knows_are_held_against_the_last_ones(measure):
    [gpu] = measure(1, CAPABILITY=80)["gpus"]
    assert bad(gpu) == []
    assert any("known only from its last proof" in text for text in gpu["left_out"])
    results = dict(gpu["results"], mma=dict(gpu["results"]["mma"], crc="00000000"))
    last = {gpu["uuid"]: {"figures": {}, "results": results, "time": "then"}}
    [found] = bad(measure(1, last=last, CAPABILITY=80)["gpus"][0])
    assert "instead of 00000000" in found["cause"]


def test_no_library_is_a_failure_with_its_name(measure, monkeypatch):
    for kind, name in (("cuda", "libcuda"), ("nvml", "libnvidia-ml")):
        with monkeypatch.context() as patched:
            measure(1)
            patched.setitem(program.LIBRARIES, kind, ("/nowhere/{}.so.1".format(name),))
            request = {"gpus": ["0000:10:00.0"], "full": False, "beside_jobs": False, "limit": 9, "least": {}}
            [gpu] = speed.main(dict(request, slack={}, last={}))["gpus"]
            assert name in bad(gpu)[0]["cause"]
            assert "ldconfig" in bad(gpu)[0]["fix"]
