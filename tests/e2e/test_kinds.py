"""The kinds for any fleet on a real host: made true, kept, found again after drift, and dropped."""

from collections.abc import Iterator

import pytest

from tests.e2e.runner import HostSpec, Lab, Provision, settle
from tests.lab import LabHost

pytestmark = pytest.mark.lab

PORTS = "/proc/sys/net/ipv4/ip_local_port_range"
ROLE = '''
"""One of each kind."""

from provision import role
from provision.resources import (
    AuthorizedKey, LineInFile, Mount, PackageAbsent, Symlink, Sysctl, SystemdDropIn, SystemdUnit,
)


class Settings(role.Settings):
    wanted: bool = True


def resources(facts, settings):
    if not settings.wanted:
        return
    yield Symlink(path="/etc/watched", target="motd")
    yield LineInFile(path="/etc/login.defs", line="UMASK 027", match=r"^UMASK\\\\s")
    yield Sysctl(name="net.ipv4.ip_local_port_range", value="20000 50000")
    yield AuthorizedKey(user="backup1", key="restrict ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "x" * 43)
    yield SystemdUnit(name="watched.service", content="[Service]\\\\nExecStart=/bin/sleep infinity\\\\n")
    yield SystemdDropIn(unit="watched.service", name="50-nice.conf", content="[Service]\\\\nNice=5\\\\n")
    yield Mount(path="/srv/watched", source="tmpfs", fstype="tmpfs", options="size=1m,noexec")
    yield PackageAbsent(names=("libnss-extrausers",), purge=True)
'''.replace("\\\\", "\\")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    spec = HostSpec("kinds1", "bookworm", packages=("libnss-extrausers",))
    with Lab.up("kinds", [spec], tmp_path_factory.mktemp("kinds")) as up:
        roles = up.directory / "roles"
        roles.mkdir()
        (roles / "watched.py").write_text(ROLE)
        yield up


@pytest.fixture(scope="module")
def host(lab: Lab) -> LabHost:
    lab.host("kinds1").run(["useradd", "-m", "backup1"])
    return lab.host("kinds1")


def asked(lab: Lab, wanted: bool = True) -> Provision:
    return settle(lab, {"roles": ["watched"], "watched": {"wanted": wanted}})


def test_a_host_gets_one_of_each_and_then_nothing(lab: Lab, host: LabHost) -> None:
    first = asked(lab).apply()
    assert first.status == 0, first.explain()
    assert len(first.resources("changed")) == 8
    assert host.run(["systemctl", "show", "-p", "Nice", "watched.service"]).stdout == "Nice=5\n"
    assert host.read(PORTS).split() == ["20000", "50000"]
    assert "noexec" in host.run(["findmnt", "-no", "OPTIONS", "/srv/watched"]).stdout
    second = asked(lab).check()
    assert second.status == 0, second.explain()
    assert second.resources("would-change") == []


def test_drift_is_found_and_repaired(lab: Lab, host: LabHost) -> None:
    host.run(f"echo 1024 60000 > {PORTS}; umount /srv/watched; ln -sfn other /etc/watched; chmod 777 ~backup1/.ssh")
    again = asked(lab).apply()
    assert again.status == 0, again.explain()
    assert sorted(name.split()[0] for name in again.resources("changed")) == [
        "authorized_key",
        "mount",
        "symlink",
        "sysctl",
    ]


def test_what_nobody_asks_for_any_more_goes(lab: Lab, host: LabHost) -> None:
    dropped = asked(lab, wanted=False).apply()
    assert dropped.status == 0, dropped.explain()
    assert "watched" not in host.run("ls /etc /etc/systemd/system; cat /etc/fstab").stdout
    assert host.read("/home/backup1/.ssh/authorized_keys") == ""
    assert asked(lab, wanted=False).check().status == 0
