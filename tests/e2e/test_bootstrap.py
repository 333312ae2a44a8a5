"""Hosts without python, or with Debian's python3-minimal: stage 0 installs it, through the host's apt proxy where one
is set, and nobody on the host sees the proxy's password in a command line or an environment.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.runner import HostSpec, Lab, Provision, settle
from tests.lab import LabHost, listing

pytestmark = pytest.mark.lab
HOSTS = ("none", "minimal")
USER, PASSWORD = "apt", "s3cret/with%odd&signs"
QUOTED = "s3cret%2Fwith%25odd%26signs"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    hosts = [HostSpec("none", python="nopython"), HostSpec("minimal", python="minimal")]
    with Lab.up("bootstrap", hosts, tmp_path_factory.mktemp("bootstrap")) as up:
        yield up


def with_proxy(lab: Lab, url: str, password: str) -> Provision:
    """The role apt_proxy alone: what comes after python is not the matter here."""
    (lab.directory / "password").write_text(password + "\n")
    secret = lab.directory / "group_vars" / "secret.yml"
    provision = settle(lab, {"roles": ["apt_proxy"]})
    text = f"apt_proxy:\n  http: {url}\n  username: {USER}\n  password: !secret file:password\n"
    secret.with_name("all.yml").write_text("roles: [apt_proxy]\n" + text)
    return provision


def only_through_a_proxy(host: LabHost) -> None:
    """Without the lab's cache the host reaches no repository by itself."""
    host.run("rm -f /etc/apt/apt.conf.d/90lab-cache")


def has_python(host: LabHost) -> bool:
    return host.run("python3 -c 'import json'", check=False).returncode == 0


@contextmanager
def watched(needles: tuple[bytes, ...], seen: set[str]) -> Iterator[None]:
    """Look at the command line and the environment of every process of this machine, those in lab hosts included."""
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.01):
            for process in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        text = (process / name).read_bytes()
                    except OSError:
                        continue  # it has ended
                    if any(needle in text for needle in needles):
                        seen.add(f"{name}: {text!r:.300}")

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


def test_check_says_so_and_writes_nothing(lab: Lab) -> None:
    provision = settle(lab)
    before = {name: lab.host(name).listing() for name in HOSTS}
    ended = provision.check()
    assert ended.status == 3, ended.explain()
    for name in HOSTS:
        assert ended.host(name)["outcome"] == "would-change"
        assert "packages python3" in ended.resources("would-change", host=name)
        rest = [event for event in ended.of("resource", host=name) if event["kind"] == "role"]
        assert [event["name"] for event in rest] == ["docker_engine", "docker_daemon"]
        assert {event["note"] for event in rest} == {"known after python3 is there"}
        assert listing.differences(before[name], lab.host(name).listing()) == []
        assert not has_python(lab.host(name))


def test_facts_of_a_host_without_python_say_what_to_do(lab: Lab) -> None:
    ended = settle(lab)("facts", "--limit", "none", json_events=False)
    assert ended.status == 1
    assert "no python3" in ended.stdout + ended.stderr
    assert "apply" in ended.stdout + ended.stderr


def test_no_way_to_a_repository_is_one_sentence(lab: Lab) -> None:
    for name in HOSTS:
        only_through_a_proxy(lab.host(name))
    ended = settle(lab, {"roles": ["apt_proxy"], "apt_proxy": {"http": f"http://{lab.network.machine}:9"}}).apply()
    assert ended.status == 1, ended.explain()
    for name in HOSTS:
        said = ended.host(name)["error"]
        assert "python3 could not be installed" in said
        assert "connect" in said.lower(), said
        assert "\n" not in said
        assert len(said) < 500, said


def test_a_wrong_proxy_password_is_one_sentence_without_it(lab: Lab) -> None:
    proxy = lab.proxy(USER, PASSWORD)
    url = f"http://{proxy.url.rpartition('@')[2]}"
    ended = with_proxy(lab, url, "not-the-password").apply()
    assert ended.status == 1, ended.explain()
    for name in HOSTS:
        said = ended.host(name)["error"]
        assert "407" in said, said
        assert "proxy" in said.lower(), said
    assert "not-the-password" not in ended.stdout + ended.stderr


def test_python_comes_through_a_proxy_whose_password_nobody_sees(lab: Lab) -> None:
    proxy = lab.proxy(USER, PASSWORD)
    url = f"http://{proxy.url.rpartition('@')[2]}"
    provision = with_proxy(lab, url, PASSWORD)
    seen: set[str] = set()
    with watched((PASSWORD.encode(), QUOTED.encode()), seen):
        ended = provision.apply("--diff")
    assert ended.status == 0, ended.explain()
    assert seen == set()
    assert PASSWORD not in ended.stdout + ended.stderr
    assert QUOTED not in ended.stdout + ended.stderr
    assert any(line.startswith("200 GET") for line in proxy.requests())
    for name in HOSTS:
        host = lab.host(name)
        assert ended.host(name)["outcome"] == "changed"
        assert "packages python3" in ended.resources("changed", host=name)
        assert has_python(host)
        assert host.run("ls -d /run/provision.*", check=False).stdout == "", "nothing of stage 0 is left"
        assert host.run("stat -c %a /etc/apt/apt.conf.d/proxy.conf").stdout == "600\n"
    again: Any = provision.apply()
    assert again.status == 0, again.explain()
    assert again.resources("changed") == []
