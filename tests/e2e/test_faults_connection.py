"""Connections that cannot be made, and connections that die with dpkg at work: one clear sentence each, that host
alone, and a rerun that converges.

dpkg is caught at its work by a gate: docker.io's postinst calls deb-systemd-helper, which waits while a file is there.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.runner import SETTINGS, Ended, HostSpec, Lab, Provision, settle
from tests.lab import LabHost

pytestmark = pytest.mark.lab

PARTS = ("containerd", "runc", "iptables", "tini")
"""What docker.io needs: there already, so that the tests wait for the package in question only."""
GOOD = HostSpec("good", packages=("docker.io", "tcsh"))
CUT_OFF = ("killed", "cut", "hung")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    hosts = [GOOD, *(HostSpec(name, packages=PARTS) for name in CUT_OFF)]
    with Lab.up("faults", hosts, tmp_path_factory.mktemp("faults")) as up:
        yield up


@pytest.fixture(scope="module")
def provision(lab: Lab) -> Provision:
    return settle(lab)


# -- dpkg at work

GATE = """
[ -e /root/helper ] || cp /usr/bin/deb-systemd-helper /root/helper
cat > /root/gated <<'END'
#!/bin/sh
while [ -e /root/gate ]; do : > /root/at-the-gate; sleep 0.1; done
exec /root/helper "$@"
END
chmod +x /root/gated
touch /root/gate
mountpoint -q /usr/bin/deb-systemd-helper || mount --bind /root/gated /usr/bin/deb-systemd-helper
"""


def close_gate(host: LabHost) -> None:
    host.run(GATE)


def open_gate(host: LabHost) -> None:
    host.run("rm -f /root/gate /root/at-the-gate")


def wait_for(host: LabHost, condition: str, limit: float = 120) -> None:
    """Until a line of shell is true on the host."""
    loop = f"until {condition}; do sleep 0.1; done"
    host.run(loop, timeout=limit)


def agent_pid(host: LabHost) -> str:
    look = "grep -alE 'provision-agent-[1]' /proc/[0-9]*/cmdline 2>/dev/null"
    return host.run(look, check=False).stdout.split("/")[2]


def kill_session(host: LabHost) -> None:
    """SIGKILL to the sshd that serves the run."""
    host.run(f"kill -9 $(sed -n 's/^PPid:\\s*//p' /proc/{agent_pid(host)}/status)")


def at_work(provision: Provision, hosts: list[LabHost], *options: str) -> "subprocess.Popen[str]":
    """Start apply, and return once dpkg waits at the gate of each of these hosts."""
    for host in hosts:
        close_gate(host)
    process = provision.start("apply", "--yes", *options)
    try:
        for host in hosts:
            while host.run("test -e /root/at-the-gate", check=False).returncode:
                assert process.poll() is None, "the run has ended"
                time.sleep(0.3)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return process


def whole(host: LabHost) -> None:
    """dpkg is whole, Docker runs as asked, and nothing of ours is left behind."""
    assert host.run(["dpkg", "--audit"]).stdout == ""
    assert host.run(["dpkg-query", "-W", "-f", "${Status}", "docker.io"]).stdout == "hold ok installed"
    assert host.run("test -e /usr/sbin/policy-rc.d", check=False).returncode == 1
    assert json.loads(host.run(["docker", "info", "--format", "{{json .}}"]).stdout)["Driver"] == "overlay2"
    assert "192.168.127.1/24" in host.run("ip -4 -o addr show docker0").stdout


def test_a_connection_that_dies_with_dpkg_at_work(lab: Lab, provision: Provision) -> None:
    killed, cut, hung = (lab.host(name) for name in CUT_OFF)
    process = at_work(provision, [killed, cut, hung])
    kill_session(killed)
    cut.cut_network()
    hung.pause()
    # Nobody listens any more: dpkg ends by itself, while the controller waits for the other two.
    for host in (killed, cut):
        open_gate(host)
        wait_for(host, "dpkg-query -W -f '${Status}' docker.io | grep -q 'ok installed'")
    out, err = process.communicate(timeout=120)
    ended = Provision.ended(process, out, err)
    cut.restore_network()
    hung.unpause()
    assert ended.status == 1, ended.explain()
    assert ended.host("good")["outcome"] == "changed", ended.explain()
    for name, word in (("killed", "connection"), ("cut", "silent"), ("hung", "silent")):
        assert ended.host(name)["outcome"] == "failed"
        assert word in ended.host(name)["error"]
        assert "docker_engine: packages docker.io" in ended.host(name)["error"], "the step is named"

    # dpkg is still at work on `hung` when the next run comes: it waits for the end of what the first one began.
    rerun = provision.start("apply", "--yes")
    time.sleep(3)
    open_gate(hung)
    out, err = rerun.communicate(timeout=180)
    again = Provision.ended(rerun, out, err)
    assert again.status == 0, again.explain()
    assert again.host("good")["outcome"] == "ok"
    for host in (killed, cut, hung):
        whole(host)
    told = {event["host"]: event["text"] for event in again.of("notice")}
    for name in ("killed", "hung"):
        assert "was cut off in the step 'packages docker.io'" in told[name]
    assert provision.check().status == 0


def test_the_agent_the_host_or_the_controller_dies_with_dpkg_at_work(lab: Lab, provision: Provision) -> None:
    killed, cut, hung = hosts = [lab.host(name) for name in CUT_OFF]
    for host in hosts:
        host.run("apt-mark unhold docker.io; apt-get -qq -y remove docker.io", timeout=120)
    process = at_work(provision, hosts, "--limit", "killed:cut:hung")
    killed.run(f"kill -9 {agent_pid(killed)}")
    cut.pull_power()
    first = first_end(process)
    assert first["host"] == "killed"
    assert "the connection ended in the step 'docker_engine: packages docker.io'" in first["error"]
    process.kill()
    process.communicate()
    assert killed.run("test -e /usr/sbin/policy-rc.d", check=False).returncode == 0, "so there is something to tidy up"
    cut.power_on()
    open_gate(cut)
    assert cut.run(["dpkg", "--audit"]).stdout != "", "so there is something to repair"
    rerun = provision.start("apply", "--yes", "--limit", "killed:cut:hung")
    time.sleep(3)
    open_gate(killed)
    open_gate(hung)
    out, err = rerun.communicate(timeout=180)
    again = Provision.ended(rerun, out, err)
    assert again.status == 0, again.explain()
    for host in hosts:
        whole(host)
    told = {event["host"]: event["text"] for event in again.of("notice")}
    assert "died on this host" in told["killed"]
    assert "died on this host" in told["cut"]
    assert "was cut off in the step 'packages docker.io'" in told["hung"]


def first_end(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """The first host-finished event of a run that goes on."""
    assert process.stdout is not None
    for line in process.stdout:
        event: dict[str, Any] = json.loads(line)
        if event["type"] == "host-finished":
            return event
    raise AssertionError("the run ended")


# -- logins

USERS = {"alice": "none", "bob": "password", "carol": "nopasswd", "dave": "password"}
PASSWORD = "Correct-horse 7$"

TALLY = """
sed -i 's/success=1 default=ignore\\(.*pam_unix\\)/success=2 default=ignore\\1/' /etc/pam.d/common-auth
sed -i '/pam_unix.so/i auth required pam_faillock.so preauth deny=3 unlock_time=600' /etc/pam.d/common-auth
sed -i '/pam_unix.so/a auth [default=die] pam_faillock.so authfail deny=3 unlock_time=600' /etc/pam.d/common-auth
"""
"""The host counts wrong passwords, and locks the account at the third."""

NOISE = """
printf 'Welcome to this host.\\nIt talks a lot.\\n' > /etc/motd
for f in /home/bob/.bashrc /home/carol/.bashrc /home/carol/.tcshrc; do
  printf 'echo "hello from a start file"\\necho "and a line on stderr" 1>&2\\n' > $f
