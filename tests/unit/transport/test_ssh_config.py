"""`ssh -G` decides; it is asked once for hosts that must get the same answer, and for each where that is not sure."""

import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from provision.transport import ssh_config
from provision.transport.ssh_config import SshConfig


@pytest.fixture
def asked(monkeypatch):
    """The hosts that `ssh -G` was run for."""
    hosts = []
    real = ssh_config._ssh_g

    def count(host, arguments):
        hosts.append(host)
        return real(host, arguments)

    monkeypatch.setattr(ssh_config, "_ssh_g", count)
    return hosts


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config"

    def write(text):
        path.write_text(text)
        return ("-F", str(path))

    return write


def truth(host, arguments):
    """What ssh itself says, option by option."""
    text = subprocess.run(
        ["ssh", "-G", *arguments, host], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    return dict(ssh_config.parse(text.stdout, host).options)


def same(found, host, arguments):
    ignored = {"host", "controlpath"}
    expected = truth(host, arguments)
    return {key: value for key, value in found.options.items() if key not in ignored} == {
        key: value for key, value in expected.items() if key not in ignored
    }


PLAIN = "Host *\n  User me\n  Port 2222\n"
GROUPS = (
    "Host bastion\n  HostName 10.0.0.1\nHost web* !web9\n  User web\n  ProxyCommand nc %h %p\nHost *\n  Port 2222\n"
)


COMMENTED = "# Debian's own:\n#   ProxyCommand ssh -q -W %h:%p gateway\n\n  #Match host %h\n" + PLAIN


@pytest.mark.parametrize("text", [PLAIN, GROUPS, COMMENTED])
def test_hosts_of_a_group_cost_one_question(config, asked, text):
    arguments = config(text)
    resolver = SshConfig()
    for host in ("web1", "web2", "web3", "web4"):
        found = resolver.resolve(host, arguments)
        assert found.hostname == host
        assert found.original == host
        assert same(found, host, arguments)
    assert len(asked) == 1


def test_hosts_of_a_group_that_come_at_once_cost_one_question(monkeypatch):
    """A run begins with all of its hosts at the same moment."""
    again = threading.Event()
    hosts = []

    def slow(host, arguments):
        if hosts:
            again.set()
        hosts.append(host)
        again.wait(0.5)  # time enough for the others to ask, too
        return f"host {host}\nhostname {host}\nuser me\n"

    monkeypatch.setattr(ssh_config, "_ssh_g", slow)
    config = SshConfig()
    with ThreadPoolExecutor(5) as workers:
        found = list(workers.map(lambda name: config.resolve(name, ("-F", "/dev/null")), ["a", "b", "c", "d", "e"]))
    assert len(hosts) == 1
    assert [item.hostname for item in found] == ["a", "b", "c", "d", "e"]


def test_hosts_of_other_groups_are_asked_for(config, asked):
    arguments = config(GROUPS)
    resolver = SshConfig()
    for host in ("web1", "web9", "bastion", "db"):
        assert same(resolver.resolve(host, arguments), host, arguments), host
    assert len(asked) == 3  # web9 and db match the same lines


def test_a_host_named_like_a_hostname(config):
    """`b` goes to `a`; `a` too, but not because it is its own name."""
    arguments = config("Host a b\n  HostName a\n")
    resolver = SshConfig()
    assert [resolver.resolve(host, arguments).hostname for host in ("a", "b", "c")] == ["a", "a", "c"]


@pytest.mark.parametrize(
    "text",
    [
        "Match host web1\n  User one\n",
        "Match exec true\n  User x\n",
        "Host *\n  HostName %h.example.com\n",
        "CanonicalizeHostname yes\n",
        "Host *\n  UserKnownHostsFile /tmp/known-%h\n",
    ],
)
def test_where_hosts_may_differ_each_is_asked_for(config, asked, text):
    arguments = config(text)
    resolver = SshConfig()
    for host in ("web1", "web2", "web1"):
        assert same(resolver.resolve(host, arguments), host, arguments)
    assert sorted(set(asked)) == ["web1", "web2"]


def test_includes_are_followed(config, asked, tmp_path):
    (tmp_path / "more.conf").write_text("Host web1\n  User one\n")
    arguments = config(f"Include {tmp_path}/*.conf\n")
    resolver = SshConfig()
    assert resolver.resolve("web1", arguments).user == "one"
    assert resolver.resolve("web2", arguments).user != "one"
    (tmp_path / "match.conf").write_text("Match host web2\n  User two\n")
    assert SshConfig().resolve("web2", arguments).user == "two"


def test_arguments_make_a_difference(config, asked):
    arguments = config(PLAIN)
    resolver = SshConfig()
    assert resolver.resolve("a", arguments).port == 2222
    assert resolver.resolve("a", ("-p", "99", *arguments)).port == 99
    assert resolver.resolve("a", ("-o", "HostName=b", *arguments)).hostname == "b"
    assert resolver.resolve("b", ("-o", "HostName=b", *arguments)).hostname == "b"
    assert resolver.resolve("c", ("-o", "HostName=b", *arguments)).hostname == "b"


def test_paths_and_tokens(config):
    arguments = config("Host *\n  IdentityFile /keys/%r@%h-%p-%n-%%\n  UserKnownHostsFile /a /b\n  User me\n")
    found = SshConfig().resolve("web1", arguments)
    assert found.files("identityfile") == ["/keys/me@web1-22-web1-%"]
    assert found.files("userknownhostsfile") == ["/a", "/b"]
    assert found.known_hosts_name == "web1"


def test_capitals_are_lower_case_in_known_hosts(config):
    assert SshConfig().resolve("WEB1", config(PLAIN)).known_hosts_name == "[web1]:2222"


def test_addresses(config):
    found = SshConfig().resolve("::1", config(""))
    assert (found.hostname, found.port, found.known_hosts_name) == ("::1", 22, "::1")
