"""Facts of hosts made of files, and of the machine that the tests run on."""

import json
import os
import socket
import struct

import pytest

from provision.agent.docker import engine_facts
from provision.agent.facts import gather
from provision.agent.facts import network as facts_network
from provision.agent.host import lenient
from provision.agent.host.system import ReadOnly
from provision.agent.packages import dpkg
from provision.agent.services import unit_file

from .rooted import Rooted, answer

STOCK_UNIT = """\
[Unit]
Description=Docker
[Service]
EnvironmentFile=-/etc/default/docker
ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS
"""
STATUS = """\
Package: apt
Status: install ok installed
Architecture: amd64
Version: 2.6.1

Package: docker.io
Status: hold ok installed
Architecture: amd64
Version: 20.10.24+dfsg1-1+deb12u1+b2

Package: docker-ce
Status: unknown ok not-installed

Package: containerd
Status: deinstall ok config-files
Version: 1.6

Package: dpkg
Status: install ok installed
Architecture: arm64
Version: 1.21
"""


@pytest.fixture
def host(tmp_path):
    return Rooted(tmp_path)


def test_a_host_with_nothing_is_facts_of_nothing(host):
    found = gather.gather(host)
    json.dumps(found)
    assert found["os"] == {"id": "", "version_id": "", "codename": "", "name": ""}
    assert found["init"] == "sysv"
    assert found["apt_version"] is None
    assert found["nvidia"] == {
        "pci": [],
        "driver_loaded": None,
        "driver_on_disk": None,
        "library": None,
        "programs": None,
    }
    assert found["docker"]["packages"] == {}
    assert [found["docker"][key] for key in ("version", "daemon", "unit", "pid", "command_line")] == [None] * 5
    assert found["resolvers"] == []
    host.done()


def test_this_machine_is_seen_without_writing():
    found = gather.gather(ReadOnly())
    json.dumps(found)
    assert found["boot_id"]
    assert {"address": "127.0.0.1/8", "interface": "lo"} in found["addresses"]


def test_release_packages_and_architecture_come_from_files(host):
    host.put(
        "/etc/os-release", 'ID=ubuntu\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\nPRETTY_NAME="Ubuntu 24.04 LTS"\n'
    )
    host.put("/var/lib/dpkg/status", STATUS)
    host.put("/run/systemd/system/x", "")
    found = gather.gather(host)
    assert found["os"] == {"id": "ubuntu", "version_id": "24.04", "codename": "noble", "name": "Ubuntu 24.04 LTS"}
    assert found["architecture"] == "arm64", "dpkg's own package tells, not the kernel"
    assert (found["apt_version"], found["init"]) == ("2.6.1", "systemd")
    assert found["docker"]["packages"] == {"docker.io": "20.10.24+dfsg1-1+deb12u1+b2"}
    assert found["docker"]["version"] == "20.10.24"


def test_upstart_is_asked_only_where_it_can_be(host):
    host.put("/sbin/initctl", "")
    host.commands = [(["/sbin/initctl", "version"], answer("init (upstart 1.12.1)\n"))]
    assert gather.init(host) == "upstart"
    host.commands = [(["/sbin/initctl", "version"], answer("", "no connection", 1))]
    assert gather.init(host) == "sysv"


def test_a_dockerd_without_a_package_is_asked_for_its_version(host):
    host.put("/usr/bin/dockerd", "")
    host.commands = [(["/usr/bin/dockerd", "--version"], answer("Docker version 24.0.7, build 311b9ff\n"))]
    found = engine_facts.docker(host, {})
    assert (found["version"], found["daemon"]) == ("24.0.7", "/usr/bin/dockerd")
    host.done()


