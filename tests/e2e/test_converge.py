"""The main job: from bare hosts to Docker as asked, read from the hosts themselves; drift; wishes that survive."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.runner import DAEMON, HostSpec, Lab, Provision, settle
from tests.lab import LabHost, listing

pytestmark = pytest.mark.lab
HOSTS = ("web1", "web2", "web3")

PROBE = """
set -e
mkdir -p /tmp/image/bin && cp /bin/sh /bin/sleep /bin/df /bin/cat /tmp/image/bin/
for file in $(ldd /bin/sh /bin/sleep /bin/df /bin/cat | grep -o '/lib[^ ]*'); do
  mkdir -p /tmp/image$(dirname $file) && cp -L $file /tmp/image$file
done
tar -C /tmp/image -c . | docker import - probe >/dev/null
docker run --rm probe /bin/sh -c 'ulimit -s; ulimit -l; df -k /dev/shm; cat /proc/net/fib_trie'
"""
"""Makes an image of the host's own shell, and reads limits, shared memory and addresses inside a container."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    specs = [HostSpec("web1", "bookworm"), HostSpec("web2", "bookworm"), HostSpec("web3", "trixie")]
    with Lab.up("converge", specs, tmp_path_factory.mktemp("converge")) as up:
        yield up


@pytest.fixture(scope="module")
def provision(lab: Lab) -> Provision:
    return settle(lab)


@pytest.fixture(scope="module")
def applied(lab: Lab, provision: Provision) -> Provision:
    """The hosts after a first apply; the test of the bare hosts has its own look before that."""
    if lab.host("web1").run(["test", "-e", "/etc/docker/daemon.json"], check=False).returncode:
        ended = provision.apply()
        assert ended.status == 0, ended.explain()
    return provision


def test_check_on_bare_hosts_finds_work_and_writes_nothing(lab: Lab, provision: Provision) -> None:
    before = {name: lab.host(name).listing() for name in HOSTS}
    ended = provision.check()
    assert ended.status == 3, ended.explain()
    for name in HOSTS:
        assert ended.host(name)["outcome"] == "would-change"
        assert listing.differences(before[name], lab.host(name).listing()) == []
    assert any(item.startswith("packages") for item in ended.resources("would-change", host="web1"))


def test_apply_takes_bare_hosts_to_docker_as_asked(lab: Lab, provision: Provision) -> None:
    watch = "until [ -e /sys/class/net/docker0 ]; do sleep 0.02; done; "
    watch += "ip -4 -o addr show docker0; ip -4 -o monitor address"
    for name in HOSTS:
        lab.host(name).run(f"setsid sh -c '{watch}' > /root/docker0.log 2>&1 < /dev/null &")
    ended = provision.apply("--diff", "--share")
    assert ended.status == 0, ended.explain()
    assert {ended.host(name)["outcome"] for name in HOSTS} == {"changed"}
    assert len([event for event in ended.of("notice") if "of the bundle" in event["text"]]) == len(HOSTS)
    lists = "ls /var/lib/apt/lists | grep Packages; ls -d /var/tmp/provision.*"
    assert lab.host("web2").run(lists, check=False).stdout == "", "it has asked no repository"
    for name in HOSTS:
        host = lab.host(name)
        inside = host.run(PROBE, timeout=120).stdout
        lines = inside.splitlines()
        assert lines[0] == "65536", "stack, in KiB"
        assert lines[1] == "8192", "memlock, in KiB"
        assert "1048576" in inside, "shm, in KiB"
        assert "192.168.127.1" in inside, "the container's address is of the asked range"
        info = json.loads(host.run(["docker", "info", "--format", "{{json .}}"]).stdout)
        assert info["Driver"] == "overlay2"
        addresses = host.run("cat /root/docker0.log").stdout
        assert "192.168.127.1/24" in addresses
        assert "172." not in addresses, "docker0 never had another address"
        held = host.run(["apt-mark", "showhold"]).stdout.split()
        assert "docker.io" in held


def test_a_second_run_changes_nothing(lab: Lab, applied: Provision) -> None:
    pids = {name: lab.host(name).read("/var/run/docker.pid") for name in HOSTS}
    ended = applied.apply()
    assert ended.status == 0, ended.explain()
    assert ended.resources("changed", "would-change") == []
    assert {ended.host(name)["outcome"] for name in HOSTS} == {"ok"}
    assert pids == {name: lab.host(name).read("/var/run/docker.pid") for name in HOSTS}


def test_check_after_apply_is_content_and_writes_nothing(lab: Lab, applied: Provision) -> None:
    before = lab.host("web1").listing()
    ended = applied.check()
    assert ended.status == 0, ended.explain()
    assert listing.differences(before, lab.host("web1").listing()) == []


