"""Docker never starts on a network that nobody asked for, whatever stops a run before it is configured."""

from collections.abc import Iterator

import pytest

from tests.e2e.runner import HostSpec, Lab, Provision, settle
from tests.lab import LabHost

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab.up("unconfigured", [HostSpec("one", "bookworm")], tmp_path_factory.mktemp("unconfigured")) as up:
        yield up


@pytest.fixture(scope="module")
def provision(lab: Lab) -> Provision:
    return settle(lab)


def docker(host: LabHost) -> tuple[str, str]:
    """Does it run, and docker0's address."""
    state = host.run("systemctl is-active docker", check=False).stdout.strip()
    address = host.run("ip -4 -o addr show docker0 2>/dev/null | awk '{print $4}'", check=False).stdout.strip()
    return state, address


def cut(host: LabHost) -> tuple[str, str]:
    """What Docker does after a power cut."""
    host.pull_power()
    host.power_on()
    host.run("docker version >/dev/null 2>&1 || :")  # whoever uses the socket would start it
    return docker(host)


def test_no_boot_starts_docker_before_it_is_configured(lab: Lab, provision: Provision) -> None:
    host = lab.host("one")
    ended = provision.apply("--roles", "docker_engine")
    assert ended.status == 0, ended.explain()
    assert cut(host) == ("inactive", "")
    ended = provision.apply("--set", "docker_daemon.log_driver=splunk", "--set", "docker_daemon.storage_driver=zfs")
    assert (ended.status, ended.host("one")["rolled_back"]) == (1, True), ended.explain()
    assert cut(host) == ("inactive", "")
    assert "Assert" in host.run("systemctl start docker 2>&1", check=False).stdout
    ended = provision.apply()
    assert ended.status == 0, ended.explain()
    assert cut(host) == ("active", "192.168.127.1/24")
    assert provision.apply().resources("changed") == []