@pytest.mark.parametrize(
    "package, engine",
    [
        ("5:29.2.1-1~ubuntu.24.04~noble", "29.2.1"),
        ("17.03.2~ce-0~ubuntu-xenial", "17.03.2"),
        ("18.06.3~ce~3-0~ubuntu", "18.06.3"),
        ("1.12.6-0~ubuntu-trusty", "1.12.6"),
        ("20.10.24+dfsg1-1+deb12u1+b2", "20.10.24"),
        ("nonsense", None),
    ],
)
def test_the_engines_version_in_that_of_its_package(package, engine):
    assert engine_facts.upstream(package) == engine


def test_nvidia_hardware_and_driver(host):
    host.put("/proc/bus/pci/devices", "1700\t10de2330\t10\n0010\t80861234\t0\n")
    for address, vendor, device, kind in (
        ("0000:17:00.0", "0x10de", "0x2330", "0x030200"),
        ("0000:00:02.0", "0x8086", "0x1234", "0x030000"),
    ):
        for name, value in (("vendor", vendor), ("device", device), ("class", kind)):
            host.put("/sys/bus/pci/devices/{}/{}".format(address, name), value + "\n")
    host.put("/sys/module/nvidia/version", "580.159.04\n")
    host.put("/var/lib/dkms/nvidia/580.160.01/{}/x".format(os.uname().release), "")
    host.link_to("/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1", "libnvidia-ml.so.580.159.04")
    found = gather.gather(host)["nvidia"]
    assert found["pci"] == [{"address": "0000:17:00.0", "device": "2330", "device_class": "0302"}]
    assert found["driver_loaded"] == found["library"] == "580.159.04"
    assert found["driver_on_disk"] == "580.160.01"


def test_dgx_release(host):
    host.put(
        "/etc/dgx-release",
        'DGX_NAME="DGX Server"\nDGX_PLATFORM="DGX Server for DGX A100"\nDGX_SWBUILD_VERSION="5.4.2"\n',
    )
    assert gather.gather(host)["dgx"] == {
        "name": "DGX Server",
        "platform": "DGX Server for DGX A100",
        "version": "5.4.2",
    }


def test_resolvers_of_both_files_once_and_only_addresses(host):
    host.put("/etc/resolv.conf", "search a.example\nnameserver 127.0.0.53\nnameserver nonsense\n")
    host.put(
        "/run/systemd/resolve/resolv.conf", "nameserver 10.0.0.2\nnameserver fe80::1%eth0\nnameserver 127.0.0.53\n"
    )
    assert gather.gather(host)["resolvers"] == ["127.0.0.53", "10.0.0.2", "fe80::1"]


@pytest.mark.parametrize(
    "namespace, bounding, can",
    [
        ("0 0 4294967295", "000001ffffffffff", True),
        ("0 0 4294967295", "000001fffeffffff", False),
        ("0 100000 65536", "000001ffffffffff", False),
    ],
)
def test_limits_can_be_raised_only_with_the_capability_and_outside_of_user_namespaces(host, namespace, bounding, can):
    host.put("/proc/self/uid_map", "{:>10} {:>10} {:>10}\n".format(*namespace.split()))
    host.put("/proc/1/status", "Name:\tinit\nCapBnd:\t{}\n".format(bounding))
    assert gather.gather(host)["can_raise_limits"] is can


def test_the_ssh_client_of_an_ancestor_when_sudo_stripped_our_own(host, monkeypatch):
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    host.put("/proc/{}/stat".format(os.getppid()), "{} (su) do) S 4242 0 0".format(os.getppid()))
    host.put("/proc/{}/environ".format(os.getppid()), "HOME=/root\0")
    host.put("/proc/4242/environ", "A=b\0SSH_CONNECTION=192.0.2.7 50000 192.0.2.1 22\0")
    assert gather.gather(host)["ssh_client"] == "192.0.2.7"
    monkeypatch.setenv("SSH_CONNECTION", "2001:db8::5 50000 2001:db8::1 22")
    assert gather.gather(host)["ssh_client"] == "2001:db8::5"


# -- the unit


