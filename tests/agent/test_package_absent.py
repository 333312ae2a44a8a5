"""Packages that must not be there: dpkg's state is a file, apt is scripted."""

import os

import pytest

from provision.agent.engine.resource import converge
from provision.agent.packages import apt_locks
from provision.agent.packages.absent import PackageAbsent
from provision.agent.packages.install import HOLDS

from .rooted import Rooted, answer


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setattr(apt_locks, "holder", lambda path: None)
    host = Rooted(tmp_path)
    os.makedirs(host.root + "/usr/sbin")
    host.put("/var/lib/provision/x", "")
    return host


def status(host, *packages):
    """Each package as (name, want, status, version)."""
    stanza = "Package: {}\nStatus: {} ok {}\nArchitecture: amd64\nVersion: {}\n"
    host.put("/var/lib/dpkg/status", "\n".join(stanza.format(*package) for package in packages))


def absent(*names, **changes):
    fields = {"names": names, "purge": False, "stops_docker": False, "lock_timeout": 5, "timeout": 60}
    return PackageAbsent(**dict(fields, **changes))


def leaves(*found):
    def run(system, argv):
        status(system, *found)
        return answer()

    return run


def plan(*lines):
    return (["apt-get", "-s"], answer("\n".join(lines) + "\n"))


A = ("a", "install", "installed", "1")


def test_one_transaction_and_then_nothing(host):
    status(host, A)
    host.commands = [plan("Remv a [1]"), (["apt-get", "-y"], leaves(("a", "deinstall", "config-files", "1")))]
    assert converge(absent("a", "b"), host, False)["outcome"] == "changed"
    host.done()
    assert host.ran[-1][0][-2:] == ["remove", "a"]
    assert converge(absent("a", "b"), host, False)["outcome"] == "ok"


def test_purge_takes_the_configuration_too(host):
    status(host, ("a", "deinstall", "config-files", "1"))
    host.commands = [plan("Purg a [1]"), (["apt-get", "-y"], leaves())]
    assert converge(absent("a", purge=True), host, False)["outcome"] == "changed"
    assert host.ran[-1][0][-2:] == ["purge", "a"]


@pytest.mark.parametrize(
    "line, word", [("Remv other [2]", "remove other"), ("Inst instead (3 Debian:12 [amd64])", "install instead")]
)
def test_what_apt_would_do_besides_is_a_failure(host, line, word):
    status(host, A)
    host.commands = [plan("Remv a [1]", line)]
    result = converge(absent("a"), host, False)
    assert word in result["error"]["cause"]
    host.done()


def test_somebodys_hold_stays_and_ours_does_not_count(host):
    status(host, ("a", "hold", "installed", "1"))
    assert "somebody holds" in converge(absent("a"), host, False)["error"]["cause"]
    host.state_file.put(HOLDS, "a", True)
    unhold = (["apt-mark", "unhold", "a"], leaves(A))
    host.commands = [
        unhold,
        plan("Remv a [1]", "Remv b [1]"),
        (["apt-mark", "hold", "a"], leaves(("a", "hold") + A[2:])),
    ]
    assert converge(absent("a"), host, False)["outcome"] == "failed", "and its hold is put back"
    host.commands = [unhold, plan("Remv a [1]"), (["apt-get", "-y"], leaves())]
    assert converge(absent("a"), host, False)["outcome"] == "changed"
    assert host.state_file.get(HOLDS, "a") is None


def test_an_apt_that_leaves_it_there_is_a_failure(host):
    status(host, A)
    host.commands = [plan("Remv a [1]"), (["apt-get", "-y"], answer())]
    assert converge(absent("a"), host, False)["outcome"] == "failed"


def test_the_engine_is_not_removed_under_its_containers(host):
    status(host, ("docker-ce", "install", "installed", "1"))
    result = converge(
        absent("docker-ce"), host, False, may=lambda impact: "waits" if impact["level"] == "restart" else ""
    )
    assert result["outcome"] == "pending"
    status(host, A)
    assert converge(absent("a"), host, True)["impact"]["level"] == "none"
