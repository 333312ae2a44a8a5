"""Limits of login sessions."""

import os

import pytest

from provision.agent.engine.resource import converge
from provision.agent.kernel.limits import FOLDER, Limit

from .rooted import Rooted

FILE = FOLDER + "/60-provision-group-docker-memlock-both.conf"


@pytest.fixture
def host(tmp_path):
    host = Rooted(tmp_path)
    host.put(FOLDER + "/10-others.conf", "@docker - memlock 64\n* soft core 0\n")
    return host


def memlock(value="unlimited", domain="@docker", kind="-"):
    return Limit(domain=domain, item="memlock", value=value, type=kind)


def test_a_limit_gets_a_file_once_and_it_goes_when_dropped(host):
    result = converge(memlock(), host, True)
    assert (result["outcome"], result["note"], host.text(FILE)) == ("would-change", "for sessions from now on", None)
    assert converge(memlock(), host, False)["outcome"] == "changed"
    assert host.text(FILE) == "@docker - memlock unlimited\n"
    assert converge(memlock(), host, False)["outcome"] == "ok"
    kind, fields = memlock().when_dropped()
    assert (kind, converge(Limit(**fields), host, False)["outcome"], host.text(FILE)) == ("limit", "changed", None)
    assert converge(Limit(**fields), host, False)["outcome"] == "ok"


def test_each_domain_and_type_has_a_file_of_its_own(host):
    for domain in ("*", "root", "@docker", "%docker", "1000:"):
        for kind in ("soft", "hard", "-"):
            assert converge(memlock(domain=domain, kind=kind), host, False)["outcome"] == "changed"
    assert len(host.names(FOLDER)) == 16


def test_a_later_file_that_says_otherwise_is_named(host):
    host.put(FOLDER + "/90-site.conf", "@docker - memlock 64 # small\n")
    result = converge(memlock(), host, True)
    assert result["error"]["cause"] == FOLDER + "/90-site.conf sets @docker - memlock to 64, after our file"
    assert converge(memlock("64"), host, True)["outcome"] == "would-change"
    assert converge(memlock(kind="soft"), host, True)["outcome"] == "would-change", "another limit"


def test_a_host_on_which_nobody_reads_it_is_a_failure(host):
    os.remove(host.root + FOLDER + "/10-others.conf")
    os.rmdir(host.root + FOLDER)
    assert "there is no /etc/security/limits.d" in converge(memlock(), host, True)["error"]["cause"]
