"""What a change does to those who use the host: known before, never done to them unasked, and undone where it cuts."""

import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.runner import DAEMON, SETTINGS, HostSpec, Lab, Provision, settle
from tests.lab import LabHost

pytestmark = pytest.mark.lab

NAMES = ("old", "new")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
IMAGE = (
    "mkdir -p /tmp/r; for f in /bin/sh /bin/sleep $(ldd /bin/sh /bin/sleep | grep -o '/lib[^ ]*'); do"
    " install -D $f /tmp/r/$f; done; tar -C /tmp/r -c . | docker import - own:1"
)
SWALLOWS = '''"""A bridge that is nobody's business but this test's: no check of ours stands before it."""
from provision import role
from provision.resources import DaemonOption
DAEMON = True
class Settings(role.Settings):
    address: str
def resources(facts, settings):
    yield DaemonOption(key=("bip",), value=settings.address)
'''


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    specs = [
        HostSpec("old", "bookworm", packages=("docker.io",)),
        HostSpec("new", "trixie", packages=("docker.io", "docker-cli")),
    ]
    with Lab.up("disruption", specs, tmp_path_factory.mktemp("disruption")) as up:
        yield up


@pytest.fixture(scope="module")
def provision(lab: Lab) -> Provision:
    (lab.directory / "roles").mkdir()
    (lab.directory / "roles" / "swallows.py").write_text(SWALLOWS)
    found = settle(lab)
    ended = found.apply()
    assert ended.status == 0, ended.explain()
    for host in lab.hosts:
        host.run(IMAGE)
    return found


@pytest.fixture(autouse=True)
def idle(lab: Lab, provision: Provision) -> Iterator[None]:
    """Each test begins and ends with a host that is as asked, on which nothing runs."""
    yield
    for host in lab.hosts:
        host.run("docker ps -aq | xargs -r docker rm -f", check=False)
    ended = provision.apply("--set", "docker_daemon.disrupt=always")
    assert ended.status == 0, ended.explain()


def run(host: LabHost, name: str, *options: str) -> None:
    # As PID 1 it is deaf to SIGTERM; a restart of Docker is not to wait ten seconds for it.
    host.run(["docker", "run", "-d", "--name", name, "--stop-timeout", "1", *options, "own:1", "/bin/sleep", "100000"])


def running(host: LabHost) -> list[str]:
    return sorted(host.run(["docker", "ps", "--format", "{{.Names}}"]).stdout.split())


def pid(host: LabHost) -> str:
    return host.read("/var/run/docker.pid").strip()


def live(host: LabHost, field: str) -> Any:
    return json.loads(host.run(["docker", "info", "--format", "{{json ." + field + "}}"]).stdout)


def key(name: str, value: Any) -> tuple[str, str]:
    return "--set", f"docker_daemon.{name}={json.dumps(value)}"


