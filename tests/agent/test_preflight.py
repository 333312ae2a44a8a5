"""The questions before a change, on a host in a folder: each with what it passes, warns of, fails and cannot tell."""

import json
import time

import pytest

from provision.agent.docker import daemon_socket
from provision.agent.host.errors import Unknown
from provision.agent.packages import apt_key, apt_locks, openpgp
from provision.agent.preflight import ask as preflight
from provision.agent.preflight import of_docker, of_host, of_packages
from provision.agent.preflight.ask import Change
from tests.agent import keys

from .rooted import Rooted, answer

WANTED = {"storage_driver": None, "data_root": None, "containerd_store": None, "deferred": []}
STATUS = "/var/lib/dpkg/status"
STANZA = "Package: {}\nStatus: {} ok {}\nArchitecture: amd64\nVersion: {}\n\n"


def packages(*differences, role="docker_engine", hold=True):
    """A set of packages that would change: (name, before, after)."""
    asked = [{"name": name, "version": None} for name, _, _ in differences]
    fields = {"packages": asked, "replace": [], "hold": hold, "latest": False, "update": True, "conflicts": []}
    fields.update(no_start=["docker"], allow_downgrade=False, lock_timeout=5, timeout=60)
    diff = [{"key": name, "before": before, "after": after} for name, before, after in differences]
    return role, {"kind": "packages", "fields": fields}, {"diff": diff}


def service(name="docker"):
    return "docker_daemon", {"kind": "docker_service", "fields": {"name": name}}, {"diff": []}


def change(*found, **wanted):
    return Change(dict(WANTED, **wanted), found)


INSTALL = packages(("docker.io", "absent", "installed, held"))
ENGINE = service()
FILE = ("greeting", {"kind": "file", "fields": {"path": "/etc/x"}}, {"diff": []})


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setattr(apt_locks, "holder", lambda path: None)
    host = Rooted(tmp_path)
    host.put(STATUS, STANZA.format("docker.io", "install", "installed", "20.10.24"))
    yield host
    host.done()


def running(host, monkeypatch, pid="40", info=None, words=("/usr/sbin/dockerd",)):
    host.put("/var/run/docker.pid", pid)
    process(host, pid, *words)

    def get(system, number, target, timeout=10):
        assert target == "/info"
        return info or {}

    monkeypatch.setattr(daemon_socket, "get", get)


def process(host, pid, *words, namespace="pid:[1]"):
    host.put("/proc/{}/cmdline".format(pid), "\0".join(words) + "\0")
    if host.link("/proc/{}/ns/pid".format(pid)) is None:
        host.link_to("/proc/{}/ns/pid".format(pid), namespace)


@pytest.fixture
def own(host):
    host.link_to("/proc/self/ns/pid", "pid:[1]")
    return host


# -- all together


def test_every_question_gets_one_answer_and_a_broken_one_is_unknown(host, monkeypatch):
    def broken(system, change):
        raise ZeroDivisionError("oops")

    def ill(system, change):
        raise OSError(5, "Input/output error", "/x")

    def silent(system, change):
        raise Unknown("it does not say")

    questions = (("a", broken), ("b", ill), ("c", silent), ("d", lambda system, change: ("pass", "well", "")))
    monkeypatch.setattr(preflight, "QUESTIONS", questions)
    found = preflight.answers(host, WANTED, [FILE])
    assert [(item["question"], item["verdict"]) for item in found] == [
        ("a", "unknown"),
        ("b", "unknown"),
        ("c", "unknown"),
        ("d", "pass"),
    ]
    assert "ZeroDivisionError: oops" in found[0]["text"]
    assert "bug of provision" in found[0]["fix"]
    assert found[1]["text"] == "cannot be told: Input/output error /x"
    assert found[2]["text"] == "it does not say"


