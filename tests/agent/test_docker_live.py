"""What a running Docker has in effect, read from itself; what it does not tell is named, not claimed."""

import json
import os

import pytest

from provision.agent.docker import footing
from provision.agent.docker.current import DockerCurrent
from provision.agent.docker.live import DockerLive, differs
from provision.agent.docker.programs import DockerPrograms
from provision.agent.engine.resource import converge
from provision.agent.questions import status

from .fake_host import Host
from .rooted import Rooted

INFO = {
    "Driver": "overlay2",
    "DockerRootDir": "/var/lib/docker",
    "LoggingDriver": "json-file",
    "Plugins": {"Log": ["json-file", "local"]},
    "LiveRestoreEnabled": True,
    "CgroupDriver": "systemd",
    "DefaultRuntime": "nvidia",
    "Runtimes": {"runc": {"path": "runc"}, "nvidia": {"path": "/usr/bin/nvidia-container-runtime"}},
    "RegistryConfig": {
        "Mirrors": ["https://mirror.corp/"],
        "InsecureRegistryCIDRs": ["127.0.0.0/8"],
        "IndexConfigs": {"docker.io": {"Secure": True}, "reg.corp:5000": {"Secure": False}},
    },
    "DefaultAddressPools": [{"Base": "10.200.0.0/16", "Size": 24}],
    "HttpProxy": "http://xxxxx:xxxxx@proxy:3128",
    "Labels": ["a=b", "c=d"],
}
BRIDGE = {
    "IPAM": {
        "Config": [
            {"Subnet": "fd00::/64", "Gateway": "fd00::1"},
            {"Subnet": "192.168.127.0/24", "IPRange": "192.168.127.128/25", "Gateway": "192.168.127.1"},
        ]
    },
    "Options": {"com.docker.network.driver.mtu": "9000"},
}
AS_IT_IS = {
    "bip": "192.168.127.1/24",
    "fixed-cidr": "192.168.127.128/25",
    "mtu": 9000,
    "storage-driver": "overlay2",
    "data-root": "/var/lib/docker",
    "log-driver": "json-file",
    "live-restore": True,
    "exec-opts": ["native.cgroupdriver=systemd"],
    "default-runtime": "nvidia",
    "runtimes": {"nvidia": {"path": "nvidia-container-runtime", "runtimeArgs": []}},
    "registry-mirrors": ["https://mirror.corp"],
    "insecure-registries": ["reg.corp:5000"],
    "default-address-pools": [{"base": "10.200.0.0/16", "size": 24}],
    "proxies": {"http-proxy": "http://xxxxx:xxxxx@proxy:3128"},
    "labels": ["a=b"],
    "--default-ulimit": ["memlock=-1:-1", "stack=67108864"],
    "--bip": ["192.168.127.1/24"],
}


@pytest.fixture
def host():
    host = Host()
    host.files.update({"/var/lib/docker/overlay2": "", "/var/lib/docker/vfs": ""})
    host.api = {"/info": INFO, "/networks/bridge": BRIDGE}
    host.begin(
        "--bip", "192.168.127.1/24", "--default-ulimit=stack=67108864:67108864", "--default-ulimit", "memlock=-1"
    )
    return host


def probe(host, options):
    return converge(DockerLive(options=options), host, False)


def test_all_as_asked_is_ok(host):
    result = probe(host, AS_IT_IS)
    assert result["outcome"] == "ok", result
    assert result["note"] == ""


