"""apt_proxy on real hosts, through a real proxy that wants a login and counts requests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.hiding import SecretTag, assert_silent, encodings, files_here_with, files_with, said_by, sampled
from tests.e2e.runner import DAEMON, Ended, HostSpec, Lab, Provision, settle
from tests.lab import LabHost, apt, listing
from tests.lab.repository import AptRepository
from tests.lab.services import Proxy, Registry

pytestmark = pytest.mark.lab
OLD, NEW = 'old p@ss/w:%1"x', 'new p@ss/w:%2"x'
USER = "user@corp"
CONF = "/etc/apt/apt.conf.d/proxy.conf"
ALLOWED = {CONF, "/etc/docker/http-proxy.env", "/home/alice/.docker/config.json"}
"""Where the password has to be: apt's file, the daemon's, and alice's for her containers."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    specs = [HostSpec("proxy1", "bookworm", packages=("docker.io",)), HostSpec("bare1", "bookworm", python="nopython")]
    with Lab.up("proxy", specs, tmp_path_factory.mktemp("proxy")) as up:
        yield up


@pytest.fixture(scope="module")
def proxy(lab: Lab) -> Proxy:
    return lab.proxy(USER, OLD)


@pytest.fixture(scope="module")
def repository(lab: Lab) -> AptRepository:
    return lab.apt_repository("proxied", [])


@pytest.fixture(scope="module")
def registry(lab: Lab) -> Registry:
    return lab.registry()


@pytest.fixture(scope="module")
def host(lab: Lab, repository: AptRepository) -> LabHost:
    """A host whose only source of packages is the lab's repository, with no proxy of its own."""
    host = lab.host("proxy1")
    host.run("rm -f /etc/apt/apt.conf.d/90lab-cache /etc/apt/sources.list /etc/apt/sources.list.d/*")
    host.write("/etc/apt/sources.list", f"deb [trusted=yes] {repository.source}\n")
    host.run(["useradd", "-m", "alice"])
    return host


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture
def asked(lab: Lab, proxy: Proxy, state: Path) -> Any:
    def ask(secret: str = OLD, roles: Any = None, **changes: Any) -> Provision:
        address = "http://" + proxy.url.rpartition("@")[2]
        settings: dict[str, Any] = {
            "http": address,
            "https": address,
            "no_proxy": ["localhost", ".corp", "mirror.corp", "10.0.0.0/8"],
            "username": USER,
            "password": SecretTag("env:PROXY_PASSWORD"),
            "client_users": ["alice"],
        }
        settings = {key: value for key, value in {**settings, **changes}.items() if value is not None}
        chosen = {"roles": roles or ["apt_proxy"], "apt_proxy": settings, "docker_daemon": DAEMON}
        runner = settle(lab, chosen)
        return Provision(runner.inventory, {"PROXY_PASSWORD": secret, "XDG_STATE_HOME": str(state)})

    return ask


ONLY = ("--limit", "proxy1")
BOTH = ["apt_proxy", "docker_daemon"]


def test_check_on_a_fresh_host_writes_nothing(host: LabHost, asked: Any) -> None:
    before = host.listing()
    ended: Ended = asked().check(*ONLY)
    assert ended.status == 3, ended.explain()
    assert {f"apt_conf {CONF}", "client_proxies alice"} <= set(ended.resources("would-change"))
    assert listing.differences(before, host.listing()) == []
    assert_silent(ended, encodings(OLD, USER))


def test_apt_goes_through_the_proxy_and_logs_in(
    host: LabHost, proxy: Proxy, repository: AptRepository, asked: Any
) -> None:
    ended: Ended = asked(roles=BOTH).apply(*ONLY)
    assert ended.status == 0, ended.explain()
    assert host.run(["stat", "-c", "%a %U", CONF]).stdout.strip() == "600 root"
    before = len(proxy.requests())
    host.run(["apt-get", "update"])
    assert f"200 GET {repository.url}/dists/stable/InRelease" in proxy.requests()[before:]
    dumped = host.run(["apt-config", "dump"]).stdout
    assert 'Acquire::https::Proxy::mirror.corp "DIRECT"' in dumped
    assert "Proxy::.corp" not in dumped


def test_docker_pulls_through_the_proxy_and_tells_nobody_its_password(
    host: LabHost, proxy: Proxy, registry: Registry, asked: Any
) -> None:
    asked(roles=BOTH, no_proxy=["localhost"]).apply(*ONLY)
    before = len(proxy.requests())
    host.run(["docker", "pull", f"{registry.address}/nothing:1"], check=False)
    assert f"200 CONNECT {registry.address}" in proxy.requests()[before:]
    assert said_by(host, encodings(OLD, USER)) == []
    assert asked(roles=BOTH).apply(*ONLY).status == 0


def test_the_second_run_changes_nothing(asked: Any) -> None:
    ended: Ended = asked(roles=BOTH).apply(*ONLY)
    assert ended.status == 0, ended.explain()
    assert ended.resources("changed") == []
    assert asked(roles=BOTH).check(*ONLY).status == 0


