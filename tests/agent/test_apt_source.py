"""Package sources and their keys, on a host in a folder; apt's own answers are scripted."""

import os

import pytest

from provision.agent.engine.resource import converge
from provision.agent.host.errors import Failed
from provision.agent.packages import apt_key, openpgp, source_list
from provision.agent.packages.source import AptSource

from .keys import GOOD, GOOD_FINGERPRINT, OLD, OLD_FINGERPRINT
from .rooted import Rooted, answer

PARTS = "/etc/apt/sources.list.d/"
KEYRING = "/etc/apt/keyrings/docker.gpg"
TEXT = """\
Types: deb
URIs: https://example.invalid/linux
Suites: noble
Components: stable
Architectures: amd64
Signed-By: /etc/apt/keyrings/docker.gpg
"""
ACCEPTED = (["apt-get", "-q=1", "-o"], answer())
TAKEN = (["apt-get", "-q=1", "-c"], answer())
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: owners")


def dpkg_status(apt="2.6.1"):
    return "Package: apt\nStatus: install ok installed\nArchitecture: amd64\nVersion: {}\n".format(apt)


@pytest.fixture
def host(tmp_path):
    host = Rooted(tmp_path)
    host.put("/var/lib/dpkg/status", dpkg_status())
    os.makedirs(host.root + PARTS)
    host.put("/etc/apt/sources.list", "deb http://deb.invalid/debian bookworm main\n")
    return host


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
    return AptSource(**dict(fields, **changes))


@needs_root
def test_a_source_is_made_kept_and_repaired(host):
    host.commands = [ACCEPTED, TAKEN]
    result = converge(source(), host, False)
    assert result["outcome"] == "changed", result
    host.done()
    assert host.text(PARTS + "docker.sources") == TEXT
    assert host.read(KEYRING) == openpgp.unarmored(GOOD.encode("ascii"))
    assert converge(source(), host, False)["outcome"] == "ok"
    host.put(PARTS + "docker.sources", TEXT + "Trusted: yes\n")
    host.set_mode(KEYRING, 0o600)
    host.commands = [ACCEPTED, TAKEN]
    keys = {item["key"] for item in converge(source(), host, False)["diff"]}
    assert keys == {"source", "key mode"}
    assert converge(source(), host, False)["outcome"] == "ok"


@needs_root
def test_a_changed_source_makes_the_lists_old(host):
    host.state_file.put("apt", "updated", {"time": 1, "run": "x"})
    host.commands = [ACCEPTED, TAKEN]
    converge(source(), host, False)
    assert host.state_file.get("apt", "updated") is None


@needs_root
def test_of_a_new_source_alone_the_lists_are_missing_and_a_changed_one_may_have_made_all_old(host):
    host.lists = (None, [])
    host.commands = [ACCEPTED, TAKEN]
    converge(source(), host, False)
    assert host.lists == (None, [PARTS + "docker.sources"])
    host.put(PARTS + "docker.sources", TEXT + "Trusted: yes\n")
    host.commands = [ACCEPTED, TAKEN]
    converge(source(), host, False)
    assert host.lists is None


@needs_root
def test_what_apt_does_not_take_is_not_left_behind(host):
    host.put(PARTS + "docker.list", "deb https://example.invalid/linux noble stable\n")
    host.commands = [(["apt-get"], answer("", "E: Malformed entry 1 in list file x (Component)\n", 100))]
    result = converge(source(), host, False)
    assert result["outcome"] == "failed"
    assert "Malformed entry 1" in result["error"]["cause"]
    assert host.names(PARTS) == ["docker.list"]
    assert host.names("/etc/apt/keyrings") == []


@needs_root
def test_the_set_that_apt_judges_is_the_one_to_come(host):
    host.put(PARTS + "docker.list", "deb https://example.invalid/linux noble stable\n")
    host.put(PARTS + "other.list", "deb http://other.invalid/ x y\n")

    def judge(system, argv):
        folder = [word.partition("=")[2] for word in argv if word.startswith("Dir::Etc::sourceparts=")][0]
        assert system.names(folder) == ["docker.sources", "other.list"]
        return answer()

    host.commands = [(["apt-get"], judge), TAKEN]
    result = converge(source(), host, False)
    assert result["outcome"] == "changed", result
    assert host.names(PARTS) == ["docker.sources", "other.list"]