def test_a_question_that_hangs_is_unknown_and_the_others_are_asked(host, monkeypatch):
    monkeypatch.setattr(preflight, "LIMIT", 0.2)
    questions = (("hung", lambda system, change: time.sleep(60)), ("b", lambda system, change: ("pass", "well", "")))
    monkeypatch.setattr(preflight, "QUESTIONS", questions)
    found = preflight.answers(host, WANTED, [FILE])
    assert [item["verdict"] for item in found] == ["unknown", "pass"]
    assert "no answer within" in found[0]["text"]


@pytest.mark.parametrize(
    "name",
    [
        "engines",
        "orchestrator",
        "images",
        "dpkg",
        "locks",
        "holds",
        "versions",
        "sources",
        "repositories",
        "socket",
        "configuration",
    ],
)
def test_what_the_change_does_not_touch_does_not_apply(host, name):
    assert dict(preflight.QUESTIONS)[name](host, change(FILE))[0] == "n/a"


def test_a_hold_alone_is_no_change_of_a_package():
    assert change(packages(("docker.io", "installed", "installed, held"))).packages == {}
    assert list(change(packages(("docker.io", "20.10, held", "26.1, held"))).packages) == ["docker.io"]


def test_what_is_a_change_of_the_engine():
    assert change(ENGINE).engine
    assert change(FILE, deferred=["docker_daemon"]).engine
    assert change(("site", ENGINE[1], ENGINE[2])).engine
    assert not change(FILE, ("site", {"kind": "service", "fields": {"name": "ssh"}}, {"diff": []})).engine


# -- disk


def room(megabytes, files=100000, kind="ext2/ext3", blocks=99999):
    return (["stat", "-f"], answer("{} 1048576 {} 999999 {} {}\n".format(megabytes, files, blocks, kind)))


def test_room_for_packages_and_images(host):
    host.put("/proc/self/mounts", "/dev/sda1 / ext4 rw,relatime 0 0\n")
    host.commands = [room(9000)] * 6
    assert of_host.disk(host, change(INSTALL))[0] == "pass"
    host.commands = [room(9000)] * 2 + [room(100)] + [room(9000)] * 3
    assert of_host.disk(host, change(INSTALL))[:2] == (
        "fail",
        "no space left for packages: /usr has 100 MB free, and they take 512 MB",
    )
    host.commands = [room(9000)] * 2 + [room(1000)] + [room(9000)] * 3
    assert of_host.disk(host, change(INSTALL))[0] == "warn"
    host.commands = [room(9000), room(9000, files=12)]
    assert "12 more files" in of_host.disk(host, change(FILE))[1]


def test_what_is_mounted_on_use_has_no_size_yet(host):
    host.commands = [room(9000)] * 2 + [room(0, kind="autofs", blocks=0)] * 2
    assert of_host.disk(host, change(ENGINE, data_root="/net/docker"))[0] == "pass"


def test_images_need_what_they_are_to_leave_free(host):
    image = ("container_images", {"kind": "image", "fields": {"minimum_free": 2 * 1024**3}}, {"diff": []})
    host.commands = [room(9000)] * 2 + [room(1500)] + [room(9000)]
    assert of_host.disk(host, change(ENGINE, image))[:2] == (
        "fail",
        "no space left for images: /var/lib/docker has 1500 MB free, and it takes 2048 MB",
    )
    host.commands = [room(9000)] * 2 + [room(5000)] + [room(9000)]
    assert of_host.disk(host, change(ENGINE, image))[0] == "warn"


def test_the_disk_of_a_data_root_that_is_not_there_yet_is_its_parents(host):
    missing = answer("", "stat: cannot read: No such file", 1)
    host.commands = [room(9000)] * 2 + [(["stat", "-f"], missing)] + [room(9000)] + [(["stat", "-f"], missing)]
    host.commands += [room(9000, kind="nfs")]
    found = of_host.disk(host, change(ENGINE, data_root="/raid/docker", storage_driver="overlay2"))
    assert found[:2] == ("fail", "/raid/docker is on nfs, and overlay2 does not work on that")


