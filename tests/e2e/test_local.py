"""The machine itself, where systemd is not PID 1: connection local, `service`, and the engine that is here already.

Law: a Docker that somebody uses here is not ours to test with, so the module skips, loudly, where one runs or has a
configuration; what the test does to the machine it undoes. The lab's own engine has to survive.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.runner import HostSpec, Lab, Provision
from tests.lab import engine, network

pytestmark = pytest.mark.lab

DAEMON_JSON = Path("/etc/docker/daemon.json")
STATE = Path("/var/lib/provision")
KEPT = (STATE, Path("/etc/docker"), Path("/etc/default/docker"))
NO_RULES = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
COMMIT
"""
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
RC = tuple(Path(f"/etc/rc{level}.d") for level in "0123456S")


def run(*words: str, check: bool = True, stdin: str | None = None) -> str:
    done = subprocess.run(words, check=False, capture_output=True, text=True, input=stdin, timeout=120)
    assert done.returncode == 0 or not check, f"{words}: {done.stderr}{done.stdout}"
    return done.stdout


def not_ours() -> str:
    """Why this machine's Docker must be left alone, or ""."""
    if os.geteuid() != 0:
        return "not root"
    if Path("/run/systemd/system").exists():
        return "systemd is PID 1 here: lab hosts cover that"
    if DAEMON_JSON.exists():
        return f"{DAEMON_JSON} is somebody's"
    if Path("/var/run/docker.sock").exists() and run("docker", "version", check=False).count("Server"):
        return "a Docker runs on this machine, and it may be in use"
    if Path("/var/lib/docker").exists():
        return "/var/lib/docker is somebody's"
    return ""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Hosts of the lab that must not notice anything; it also sees to it that docker.io is installed here."""
    reason = not_ours()
    if reason:
        pytest.skip(f"NOT RUN on this machine: {reason}")
    with Lab.up("local", [HostSpec("bystander"), HostSpec("neighbour")], tmp_path_factory.mktemp("local")) as up:
        yield up


@pytest.fixture(scope="module")
def machine(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for Docker's data. Afterwards the machine is as it was."""
    kept = tmp_path_factory.mktemp("kept")
    for number, path in enumerate(KEPT):
        if path.exists():
            run("cp", "-a", str(path), str(kept / str(number)))
    links = {path: os.readlink(path) for folder in RC for path in folder.glob("*docker")}
    held = run("apt-mark", "showhold").split()
    rules = {name: run(name) for name in ("iptables-save", "ip6tables-save")}
    forward = FORWARD.read_text()
    # Docker drops what is forwarded, and bridged packets count as that: the lab's hosts must go on talking.
    run("iptables", "-I", "FORWARD", "-i", network.BRIDGE, "-o", network.BRIDGE, "-j", "ACCEPT")
    yield tmp_path_factory.mktemp("data")
    run("service", "docker", "stop", check=False)
    run("ip", "link", "del", "docker0", check=False)
    for name, text in rules.items():
        run(name.replace("save", "restore"), stdin=NO_RULES)  # a table that was not there is in no `text`
        run(name.replace("save", "restore"), stdin=text)
    FORWARD.write_text(forward)
    for package in set(run("apt-mark", "showhold").split()) - set(held):
        run("apt-mark", "unhold", package)
    restore(kept, links)


def restore(kept: Path, links: dict[Path, str]) -> None:
    """The files and links that were there before, and no others."""
    for path in [path for folder in RC for path in folder.glob("*docker")]:
        path.unlink()
    for path, target in links.items():
        path.symlink_to(target)
    for number, path in enumerate(KEPT):
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        if (kept / str(number)).exists():
            run("cp", "-a", str(kept / str(number)), str(path))


@pytest.fixture(scope="module")
def provision(machine: Path, tmp_path_factory: pytest.TempPathFactory) -> Provision:
    settings: dict[str, Any] = {
        "roles": ["docker_engine", "docker_daemon"],
        "docker_engine": {"flavour": "docker.io"},
        "docker_daemon": {
            "bip": "192.168.213.1/24",
            "storage_driver": "overlay2",
            "default_shm_size": "1G",
            "default_ulimits": {"memlock": 8388608, "stack": 67108864},
            "data_root": str(machine / "docker"),
        },
    }
    hosts = {"here": {"ansible_connection": "local"}}
    inventory = tmp_path_factory.mktemp("inventory")
    (inventory / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": settings}}))
    return Provision(inventory)


def info() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("docker", "info", "--format", "{{json .}}"))
    return found


def test_check_changes_nothing(provision: Provision) -> None:
    ended = provision.check()
    assert ended.status == 3, ended.explain()
    assert not DAEMON_JSON.exists()
    assert not Path("/sys/class/net/docker0").exists()


def labs_own(lab: Lab) -> str:
    """The lab's engine, and since when this lab's hosts run in it: other labs come and go beside this one."""
    engine_id = engine.docker("info", "--format", "{{.ID}}").stdout
    states = ["inspect", "--format", "{{.Id}} {{.State.Running}} {{.State.StartedAt}}"]
    return engine_id + engine.docker(*states, *(host.container for host in lab.hosts)).stdout


def test_docker_of_the_machine_as_asked_beside_the_labs_own(lab: Lab, provision: Provision, machine: Path) -> None:
    before = labs_own(lab)
    ended = provision.apply()
    assert ended.status == 0, ended.explain()
    assert ended.host("here")["outcome"] == "changed"
    live = info()
    assert live["Driver"] == "overlay2"
    assert live["DockerRootDir"] == str(machine / "docker")
    assert "192.168.213.1/24" in run("ip", "-4", "-o", "addr", "show", "docker0")
    assert any(path.name.startswith("S") for path in Path("/etc/rc2.d").glob("*docker")), "it starts with the machine"
    assert labs_own(lab) == before
    to_the_next = f"exec 3<>/dev/tcp/{lab.host('neighbour').ip}/22; head -c 4 <&3"
    assert lab.host("bystander").run(["timeout", "10", "bash", "-c", to_the_next]).stdout == "SSH-"
    run("ssh", "-F", str(lab.ssh_config), "bystander", "true")


def test_a_second_run_changes_nothing(provision: Provision) -> None:
    pid = Path("/var/run/docker.pid").read_text()
    ended = provision.apply()
    assert ended.status == 0, ended.explain()
    assert ended.resources("changed") == []
    assert Path("/var/run/docker.pid").read_text() == pid
    assert provision.check().status == 0


def test_drift_is_found_and_repaired(provision: Provision) -> None:
    run("service", "docker", "stop")
    DAEMON_JSON.write_text(DAEMON_JSON.read_text().replace("192.168.213.1", "192.168.214.1"))
    found = provision.check()
    assert found.status == 3, found.explain()
    assert not Path("/var/run/docker.pid").exists(), "check starts nothing"
    assert {"docker_service docker", "json_keys /etc/docker/daemon.json"} <= set(found.resources("would-change"))
    ended = provision.apply()
    assert ended.status == 0, ended.explain()
    assert "192.168.213.1/24" in run("ip", "-4", "-o", "addr", "show", "docker0")


def test_a_change_restarts_it(provision: Provision) -> None:
    before = Path("/var/run/docker.pid").read_text()
    ended = provision.apply("--set", "docker_daemon.log_driver=local")
    assert ended.status == 0, ended.explain()
    assert "docker_service docker" in ended.resources("changed")
    assert Path("/var/run/docker.pid").read_text() != before