@pytest.mark.parametrize(
    "option, found",
    [
        ({"bip": "10.0.0.1/24"}, "192.168.127.1/24"),
        ({"mtu": 1400}, "9000"),
        ({"storage-driver": "btrfs"}, "overlay2"),
        ({"live-restore": False}, "True"),
        ({"registry-mirrors": []}, "mirror.corp"),
        ({"insecure-registries": ["other:5000"]}, "reg.corp"),
        ({"exec-opts": ["native.cgroupdriver=cgroupfs"]}, "systemd"),
        ({"runtimes": {"kata": {"path": "kata"}}}, "None"),
        ({"default-address-pools": [{"base": "10.0.0.0/8", "size": 24}]}, "10.200.0.0/16"),
        ({"--bip": ["10.0.0.1/24"]}, "192.168.127.1/24"),
        ({"--dns": ["10.0.0.1"]}, "[]"),
        ({"--default-ulimit": ["memlock=1:1"]}, "memlock=-1"),
    ],
)
def test_what_is_written_but_not_live_fails_with_both_values(host, option, found):
    result = probe(host, option)
    assert result["outcome"] == "failed"
    assert "written but not live" in result["error"]["cause"]
    assert found in result["error"]["cause"]
    assert result["error"]["fix"]
    assert differs(host, host.pid, option)


@pytest.mark.parametrize("link, target", [("/raid-docker", "/var/lib/docker"), ("/srv", "var/lib")])
def test_a_data_root_by_another_name_is_live(host, link, target):
    host.links[link] = target
    asked = {"data-root": link if link == "/raid-docker" else "/srv/docker/"}
    assert probe(host, asked)["outcome"] == "ok"
    assert not differs(host, host.pid, asked)
    assert probe(host, {"data-root": "/raid"})["outcome"] == "failed"


def test_what_docker_does_not_tell_is_named(host):
    options = {"default-shm-size": "1G", "dns": ["10.0.0.1"], "default-ulimits": {"nofile": {"Soft": 1}}, "mtu": 9000}
    result = probe(host, options)
    assert result["outcome"] == "ok"
    for name in ("default-shm-size", "dns", "default-ulimits.nofile"):
        assert name in result["note"]
    assert "mtu" not in result["note"]


def test_what_is_on_the_command_line_is_told(host):
    options = {"default-ulimits": {"memlock": {"Soft": -1, "Hard": -1}}, "--default-ulimit": ["memlock=-1:-1"]}
    assert probe(host, options)["note"] == ""


def test_a_log_driver_that_this_docker_does_not_have_is_not_live(host):
    host.api["/info"] = dict(INFO, LoggingDriver="nonsense")
    assert "no such driver" in probe(host, {"log-driver": "nonsense"})["error"]["cause"]


def test_a_stopped_docker_is_not_asked(host):
    host.end()
    result = probe(host, AS_IT_IS)
    assert result["outcome"] == "failed"
    assert result["diff"] == [{"key": "running", "before": False, "after": True}]


def test_a_docker_that_does_not_answer_is_unknown(host):
    host.api = {}
    assert probe(host, {"storage-driver": "overlay2"})["outcome"] == "unknown"


# -- what it stands on


def sound_host():
    host = Host()
    host.begin("--containerd=/run/containerd/containerd.sock")
    host.peers["/run/containerd/containerd.sock"] = 7
    host.files["/var/lib/docker/overlay2"] = ""
    host.api = {"/info": {"Driver": "overlay2", "DockerRootDir": "/var/lib/docker"}}
    return host


def cause(host, **options):
    found = converge(DockerLive(options=options), host, False)
    return found["error"]["cause"] if found["error"] else found["outcome"]


def test_a_containerd_that_is_away_is_no_ok():
    host = sound_host()
    assert cause(host) == "ok"
    del host.peers["/run/containerd/containerd.sock"]
    assert cause(host) == "Docker runs, and no container would: nobody answers on /run/containerd/containerd.sock"


def test_docker0_is_the_kernel_s():
    host = sound_host()
    host.addresses = {}
    assert cause(host) == "Docker runs, and no container would: docker0 is not there, or has no address"
    host.files["/etc/docker/daemon.json"] = '{"bridge": "none"}'
    assert cause(host) == "ok"


def test_data_that_are_gone_from_the_disk_are_no_ok():
    host = sound_host()
    del host.files["/var/lib/docker/overlay2"]
    assert "/var/lib/docker/overlay2 is not there any more" in cause(host)


