"""Packages that a role brought: they go with it, and nothing of anybody else's does."""

import json
import os

import pytest

from provision.agent.engine import kinds
from provision.agent.engine.resource import converge
from provision.agent.packages import apt_locks

from .rooted import Rooted, answer
from .test_packages import UPDATE, leaves, packages, status

NUKE = "/var/lib/docker/nuke-graph-directory.sh"


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setattr(apt_locks, "holder", lambda path: None)
    host = Rooted(tmp_path)
    os.makedirs(host.root + "/usr/sbin")
    host.put("/var/lib/provision/x", "")
    return host


def there(*names, **held):
    return tuple((name, "hold" if held.get("held") else "install", "installed", "1") for name in names)


def install(host, *names):
    """A set that is installed with one more package that it needs; `old` was there before."""
    status(host, *there("old"))
    host.commands = [
        UPDATE,
        (["apt-get"], leaves(*there("old", "library", *names))),
        (["apt-mark", "hold", *names], leaves(*there("old", "library"), *there(*names, held=True))),
    ]
    resource = packages(*names)
    assert converge(resource, host, False)["outcome"] == "changed"
    host.done()
    resource.settled(host)
    kind, fields = resource.when_removed("r")
    host.state_file.put("asked", "r", {kind: {"kind": kind, "fields": fields, "stays": True}})
    return kinds.make(kind, fields)


def removed(*names):
    return answer("".join("Remv {} [1]\n".format(name) for name in names))


def test_what_came_goes_and_what_was_there_stays(host):
    resource = install(host, "a")
    host.put(NUKE, "#!/bin/sh\nrm -r /var/lib/docker\n")
    host.commands = [
        (["apt-mark", "unhold", "a"], leaves(*there("old", "library", "a"))),
        (["apt-get", "-s"], removed("a", "library", "old")),  # old is an orphan of somebody's, and apt would take it
        (["apt-get", "-s"], removed("a", "library")),
        (["apt-get"], leaves(*there("old"), ("a", "deinstall", "config-files", "1"))),
        (["apt-get"], leaves(*there("old"))),
    ]
    result = converge(resource, host, False)
    assert result["outcome"] == "changed", result
    host.done()
    assert host.ran[-2][0][-3:] == ["remove", "a", "library"]
    assert host.ran[-1][0][-2:] == ["purge", "a"], "library left nothing, and its source may be gone"
    assert not os.path.exists(host.root + NUKE), "what would remove Docker's data never runs"
    memory = json.loads(host.text("/var/lib/provision/state.json"))
    assert (memory["holds"], memory["installed"]) == ({}, {})
    assert converge(kinds.make("packages_removal", fields_of(resource)), host, True)["outcome"] == "ok"


def fields_of(resource):
    return {name: getattr(resource, name) for name in resource.fields}


def test_a_check_says_what_would_go_and_starts_nothing(host):
    resource = install(host, "a")
    ran = len(host.ran)
    result = converge(resource, host, True)
    told = {item["key"]: item["before"] for item in result["diff"]}
    assert (result["outcome"], told) == ("would-change", {"installed": ["a", "library"], "held": ["a"]})
    assert len(host.ran) == ran


def test_what_others_need_by_now_stays_and_is_theirs(host):
    resource = install(host, "a")
    host.commands = [
        (["apt-mark"], leaves(*there("old", "library", "a"))),
        (["apt-get", "-s"], removed("a")),
        (["apt-get", "-s"], removed("a")),
        (["apt-get"], leaves(*there("old", "library"))),
    ]
    assert converge(resource, host, False)["outcome"] == "changed"
    assert converge(kinds.make("packages_removal", fields_of(resource)), host, True)["outcome"] == "ok"


def test_somebody_elses_package_that_depends_on_ours_is_named_and_stays(host):
    resource = install(host, "a")
    host.commands = [
        (["apt-mark"], leaves(*there("old", "library", "a"))),
        (["apt-get", "-s"], removed("a", "library", "theirs")),
        (["apt-get", "-s"], removed("a", "library", "theirs")),
        (["apt-mark", "hold", "a"], leaves(*there("old", "library"), *there("a", held=True))),
    ]
    result = converge(resource, host, False)
    assert (result["outcome"], result["error"]["cause"]) == ("failed", "apt would have to remove theirs as well")
    host.done()


def test_what_another_role_asks_for_stays_and_stays_held(host):
    resource = install(host, "a")
    kind, fields = packages("a").when_removed("other")
    host.state_file.put("asked", "other", {kind: {"kind": kind, "fields": fields, "stays": True}})
    result = converge(resource, host, True)
    assert {item["key"]: item["before"] for item in result["diff"]} == {"installed": ["library"]}


def test_what_was_installed_before_us_stays(host):
    status(host, *there("a"))
    host.commands = [(["apt-mark", "hold", "a"], leaves(*there("a", held=True)))]
    resource = packages("a")
    converge(resource, host, False)
    resource.settled(host)
    kind, fields = resource.when_removed("r")
    result = converge(kinds.make(kind, fields), host, True)
    assert {item["key"]: item["before"] for item in result["diff"]} == {"held": ["a"]}


def test_the_removal_of_an_engine_waits_for_its_containers(host):
    resource = install(host, "docker.io")
    impact = resource.impact(host, {"installed": (["docker.io", "library"], [])})
    assert (impact["level"], impact["systemd"]) == ("restart", True)
