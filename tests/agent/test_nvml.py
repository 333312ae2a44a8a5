"""NVML in a child, against a stand-in: eight GPUs, a lost one, no driver, a mismatch, a call that hangs."""

import os

import pytest

from provision.agent.gpu import driver, nvml
from provision.agent.gpu.proof import host_checks
from provision.agent.host.errors import Unknown
from provision.agent.host.system import ReadOnly
from tests.agent import false_gpu

needs = pytest.mark.skipif(
    not (false_gpu.COMPILER and false_gpu.pynvml()), reason="SKIPPED FOR LACK OF gcc or pynvml: NVML is not tested"
)


@pytest.fixture
def ask(tmp_path, monkeypatch):
    def ask(timeout=60, **options):
        library = false_gpu.build(tmp_path, "false_nvml", **options)
        monkeypatch.setattr(nvml, "LIBRARIES", (library,))
        system = ReadOnly(state=str(tmp_path / "state"))
        system.modules["pynvml"] = false_gpu.pynvml()
        return nvml.ask(system, timeout)

    return ask


def found(gpus=8, **changes):
    host = {"gpus": ["0000:1{}:00.0".format(index) for index in range(gpus)], "switches": [], "fabric_manager": None}
    host.update(loaded="550.54.15", on_disk="550.54.15", library="550.54.15")
    return dict(host, **changes)


def causes(checks):
    return [item["cause"] for item in checks if item["verdict"] != "passed"]


def test_ci_has_what_these_tests_need():
    if os.environ.get("CI"):
        assert false_gpu.COMPILER, "install gcc: without it NVML is not tested"
        assert false_gpu.pynvml(), "no pynvml was found: set PYNVML to its file"


@needs
def test_eight_gpus_that_are_well(ask):
    answer = ask()
    assert answer["driver"] == "550.54.15"
    assert answer["cuda"] == "12.4"
    assert len(answer["gpus"]) == 8
    gpu = answer["gpus"][3]
    assert gpu["uuid"] == "GPU-00000003-0000-0000-0000-000000000000"
    assert gpu["bus"] == "0000:13:00.0"
    assert gpu["memory"] == {"total": 80 << 30, "reserved": None, "free": 79 << 30, "used": 1 << 30}
    assert gpu["nvlinks"] == {"up": 2, "down": 0}
    assert gpu["errors"] == {}
    assert gpu["fabric"] is None, "a function that the driver lacks is None, not an error"
    checks = host_checks.host(found(), answer, [], 8, True)
    assert host_checks.verdict_of(checks) == "passed"
    assert host_checks.uuids(answer)[7] == ("GPU-00000007-0000-0000-0000-000000000000", "7")


@needs
def test_a_lost_gpu_is_told_by_its_place_and_does_not_hide_the_others(ask):
    answer = ask(LOST=5)
    assert [gpu["lost"] for gpu in answer["gpus"]] == [False] * 5 + [True] + [False] * 2
    wrong = causes(host_checks.host(found(), answer, [], 8, True))
    assert len(wrong) == 1
    assert wrong[0].startswith("GPU 5")
    assert "GPU is lost" in wrong[0]


@needs
@pytest.mark.parametrize(("code", "words"), [(9, "modprobe nvidia"), (18, "reboot")])
def test_a_driver_that_is_not_there_or_another(ask, code, words):
    answer = ask(INIT=code)
    assert answer["error"]["code"] == code
    checks = host_checks.host(found(), answer, [], 8, True)
    assert host_checks.verdict_of(checks) == "failed"
    assert any(words in item["fix"] for item in checks if item["verdict"] == "failed")


@needs
def test_a_call_that_hangs_is_unknown_and_nobody_waits_for_it(ask):
    with pytest.raises(Unknown) as error:
        ask(timeout=2, HANG=1)
    assert "did not answer within 2 s" in str(error.value)


def test_no_library_is_an_answer_too(tmp_path, monkeypatch):
    if not false_gpu.pynvml() or os.path.exists("/dev/nvidiactl"):
        pytest.skip("no pynvml here, or a real driver")
    monkeypatch.setattr(nvml, "LIBRARIES", ())
    system = ReadOnly(state=str(tmp_path))
    system.modules["pynvml"] = false_gpu.pynvml()
    assert nvml.ask(system)["error"]["code"] == 12


@needs
def test_a_card_that_the_driver_does_not_know(ask):
    wrong = causes(host_checks.host(found(), ask(GPUS=7), [], 8, True))
    assert wrong == ["8 GPUs are on the PCI bus and the driver knows 7"]


@needs
def test_rows_that_wait_for_a_reset(ask):
    wrong = causes(host_checks.host(found(), ask(PENDING=2), [], 8, True))
    assert wrong == ["GPU 2 (0000:12:00.0): bad memory is to be remapped"]


@pytest.mark.parametrize(
    ("host", "expected", "words"),
    [
        (found(7), 8, "8 NVIDIA GPUs are declared"),
        (found(loaded=None), 8, "no driver is loaded"),
        (found(on_disk="550.90.07"), 8, "the module on disk is 550.90.07"),
        (found(library="535.1"), 8, "the library libnvidia-ml is 535.1"),
        (found(fabric_manager={"version": None, "running": False}), 8, "no fabric manager"),
        (found(fabric_manager={"version": "550.1", "running": True}), 8, "the fabric manager is 550.1"),
        (found(fabric_manager={"version": "550.54.15", "running": False}), 8, "does not run"),
    ],
)
def test_what_is_wrong_with_a_driver(host, expected, words):
    problems = driver.problems(host, expected)
    assert words in problems[0][0]
    assert problems[0][1], "each has something to do"


def test_a_whole_driver_has_no_problem():
    assert driver.problems(found(), 8) == []
    assert driver.problems(found(on_disk=None), None) == [], "no module on disk, as in a container, is no error"


def test_a_host_without_gpu_passes_only_where_none_is_asked():
    none = found(0, loaded=None, on_disk=None, library=None)
    assert host_checks.verdict_of(host_checks.host(none, None, [], None, False)) == "passed"
    assert host_checks.verdict_of(host_checks.host(none, None, [], None, True)) == "failed"
    assert host_checks.verdict_of(host_checks.host(none, None, [], 8, False)) == "failed"


def test_bad_xids_fail_and_no_check_is_no_pass():
    checks = host_checks.host(found(1), None, [79, 79], 1, True)
    assert "Xid 79" in causes(checks)[-1]
    assert host_checks.verdict_of([]) == "unknown"


def test_a_kernel_log_that_cannot_be_read_is_said():
    assert host_checks.warnings({}, False, []) == []
    assert "Xids were not looked for" in host_checks.warnings({}, False, None)[0]