def test_the_units_last_exec_start_and_where_it_stands(host):
    host.put("/lib/systemd/system/docker.service", STOCK_UNIT)
    host.put("/lib/systemd/system/docker.service.d/10-a.conf", "[Service]\nEnvironmentFile=/lib/a\n")
    override = "[Service]\nEnvironmentFile=\nExecStart=\n"
    override += 'ExecStart=-/usr/bin/dockerd \\\n  # a comment\n  -H fd:// "--label=a b"\n'
    host.put("/etc/systemd/system/docker.service.d/docker-override.conf", override)
    host.put("/etc/systemd/system/docker.service.d/README", "[Service]\nExecStart=/bin/false\n")
    unit = unit_file.load(host, "docker.service")
    assert unit["exec_start"] == ["/usr/bin/dockerd", "-H", "fd://", "--label=a b"]
    assert unit["exec_start_from"] == "/etc/systemd/system/docker.service.d/docker-override.conf"
    assert unit["environment_files"] == []
    assert [path.rsplit("/", 1)[1] for path in unit["drop_ins"]] == ["10-a.conf", "docker-override.conf"]


KUBESPRAY = """\
[Service]
Environment="DOCKER_OPTS=--bip=192.168.99.1/24 --label='a b'" UNUSED=secret
Environment="DOCKER_DNS_OPTIONS=--dns 192.0.2.53"
"""


def test_variables_of_a_command_line_have_the_values_that_systemd_gives_them(host):
    unit = "[Service]\nEnvironment=GONE=1\nEnvironment=\n"
    unit += "EnvironmentFile=-/etc/sysconfig/docker\nEnvironmentFile=-/none\n"
    unit += "ExecStart=/usr/bin/dockerd $DOCKER_OPTS $DOCKER_DNS_OPTIONS --mtu=${MTU} $REGISTRY $GONE $$X\n"
    host.put("/lib/systemd/system/docker.service", unit)
    folder = "/etc/systemd/system/docker.service.d/"
    host.put(folder + "a.conf", KUBESPRAY)
    host.put(folder + "b.conf", '[Service]\nEnvironment="MTU=1400" "REGISTRY=--http-proxy=http://u:pw@p:1"\n')
    host.put("/etc/sysconfig/docker", '# MTU=1\nMTU=9000\nREGISTRY="--insecure-registry a:5000 \\\n --debug"\n')
    found = unit_file.load(host, "docker.service")
    assert found["variables"] == {
        "DOCKER_OPTS": ["--bip=192.168.99.1/24", "--label=a b"],
        "DOCKER_DNS_OPTIONS": ["--dns", "192.0.2.53"],
        "MTU": ["9000"],
        "REGISTRY": ["--insecure-registry", "a:5000", "--debug"],
    }
    assert found["variables_from"]["DOCKER_OPTS"] == folder + "a.conf"
    assert found["variables_from"]["MTU"] == "/etc/sysconfig/docker"
    assert "secret" not in str(found)


def test_a_login_in_a_variable_of_the_command_line_is_hidden(host):
    unit = "[Service]\nEnvironment=P=--http-proxy=http://u:pw@p:1\nExecStart=/usr/bin/dockerd $P\n"
    host.put("/lib/systemd/system/docker.service", unit)
    assert "pw" not in str(unit_file.load(host, "docker.service"))


@pytest.mark.parametrize(
    "environment, default, expected",
    [
        ("", "DOCKER_OPTS=--debug\n", {}),
        ("Environment=DOCKER_OPTS=--mtu=1\n", "DOCKER_OPTS=--debug\n", {}),
        ("Environment=DOCKER_OPTS=--mtu=1\n", "", {"DOCKER_OPTS": ["--mtu=1"]}),
    ],
)
def test_docker_opts_of_its_own_file_is_no_variable_of_the_unit(host, environment, default, expected):
    unit = "[Service]\n{}EnvironmentFile=-/etc/default/docker\nExecStart=/usr/bin/dockerd $DOCKER_OPTS\n"
    host.put("/lib/systemd/system/docker.service", unit.format(environment))
    host.put("/etc/default/docker", default)
    assert unit_file.load(host, "docker.service")["variables"] == expected


