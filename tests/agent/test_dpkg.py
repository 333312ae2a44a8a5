"""dpkg's state and its order of versions."""

import shutil
import subprocess

import pytest

from provision.agent.packages import dpkg

from .rooted import Rooted

STATUS = """\
Package: aa
Status: install ok installed
Version: 1.0
Description: x
 Package: hidden

Package: held
Status: hold ok installed
Version: 2:1.0-1

Package: gone
Status: deinstall ok config-files
Version: 1.0

Package: never
Status: unknown ok not-installed

Package: half
Status: install reinstreq half-installed
Version: 3.0

Package: waits
Status: install ok triggers-awaited
Version: 1

Package: multi
Status: deinstall ok config-files
Architecture: i386
Version: 1

Package: multi
Status: install ok installed
Architecture: amd64
Version: 2
"""


@pytest.fixture
def host(tmp_path):
    host = Rooted(tmp_path)
    host.put("/var/lib/dpkg/status", STATUS)
    return host


def test_only_the_status_decides_what_is_installed(host):
    found = dpkg.packages(host, ["aa", "held", "gone", "never", "half", "waits", "multi", "hidden", "unknown"])
    assert sorted(name for name in found if found[name].installed) == ["aa", "held", "multi", "waits"]
    assert sorted(name for name in found if found[name].present) == ["aa", "half", "held", "multi", "waits"]
    assert [name for name in found if found[name].held] == ["held"]
    assert (found["held"].version, found["multi"].version) == ("2:1.0-1", "2")
    assert "hidden" not in found and "unknown" not in found


def test_a_name_is_no_pattern(host):
    assert dpkg.packages(host, ["a."]) == {}


def test_the_journal_of_a_running_dpkg_is_newer_than_the_status(host):
    host.put("/var/lib/dpkg/updates/0001", "Package: aa\nStatus: install ok unpacked\nVersion: 1.1\n")
    host.put("/var/lib/dpkg/updates/tmp.i", "#padding\n")
    found = dpkg.packages(host, ["aa"])["aa"]
    assert (found.version, found.status, found.installed) == ("1.1", "unpacked", False)
    assert "aa" in dpkg.broken(host)


def test_what_an_interrupted_dpkg_left(host):
    assert dpkg.broken(host) == ["half", "waits"]
    host.put("/var/lib/dpkg/status", "Package: aa\nStatus: install ok installed\nVersion: 1\n")
    assert dpkg.broken(host) == []


def test_no_dpkg_is_no_package(tmp_path):
    assert dpkg.packages(Rooted(tmp_path), ["aa"]) == {}


VERSIONS = [
    ("1.0", "1.0", 0),
    ("1.0", "0:1.0", 0),
    ("1.0", "1.0-0", 0),
    ("1.0-1", "1.00-01", 0),
    ("5:20.10.0", "20.10.24+dfsg1", 1),
    ("1.0~rc1", "1.0", -1),
    ("1.0~~", "1.0~", -1),
    ("1.0+dfsg1", "1.0", 1),
    ("1.0a", "1.0+", -1),
    ("1.10", "1.9", 1),
    ("1.12.6-0~ubuntu-trusty", "1.12.6-0~ubuntu-xenial", -1),
    ("18.06.3~ce~3-0~ubuntu", "5:18.09.0~3-0~ubuntu", -1),
    ("1.0-1", "1.0-1+b1", -1),
    ("1.2-3-4", "1.2-3-5", -1),
]


def sign(number):
    return (number > 0) - (number < 0)


@pytest.mark.parametrize("one, other, order", VERSIONS)
def test_versions_have_dpkgs_order(one, other, order):
    assert sign(dpkg.compare(one, other)) == order
    assert sign(dpkg.compare(other, one)) == -order


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="needs dpkg")
@pytest.mark.parametrize("one, other, order", VERSIONS)
def test_dpkg_itself_agrees(one, other, order):
    word = {1: "gt", 0: "eq", -1: "lt"}[order]
    assert subprocess.call(["dpkg", "--compare-versions", one, word, other]) == 0
