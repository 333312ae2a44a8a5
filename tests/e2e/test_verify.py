"""verify on real hosts: green after apply; red with what was asked and found; one failure for an unreachable host."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.hiding import SecretTag
from tests.e2e.runner import DAEMON, Ended, HostSpec, Lab, Provision, settle

pytestmark = pytest.mark.lab
PASSWORD = "not in any argv 42"
SETTINGS: dict[str, Any] = {
    "roles": ["docker_engine", "docker_daemon", "docker_users"],
    "docker_engine": {"flavour": "docker.io"},
    "docker_daemon": DAEMON,
    "docker_users": {"users": {"alice": {"create": True}}},
}
OWN_TESTS = """
import pytest

def test_the_name_of_the_host(host):
    assert host.check_output("hostname") == host.backend.get_hostname()

@pytest.mark.group("storage")
def test_that_is_for_storage_only(host):
    raise AssertionError("no host here is of that group")

def test_a_container(dockerd):
    assert dockerd.container.ulimit("stack") == (67108864, 67108864)
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Each host is reached another way: as root; by sudo with a password; through the first, by the ssh program."""
    specs = [HostSpec(name, "bookworm", packages=("docker.io",)) for name in ("v1", "v2", "v3")]
    with Lab.up("verify", specs, tmp_path_factory.mktemp("verify")) as up:
        up.host("v2").add_user("ops", PASSWORD, sudo="password")
        yield up


@pytest.fixture(scope="module")
def provision(lab: Lab) -> Provision:
    own = lab.directory / "own"
    own.mkdir()
    (own / "test_own.py").write_text(OWN_TESTS)
    settings = SETTINGS | {"verify_tests": "own"}
    by_sudo = {"ansible_user": "ops", "ansible_become": True, "ansible_become_password": SecretTag("env:SUDO")}
    jump = f"-F {lab.ssh_config} -J v1"
    runner = settle(lab, settings, v2=by_sudo, v3={"ansible_connection": "openssh", "ansible_ssh_common_args": jump})
    inventory = yaml.safe_load(lab.inventory.read_text())
    for name, variables in inventory["all"]["hosts"].items():  # host_vars win over the lab's own
        if name == "v2":
            variables.pop("ansible_user")
        if name == "v3":
            variables.pop("ansible_ssh_common_args")
    lab.inventory.write_text(yaml.safe_dump(inventory))
    run = Provision(runner.inventory, {"SUDO": PASSWORD})
    ended = run.apply()
    assert ended.status == 0, ended.explain()
    return run


def logins(lab: Lab, name: str) -> int:
    said = lab.host(name).run("journalctl --no-pager -q -a").stdout
    return said.count("Accepted publickey")


def failures(ended: Ended, host: str) -> list[str]:
    return [event["error"] for event in ended.of("resource", outcome="failed", host=host)]


def test_right_after_apply_all_is_green_on_one_connection_a_host(
    lab: Lab, provision: Provision, tmp_path: Path
) -> None:
    before = {name: logins(lab, name) for name in ("v1", "v2", "v3")}
    ended = provision("verify", "--junit", str(tmp_path / "verify.xml"))
    assert ended.status == 0, ended.explain()
    for name in ("v1", "v2", "v3"):
        assert ended.host(name)["outcome"] == "ok"
        assert ended.host(name)["ok"] > 15
    after = {name: logins(lab, name) for name in ("v1", "v2", "v3")}
    assert {name: after[name] - before[name] for name in ("v2", "v3")} == {"v2": 1, "v3": 1}
    assert after["v1"] - before["v1"] <= 2, "its own, and as jump host of v3"
    assert {event["role"] for event in ended.of("resource")} == {*SETTINGS["roles"], "own"}
    assert not [event for event in ended.of("resource") if "storage" in event["name"]]
    suite = ElementTree.parse(tmp_path / "verify.xml").getroot().find("testsuite")
    assert suite is not None
    assert suite.get("failures") == suite.get("errors") == "0"
    left = lab.host("v1").run("docker image ls; docker ps -a; ls /run/tmp.* /tmp", check=False).stdout
    assert "provision-verify" not in left
    assert "tmp." not in left


def test_a_host_changed_by_hand_is_red_with_setting_expected_and_found(lab: Lab, provision: Provision) -> None:
    lab.host("v1").run("apt-mark unhold docker.io; gpasswd -d alice docker")
    try:
        ended = provision("verify", "--limit", "v1:v2")
    finally:
        lab.host("v1").run("apt-mark hold docker.io; gpasswd -a alice docker")
    assert ended.status == 1
    assert ended.host("v2")["outcome"] == "ok"
    said = failures(ended, "v1")
    assert "docker_engine.hold (docker.io): asked for True, found False" in said
    assert "docker_users.users.alice: of the group docker at a fresh login: asked for True, found False" in said


def test_the_daemon_of_the_system_is_verified_whatever_docker_host_says(lab: Lab, provision: Provision) -> None:
    lab.host("v1").run("echo DOCKER_HOST=tcp://127.0.0.1:9 >> /etc/environment")
    lab.host("v1").run("docker context create far --docker host=tcp://127.0.0.1:9; docker context use far")
    try:
        ended = provision("verify", "--limit", "v1")
    finally:
        lab.host("v1").run("sed -i /DOCKER_HOST/d /etc/environment; docker context use default; docker context rm far")
    assert ended.status == 0, ended.explain()


def test_a_host_that_cannot_be_reached_is_one_failure(lab: Lab, provision: Provision, tmp_path: Path) -> None:
    lab.host("v2").run("systemctl stop ssh.service ssh.socket; systemctl mask --now ssh.service", check=False)
    try:
        ended = provision("verify", "--junit", str(tmp_path / "verify.xml"))
    finally:
        lab.host("v2").run("systemctl unmask ssh.service; systemctl start ssh.service")
    assert ended.status == 1
    assert ended.host("v1")["outcome"] == ended.host("v3")["outcome"] == "ok"
    assert ended.host("v2")["outcome"] == "unreachable"
    assert "refused" in ended.host("v2")["error"]
    assert ended.of("resource", host="v2") == []
    cases = ElementTree.parse(tmp_path / "verify.xml").getroot().iter("testcase")
    bad = [case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None]
    assert len(bad) == 1


def test_another_host_key_is_refused(lab: Lab, provision: Provision) -> None:
    known = lab.known_hosts.read_text()
    lines = {line.split()[0].split(",")[0]: line for line in known.splitlines() if "ed25519" in line}
    lab.known_hosts.write_text(f"v1,{lab.host('v1').ip} {' '.join(lines['v3'].split()[1:])}\n")
    try:
        ended = provision("verify", "--limit", "v1")
    finally:
        lab.known_hosts.write_text(known)
    assert ended.status == 1
    assert ended.host("v1")["outcome"] == "unreachable"
    assert "key" in ended.host("v1")["error"]


def test_the_password_is_in_no_argv_environment_or_output(lab: Lab, provision: Provision, tmp_path: Path) -> None:
    """Of our own processes: the one that was started has it, and so do its workers, in memory."""
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    own = lab.directory / "host_vars" / "v2.yml"
    before = own.read_text()
    own.write_text(before.replace("env:SUDO", f"file:{tmp_path / 'password'}"))
    run = Provision(provision.inventory)
    process = run.start("verify", "--limit", "v1:v2", "--junit", str(tmp_path / "verify.xml"))
    seen, workers = b"", set()
    while process.poll() is None:
        for pid in _family(process.pid):
            workers.add(pid)
            for kind in ("cmdline", "environ"):
                try:
                    seen += Path(f"/proc/{pid}/{kind}").read_bytes()
                except OSError:
                    continue
        if len(seen) > 20_000_000:
            break
    out, err = process.communicate(timeout=120)
    own.write_text(before)
    assert process.returncode == 0, out[-2000:] + err
    assert len(workers) >= 3, "the process and two workers"
    assert PASSWORD.encode() not in seen
    assert PASSWORD not in out + err + (tmp_path / "verify.xml").read_text()


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(grandchild for child in children for grandchild in _family(int(child)))]


def test_tests_that_do_not_load_are_bad_input(lab: Lab, provision: Provision) -> None:
    broken = lab.directory / "own" / "test_broken.py"
    broken.write_text("import nothing_of_that_name\n")
    try:
        ended = provision("verify", json_events=False)
    finally:
        broken.unlink()
    assert ended.status == 2
    assert "nothing_of_that_name" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_wrong_option_or_folder_is_bad_input(lab: Lab, provision: Provision) -> None:
    assert provision("verify", "--limit", "nobody", json_events=False).status == 2
    assert provision("verify", "--junit", "/no/such/folder/x.xml", json_events=False).status == 2


def test_without_pytest_it_says_how_to_get_it(lab: Lab, tmp_path: Path) -> None:
    program = "import sys; sys.modules['xdist'] = None; sys.argv = ['provision', *sys.argv[1:]]; "
    program += "from provision.cli import main; main()"
    words = [sys.executable, "-c", program, "verify", "-i", str(lab.directory)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert "provision[verify]" in done.stderr


def test_the_plugin_gives_users_tests_its_fixtures_without_the_verb(lab: Lab, provision: Provision) -> None:
    words = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(lab.directory)]
    words += ["-p", "provision.verify.plugin", "-p", "no:cacheprovider", "--provision-inventory", str(lab.directory)]
    words += ["--provision-limit", "v1", str(lab.directory / "own" / "test_own.py")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env={**os.environ, "SUDO": PASSWORD})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout, done.stdout
    assert json.dumps(PASSWORD) not in done.stdout