def test_a_unit_in_etc_hides_the_packages_and_a_link_to_nowhere_masks(host):
    host.put("/usr/lib/systemd/system/docker.service", STOCK_UNIT)
    host.put("/etc/systemd/system/docker.service", STOCK_UNIT.replace("/usr/sbin", "/opt"))
    assert unit_file.load(host, "docker.service")["exec_start"][0] == "/opt/dockerd"
    host.remove("/etc/systemd/system/docker.service")
    host.link_to("/etc/systemd/system/docker.service", "/dev/null")
    unit = unit_file.load(host, "docker.service")
    assert unit["masked"]
    assert unit["exec_start"] == []


def test_a_drop_in_is_hidden_by_one_of_the_same_name_and_masked_by_an_empty_one(host):
    host.put("/lib/systemd/system/docker.service", STOCK_UNIT)
    host.put("/lib/systemd/system/docker.service.d/a.conf", "[Service]\nEnvironmentFile=/lib\n")
    host.put("/etc/systemd/system/docker.service.d/a.conf", "[Service]\nEnvironmentFile=/etc\n")
    host.put("/lib/systemd/system/docker.service.d/b.conf", "[Service]\nEnvironmentFile=/b\n")
    host.link_to("/run/systemd/system/docker.service.d/b.conf", "/dev/null")
    host.put("/etc/systemd/system/service.d/c.conf", "[Service]\nEnvironmentFile=/c\n")
    assert unit_file.load(host, "docker.service")["environment_files"] == ["-/etc/default/docker", "/etc", "/c"]


def test_logins_and_tokens_of_a_command_line_never_leave(host):
    line = (
        "ExecStart=/usr/bin/dockerd --http-proxy=http://u:pw@proxy:3128 --log-opt splunk-token=abc --bip=10.0.0.1/24\n"
    )
    host.put("/lib/systemd/system/docker.service", "[Service]\n" + line)
    words = unit_file.load(host, "docker.service")["exec_start"]
    assert "pw" not in str(words) and "abc" not in str(words)
    assert words[-1] == "--bip=10.0.0.1/24"


# -- the daemon's process and files


def test_a_pid_file_counts_only_with_a_dockerd_behind_it(host):
    host.put("/var/run/docker.pid", "77\n")
    assert engine_facts.process(host) is None
    host.put("/proc/77/cmdline", "vim\0")
    assert engine_facts.process(host) is None
    host.put("/proc/77/cmdline", "/usr/bin/docker\0daemon\0--bip=10.0.0.1/24\0")
    assert engine_facts.process(host) == 77
    assert engine_facts.docker(host, {})["command_line"] == ["/usr/bin/docker", "daemon", "--bip=10.0.0.1/24"]


@pytest.mark.parametrize("theirs, written", [({}, ["a", "b"]), ({"max-file": "2"}, None)])
def test_keys_of_daemon_json_that_we_wrote_have_their_roles(host, theirs, written):
    options = dict({"max-size": "1m", "tag": "x"}, **theirs)
    host.put("/etc/docker/daemon.json", json.dumps({"hosts": ["unix://"], "mtu": 1400, "log-opts": options}))
    records = {'["hosts"]': "a", '["log-opts", "max-size"]': "a", '["log-opts", "tag"]': "b"}
    kept = {name: {"role": role, "digest": ""} for name, role in records.items()}
    host.put("/var/lib/provision/state.json", json.dumps({"json_keys": {"/etc/docker/daemon.json": kept}}))
    expected = dict({"hosts": ["a"]}, **({"log-opts": written} if written else {}))
    assert engine_facts.docker(host, {})["written"] == expected
    host.put("/var/lib/provision/state.json", "{")
    assert engine_facts.docker(Rooted(host.root), {})["written"] == {}