done
printf 'echo "hello from a start file"\\n' > /home/carol/.tcshrc
usermod --shell /bin/tcsh carol
"""


@pytest.fixture(scope="module")
def users(lab: Lab) -> LabHost:
    """`good` with users of all kinds, and a tally of wrong passwords."""
    good = lab.host("good")
    for name, sudo in USERS.items():
        good.add_user(name, PASSWORD, sudo=sudo)  # type: ignore[arg-type]
    good.run(NOISE)
    good.run(TALLY)
    return good


def alias(lab: Lab, **values: Any) -> dict[str, Any]:
    """Connection variables of an inventory host that is the lab's `good`, but for these values."""
    host = {
        "ansible_host": lab.host("good").ip,
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(lab.private_key),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={lab.known_hosts}",
    }
    return host | values


def inventory(folder: Path, hosts: dict[str, dict[str, Any]]) -> Provision:
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": SETTINGS}}))
    return Provision(folder)


Faults = dict[str, tuple[str, tuple[str, ...], dict[str, Any]]]


def faults(lab: Lab, folder: Path) -> Faults:
    """name -> (outcome, words of the sentence, connection variables)."""
    other = lab.host("killed").host_keys()
    wrong = folder / "wrong_known_hosts"
    wrong.write_text("".join(f"{lab.host('good').ip} {key}\n" for key in other))
    none = folder / "no_known_hosts"
    none.touch()
    free = str(lab.network.hosts[-3])
    password = {"ansible_become": True, "ansible_become_password": PASSWORD}
    return {
        "wrong-key": (
            "unreachable",
            ("shows the", "key", "known_hosts:", "sed -i"),
            {"ansible_ssh_common_args": f"-o UserKnownHostsFile={wrong}"},
        ),
        "unknown-key": (
            "unreachable",
            ("key", "--accept-new-host-keys"),
            {"ansible_ssh_common_args": f"-o UserKnownHostsFile={none}"},
        ),
        "refused-port": ("unreachable", ("refused the connection", "ansible_port"), {"ansible_port": 2}),
        "no-route": ("unreachable", (free, "no route"), {"ansible_host": free}),
        "no-name": ("unreachable", ("has no address", "ansible_host"), {"ansible_host": "nothing.invalid"}),
        "bad-user": ("unreachable", ("does not let stranger in", "ansible_user"), {"ansible_user": "stranger"}),
        "wrong-password": (
            "failed",
            ("sudo did not take the password of bob", "ansible_become_password"),
            {"ansible_user": "bob", **password, "ansible_become_password": "battery-staple"},
        ),
        "no-password": (
            "failed",
            ("sudo wants a password of dave", "ansible_become_password"),
            {"ansible_user": "dave", "ansible_become": True},
        ),
        "no-sudoer": ("failed", ("alice", "sudo"), {"ansible_user": "alice", **password}),
        "not-root": ("failed", ("not root", "ansible_become"), {"ansible_user": "alice", "ansible_become": False}),
    }


