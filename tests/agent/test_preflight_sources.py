"""The questions about package sources and versions, on a host in a folder; apt's answers are scripted."""

import pytest

from provision.agent.host.results import CommandResult
from provision.agent.packages import apt_locks, openpgp
from provision.agent.preflight import of_sources

from .keys import GOOD, GOOD_FINGERPRINT, OLD, OLD_FINGERPRINT
from .rooted import Rooted, answer
from .test_preflight import FILE, INSTALL, STANZA, STATUS, change, packages


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setattr(apt_locks, "holder", lambda path: None)
    host = Rooted(tmp_path)
    host.put(STATUS, STANZA.format("apt", "install", "installed", "2.6.1"))
    yield host
    host.done()


LISTED = "/var/lib/apt/lists/deb.invalid_debian_dists_bookworm_main_binary-amd64_Packages"
MADISON = answer(" docker.io | 20.10.24+dfsg1-1 | https://example.invalid/linux noble/stable amd64 Packages\n")
CANDIDATE = "docker.io:\n  Installed: (none)\n  Candidate: {}\n  Version table:\n"


def asked(version=None):
    role, item, result = packages(("docker.io", "absent", "installed, held"))
    item["fields"]["packages"][0]["version"] = version
    return change((role, item, result))


def apt_says(host, madison, candidate):
    host.put(LISTED, "")
    policy = answer(CANDIDATE.format(candidate) if candidate else "")
    host.commands = [(["apt-cache", "madison"], madison), (["apt-cache"], policy)]


def test_a_package_that_apt_can_install_passes(host):
    assert of_sources.versions(host, asked())[0] == "n/a", "there are no lists yet"
    for version in (None, "20.10.24+dfsg1-1"):
        apt_says(host, MADISON, "20.10.24+dfsg1-1")
        host.commands.append((["apt-get", "--print-uris"], answer()))
        assert of_sources.versions(host, asked(version))[0] == "pass"
    source = ("docker_engine", {"kind": "apt_source", "fields": {"name": "docker", "replaces": []}}, {"diff": []})
    assert of_sources.versions(host, change(INSTALL, source))[0] == "n/a", "its lists are not read yet"


@pytest.mark.parametrize(
    ("name", "stanza"),
    [
        ("/etc/apt/preferences.d/kubespray", "Package: docker.io containerd runc\nPin: release *\nPin-Priority: -1\n"),
        ("/etc/apt/preferences", "Explanation: x\nPackage: /^docker/\nPin: release *\nPin-Priority: -10\n"),
        ("/etc/apt/preferences.d/all", "Package: docker*\nPin: release *\nPin-Priority: -1\n"),
    ],
)
def test_a_pin_that_keeps_a_package_out_is_told_with_its_file(host, name, stanza):
    host.put("/etc/apt/preferences.d/other", "Package: docker.io\nPin: release *\nPin-Priority: 900\n\n" + stanza[:0])
    host.put(name, "# ours\nPackage: vim\nPin: release *\nPin-Priority: -1\n\n" + stanza)
    apt_says(host, MADISON, "(none)")
    found = of_sources.versions(host, asked())
    assert found[:2] == ("fail", "a preference of apt keeps docker.io out: " + name)
    assert "apt-cache policy docker.io" in found[2]


def test_a_version_and_a_package_that_no_source_has_are_told(host):
    apt_says(host, MADISON, "20.10.24+dfsg1-1")
    verdict, text, fix = of_sources.versions(host, asked("26.1.5"))
    assert (verdict, "docker.io has no version 26.1.5 in the sources" in text) == ("warn", True)
    assert "20.10.24+dfsg1-1" in fix
    apt_says(host, answer(""), "")
    assert of_sources.versions(host, asked())[:2] == (
        "warn",
        "no source of this host has a package docker.io, as far as apt's lists tell now",
    )


def test_what_apt_would_not_do_is_told(host):
    apt_says(host, MADISON, "20.10.24+dfsg1-1")
    told = "The following packages have unmet dependencies:\n docker.io : Depends: runc but it is not going to be\n"
    host.commands.append((["apt-get", "--print-uris"], answer(told, "", 100)))
    verdict, text, _ = of_sources.versions(host, asked())
    assert verdict == "warn"
    assert text.startswith("the packages' dependencies cannot be met: docker.io : Depends: runc")


UNMET = (
    "The following packages have unmet dependencies:\n docker.io : Depends: containerd (>= 2) but 1 is to be installed"
)
PIN = "Package: {}\nPin: version 1\nPin-Priority: {}\n"


@pytest.mark.parametrize(
    ("want", "pin", "said"),
    [
        (
            "hold",
            "",
            "apt would have to change containerd, which somebody holds (docker.io : Depends: containerd (>= 2)",
        ),
        (
            "install",
            PIN.format("containerd", 1001),
            "a preference of apt keeps containerd out: /etc/apt/preferences.d/x",
        ),
        ("install", PIN.format("*", -1), "a preference of apt keeps containerd out: /etc/apt/preferences.d/x ("),
    ],
)
def test_a_dependency_that_is_held_or_pinned_keeps_the_host_out(host, want, pin, said):
    host.put(STATUS, STANZA.format("containerd", want, "installed", "1"))
    host.put("/etc/apt/preferences.d/x", pin)
    apt_says(host, MADISON, "20.10.24+dfsg1-1")
    more = "\nE: Unable to correct problems, you have held broken packages.\n" + "   1. a solver's reasons\n" * 20
    host.commands.append((["apt-get", "--print-uris"], answer(UNMET + more, "", 100)))
    verdict, text, _ = of_sources.versions(host, asked())
    assert (verdict, text[: len(said)]) == ("fail", said)