def test_a_read_only_file_system_and_one_that_hangs(host):
    host.put("/proc/self/mounts", "/dev/sda1 / ext4 rw 0 0\n/dev/sda2 /usr ext4 ro,relatime 0 0\n")
    host.commands = [room(9000)] * 4
    assert of_host.disk(host, change(packages(("x", "absent", "installed"), role="r")))[1] == (
        "Read-only file system: nothing can be written to /usr"
    )
    hung = answer("", "", -9)
    hung.timed_out = True
    host.commands = [(["stat", "-f"], hung)]
    with pytest.raises(Unknown, match="/etc does not answer"):
        of_host.disk(host, change(FILE))


# -- reboot


def test_a_reboot_is_announced(host):
    assert of_host.reboot(host, change(FILE))[0] == "pass"
    host.put("/sys/module/nvidia/version", "535.1\n")
    host.link_to("/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1", "libnvidia-ml.so.550.2")
    assert of_host.reboot(host, change(FILE))[:2] == (
        "warn",
        "the NVIDIA driver 535.1 is loaded and 550.2 is on disk",
    )
    host.put("/run/reboot-required", "")
    host.put("/run/reboot-required.pkgs", "linux-image\nlibc6\n")
    assert of_host.reboot(host, change(FILE))[1] == "the host waits for a reboot: libc6, linux-image"


# -- engines


def test_one_engine_and_no_other(own, monkeypatch):
    running(own, monkeypatch)
    process(own, "77", "/usr/bin/dockerd", "--data-root=/x", namespace="pid:[2]")  # in a container
    assert of_docker.engines(own, change(ENGINE))[0] == "pass"
    process(own, "78", "/opt/dockerd", "-H", "unix:///y")
    found = of_docker.engines(own, change(ENGINE))
    assert found[:2] == ("warn", "another dockerd runs here: process 78 (/opt/dockerd -H unix:///y)")
    own.put("/snap/docker/current", "")
    assert of_docker.engines(own, change(ENGINE))[0] == "fail"


def test_a_docker_that_is_not_its_unit_s_keeps_the_unit_from_starting(own, monkeypatch):
    running(own, monkeypatch)
    own.put("/run/systemd/system/x", "")
    pid = of_docker.process(own)
    process(own, str(pid), "/usr/sbin/dockerd", "-H", "unix:///run/docker.sock")
    own.put("/proc/{}/cgroup".format(pid), "0::/system.slice/docker.service\n")
    assert of_docker.engines(own, change(ENGINE))[0] == "pass"
    own.put("/proc/{}/cgroup".format(pid), "0::/user.slice/session-1.scope\n")
    verdict, text, fix = of_docker.engines(own, change(ENGINE))
    assert (verdict, text.partition(":")[0]) == (
        "fail",
        "Docker runs, and not as docker.service, which does not start beside it",
    )
    assert "kill {}".format(pid) in fix


def test_who_poses_as_docker(own):
    own.put("/usr/bin/podman", "", 0o755)
    own.link_to("/usr/bin/docker", own.root + "/usr/bin/podman")
    assert "is podman" in of_docker.engines(own, change(ENGINE))[1]


def test_a_kubelet_owns_its_host_whatever_its_process_is_called(own):
    process(own, "50", "/bin/sleep", "infinity")
    own.put("/proc/50/cgroup", "0::/system.slice/ssh.service\n")
    assert of_docker.orchestrator(own, change(ENGINE))[0] == "pass"
    own.link_to("/etc/systemd/system/multi-user.target.wants/kubelet.service", "/lib/systemd/system/kubelet.service")
    assert of_docker.orchestrator(own, change(ENGINE))[0] == "warn"
    own.put("/proc/50/cgroup", "1:name=systemd:/docker/abc/system.slice/kubelet.service\n0::/\n")
    assert of_docker.orchestrator(own, change(ENGINE))[:2] == (
        "fail",
        "kubelet runs here (process 50): Kubernetes is in charge of this host's containers",
    )


def test_a_kubernetes_without_that_unit_and_one_in_a_container(own):
    process(own, "50", "/usr/bin/kubelet", namespace="pid:[2]")
    assert of_docker.orchestrator(own, change(ENGINE))[0] == "pass"
    process(own, "51", "/usr/local/bin/k3s", "agent")
    assert "k3s runs here (process 51)" in of_docker.orchestrator(own, change(ENGINE))[1]