def impact(event: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = event["impact"]
    return found


def test_an_added_key_that_a_signal_brings_is_reloaded_and_one_that_goes_needs_a_restart(
    lab: Lab, provision: Provision
) -> None:
    before = {name: pid(lab.host(name)) for name in NAMES}
    for name in NAMES:
        run(lab.host(name), "train")
    mirrors = key("registry_mirrors", ["http://mirror.invalid"])
    plan = provision.check(*mirrors)
    assert plan.status == 3
    for event in plan.of("resource", kind="docker_service"):
        assert impact(event)["level"] == "reload"
        assert "reloads docker" in event["note"]
    ended = provision.apply(*mirrors)
    assert ended.status == 0, ended.explain()
    assert before == {name: pid(lab.host(name)) for name in NAMES}
    for name in NAMES:
        assert live(lab.host(name), "RegistryConfig.Mirrors") == ["http://mirror.invalid/"]
        assert running(lab.host(name)) == ["train"]
    back = provision.check()
    for event in back.of("resource", kind="docker_service"):
        assert impact(event)["level"] == "restart"
        assert impact(event)["why"] == ["registry-mirrors"]
        assert [item["name"] for item in impact(event)["containers"]] == ["train"]


def test_a_container_of_somebody_runs_through_a_change_under_each_policy(lab: Lab, provision: Provision) -> None:
    files = {name: lab.host(name).read("/etc/docker/daemon.json") for name in NAMES}
    before = {name: pid(lab.host(name)) for name in NAMES}
    for name in NAMES:
        run(lab.host(name), "train")
        run(lab.host(name), "db", "--restart", "always")
    mtu = key("mtu", 1400)
    for policy, words in (("idle", "waits for the end of 2 containers"), ("never", "restarts Docker by hand")):
        ended = provision.apply(*mtu, *key("disrupt", policy))
        assert ended.status == 3, ended.explain()
        for name in NAMES:
            assert ended.host(name)["outcome"] == "pending"
            assert running(lab.host(name)) == ["db", "train"]
            assert lab.host(name).read("/etc/docker/daemon.json") == files[name], "live files stay as they were"
            staged = "/var/lib/provision/staged/docker_daemon/etc/docker/daemon.json"
            assert json.loads(lab.host(name).read(staged))["mtu"] == 1400
            assert words in ended.of("resource", kind="docker_service", host=name)[0]["note"]
    assert before == {name: pid(lab.host(name)) for name in NAMES}
    ended = provision.apply(*mtu, *key("disrupt", "always"))
    assert ended.status == 0, ended.explain()
    for name in NAMES:
        assert running(lab.host(name)) == ["db"], "the one that Docker promised to start again"
        assert lab.host(name).run("test -e /var/lib/provision/staged", check=False).returncode == 1


def test_outside_the_maintenance_windows_nothing_disrupts_and_inside_one_it_is_done(
    lab: Lab, provision: Provision
) -> None:
    before = {name: pid(lab.host(name)) for name in NAMES}
    mtu = (*key("mtu", 1390), *key("disrupt", "always"))
    today = datetime.now(UTC).weekday()
    far = ",".join(DAYS[(today + days) % 7] for days in (2, 3, 4, 5))  # closed now, whenever the test runs
    try:
        settle(lab, {**SETTINGS, "rollout": {"windows": f"{far} 02:00-03:00", "timezone": "UTC"}})
        ended = provision.apply(*mtu)
        assert ended.status == 3, ended.explain()
        for name in NAMES:
            assert ended.host(name)["outcome"] == "pending"
            note = ended.of("resource", kind="docker_service", host=name)[0]["note"]
            assert "outside the maintenance windows; the next opens" in note
        assert before == {name: pid(lab.host(name)) for name in NAMES}
        told = provision("status")
        assert told.status == 3
        assert [len(event["pending"]) for event in told.of("status")] == [1, 1]
        settle(lab, {**SETTINGS, "rollout": {"windows": "00:00-24:00"}})
        ended = provision.apply(*mtu)
        assert ended.status == 0, ended.explain()
        assert all(before[name] != pid(lab.host(name)) for name in NAMES)
    finally:
        settle(lab)


def test_a_change_that_had_to_wait_is_finished_by_a_later_run(lab: Lab, provision: Provision) -> None:
    host = lab.host("new")
    run(host, "train")
    assert provision.apply(*key("mtu", 1450), "--limit", "new").status == 3
    host.run(["docker", "rm", "-f", "train"])
    ended = provision.apply(*key("mtu", 1450), "--limit", "new")
    assert ended.status == 0, ended.explain()
    assert json.loads(host.read("/etc/docker/daemon.json"))["mtu"] == 1450


def test_with_live_restore_made_live_first_containers_outlive_the_restart(lab: Lab, provision: Provision) -> None:
    for name in NAMES:
        run(lab.host(name), "train")
    before = {name: pid(lab.host(name)) for name in NAMES}
    settings = (*key("live_restore", True), *key("log_driver", "local"))
    ended = provision.apply(*settings)
    assert ended.status == 0, ended.explain()
    for name in NAMES:
        assert pid(lab.host(name)) != before[name], "it did restart"
        assert running(lab.host(name)) == ["train"], "and the container did not notice"
        assert live(lab.host(name), "LoggingDriver") == "local"
        assert live(lab.host(name), "LiveRestoreEnabled") is True


def swallowing(lab: Lab, name: str) -> tuple[str, ...]:
    """Write host_vars that give docker0 the controller's own address range, more specific than the host's route."""
    machine = lab.network.machine
    address = machine.rpartition(".")[0] + ".2/30"
    daemon = {**DAEMON, "bip": None, "fixed_cidr": None}
    settings = {"roles": [*SETTINGS["roles"], "swallows"], "swallows": {"address": address}, "docker_daemon": daemon}
    (lab.directory / "host_vars").mkdir(exist_ok=True)
    path = lab.directory / "host_vars" / f"{name}.yml"
    path.write_text(json.dumps(settings))
    return "--limit", name


def restored(host: LabHost, limit: float = 90) -> None:
    """Until the host has its bridge back, and Docker runs with it."""
    end = time.monotonic() + limit
    while "192.168.127.1/24" not in host.run("ip -4 -o addr show docker0").stdout:
        assert time.monotonic() < end, host.run("cat /var/lib/provision/state.json").stdout
        time.sleep(1)
    host.run("until docker info >/dev/null 2>&1; do sleep 0.2; done", timeout=30)
    host.run("until ! [ -e /var/lib/provision/undo ]; do sleep 0.2; done", timeout=30)
    assert json.loads(host.read("/etc/docker/daemon.json"))["bip"] == DAEMON["bip"]
    assert host.run("ls /etc/systemd/system | grep provision", check=False).stdout == "", "nothing of the switch stays"


@pytest.mark.parametrize("controller", ["waits", "is killed"])
def test_a_bridge_that_swallows_the_way_to_us_is_put_back_by_the_host_itself(
    lab: Lab, provision: Provision, controller: str
) -> None:
    host = lab.host("old")
    limit = swallowing(lab, "old")
    try:
        process = provision.start("apply", "--yes", *limit)
        host.run("until ip -4 -o addr show docker0 | grep -q '\\.2/30'; do sleep 0.1; done", timeout=60)
        if controller == "is killed":
            process.kill()
        out, err = process.communicate(timeout=120)
        if controller == "waits":
            ended = Provision.ended(process, out, err)
            assert ended.status == 1
            assert "cut this host off" in ended.host("old")["error"]
            assert "puts the old configuration back by itself" in ended.host("old")["error"]
        restored(host)
    finally:
        (lab.directory / "host_vars" / "old.yml").unlink()
    ended = provision.apply("--limit", "old")
    assert ended.status == 0, ended.explain()
    assert any("put back" in event["text"] or "cut off" in event["text"] for event in ended.of("notice")), "it tells"


def in_the_way_of_systemctl(host: LabHost, seconds: int) -> None:
    """From now on systemctl is slow, and leaves a mark when it is called."""
    script = f'#!/bin/sh\\ntouch /root/called\\nsleep {seconds}\\nexec /root/systemctl "$@"\\n'
    host.run(
        f"rm -f /root/called; cp /usr/bin/systemctl /root/systemctl; printf '{script}' > /root/slow;"
        "chmod +x /root/slow; mount --bind /root/slow /usr/bin/systemctl"
    )


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_ctrl_c_in_the_middle_of_a_change(lab: Lab, provision: Provision, times: int) -> None:
    """Once: the change is brought to its end, and as nobody is left to say that the host can be reached, it goes back.
    Twice: the program stops at once, and the host does the same alone."""
    host = lab.host("new")
    before = host.read("/etc/docker/daemon.json")
    in_the_way_of_systemctl(host, 2)
    try:
        process = provision.start("apply", "--yes", "--limit", "new", *key("mtu", 1390))
        host.run("until [ -e /root/called ]; do sleep 0.1; done", timeout=60)
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        process.communicate(timeout=90)
        assert process.returncode == 130
        host.run("while [ -e /var/lib/provision/undo ]; do sleep 0.2; done", timeout=90)
    finally:
        host.run("umount --lazy /usr/bin/systemctl")
    assert host.read("/etc/docker/daemon.json") == before
    host.run("until docker info >/dev/null 2>&1; do sleep 0.2; done", timeout=60)
    ended = provision.apply("--limit", "new", *key("mtu", 1390))
    assert ended.status == 0, ended.explain()


def test_a_daemon_that_ignores_a_key_is_found_out_and_has_its_old_configuration_back(
    lab: Lab, provision: Provision
) -> None:
    host = lab.host("new")
    before = host.read("/etc/docker/daemon.json")
    host.run(
        "cp /usr/sbin/dockerd /root/dockerd; cp /etc/docker/daemon.json /root/other.json;"
        "printf '#!/bin/sh\\nexec /root/dockerd --config-file=/root/other.json \"$@\"\\n' > /root/ignores;"
        "chmod +x /root/ignores; mount --bind /root/ignores /usr/sbin/dockerd"
    )
    try:
        ended = provision.apply("--limit", "new", *key("mtu", 1380))
    finally:
        host.run("umount --lazy /usr/sbin/dockerd; systemctl restart docker", timeout=90)
    assert ended.status == 1
    entry = ended.host("new")
    assert (entry["outcome"], entry["rolled_back"]) == ("failed", True), ended.explain()
    assert "written but not live: mtu" in entry["error"]
    assert host.read("/etc/docker/daemon.json") == before


def test_a_daemon_that_hangs_is_unknown_in_bounded_time_and_never_ok(lab: Lab, provision: Provision) -> None:
    host = lab.host("new")
    host.run("kill -STOP $(cat /var/run/docker.pid)")
    started = time.monotonic()
    try:
        ended = provision.check("--limit", "new")
    finally:
        host.run("kill -CONT $(cat /var/run/docker.pid)")
    assert ended.status == 1
    assert ended.host("new")["outcome"] == "unknown", ended.explain()
    assert "does not answer" in ended.host("new")["error"]
    assert time.monotonic() - started < 60, "bounded: each question to Docker has ten seconds"


SMALL = "cp -a {0} /root/was && mount -t tmpfs -o size=64m,mode=$(stat -c %a {0}) none {0} && cp -a /root/was/. {0}/"
FLOODS = """\
#!/bin/sh
grep -q mtu /etc/docker/daemon.json && { cat /dev/zero > /etc/docker/flood; exit 1; }
exec /root/dockerd "$@"
"""


def test_a_daemon_that_fills_the_disk_of_its_files_and_dies_has_them_back(lab: Lab, provision: Provision) -> None:
    host = lab.host("new")
    before = host.read("/etc/docker/daemon.json")
    host.write("/root/floods", FLOODS, mode=0o755)
    host.run(f"cp /usr/sbin/dockerd /root/dockerd; {SMALL.format('/etc/docker')}")
    host.run("mount --bind /root/floods /usr/sbin/dockerd")
    try:
        ended = provision.apply("--limit", "new", *key("mtu", 1370))
        entry = ended.host("new")
        assert (entry["outcome"], entry["rolled_back"]) == ("failed", True), ended.explain()
        assert host.read("/etc/docker/daemon.json") == before
        host.run("docker info")
    finally:
        host.run("umount --lazy /usr/sbin/dockerd /etc/docker; rm -rf /root/was; systemctl restart docker", timeout=90)


def test_a_power_loss_that_takes_what_we_remember_along_is_undone_at_boot(lab: Lab, provision: Provision) -> None:
    host = lab.host("new")
    before = host.read("/etc/docker/daemon.json")
    in_the_way_of_systemctl(host, 20)
    process = provision.start("apply", "--yes", "--limit", "new", *key("bip", CONFIGURED[1]), *key("fixed_cidr", None))
    host.run(f"until grep -q {CONFIGURED[1]} /etc/docker/daemon.json; do sleep 0.1; done", timeout=60)
    process.kill()
    process.communicate()
    host.run("truncate -s 100 /var/lib/provision/state.json")
    host.pull_power()
    host.power_on()
    host.run("until docker info >/dev/null 2>&1; do sleep 0.2; done", timeout=60)
    assert host.read("/etc/docker/daemon.json") == before
    ended = provision.apply("--limit", "new")
    assert ended.status == 0, ended.explain()
    assert any("was put back: the host went down" in event["text"] for event in ended.of("notice"))


DIES = """\
#!/usr/bin/python3
# The interpreter of a host whose power goes at the N-th file that is put in place.
import os, signal, sys
left = [int(open("/root/dies-at").read())]
def dying(real):
    def call(*args, **more):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **more)
    return call
os.rename, os.unlink = dying(os.rename), dying(os.unlink)
exec(sys.argv[sys.argv.index("-c") + 1])
"""
CONFIGURED = (DAEMON["bip"], "192.168.200.1/24")


def test_the_power_goes_at_every_step_of_a_change(lab: Lab, provision: Provision) -> None:
    """Driven step by step: the agent dies at each file that it puts in place or removes, then the host goes down.

    After each of them the host comes up by itself with a Docker that runs with one configuration, whole; a plain rerun
    converges; and nothing of ours is left but the state directory.
    """
    host = lab.host("new")
    host.write("/root/dies", DIES, mode=0o755)
    bridge = ("--limit", "new", *key("bip", CONFIGURED[1]), *key("fixed_cidr", None))
    interpreter = lab.directory / "host_vars" / "new.yml"
    interpreter.parent.mkdir(exist_ok=True)
    steps, survived = 0, False
    while not survived:
        steps += STRIDE
        assert steps < 200, "the change never comes to its end"
        host.write("/root/dies-at", str(steps))
        interpreter.write_text(json.dumps({"ansible_python_interpreter": "/root/dies"}))
        ended = provision.apply(*bridge)
        interpreter.unlink()
        survived = ended.status == 0
        host.pull_power()
        host.power_on()
        host.run("until docker info >/dev/null 2>&1; do sleep 0.2; done", timeout=60)
        bip = json.loads(host.read("/etc/docker/daemon.json"))["bip"]
        assert bip in CONFIGURED
        assert bip in host.run("ip -4 -o addr show docker0").stdout, f"step {steps}: one configuration, whole"
        again = provision.apply("--limit", "new")
        assert again.status == 0, f"step {steps}: {again.explain()}"
        assert DAEMON["bip"] in host.run("ip -4 -o addr show docker0").stdout
        left = host.run("ls -A /var/lib/provision | grep undo; find /etc -name '*.provision-*'", check=False).stdout
        assert left == "", f"step {steps}"


STRIDE = int(os.environ.get("PROVISION_STRIDE", "11"))
"""1: at every single step, some minutes."""