BREAKAGES = {
    "daemon.json edited": (
        "sed -i 's/192.168.127.1/192.168.99.1/' /etc/docker/daemon.json",
        "json_keys /etc/docker/daemon.json",
    ),
    "mode changed": ("chmod 0666 /etc/docker/daemon.json", "json_keys /etc/docker/daemon.json"),
    "docker stopped, its socket active": ("systemctl stop docker.service", "docker_service docker"),
    "docker disabled": ("systemctl disable docker.service", "docker_service docker"),
    "unhold": ("apt-mark unhold docker.io", "packages docker.io"),
    "package removed": ("apt-mark unhold docker.io; apt-get -y remove docker.io", "packages docker.io"),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
@pytest.mark.parametrize("name", ["web1", "web3"])
def test_drift_is_found_shown_and_repaired(lab: Lab, applied: Provision, name: str, breakage: str) -> None:
    command, resource = BREAKAGES[breakage]
    host = lab.host(name)
    host.run(command, timeout=180)
    before = host.listing()
    found = applied.check("--limit", name, "--diff")
    assert found.status == 3, found.explain()
    drifted = found.resources("would-change", host=name)
    assert any(item.startswith(resource.split()[0]) and resource.split()[1] in item for item in drifted), drifted
    assert all(event["diff"] or event["note"] for event in found.of("resource", outcome="would-change"))
    assert listing.differences(before, host.listing()) == [], "check repairs nothing by accident"
    repaired = applied.apply("--limit", name)
    assert repaired.status == 0, repaired.explain()
    assert repaired.host(name)["outcome"] == "changed"
    assert applied.check("--limit", name).status == 0
    assert "192.168.127.1/24" in host.run("ip -4 -o addr show docker0").stdout


def start_of_docker(lab: Lab, name: str) -> str:
    pid = lab.host(name).read("/var/run/docker.pid").strip()
    return pid + " " + lab.host(name).read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[19]


def kill(host: LabHost, pattern: str) -> None:
    """SIGKILL to the host's processes with that pattern on their command line (there is no pkill on a bare host)."""
    look = f"grep -aq '{pattern}' $p/cmdline 2>/dev/null"
    host.run(f"for p in /proc/[0-9]*; do if {look}; then kill -9 ${{p#/proc/}}; fi; done; true", check=False)


def interrupted_before_the_restart(lab: Lab, provision: Provision, name: str, driver: str) -> None:
    """Ask for another log driver, and kill the agent once daemon.json is written, before the service is looked at."""
    host = lab.host(name)
    host.run(
        # systemctl is replaced by one that never answers, so that the run hangs just before the restart
        "mkdir -p /root/hang && printf '#!/bin/sh\\nexec sleep 1000\\n' > /root/hang/systemctl"
        " && chmod +x /root/hang/systemctl && mount --bind /root/hang/systemctl /usr/bin/systemctl"
    )
    process = provision.start("apply", "--yes", "--limit", name, "--set", f"docker_daemon.log_driver={driver}")
    try:
        for _ in range(300):
            if f'"{driver}"' in host.read("/etc/docker/daemon.json"):
                break
            time.sleep(0.1)
        else:
            raise AssertionError("daemon.json was never written")
        # The agent is the python that has the loader on its command line; it dies as if the host had killed it.
        kill(host, "provision-agent-[1]")
        process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
        host.run("umount /usr/bin/systemctl")
        kill(host, "sleep.100[0]")


def test_a_restart_wish_survives_a_run_that_dies(lab: Lab, applied: Provision) -> None:
    before = start_of_docker(lab, "web1")
    interrupted_before_the_restart(lab, applied, "web1", "local")
    assert start_of_docker(lab, "web1") == before
    ended = applied.apply("--limit", "web1", "--set", "docker_daemon.log_driver=local")
    assert ended.status == 0, ended.explain()
    assert "docker_service docker" in ended.resources("changed")
    assert start_of_docker(lab, "web1") != before


def test_restarted_by_hand_is_not_restarted_again(lab: Lab, applied: Provision) -> None:
    interrupted_before_the_restart(lab, applied, "web1", "journald")
    lab.host("web1").run("systemctl reset-failed docker; systemctl restart docker", timeout=90)
    by_hand = start_of_docker(lab, "web1")
    ended = applied.apply("--limit", "web1", "--set", "docker_daemon.log_driver=journald")
    assert ended.status == 0, ended.explain()
    assert start_of_docker(lab, "web1") == by_hand
    back = applied.apply("--limit", "web1")
    assert back.status == 0, back.explain()


def test_a_touched_file_and_a_clock_set_back_are_no_reason_to_restart(lab: Lab, applied: Provision) -> None:
    """The lab's hosts share the machine's clock, so the file's times are moved instead: a day ahead, a day back."""
    before = start_of_docker(lab, "web2")
    for when in ("now", "tomorrow", "yesterday"):
        lab.host("web2").run(f"touch -d {when} /etc/docker/daemon.json")
        ended = applied.apply("--limit", "web2")
        assert ended.status == 0, ended.explain()
        assert ended.resources("changed") == []
    assert start_of_docker(lab, "web2") == before


def test_keys_of_others_stay_and_ours_go_when_we_stop_asking(lab: Lab, applied: Provision, tmp_path: Path) -> None:
    host = lab.host("web2")
    document = json.loads(host.read("/etc/docker/daemon.json"))
    host.write("/etc/docker/daemon.json", json.dumps({"debug": False, **document}))
    ended = applied.apply("--limit", "web2", "--set", "docker_daemon.mtu=1400")
    assert ended.status == 0, ended.explain()
    assert json.loads(host.read("/etc/docker/daemon.json"))["mtu"] == 1400
    ended = applied.apply("--limit", "web2")
    assert ended.status == 0, ended.explain()
    after = json.loads(host.read("/etc/docker/daemon.json"))
    assert "mtu" not in after
    assert after["debug"] is False
    assert after["bip"] == DAEMON["bip"]