def test_a_swarm_that_runs_and_one_that_is_stopped(own, monkeypatch):
    own.put("/var/lib/docker/swarm/docker-state.json", '{"LocalAddr":"10.0.0.1"}')
    assert of_docker.orchestrator(own, change(ENGINE))[0] == "fail"
    running(own, monkeypatch, info={"Swarm": {"LocalNodeState": "inactive"}})
    assert of_docker.orchestrator(own, change(ENGINE))[0] == "pass"
    running(own, monkeypatch, pid="41", info={"Swarm": {"LocalNodeState": "locked"}})
    assert "(locked)" in of_docker.orchestrator(own, change(ENGINE))[1]


# -- configuration


def daemon_json(key, value, validator=("dockerd", "--validate", "--config-file={}")):
    keys = [{"path": [key], "value": value, "secret": False, "role": "docker_daemon"}]
    fields = {"path": "/etc/docker/daemon.json", "keys": keys, "absent": [], "roles": ["docker_daemon"]}
    fields.update(mode="0644", owner="root", group="root", sensitive=False, validate_with=list(validator))
    return "docker_daemon", {"kind": "json_keys", "fields": fields}, {"diff": []}


def test_a_daemon_json_that_dockerd_does_not_take_is_told(host):
    host.put("/etc/docker/daemon.json", '{"log-opts": {"max-file": 3}}')

    def refuse(system, argv):
        with open(argv[-1].partition("=")[2], encoding="ascii") as file:
            assert json.load(file) == {"log-opts": {"max-file": 3}, "mtu": 1400}
        return answer("", "unable to configure the Docker daemon with file {}: json: x\n".format(argv[-1][14:]), 1)

    host.commands = [(["dockerd", "--validate"], refuse), (["dockerd"], answer())]
    verdict, text, _ = of_docker.configuration(host, change(daemon_json("mtu", 1400)))
    assert (verdict, text.endswith("Docker cannot read its configuration: /etc/docker/daemon.json: json: x")) == (
        "fail",
        True,
    )
    assert of_docker.configuration(host, change(daemon_json("mtu", 1400)))[0] == "pass"
    assert of_docker.configuration(host, change(INSTALL, daemon_json("mtu", 1400)))[0] == "n/a"
    assert not [name for name in host.names("/") if name.startswith("provision.")]


def test_user_namespaces_are_not_asked_of_dockerd_which_would_make_a_user(host):
    asked = change(daemon_json("userns-remap", "default"))
    verdict, text, fix = of_docker.configuration(host, asked)
    assert (verdict, fix) == ("fail", "touch /etc/subuid /etc/subgid")
    host.put("/etc/subuid", "")
    host.put("/etc/subgid", "")
    assert of_docker.configuration(host, asked)[0] == "pass"


# -- socket

UNIT = "[Unit]\nAfter=network.target docker.socket\nRequires=docker.socket\n[Service]\nExecStart=/usr/sbin/dockerd -H fd://\n"


def test_a_socket_that_cannot_start_is_told_before_docker_stops(host):
    assert of_docker.socket(host, change(ENGINE))[0] == "n/a", "there is no unit yet"
    host.put("/lib/systemd/system/docker.service", UNIT.replace("Requires=docker.socket\n", ""))
    assert of_docker.socket(host, change(ENGINE))[0] == "n/a"
    host.put("/lib/systemd/system/docker.service", UNIT)
    host.put("/lib/systemd/system/docker.socket", "[Socket]\nSocketGroup=no-such-group\n")
    verdict, text, fix = of_docker.socket(host, change(ENGINE))
    assert (verdict, fix) == ("fail", "groupadd --system no-such-group")
    assert "there is no group no-such-group, to which docker.socket is given" in text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("provision.agent.packages.dpkg.broken", lambda system: ["docker.io"])
        assert of_docker.socket(host, change(ENGINE))[0] == "n/a", "its scripts make the group, once dpkg is repaired"
    coming = ("site", {"kind": "group", "fields": {"name": "no-such-group"}}, {"diff": []})
    assert of_docker.socket(host, change(coming, ENGINE))[0] == "pass"
    host.put("/etc/systemd/system/docker.socket.d/group.conf", "[Socket]\nSocketGroup=root\n")
    assert of_docker.socket(host, change(ENGINE))[0] == "pass"
    host.link_to("/etc/systemd/system/docker.socket", "/dev/null")
    assert "docker.socket is masked" in of_docker.socket(host, change(ENGINE))[1]
    host.link_to("/etc/systemd/system/docker.service", "/dev/null")
    assert of_docker.socket(host, change(ENGINE))[0] == "n/a", "the role says that"


