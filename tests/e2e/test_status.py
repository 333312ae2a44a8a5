"""Asking real hosts: status, why and unlock, while nothing, or a run that hangs, is at work on them."""

import json
import time
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.runner import DAEMON, HostSpec, Lab, Provision, settle
from tests.lab import listing

pytestmark = pytest.mark.lab
STATE = "/var/lib/provision"
HANGING = """#!/bin/sh
while [ "$1" = restart ] && [ -e /root/hang ]; do sleep 0.2; done
exec /bin/systemctl.real "$@"
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    specs = [HostSpec(name, "bookworm", packages=("docker.io",)) for name in ("asked", "other")]
    with Lab.up("status", specs, tmp_path_factory.mktemp("status")) as up:
        yield up


@pytest.fixture(scope="module")
def provision(lab: Lab) -> Provision:
    settings = {"roles": ["docker_daemon"], "docker_daemon": {key: DAEMON[key] for key in ("bip", "default_shm_size")}}
    found = settle(lab, settings)
    before = {name: lab.host(name).listing() for name in ("asked", "other")}
    fresh = found("status")
    assert (fresh.status, [item["last_run"] for item in fresh.of("status")]) == (0, [None, None]), fresh.stderr
    for name, state in before.items():
        assert listing.differences(state, lab.host(name).listing()) == [], "status writes nothing"
    assert found.apply("--comment", "kernel rollout").status == 0
    return found


def test_after_a_run_status_tells_of_it_and_of_what_nobody_asks_for_any_more(lab: Lab, provision: Provision) -> None:
    ended = provision("status", "--limit", "asked")
    assert ended.status == 0, ended.explain()
    (told,) = ended.of("status")
    assert (told["last_run"]["comment"], told["last_run"]["changed"]) == ("kernel rollout", 2)
    assert (told["pending"], told["unfinished"], told["lock"], told["unmanaged"]) == ([], None, None, [])
    (lab.directory / "host_vars" / "other.yml").write_text("roles: []\n")
    try:
        (left,) = provision("status", "--limit", "other").of("status")
    finally:
        (lab.directory / "host_vars" / "other.yml").unlink()
    assert [item["role"] for item in left["unmanaged"]] == ["docker_daemon"]
    assert any("bip" in text and text.endswith(" in /etc/docker/daemon.json") for text in left["unmanaged"][0]["left"])


def test_what_is_pending_is_exit_3_with_its_reason(lab: Lab, provision: Provision) -> None:
    host = lab.host("other")
    kept = host.read(f"{STATE}/state.json")
    record = {"since": "2026-01-01T00:00:00Z", "run": "r0", "by": "alice@ctl", "reason": "3 containers use GPUs"}
    document = json.loads(kept) | {"pending": {"docker_daemon": record}}
    try:
        host.write(f"{STATE}/state.json", json.dumps(document))
        ended = provision("status", json_events=False)
    finally:
        host.write(f"{STATE}/state.json", kept)
    assert ended.status == 3
    assert "other: pending docker_daemon for " in ended.stdout
    assert "3 containers use GPUs (run r0 of alice@ctl)" in ended.stdout
    assert "1 host has nothing to tell" in ended.stdout


def test_why_tells_ours_from_what_is_not(lab: Lab, provision: Provision) -> None:
    place = lab.directory / "group_vars" / "all.yml"
    ended = provision("why", "bip", json_events=False)
    assert ended.status == 0, ended.stderr
    line = f"asked, other: bip is set by role docker_daemon ({place}:2:"
    assert line in ended.stdout
    assert "stands in /etc/docker/daemon.json as we wrote it, and is live" in ended.stdout
    (size,) = provision("why", "default_shm_size", "--limit", "asked").of("why")
    assert size["entries"][0]["verdict"].endswith("but was started with this file")
    (driver,) = provision("why", "storage-driver", "--limit", "asked").of("why")
    assert driver["entries"][0]["verdict"] == "storage-driver is set nowhere: Docker's default holds, which is overlay2"


def test_why_finds_a_flag_and_the_package_of_its_file(lab: Lab, provision: Provision) -> None:
    (found,) = provision("why", "hosts", "--limit", "asked").of("why")
    (stands,) = found["entries"][0]["elsewhere"]
    assert (stands["value"], stands["package"]) == ("fd://", "docker.io")
    assert found["entries"][0]["process"] == ["fd://"]


def test_a_run_that_hangs_is_seen_by_everybody_and_ended_by_unlock(lab: Lab, provision: Provision) -> None:
    host = lab.host("asked")
    host.run("touch /root/hang; mv /bin/systemctl /bin/systemctl.real")
    host.write("/bin/systemctl", HANGING, 0o755)
    try:
        mtu = ("--comment", "new mtu", "--set", "docker_daemon.mtu=1400")
        hanging = provision.start("apply", "--yes", "--limit", "asked", *mtu)
        until(lambda: host.run("pgrep -f 'systemctl restar[t]'", check=False).returncode == 0)
        lock = provision("status", "--limit", "asked").of("status")[0]["lock"]
        assert (lock["held"], lock["comment"], lock["orphan"]) == (True, "new mtu", False)
        assert "provision-agent-" in host.run(f"cat /proc/{lock['pid']}/cmdline").stdout
        second = provision.apply("--limit", "asked")
        assert second.status == 1
        assert f"another run holds this host: run {lock['run']} of " in second.host("asked")["error"]
        assert "'new mtu'" in second.host("asked")["error"]
        look = provision("unlock")
        assert (look.status, look.of("unlock", host="asked")[0]["state"]) == (3, "held")
        ending = provision.start("unlock", "--limit", "asked", "--yes")
        until(lambda: '"orphan"' in host.read(f"{STATE}/lock"))
        host.run("rm /root/hang")
        ended = provision.ended(ending, *ending.communicate(timeout=60))
        assert (ended.status, ended.of("unlock")[0]["state"]) == (0, "ended"), ended.explain()
        first = provision.ended(hanging, *hanging.communicate(timeout=60))
        assert first.status == 1
        assert "this run was ended on the host itself" in first.host("asked")["error"]
    finally:
        host.run("rm -f /root/hang; mv /bin/systemctl.real /bin/systemctl", check=False)
    (after,) = provision("status", "--limit", "asked").of("status")
    assert (after["lock"], after["interrupted"]["step"]) == (None, "docker_service docker")
    assert provision.apply("--limit", "asked").status == 0
    assert provision("status", "--limit", "asked").of("status")[0]["interrupted"] is None


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.2)


def test_a_host_that_is_not_reached_is_exit_1_and_the_others_are_told(lab: Lab, provision: Provision) -> None:
    (lab.directory / "host_vars" / "other.yml").write_text("ansible_port: 1\n")
    try:
        ended = provision("status")
    finally:
        (lab.directory / "host_vars" / "other.yml").unlink()
    assert ended.status == 1
    assert [item["host"] for item in ended.of("status")] == ["asked"]