def test_a_program_of_the_engine_that_is_gone_is_named(tmp_path):
    host = sound_host()
    there, empty, gone = tmp_path / "dockerd", tmp_path / "runc", "/usr/bin/docker-that-is-gone"
    for path in (there, empty):
        path.touch(0o755)
    there.write_text("x")
    host.stat = lambda path: os.stat(path) if os.path.exists(path) else None
    assert footing.missing(host, [str(there), str(empty), gone]) == [str(empty), gone]
    host.files["/var/lib/dpkg/info/docker.io.list"] = "/usr\n/usr/share/doc/x\n" + gone + "\n"
    found = converge(DockerPrograms(), host, False)
    assert "/usr/bin/docker-that-is-gone is not there, or cannot be executed" in found["error"]["cause"]


def test_an_engine_without_a_client_is_told_with_the_package_that_has_it(tmp_path):
    host = Rooted(tmp_path)
    host.put("/usr/sbin/dockerd", "x", 0o755)
    host.put("/var/lib/dpkg/info/docker.io.list", "/usr\n/usr/sbin/dockerd\n")
    found = converge(DockerPrograms(), host, False)
    assert found["error"]["cause"] == "Docker is installed, and its client is not there"
    assert found["error"]["fix"] == "apt-get install docker-cli"
    host.put("/usr/bin/docker", "x", 0o755)
    assert converge(DockerPrograms(), host, False)["outcome"] == "ok"


# -- an upgrade that is not live


def replaced(host, *pids):
    for pid in pids:
        host.links["/proc/{}/exe".format(pid)] = "/usr/bin/of-before (deleted)"
    host.files["/proc/7/stat"] = "7 (containerd) S{} 100 0".format(" 0" * 18)


def test_an_upgrade_that_is_not_live_waits_with_the_command_that_finishes_it():
    host = sound_host()
    assert converge(DockerCurrent(ours=True), host, False)["outcome"] == "ok"
    replaced(host, host.pid, 7)
    found = converge(DockerCurrent(ours=True), host, False)
    assert found["outcome"] == "pending"
    assert found["note"].startswith("upgraded, and not restarted since: containerd and docker; systemctl restart con")
    assert converge(DockerCurrent(ours=True), host, True)["outcome"] == "would-change"


def test_of_somebody_else_s_docker_nothing_is_asked():
    host = sound_host()
    replaced(host, host.pid)
    assert converge(DockerCurrent(ours=False), host, False)["outcome"] == "ok"
    host.state_file.put("services", "docker", {"process": ["boot", 1, 1], "files": {}})
    assert converge(DockerCurrent(ours=False), host, False)["outcome"] == "pending"


def test_status_tells_an_upgrade_that_no_run_has_seen():
    host = sound_host()
    replaced(host, host.pid)
    assert status._waiting(host) == []
    host.state_file.put("services", "docker", {"process": ["boot", 1, 1], "files": {}})
    [waiting] = status._waiting(host)
    assert waiting["reason"].startswith("upgraded, and not restarted since: docker; systemctl restart docker")
    del host.links["/proc/{}/exe".format(host.pid)]
    host.state_file.put("pending", "docker", {"reason": "of before"})
    assert status._waiting(host) == [], "it was restarted by hand since"


def test_an_option_that_is_about_to_be_written_is_shown_with_the_file_alone(host):
    options = dict(AS_IT_IS, bip="10.1.0.1/16", mtu=1400)
    host.foreseen["/etc/docker/daemon.json"] = json.dumps({"bip": "10.1.0.1/16"}).encode("ascii")
    result = converge(DockerLive(options=options), host, True)
    assert result["outcome"] == "would-change"
    assert [item["key"] for item in result["diff"]] == ["mtu"], "nobody writes that: only the probe tells of it"
    result = converge(DockerLive(options=dict(AS_IT_IS, bip="10.1.0.1/16")), host, True)
    assert (result["outcome"], result["diff"]) == ("would-change", [])
    assert result["note"].endswith("proven after the change before it")