def test_a_unit_that_no_start_gets_over_is_told_before_docker_stops(host):
    host.put("/run/systemd/system/x", "")
    host.put("/lib/systemd/system/docker.service", "[Service]\nExecStart=/opt/dockerd\nEnvironmentFile=/etc/none\n")
    verdict, text, fix = of_docker.socket(host, change(ENGINE))
    assert (verdict, "its unit wants the file /etc/none, which is not there" in text) == ("fail", True)
    assert "systemctl cat docker" in fix
    host.put("/etc/none", "")
    host.commands = [(["/opt/dockerd", "--version"], answer("", "not found", 127))]
    assert "/opt/dockerd does not run" in of_docker.socket(host, change(ENGINE))[1]
    host.done()
    assert of_docker.socket(host, change(INSTALL, ENGINE))[0] == "n/a", "the packages may bring it"


# -- images

INFO = {"Driver": "overlay2", "DockerRootDir": "/var/lib/docker", "Images": 3, "Containers": 1}


def test_a_driver_a_root_or_a_store_that_would_hide_images(host, monkeypatch):
    running(host, monkeypatch, info=INFO)
    ask = of_docker.images
    assert ask(host, change(ENGINE))[0] == "n/a"
    assert ask(host, change(ENGINE, storage_driver="overlay2", data_root="/var/lib/docker/"))[0] == "pass"
    found = ask(host, change(ENGINE, storage_driver="vfs"))
    assert found[:2] == ("fail", "the storage driver changes from overlay2 to vfs, and hides 3 images and 1 containers")
    assert "docker_daemon.storage_driver as it is (overlay2)" in found[2]
    assert "from /var/lib/docker to /raid" in ask(host, change(ENGINE, data_root="/raid"))[1]
    assert ask(host, change(ENGINE, containerd_store=True))[0] == "fail"
    store = dict(INFO, Driver="overlayfs", DriverStatus=[["driver-type", "io.containerd.snapshotter.v1"]])
    running(host, monkeypatch, info=store)
    assert ask(host, change(ENGINE, containerd_store=True))[0] == "pass"
    assert ask(host, change(ENGINE, storage_driver="overlay2"))[0] == "fail"
    running(host, monkeypatch, info=dict(INFO, Images=0, Containers=0))
    assert ask(host, change(ENGINE, storage_driver="vfs"))[0] == "pass"


def test_images_of_a_docker_that_does_not_run(host):
    ask = of_docker.images
    assert ask(host, change(ENGINE, storage_driver="vfs"))[0] == "pass", "nothing is there"
    host.put("/var/lib/docker/image/overlay2/repositories.json", '{"Repositories":{}}')
    assert ask(host, change(ENGINE, storage_driver="vfs"))[0] == "pass"
    host.put("/var/lib/docker/image/overlay2/repositories.json", '{"Repositories":{"a":{"a:1":"sha256:1"}}}')
    assert ask(host, change(ENGINE, storage_driver="vfs"))[1].endswith("from overlay2 to vfs, and hides images")
    assert ask(host, change(ENGINE, storage_driver="overlay2"))[0] == "pass"
    host.put("/etc/docker/daemon.json", json.dumps({"data-root": "/data"}))
    assert ask(host, change(ENGINE, storage_driver="vfs"))[0] == "pass", "they are not where Docker looks"


