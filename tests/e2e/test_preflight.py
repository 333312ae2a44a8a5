"""What is asked before the first change, on real hosts: who must not be touched is not, and says why; hooks."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.runner import DAEMON, SETTINGS, Ended, HostSpec, Lab, Provision, settle
from tests.lab import listing

pytestmark = pytest.mark.lab
HOSTS = ("p1", "p2", "p3")
KUBELET = "[Service]\nExecStart=/bin/sleep infinity\n"
HOOK = """#!/bin/sh
# Keeps what it was told; a host is not drained before there is a file of its name.
line=$(cat)
echo "$line" >> {log}
[ "$1" = after ] && exit 0
host=$(echo "$line" | sed 's/.*"host": "\\([^"]*\\)".*/\\1/')
[ -e {ready}/$host ] && exit 0
echo "$host still has jobs"
exit 75
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    specs = [HostSpec(name, "bookworm", packages=("docker.io",)) for name in HOSTS]
    with Lab.up("preflight", specs, tmp_path_factory.mktemp("preflight")) as up:
        yield up


def answers(ended: Ended, host: str, *verdicts: str) -> dict[str, str]:
    """The text of the answers with one of these verdicts, by question."""
    return {
        event["question"]: event["text"] for event in ended.of("preflight", host=host) if event["verdict"] in verdicts
    }


def test_who_fails_a_question_is_not_touched_and_says_why(lab: Lab) -> None:
    p1, p2, _ = (lab.host(name) for name in HOSTS)
    p1.write("/etc/systemd/system/kubelet.service", KUBELET)
    p1.run("systemctl start kubelet; mkdir -p /run; touch /run/reboot-required")
    p2.run("apt-mark hold docker.io; ip address add 10.77.0.1/24 dev eth0")
    provision = settle(
        lab,
        p2={"docker_engine": {"version": "26.1.5+dfsg1-9"}},
        p3={"docker_daemon": {"bip": "10.77.0.254/24", "fixed_cidr": "10.77.0.128/25"}},
    )
    before = {name: lab.host(name).listing() for name in HOSTS}
    for ended in (provision.check(), provision.apply()):
        assert ended.status == 1, ended.explain()
        assert "kubelet runs here" in answers(ended, "p1", "fail")["orchestrator"]
        assert "waits for a reboot" in answers(ended, "p1", "warn")["reboot"]
        assert "docker.io (from 20.10" in answers(ended, "p2", "fail")["holds"]
        assert "contains 10.77.0.1, an address of p2" in answers(ended, "p3", "fail")["subnets"]
        for name in HOSTS:
            assert ended.host(name)["outcome"] == "failed"
            assert "nothing was changed" in ended.host(name)["error"]
            assert len(answers(ended, name, "fail")) == 1, answers(ended, name, "fail")
            assert answers(ended, name, "unknown") == {}
            assert ended.resources("would-change", host=name), "what would change is shown all the same"
            assert answers(ended, name, "pass")["clock"] == "the host's clock is right"
    for name in HOSTS:
        assert listing.differences(before[name], lab.host(name).listing()) == []


@pytest.fixture(scope="module")
def log(lab: Lab) -> Path:
    return lab.directory / "hooks.jsonl"


def told(log: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_a_host_is_left_pending_until_its_hook_lets_it_go(lab: Lab, log: Path) -> None:
    ready, hook = lab.directory / ".ready", lab.directory / ".drain"
    ready.mkdir()
    hook.write_text(HOOK.format(log=log, ready=ready))
    hook.chmod(0o755)
    hooks = {"before_host": [str(hook), "before"], "after_host": [str(hook), "after"]}
    provision = settle(lab, {**SETTINGS, "rollout": hooks}, p2={}, p3={})
    lab.host("p1").run("systemctl stop kubelet; rm /etc/systemd/system/kubelet.service /run/reboot-required")
    lab.host("p2").run("apt-mark unhold docker.io; ip address del 10.77.0.1/24 dev eth0")
    for name in ("p2", "p3"):
        (ready / name).touch()
    first = provision.apply()
    assert first.status == 3, first.explain()
    assert {name: first.host(name)["outcome"] for name in HOSTS} == {"p1": "pending", "p2": "changed", "p3": "changed"}
    assert "p1 still has jobs" in first.host("p1")["error"]
    assert lab.host("p1").run("test -e /etc/docker/daemon.json", check=False).returncode, "p1 was touched"
    calls = {(call["host"], call.get("outcome")) for call in told(log)}
    assert calls == {("p1", None), ("p2", None), ("p2", "changed"), ("p3", None), ("p3", "changed")}
    assert any("docker_daemon: json_keys" in change for change in told(log)[0]["changes"]), told(log)[0]

    (ready / "p1").touch()
    log.unlink()
    second = provision.apply()
    assert second.status == 0, second.explain()
    assert {name: second.host(name)["outcome"] for name in HOSTS} == {"p1": "changed", "p2": "ok", "p3": "ok"}
    assert {call["host"] for call in told(log)} == {"p1"}, "a host in sync has no hooks"
    assert second.of("preflight", host="p2") == []
    refused = provision("apply", "--yes", "--no-exec", json_events=False)
    assert refused.status == 2
    assert "rollout.before_host is a program, and --no-exec forbids those" in refused.stderr


def test_images_a_full_disk_and_a_swarm_keep_the_daemon_as_it_is(lab: Lab) -> None:
    provision: Provision = settle(lab)
    p1, p2, p3 = (lab.host(name) for name in HOSTS)
    assert provision.apply().status == 0
    p1.run("tar -C /etc -c hostname | docker import - probe")
    p2.run("mount -t tmpfs -o size=20m tmpfs /var/lib/docker")
    p3.run("docker swarm init --advertise-addr 127.0.0.1")
    pids = {name: lab.host(name).run("cat /run/docker.pid").stdout for name in HOSTS}
    other = "vfs" if DAEMON["storage_driver"] == "overlay2" else "overlay2"
    ended = provision.apply("--set", f"docker_daemon.storage_driver={other}")
    assert ended.status == 1, ended.explain()
    assert (
        "the storage driver changes from overlay2 to vfs, and hides 1 images" in answers(ended, "p1", "fail")["images"]
    )
    assert "no space left for images: /var/lib/docker has" in answers(ended, "p2", "fail")["disk"]
    assert "in a Docker swarm" in answers(ended, "p3", "fail")["orchestrator"]
    p2.run("umount /var/lib/docker")
    assert {name: lab.host(name).run("cat /run/docker.pid").stdout for name in HOSTS} == pids
    assert provision.check().status == 0, "and hosts in sync are asked nothing"
