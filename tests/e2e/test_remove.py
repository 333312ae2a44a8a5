"""What roles put on a real host is taken away again: the host is what it was before."""

from collections.abc import Iterator

import pytest

from tests.e2e.runner import SETTINGS, HostSpec, Lab, Provision, settle
from tests.lab import LabHost

pytestmark = pytest.mark.lab

ROLES = ["docker_engine", "docker_users", "docker_daemon"]
LISTING = "dpkg -l | cut -c1-60; find /etc -printf '%M %u:%g %p -> %l\\n' | sort; getent passwd; getent group"
THEIRS = {
    "-rw------- root:root /etc/docker/key.json -> ",
    "drwxr-xr-x root:root /etc/docker -> ",
    "drwx------ root:root /etc/cni/net.d -> ",
    "drwxr-xr-x root:root /etc/cni -> ",
}
"""What Docker itself has left in /etc, beside the group that its package makes."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab.up("remove", [HostSpec("gone1", "trixie")], tmp_path_factory.mktemp("remove")) as up:
        yield up


@pytest.fixture(scope="module")
def host(lab: Lab) -> LabHost:
    return lab.host("gone1")


@pytest.fixture(scope="module")
def site(lab: Lab) -> Provision:
    return settle(lab, {**SETTINGS, "roles": ROLES, "docker_users": {"users": {"backup": {}}}})


def listing(host: LabHost) -> set[str]:
    return set(host.run(LISTING).stdout.splitlines())


def test_the_host_is_as_it_was(lab: Lab, host: LabHost, site: Provision) -> None:
    before = listing(host)
    assert site.apply().status == 0
    settle(lab, {**SETTINGS, "roles": []})
    (left,) = site("status").of("status")
    assert [item["role"] for item in left["unmanaged"]] == sorted(ROLES)
    assert "hold of docker.io" in str(left["unmanaged"])
    checked = site("remove", *ROLES, "--check")
    assert checked.status == 3, checked.explain()
    kinds = {name.split()[0] for name in checked.resources("would-change")}
    assert {"json_keys", "group_membership", "packages_removal"} <= kinds
    removed = site("remove", *ROLES, "--yes")
    assert removed.status == 0, removed.explain()
    after = listing(host)
    assert before - after == set()
    assert {line for line in after - before if not line.startswith("docker:")} <= THEIRS
    assert host.run("ls -d /var/lib/provision; ls -d /var/lib/docker", check=False).stdout.split() == [
        "/var/lib/docker"
    ]
    again = site("remove", *ROLES, "--yes")
    assert (again.status, again.resources("changed")) == (0, [])