@pytest.mark.parametrize("there, asked", [("/srv/disk1/docker", "/data/docker"), ("/data/docker", "/srv/disk1/docker")])
def test_a_data_root_by_another_name_hides_nothing(host, monkeypatch, there, asked):
    host.link_to("/data", "/srv/./disk1/")
    host.put("/srv/disk1/docker/x", "")
    running(host, monkeypatch, info=dict(INFO, DockerRootDir=there))
    assert of_docker.images(host, change(ENGINE, data_root=asked))[0] == "pass"


@pytest.mark.parametrize("target", ["/srv/disk1", "../srv/disk1"])
def test_a_data_root_through_a_link_has_to_be_there(host, target):
    host.link_to("/mnt/data", target)
    verdict, text, fix = of_docker.images(host, change(ENGINE, data_root="/mnt/data/docker"))
    assert verdict == "fail"
    assert text == (
        "data_root /mnt/data/docker goes through a symbolic link to /srv/disk1/docker, which is not there, and no "
        "container runs in a directory that Docker itself makes behind a link"
    )
    assert fix == "make it first (mkdir -p /srv/disk1/docker), or set docker_daemon.data_root to it"
    host.put("/srv/disk1/docker/x", "")
    assert of_docker.images(host, change(ENGINE, data_root="/mnt/data/docker"))[0] == "pass"


def test_a_data_root_through_links_without_end_is_refused(host):
    host.link_to("/a", "/b")
    host.link_to("/b", "/a")
    found = of_docker.images(host, change(ENGINE, data_root="/a/docker"))
    assert found[:2] == ("fail", "data_root /a/docker goes through symbolic links that lead to each other")


def test_the_data_root_is_the_running_daemons(host, monkeypatch):
    assert of_docker.data_root(host) == "/var/lib/docker"
    host.put("/etc/docker/daemon.json", '{"data-root": "/data"}')
    assert of_docker.data_root(host) == "/data"
    running(host, monkeypatch, words=("/usr/bin/dockerd", "-g", "/old"))
    assert of_docker.data_root(host) == "/old"


# -- packages


def test_a_dpkg_that_was_interrupted(host):
    assert of_packages.dpkg_state(host, change(INSTALL))[0] == "pass"
    host.put(STATUS, STANZA.format("containerd", "install", "half-configured", "1.6"))
    assert of_packages.dpkg_state(host, change(INSTALL))[:2] == (
        "warn",
        "dpkg was interrupted and left containerd half-way; that is repaired first",
    )


def test_who_holds_a_lock_is_named(host, monkeypatch):
    host.put("/proc/99/cmdline", "/usr/bin/unattended-upgrade\0")
    monkeypatch.setattr(apt_locks, "holder", lambda path: 99 if path.endswith("lists/lock") else None)
    found = of_packages.locks(host, change(INSTALL))
    assert found[0] == "warn"
    assert "/var/lib/apt/lists/lock is held by process 99 (/usr/bin/unattended-upgrade)" in found[1]


@pytest.mark.parametrize(("seconds", "verdict"), [(120, "warn"), (7200, "pass"), (-60, "pass")])
def test_a_timer_that_is_due(host, seconds, verdict):
    host.put("/run/systemd/system", "")
    due = time.strftime("%a %Y-%m-%d %H:%M:%S", time.localtime(time.time() + seconds))
    said = answer("NextElapseUSecRealtime={} UTC\n".format(due))
    host.commands = [(["systemctl", "show"], answer("NextElapseUSecRealtime=\n")), (["systemctl", "show"], said)]
    found = of_packages.locks(host, change(INSTALL))
    assert found[0] == verdict, found
    assert verdict == "pass" or "apt-daily-upgrade.timer" in found[1]


