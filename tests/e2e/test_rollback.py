"""A configuration with which Docker does not come up: it goes back, Docker runs as before, and the run says so."""

from collections.abc import Iterator

import pytest

from tests.e2e.runner import HostSpec, Lab, Provision, settle

pytestmark = pytest.mark.lab
BAD = ("--set", "docker_daemon.data_root=/proc/docker")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    specs = [HostSpec("old", "bookworm"), HostSpec("new", "trixie")]
    with Lab.up("rollback", specs, tmp_path_factory.mktemp("rollback")) as up:
        yield up


@pytest.fixture(scope="module")
def provision(lab: Lab) -> Provision:
    return settle(lab)


def files(lab: Lab, name: str) -> str:
    return lab.host(name).run("cat /etc/docker/daemon.json /etc/default/docker 2>&1; ls /etc/systemd/system").stdout


def test_a_first_start_that_fails_leaves_no_configuration_and_nothing_running(lab: Lab, provision: Provision) -> None:
    ended = provision.apply(*BAD)
    assert ended.status == 1
    for name in ("old", "new"):
        assert ended.host(name)["outcome"] == "failed"
        assert ended.host(name)["rolled_back"] is True
        assert "docker is stopped, as it was" in ended.host(name)["error"]
        assert lab.host(name).run(["test", "-e", "/etc/docker/daemon.json"], check=False).returncode == 1
        assert lab.host(name).run(["systemctl", "is-active", "docker"], check=False).stdout.strip() != "active"


def test_after_that_a_good_one_converges_at_once(lab: Lab, provision: Provision) -> None:
    ended = provision.apply()
    assert ended.status == 0, ended.explain()
    assert {entry["outcome"] for entry in ended.summary["hosts"].values()} == {"changed"}


def test_a_daemon_that_refuses_its_new_configuration_has_the_old_one_back(lab: Lab, provision: Provision) -> None:
    before = {name: files(lab, name) for name in ("old", "new")}
    ended = provision.apply(*BAD)
    assert ended.status == 1
    for name in ("old", "new"):
        entry = ended.host(name)
        assert (entry["outcome"], entry["rolled_back"]) == ("failed", True)
        assert "docker runs with them again" in entry["error"]
        failed = ended.of("resource", host=name, outcome="failed")
        assert "/proc/docker" in failed[0]["error"] + failed[0]["output"], "the daemon's own last words"
        assert files(lab, name) == before[name]
        root = lab.host(name).run(["docker", "info", "--format", "{{.DockerRootDir}}"]).stdout.strip()
        assert root == "/var/lib/docker"
        assert "192.168.127.1/24" in lab.host(name).run("ip -4 -o addr show docker0").stdout


def test_a_plain_rerun_finds_nothing_to_do(provision: Provision) -> None:
    ended = provision.apply()
    assert ended.status == 0, ended.explain()
    assert {entry["outcome"] for entry in ended.summary["hosts"].values()} == {"ok"}
    assert not [event for event in ended.of("resource") if "changed by somebody else" in event["note"]]