def test_a_daemon_with_another_pid_file_is_found_by_its_control_group(host):
    host.put("/sys/fs/cgroup/system.slice/docker.service/cgroup.procs", "80\n81\n")
    host.put("/proc/80/cmdline", "docker-proxy\0")
    host.put("/proc/81/cmdline", "/usr/bin/dockerd\0-H\0fd://\0")
    assert engine_facts.process(host) == 81


def test_a_daemon_in_a_slice_of_its_own_with_another_pid_file_is_found(host):
    host.put("/lib/systemd/system/docker.service", STOCK_UNIT)
    host.put("/etc/systemd/system/docker.service.d/x.conf", "[Service]\nSlice=a.slice\nSlice=site-gpu.slice\n")
    place = "site.slice/site-gpu.slice/docker.service/cgroup.procs"
    host.put("/sys/fs/cgroup/" + place, "80\n")
    assert engine_facts.process(host) is None
    host.put("/proc/80/cmdline", "/usr/bin/dockerd\0--pidfile=/run/site.pid\0")
    assert engine_facts.process(host) == 80
    host.put("/sys/fs/cgroup/" + place, "")
    host.put("/proc/1/cgroup", "2:cpu:/lxc/a\n1:name=systemd:/lxc/a/init.scope\n0::/\n")
    host.put("/sys/fs/cgroup/systemd/lxc/a/" + place, "80\n")
    assert engine_facts.process(host) == 80, "of a systemd in a container"


@pytest.mark.parametrize(
    "content, options, problem",
    [
        (None, [], None),
        ('# DOCKER_OPTS="--no"\n', [], None),
        ('DOCKER_OPTS="--dns 10.0.0.2 --bip=192.168.0.1/24"\n', ["--dns", "10.0.0.2", "--bip=192.168.0.1/24"], None),
        ("export DOCKER_OPTS='-s overlay2' # why\n", ["-s", "overlay2"], None),
        ('DOCKER_OPTS="--a \\\n --b"\nulimit -n 1000\n', ["--a", "--b"], None),
        ('DOCKER_OPTS="--a"\nDOCKER_OPTS="$DOCKER_OPTS --b"\n', ["--a", "--b"], None),
        ('DOCKER_OPTS="--a"\nDOCKER_OPTS=\n', [], None),
        ("DOCKER_OPTS=\u201d--dns 10.0.0.2\u201d\n", [], "curly"),
        ('DOCKER_OPTS = "--a"\n', [], "space"),
        ('DOCKER_OPTS="--a"\r\n', [], "CRLF"),
        ('if true; then\nDOCKER_OPTS="--a"\nfi\n', [], "shell code"),
        ('DOCKER_OPTS="--dns $(hostname -i)"\n', [], "shell code"),
        ('DOCKER_OPTS="--a" DOCKER_TMPDIR=/x\n', [], "shell code"),
        (". /etc/site-docker\n", [], "shell code"),
    ],
)
def test_what_docker_opts_says(content, options, problem):
    found, why = engine_facts.default_file(content)
    assert found == options
    assert (why is None) == (problem is None) and (problem or "") in (why or "")


@pytest.mark.parametrize(
    "content, problem",
    [
        ("{", "daemon.json:1: is not JSON"),
        ('{"a": {"b": [NaN]}}', "daemon.json: NaN is no number of JSON"),
        ('{"a": -1e999}', "daemon.json: -1e999 is no number of JSON"),
        pytest.param('{"a": "%s"}' % ("x" * 2000000), "daemon.json is larger than 1048576 bytes", id="large"),
        ('{\n  "a": 1,\n  // no\n}', "daemon.json:3: JSON has no comments"),
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ("[]", "not a JSON object"),
        ("", None),
        (" \n", None),
        ("{}", None),
    ],
)
def test_why_daemon_json_cannot_be_read(host, content, problem):
    host.put("/etc/docker/daemon.json", content)
    found = engine_facts.docker(host, {})
    assert found["configured"] == {}
    assert (found["config_problem"] is None) == (problem is None) and (problem or "") in (found["config_problem"] or "")