WEAK = """\
Err:1 https://example.invalid/linux noble InRelease
W: OpenPGP signature verification failed: https://example.invalid/linux noble InRelease: Sub-process /usr/bin/sqv \
returned an error code (1), error message is: Signing key on {} is not bound:            Policy rejected asymmetric \
algorithm   because: RSA1024 is not considered secure since 2014-02-01T00:00:00Z
E: The repository 'https://example.invalid/linux noble InRelease' is not signed.
""".format(GOOD_FINGERPRINT)


@needs_root
def test_a_source_whose_key_apt_refuses_is_not_put_in_place(host):
    host.put(PARTS + "docker.list", "deb https://example.invalid/linux noble stable\n")

    def refuse(system, argv):
        folder = argv[argv.index("-c") + 1].rpartition("/")[0]
        assert "Signed-By: {}/keys/docker.gpg\n".format(folder) in system.text(folder + "/new/docker.sources")
        assert system.read(folder + "/keys/docker.gpg") == openpgp.unarmored(GOOD.encode("ascii"))
        return answer("", WEAK, 100)

    host.commands = [ACCEPTED, (["apt-get", "-q=1", "-c"], refuse)]
    result = converge(source(), host, False)
    cause = "apt does not take the key {} of a package source: RSA1024 is not considered secure since 2014-02-01"
    assert result["error"]["cause"].startswith(cause.format(GOOD_FINGERPRINT))
    assert "renewed" in result["error"]["fix"] or "vendor" in result["error"]["fix"]
    assert host.names(PARTS) == ["docker.list"]
    assert host.names("/etc/apt/keyrings") == []
    assert [name for name in host.names("/") if name.startswith("provision.")] == []


@needs_root
def test_a_source_that_cannot_be_reached_now_is_put_in_place(host):
    unreached = answer("", "W: Failed to fetch https://example.invalid/x  Could not connect to example.invalid\n")
    host.commands = [ACCEPTED, (["apt-get", "-q=1", "-c"], unreached)]
    assert converge(source(), host, False)["outcome"] == "changed"


def test_the_wrong_key_is_never_written(host):
    result = converge(source(fingerprint=OLD_FINGERPRINT), host, True)
    assert result["outcome"] == "failed", "a key in the inventory is known before anything is done"
    host.put("/root/key.asc", GOOD)
    result = converge(source(key="/root/key.asc", fingerprint="0" * 40), host, False)
    assert "has the fingerprint " + GOOD_FINGERPRINT in result["error"]["cause"]
    assert host.names("/etc/apt/keyrings") == []


@needs_root
def test_of_several_keys_only_the_asked_one_is_trusted(host):
    host.put("/root/keys.asc", OLD + GOOD)
    host.commands = [ACCEPTED, TAKEN]
    assert converge(source(key="file:///root/keys.asc"), host, False)["outcome"] == "changed"
    assert [key.fingerprint for key in openpgp.keys(host.read(KEYRING))] == [GOOD_FINGERPRINT]


def test_an_expired_key_is_refused_with_its_date(host):
    result = converge(source(key=OLD, fingerprint=OLD_FINGERPRINT), host, False)
    assert "has expired on 2020-12-31" in result["error"]["cause"]


def test_a_missing_key_file_is_named(host):
    result = converge(source(key="/root/none.asc"), host, False)
    assert result["error"]["cause"] == "there is no key at /root/none.asc on this host"


TWO_KEYS = answer("", "E: Conflicting values set for option Signed-By regarding source x noble: /x.gpg != \n", 100)


@pytest.mark.parametrize(
    "name, content, asks",
    [
        ("x.list", "deb [arch=amd64 signed-by=/x.gpg] https://example.invalid/linux/ noble stable # c\n", False),
        ("x.list", "deb-src https://example.invalid/linux noble stable\n", True),
        (
            "x.sources",
            "# c\nTypes: deb\nURIs: http://a.invalid https://example.invalid/linux\nSuites: jammy\n noble\n",
            True,
        ),
    ],
)
def test_the_same_source_with_another_key_is_found_before_it_stops_apt(host, name, content, asks):
    host.put(PARTS + name, content)
    host.commands = [(["apt-get", "-q=1", "-o"], TWO_KEYS)] if asks else []
    result = converge(source(), host, True)
    assert result["outcome"] == "failed"
    assert PARTS + name in result["error"]["cause"]
    assert ("without a key" if asks else "with another key") in result["error"]["cause"]
    host.done()