def test_a_preference_for_everything_is_not_why_a_dependency_lacks(host):
    host.put("/etc/apt/preferences.d/x", PIN.format("*", 900))
    apt_says(host, MADISON, "20.10.24+dfsg1-1")

    def refuse(system, argv):
        assert "-q=1" in argv and "-q" not in argv, "at level 2 apt does not say which dependency it cannot meet"
        return answer(UNMET + "\n", "", 100)

    host.commands.append((["apt-get", "--print-uris"], refuse))
    assert of_sources.versions(host, asked())[0] == "warn"


def test_an_apt_that_takes_its_time_keeps_nobody_out(host):
    late = CommandResult(["apt-cache", "madison"], -9, "", "", timed_out=True)
    apt_says(host, late, "x")
    host.commands.pop()
    verdict, text, _ = of_sources.versions(host, asked())
    assert (verdict, text) == ("n/a", "what apt could install is not known: apt-cache madison did not end in time")
    apt_says(host, MADISON, "20.10.24+dfsg1-1")
    host.commands.append((["apt-get", "--print-uris"], late))
    assert of_sources.versions(host, asked())[0] == "pass"


# -- sources that this run writes


def source(**changes):
    fields = {
        "name": "docker",
        "uri": "https://example.invalid/linux",
        "suite": "noble",
        "components": ["stable"],
        "architecture": "amd64",
        "key": GOOD,
        "fingerprint": GOOD_FINGERPRINT,
        "replaces": ["docker.list"],
        "present": True,
    }
    keys = [{"key": name} for name in ("source", "key", "source mode", "key mode")]
    return "docker_engine", {"kind": "apt_source", "fields": dict(fields, **changes)}, {"diff": keys}


PROXY = ("apt_proxy", {"kind": "apt_conf", "fields": {"path": "/etc/apt/apt.conf.d/x"}}, {"diff": []})
REFUSED = answer(
    "", "W: GPG error: x: The following signatures were invalid: EXPKEYSIG ABCD x\nE: is not signed.\n", 100
)
UNREACHED = answer("", "W: Failed to fetch https://h/x  Could not connect to h:443 (10.0.0.1), connection timed out\n")


@pytest.mark.parametrize(
    ("said", "verdict", "text"),
    [
        (answer(), "pass", "apt takes docker.sources"),
        (REFUSED, "fail", "the key ABCD of a package source has expired"),
        (UNREACHED, "warn", "the host cannot reach the package source h:443"),
    ],
)
def test_apt_is_asked_whether_it_takes_a_source_before_it_is_written(host, said, verdict, text):
    host.commands = [(["apt-get", "-q=1", "-c"], said)]
    assert of_sources.sources(host, change(source()))[:2] == (verdict, text)
    assert host.names("/etc/apt") == []


def test_what_another_role_may_bring_first_is_not_judged(host):
    host.commands = [(["apt-get", "-q=1", "-c"], REFUSED)]
    verdict, text, _ = of_sources.sources(host, change(PROXY, source()))
    assert (verdict, "another role of this run may change that" in text) == ("n/a", True)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"key": OLD, "fingerprint": OLD_FINGERPRINT}, "has expired on 2020-12-31"),
        ({"key": "/root/none.asc"}, "there is no key at /root/none.asc on this host"),
        ({"fingerprint": "0" * 40}, "has the fingerprint " + GOOD_FINGERPRINT),
    ],
)
def test_a_key_that_cannot_be_had_is_told_before_anything_is_written(host, changes, text):
    verdict, said, fix = of_sources.sources(host, change(source(**changes)))
    assert (verdict, text in said) == ("fail", True)
    assert fix


def test_a_version_is_looked_for_in_the_source_to_come(host):
    def judge(system, argv):
        folder = argv[argv.index("-c") + 1].rpartition("/")[0]
        assert system.names(folder + "/parts") == ["docker.sources", "other.list"]
        assert system.read(folder + "/keys/docker.gpg") == openpgp.unarmored(GOOD.encode("ascii"))
        return answer()

    host.put("/etc/apt/sources.list.d/docker.list", "deb https://example.invalid/linux noble stable\n")
    host.put("/etc/apt/sources.list.d/other.list", "deb http://other.invalid x y\n")
    host.put(LISTED, "")
    role, item, result = packages(("docker.io", "absent", "installed, held"))
    item["fields"]["packages"][0]["version"] = "26.1.5"
    asked = change(source(), (role, item, result))
    host.commands = [
        (["apt-get", "-q=1", "-c"], judge),
        (["apt-cache", "madison"], MADISON),
        (["apt-cache", "policy"], answer(CANDIDATE.format("20.10.24+dfsg1-1"))),
    ]
    assert of_sources.sources(host, asked)[0] == "pass"
    verdict, text, fix = of_sources.versions(host, asked)
    assert (verdict, text) == ("fail", "docker.io has no version 26.1.5 in the sources of this host")
    assert "20.10.24+dfsg1-1" in fix


def test_no_source_is_written_where_none_changes(host):
    assert of_sources.sources(host, change(FILE))[0] == "n/a"
    role, item, _ = source()
    assert of_sources.sources(host, change((role, item, {"diff": [{"key": "source mode"}]})))[0] == "n/a"