@pytest.mark.parametrize(
    "version, problem", [("26.1.5", None), ("23.0.0", None), ("20.10.24", "which Docker 20.10.24 does not take")]
)
def test_a_byte_order_mark_is_read_as_the_engine_reads_it(host, version, problem):
    host.put("/etc/docker/daemon.json", '\ufeff{"mtu": 1400}')
    found = engine_facts.docker(
        host, {"docker-ce": dpkg.DpkgPackage("docker-ce", "Status: install ok installed\nVersion: 5:" + version)}
    )
    assert (problem or "None") in str(found["config_problem"])
    assert found["configured"] == ({} if problem else {"mtu": 1400})


def test_daemon_json_without_its_secrets(host):
    document = {
        "bip": "10.0.0.1/24",
        "proxies": {"http-proxy": "http://u:pw@proxy"},
        "log-opts": {"splunk-token": "abc", "max-size": "10m"},
        "registry-mirrors": ["https://u:pw@mirror.example"],
    }
    host.put("/etc/docker/daemon.json", json.dumps(document))
    found = engine_facts.docker(host, {})["configured"]
    assert "pw" not in str(found) and "abc" not in str(found) and "proxies" not in found
    assert found["bip"] == "10.0.0.1/24" and found["log-opts"]["max-size"] == "10m"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_may_not_be_read_is_not_known(host):
    host.put("/etc/docker/daemon.json", "{}", mode=0)
    assert "cannot be read" in engine_facts.docker(host, {})["config_problem"]


def test_a_fifo_in_the_way_does_not_hang(host):
    host.put("/etc/x", "")
    os.mkfifo(host.root + "/etc/resolv.conf")
    assert lenient.text(host, "/etc/resolv.conf") is None


# -- netlink


def attribute(kind, data):
    return struct.pack("=HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


def route(network, prefix, kind=1, interface=2, flags=0, multipath=False):
    family = socket.AF_INET6 if ":" in network else socket.AF_INET
    message = struct.pack("=8BI", family, prefix, 0, 0, 254, 0, 0, kind, flags)
    message += attribute(1, socket.inet_pton(family, network)) if prefix else b""
    index = struct.pack("=I", interface)
    return message + (attribute(9, struct.pack("=HBB", 8, 0, 0) + index) if multipath else attribute(4, index))


@pytest.mark.parametrize(
    "message, network",
    [
        (route("10.1.0.0", 16), "10.1.0.0/16"),
        (route("0.0.0.0", 0), "0.0.0.0/0"),
        (route("fd00::", 64), "fd00::/64"),
        (route("10.9.0.0", 24, multipath=True), "10.9.0.0/24"),
        (route("10.1.0.1", 32, kind=2), None),
        (route("10.1.0.0", 16, flags=0x200), None),
        (route("fe80::", 64), None),
    ],
)
def test_routes_as_the_kernel_packs_them(message, network):
    found = facts_network._route(message, {2: "eth0"})
    assert found == (None if network is None else {"network": network, "interface": "eth0"})


def test_without_netlink_the_main_table_is_read(host, monkeypatch):
    def refused(kind):
        raise OSError("not permitted")
        yield

    monkeypatch.setattr(facts_network, "_dump", refused)
    host.put("/proc/net/route", "Iface\tDestination\neth0\t0000FEA9\t0\t1\t0\t0\t0\t0000FFFF\t0\t0\t0\n")
    host.put("/proc/net/ipv6_route", "fd000000000000000000000000000000 40 0 0 0 0 0 0 0     eth1\n")
    found = facts_network.network(host)
    assert found["routes"] == [
        {"network": "169.254.0.0/16", "interface": "eth0"},
        {"network": "fd00::/64", "interface": "eth1"},
    ]
