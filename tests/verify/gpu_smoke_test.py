"""gpu_smoke_test: the host's GPUs are seen in a container, and the last proof is recent and passed."""

import json

import pytest

from provision.verify.asked import agree
from provision.verify.gpu import way

RECEIPT = "/var/lib/provision/proofs/gpu.json"
SLACK = 3600
"""Seconds beyond max_age before an old proof is a failure: the next apply is what makes a new one."""


@pytest.fixture(scope="session")
def asked(settings):
    return settings["gpu_smoke_test"]


@pytest.fixture(scope="session")
def receipt(host):
    file = host.file(RECEIPT)
    if not file.exists:
        pytest.fail("gpu_smoke_test: there is no proof on this host", pytrace=False)
    return json.loads(file.content_string)


def test_the_bus_has_the_asked_number_of_gpus(asked, gpu):
    if asked["expect_gpus"] is None:
        pytest.skip("gpu_smoke_test.expect_gpus is not set")
    agree({"gpu_smoke_test.expect_gpus": (asked["expect_gpus"], len(gpu.addresses))})


def test_a_container_sees_the_gpus_of_the_host(asked, gpu, request):
    if not gpu.addresses:
        pytest.skip("there is no NVIDIA GPU on the PCI bus")
    taken = way(asked["injection"], request.getfixturevalue("receipt"))
    agree({f"GPUs in a container ({taken})": gpu.compared(taken)})


def test_the_last_proof_passed(asked, receipt):
    agree({"gpu_smoke_test: the proof's verdict": ("passed", receipt["verdict"])})
    missing = sorted(set(map(str, asked["levels"])) - set(receipt["levels"]))
    assert not missing, f"gpu_smoke_test.levels: {', '.join(missing)} are not proven"


def test_the_last_proof_is_recent(host, asked, receipt):
    age = float(host.check_output("date +%s")) - receipt["key_time"]
    assert -60 <= age <= asked["max_age"] + SLACK, f"gpu_smoke_test.max_age: the last proof is {age:.0f} s old"


def test_the_last_proof_is_of_the_boot_and_daemon_that_run(host, receipt, dockerd):
    booted = host.file("/proc/sys/kernel/random/boot_id").content_string.strip()
    agree({"gpu_smoke_test: the proof's boot": (booted, receipt["key"]["the boot"])})
    assert str(dockerd.pid) in str(receipt["key"]["the daemon"]), "gpu_smoke_test: the proof is of another dockerd"