def test_a_rotated_password_never_shows_neither_old_nor_new(
    host: LabHost, proxy: Proxy, asked: Any, state: Path
) -> None:
    old, new = encodings(OLD, USER), encodings(NEW, USER)
    assert files_with(host, old) == ALLOWED, "the search finds what is there"
    proxy.set_login(USER, NEW)
    ended: Ended = asked(NEW, BOTH).check("--diff", *ONLY)
    assert ended.status == 3, ended.explain()
    assert_silent(ended, old + new)
    with sampled(host):
        ended = asked(NEW, BOTH).apply("--diff", *ONLY)
    assert ended.status == 0, ended.explain()
    assert_silent(ended, old + new)
    assert f"apt_conf {CONF}" in ended.resources("changed")
    # The Docker daemon has its proxy in its environment, as every program that reads a proxy there.
    assert files_with(host, old) - {"/dev/shm/sample"} == set()
    assert files_with(host, new) - {"/dev/shm/sample"} == ALLOWED
    assert [line for line in sampled_with(host, old + new) if not line.startswith("environ docker.service")] == []
    assert said_by(host, old + new) == []
    assert files_here_with(state, old + new) == []
    assert_silent(asked(NEW, BOTH)("apply", "--yes", "--diff", *ONLY, json_events=False), old + new)
    before = len(proxy.requests())
    host.run(["apt-get", "update"])
    assert any(line.startswith("200 GET") for line in proxy.requests()[before:])


def sampled_with(host: LabHost, forms: list[str]) -> list[str]:
    """The sampled argument lists and environments that hold one of `forms`."""
    lines = host.run("tr '\\0' ' ' < /dev/shm/sample").stdout.splitlines()
    assert any("provision-agent-1" in line for line in lines), "the agent's own process was among those sampled"
    return [line for line in lines if any(form in line for form in forms)]


def test_drift_is_found_and_a_file_that_apt_cannot_read_is_repaired(host: LabHost, asked: Any) -> None:
    host.write(CONF, "Acquire::http::Proxy “http://proxy:3128”\nAcquire::https::Proxy broken\n", 0o644)
    assert host.run(["apt-config", "dump"], check=False).returncode != 0
    assert asked(NEW, BOTH).apply(*ONLY).resources("changed") == [f"apt_conf {CONF}"]
    assert host.run(["apt-config", "dump"]).returncode == 0


def test_another_file_that_wins_is_named_with_its_line(host: LabHost, asked: Any) -> None:
    host.write("/etc/apt/apt.conf.d/zz-site", '\nAcquire { http { Proxy "http://u:their-password@other:1/"; }; };\n')
    for verb in ("check", "apply"):
        ended: Ended = asked(NEW)(verb, *ONLY)
        assert ended.status == 1
        assert "/etc/apt/apt.conf.d/zz-site:2" in ended.host("proxy1")["error"]
        assert "their-password" not in ended.stdout
    host.run("rm /etc/apt/apt.conf.d/zz-site")
    host.write("/etc/apt/apt.conf.d/01site", 'Acquire::http::Proxy "http://other:1/";\n')
    assert asked(NEW, BOTH).check(*ONLY).status == 0, "a file that loses is nobody's trouble"
    host.run("rm /etc/apt/apt.conf.d/01site")


def test_without_a_proxy_all_of_it_goes(host: LabHost, asked: Any) -> None:
    none = {"http": None, "https": None, "username": None, "password": None, "client_users": None, "no_proxy": None}
    ended: Ended = asked(NEW, BOTH, **none).apply(*ONLY)
    assert ended.status == 0, ended.explain()
    assert host.run(["test", "-e", CONF], check=False).returncode == 1
    assert files_with(host, encodings(NEW, USER)) - {"/dev/shm/sample"} == set()
    assert "HTTP_PROXY" not in host.run("cat /proc/$(pidof dockerd)/environ | tr '\\0' '\\n'").stdout
    assert asked(NEW, BOTH, **none).apply(*ONLY).resources("changed") == []


def test_a_host_without_python_gets_it_through_the_proxy(lab: Lab, state: Path) -> None:
    bare = lab.host("bare1")
    bare.run("rm -f /etc/apt/apt.conf.d/90lab-cache")
    bare.write("/etc/apt/apt.conf.d/zz-wrong", 'Acquire::http::Proxy "http://127.0.0.1:1/";\n')
    cache = f"http://{lab.network.machine}:{apt.PORT}"
    settle(lab, {"roles": ["apt_proxy"], "apt_proxy": {"http": cache}})
    ended = Provision(lab.directory, {"XDG_STATE_HOME": str(state)}).apply("--limit", "bare1")
    assert bare.run(["python3", "-c", "import json"]).returncode == 0, ended.explain()
    assert ended.status == 1, "and then the other file that wins is found"
    assert "/etc/apt/apt.conf.d/zz-wrong:1" in ended.host("bare1")["error"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"http": "proxy.corp:3128"}, "http://proxy"),
        ({"http": "http://ann:hidden-one@proxy.corp:3128"}, "username:"),
        ({"username": None}, "username"),
        ({"no_proxy": ["a b"]}, "no_proxy"),
        ({"htp": "x"}, "did you mean 'http'?"),
    ],
)
def test_bad_input_ends_before_the_first_connection(asked: Any, changes: dict[str, Any], said: str) -> None:
    ended: Ended = asked(**changes)("check", json_events=False)
    assert ended.status == 2, ended.stdout + ended.stderr
    assert said in ended.stderr
    assert "hidden-one" not in ended.stderr