@pytest.mark.parametrize("connection", ["ssh", "openssh"])
def test_each_login_that_fails_is_one_sentence_and_that_host_alone(
    lab: Lab, users: LabHost, tmp_path: Path, connection: str
) -> None:
    cases = faults(lab, tmp_path)
    hosts = {name: alias(lab, ansible_connection=connection, **values) for name, (_, _, values) in cases.items()}
    users.run("rm -f /var/run/faillock/bob /var/run/faillock/alice")
    ended = inventory(tmp_path, {**hosts, "good": alias(lab, ansible_connection=connection)}).apply(timeout=120)
    assert ended.status == 1, ended.explain()
    assert ended.host("good")["outcome"] in ("ok", "changed"), ended.explain()
    for name, (outcome, words, _) in cases.items():
        said = ended.host(name)
        assert said["outcome"] == outcome, (name, said)
        one_sentence(said["error"], words)
    # sudo tells its log when it ends, two seconds after it was left.
    wait_for(users, "journalctl --no-pager -o cat -t sudo | grep -q 'bob : .* incorrect password'", 30)
    told = users.run("journalctl --no-pager -o cat -t sudo | grep 'bob : .* incorrect password'").stdout
    assert all("bob : 1 incorrect password attempt" in line for line in told.splitlines()), "one attempt, not three"
    assert tally(users, "bob") < 3, "the account is not locked"