def test_a_hold_of_somebody_else_and_one_of_ours(host):
    host.put(STATUS, STANZA.format("docker.io", "hold", "installed", "20.10.24"))
    newer = change(packages(("docker.io", "20.10.24, held", "26.1, held")))
    found = of_packages.holds(host, newer)
    assert found[:2] == (
        "fail",
        "somebody holds what would have to change: docker.io (from 20.10.24 to 26.1, held)",
    )
    host.state_file.put("holds", "docker.io", True)
    assert of_packages.holds(host, newer)[0] == "pass"
    host.state_file.put("holds", "docker.io", None)
    assert of_packages.holds(host, change(packages(("docker.io", "installed", "installed, held"))))[0] == "n/a"
    host.put(STATUS, STANZA.format("docker.io", "hold", "config-files", "20.10.24"))
    assert of_packages.holds(host, change(INSTALL))[0] == "pass", "a hold of what is not there is none"


# -- repositories

ONE = "deb [signed-by=/usr/share/keyrings/{}.gpg] https://x.invalid/apt stable main\n"


def test_two_keys_for_one_source_stop_apt(host):
    host.put("/etc/apt/sources.list.d/a.list", ONE.format("a"))
    host.put("/etc/apt/sources.list.d/b.list", ONE.format("b").replace("stable main", "stable contrib"))
    found = of_packages.repositories(host, change(INSTALL))
    assert found[0] == "fail"
    assert "a.list and /etc/apt/sources.list.d/b.list name different keys for https://x.invalid/apt stable" in found[1]
    replaced = ("r", {"kind": "apt_source", "fields": {"name": "new", "replaces": ["b.list"]}}, {"diff": []})
    assert of_packages.repositories(host, change(INSTALL, replaced))[0] == "warn", "a's key is not there"


def test_a_source_that_one_file_has_without_a_key_is_apts_to_judge(host):
    host.put("/usr/share/keyrings/a.gpg", keys.GOOD)
    host.put("/etc/apt/sources.list.d/a.list", ONE.format("a"))
    host.put("/etc/apt/sources.list.d/b.list", "deb https://x.invalid/apt stable main\n")
    ask = ["apt-get", "-q=1"]
    host.commands = [(ask, answer("", "E: Conflicting values set for option Signed-By\n", 100)), (ask, answer())]
    found = of_packages.repositories(host, change(INSTALL))
    assert found[0] == "fail"
    assert "b.list do not both name the key for https://x.invalid/apt stable" in found[1]
    assert of_packages.repositories(host, change(INSTALL))[0] == "pass"


def test_a_key_that_is_gone_expires_soon_or_has_expired(host, monkeypatch):
    host.put("/etc/apt/sources.list.d/a.list", ONE.format("a"))
    assert "a.gpg of /etc/apt/sources.list.d/a.list is not there" in of_packages.repositories(host, change(INSTALL))[1]
    host.put("/usr/share/keyrings/a.gpg", keys.GOOD)
    assert of_packages.repositories(host, change(INSTALL))[0] == "pass"
    host.put("/usr/share/keyrings/a.gpg", keys.GOOD, 0o640)
    assert "cannot be read by apt's own user, _apt" in of_packages.repositories(host, change(INSTALL))[1]
    host.put("/usr/share/keyrings/a.gpg", keys.OLD)
    assert "has expired on 2020-12-31" in of_packages.repositories(host, change(INSTALL))[1]
    end = openpgp.keys(keys.OLD.encode("ascii"))[0].expires
    monkeypatch.setattr(of_packages.time, "time", lambda: end - 24 * 3600)
    found = of_packages.repositories(host, change(INSTALL))
    assert found[0] == "warn"
    assert "expires on {}".format(apt_key.day(end)) in found[1]
    host.put("/usr/share/keyrings/a.gpg", keys.OLD + keys.GOOD)
    assert of_packages.repositories(host, change(INSTALL))[0] == "pass", "one of several keys that is good is enough"


def test_what_is_no_key_file_that_we_know_is_apts_to_judge(host):
    host.put("/etc/apt/sources.list.d/a.list", ONE.format("a"))
    host.put("/usr/share/keyrings/a.gpg", "no key at all")
    assert of_packages.repositories(host, change(INSTALL))[0] == "pass"