def test_the_same_source_without_a_key_stays_where_apt_takes_it(host):
    host.put(PARTS + "x.list", "deb https://example.invalid/linux noble stable\n")
    host.commands = [ACCEPTED]
    assert converge(source(), host, True)["outcome"] == "would-change"


@pytest.mark.parametrize(
    "name, content",
    [
        ("x.list", "# deb https://example.invalid/linux noble stable\n"),
        ("x.list", "deb https://example.invalid/linux jammy stable\n"),
        ("x.list", "deb [signed-by={}] https://example.invalid/linux noble stable\n".format(KEYRING)),
        ("x.sources", "Enabled: no\nTypes: deb\nURIs: https://example.invalid/linux\nSuites: noble\n"),
        ("x.sources.save", "Types: deb\nURIs: https://example.invalid/linux\nSuites: noble\n"),
    ],
)
def test_what_does_not_conflict_stays(host, name, content):
    host.put(PARTS + name, content)
    assert converge(source(), host, True)["outcome"] == "would-change"


def test_a_flat_repository_has_no_components(host):
    state = source(suite="./", components=[]).desired()
    assert "Components" not in state["source"]
    assert source_list.SourceEntry("f", "http://x/", "./", "").same_source("http://x", "/")


@needs_root
def test_apt_of_trusty_gets_a_line_and_a_trusted_key(host):
    host.put("/var/lib/dpkg/status", dpkg_status("1.0.1ubuntu2"))
    os.makedirs(host.root + "/etc/apt/trusted.gpg.d")
    host.commands = [(["apt-get", "-q=1", "-o"], answer())]
    assert converge(source(), host, False)["outcome"] == "changed"
    assert host.ran[-1][0][-2:] == ["--print-uris", "update"]
    assert host.text(PARTS + "docker.list") == "deb [arch=amd64] https://example.invalid/linux noble stable\n"
    assert host.names("/etc/apt/trusted.gpg.d") == ["docker.gpg"]
    assert converge(source(replaces=[]), host, False)["outcome"] == "ok"


@needs_root
def test_dropping_it_removes_source_and_key(host):
    host.commands = [ACCEPTED, TAKEN]
    converge(source(), host, False)
    kind, fields = source().when_dropped()
    assert (kind, fields["key"]) == ("apt_source", "")
    assert converge(AptSource(**fields), host, False)["outcome"] == "changed"
    assert host.names(PARTS) + host.names("/etc/apt/keyrings") == []
    assert converge(AptSource(**fields), host, False)["outcome"] == "ok"


@pytest.mark.parametrize(
    "settings, url, expected",
    [
        ('Acquire::http::Proxy "http://p:1";\n', "https://h/k", {"https": "http://p:1"}),
        (
            'Acquire::http::Proxy "http://p:1";\nAcquire::https::Proxy "http://q:2";\n',
            "https://h/k",
            {"https": "http://q:2"},
        ),
        ('Acquire::http::Proxy "http://p:1";\nAcquire::http::Proxy::h "DIRECT";\n', "http://h:80/k", {}),
        (
            'acquire::http::proxy::other "DIRECT";\nAcquire::HTTP::proxy "http://p:1";\n',
            "http://u@h/k",
            {"http": "http://p:1"},
        ),
    ],
)
def test_the_key_is_fetched_the_way_apt_goes(host, settings, url, expected):
    host.commands = [(["apt-config", "dump"], answer(settings))]
    assert apt_key.proxies(host, url) == expected


def test_a_server_that_refuses_is_one_sentence(host):
    host.commands = [(["apt-config", "dump"], answer('Acquire::http::Proxy "DIRECT";'))]
    with pytest.raises(Failed, match="cannot be fetched from http://127.0.0.1:1/key: .*refused"):
        apt_key.obtain(host, "http://127.0.0.1:1/key", GOOD_FINGERPRINT)