def one_sentence(error: str, words: tuple[str, ...]) -> None:
    assert "\n" not in error
    assert len(error) < 500
    assert "; " in error, f"says what to do: {error}"
    for word in words:
        assert word in error, error


def tally(host: LabHost, user: str) -> int:
    """What pam_faillock has counted. It takes the end of input at the second prompt for an attempt of its own."""
    return len([line for line in host.run(["faillock", "--user", user]).stdout.splitlines() if line.endswith(" V")])


@pytest.mark.parametrize("connection", ["ssh", "openssh"])
@pytest.mark.parametrize("user", ["bob", "carol", "root"])
def test_sudo_with_and_without_a_password_through_noise_and_a_csh(
    lab: Lab, users: LabHost, provision: Provision, tmp_path: Path, connection: str, user: str
) -> None:
    more: dict[str, Any] = {"ansible_user": user, "ansible_connection": connection}
    if user != "root":
        more["ansible_become"] = True
    if user == "bob":
        more["ansible_become_password"] = PASSWORD
    users.run("rm -f /etc/docker/daemon.json")
    ended = inventory(tmp_path, {"good": alias(lab, **more)}).apply()
    assert ended.status == 0, ended.explain()
    assert "json_keys /etc/docker/daemon.json" in ended.resources("changed")
    assert PASSWORD not in ended.stdout + ended.stderr


def test_a_password_for_a_sudo_that_wants_none_is_not_input_of_the_program(
    lab: Lab, users: LabHost, provision: Provision, tmp_path: Path
) -> None:
    more = {"ansible_user": "carol", "ansible_become": True, "ansible_become_password": PASSWORD}
    ended = inventory(tmp_path, {"good": alias(lab, **more)}).apply()
    assert ended.status == 0, ended.explain()


def test_a_host_that_takes_longer_than_its_limit_is_named_with_its_step(
    lab: Lab, provision: Provision, tmp_path: Path
) -> None:
    hung = lab.host("hung")
    ended = in_the_middle(provision, hung, hung.pause, "--limit", "hung:good", "--timeout", "12")
    hung.unpause()
    hung.run("umount --lazy /usr/bin/systemctl")
    assert ended.status == 1
    assert ended.host("good")["outcome"] in ("ok", "changed"), ended.explain()
    assert ended.host("hung")["outcome"] == "failed"
    assert "docker_daemon: docker_service docker" in ended.host("hung")["error"]


def in_the_middle(provision: Provision, host: LabHost, fault: Callable[[], None], *options: str) -> Ended:
    """Let `fault` happen while the run waits for systemctl on that host."""
    host.run(
        "systemctl stop docker.service docker.socket; rm -f /root/at-systemctl; cp /usr/bin/systemctl /root/systemctl;"
        "printf '#!/bin/sh\\ntouch /root/at-systemctl\\nsleep 30\\nexec /root/systemctl \"$@\"\\n' > /root/slow;"
        "chmod +x /root/slow; mount --bind /root/slow /usr/bin/systemctl"
    )
    process = provision.start("apply", "--yes", *options)
    try:
        wait_for(host, "[ -e /root/at-systemctl ]")
        fault()
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    return Provision.ended(process, out, err)
