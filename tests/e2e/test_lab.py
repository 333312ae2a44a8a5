"""The lab itself: its hosts behave as real ones do, and its services are what they say.

Law: nothing of provision is used here; when these fail, no other end-to-end test means anything.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import HostSpec, Lab, LabError, LabHost, debs, engine, listing, stand_ins
from tests.lab.repository import AptRepository

pytestmark = pytest.mark.lab

UNATTENDED = "export DEBIAN_FRONTEND=noninteractive; apt-get update -q && apt-get install -y -q "
FAST = "--no-install-recommends "


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    hosts = [
        HostSpec("one"),
        HostSpec("two"),
        HostSpec("three", "trixie"),
        HostSpec("bare", python="nopython"),
    ]
    with Lab.up("test-lab", hosts, tmp_path_factory.mktemp("lab")) as lab:
        yield lab


def ssh(lab: Lab, words: list[str]) -> subprocess.CompletedProcess[str]:
    argv = ["ssh", "-F", str(lab.ssh_config), "-o", "ConnectTimeout=2", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30)


def use(host: LabHost, repository: AptRepository) -> None:
    host.write("/etc/apt/keyrings/lab.asc", repository.key_asc)
    line = f"deb [signed-by=/etc/apt/keyrings/lab.asc] {repository.source}\n"
    host.write("/etc/apt/sources.list.d/lab.list", line)


def test_hosts_run_systemd_and_answer_ssh(lab: Lab) -> None:
    for host in lab.hosts:
        done = ssh(lab, [host.name, "hostname; id -u; cat /proc/1/comm; systemctl is-system-running"])
        assert done.stdout.split() == [host.name, "0", "systemd", "running"], done.stderr


def test_each_host_has_its_own_host_keys(lab: Lab) -> None:
    keys = [key for host in lab.hosts for key in host.host_keys()]
    assert len(set(keys)) == len(keys) >= 3 * len(lab.hosts)


def test_an_unknown_host_key_is_refused(lab: Lab, tmp_path: Path) -> None:
    done = ssh(lab, ["-o", f"UserKnownHostsFile={tmp_path / 'empty'}", "one", "true"])
    assert done.returncode == 255
    assert "Host key verification failed" in done.stderr


def test_nothing_leaves_the_lab(lab: Lab) -> None:
    done = lab.host("one").run(["bash", "-c", "exec 3<>/dev/tcp/198.51.100.1/80"], check=False, timeout=30)
    assert done.returncode != 0
    assert "unreachable" in done.stderr


def test_a_host_without_python_has_none(lab: Lab) -> None:
    assert lab.host("bare").run("command -v python3", check=False).returncode != 0


def test_a_listing_sees_a_write_and_nothing_else(lab: Lab) -> None:
    host = lab.host("two")
    before = host.listing()
    assert listing.differences(before, host.listing()) == []
    host.run("touch -d @1 /etc/hostname.new; rm /etc/hostname.new; chmod 600 /etc/fstab")
    changed = [line.split(":")[0] for line in listing.differences(before, host.listing())]
    assert changed == ["~ /etc", "~ /etc/fstab"]


def test_power_loss_keeps_disk_address_and_keys(lab: Lab) -> None:
    host = lab.host("two")
    keys = host.host_keys()
    host.write("/etc/kept", "yes")
    host.run("touch /run/lost")
    host.pull_power()
    assert not host.running()
    assert ssh(lab, ["two", "true"]).returncode == 255
    host.power_on()
    assert host.host_keys() == keys
    assert host.read("/etc/kept") == "yes"
    assert ssh(lab, ["two", "test ! -e /run/lost"]).returncode == 0


@pytest.mark.parametrize(("down", "up"), [("cut_network", "restore_network"), ("pause", "unpause")])
def test_a_cut_or_hung_host_comes_back(lab: Lab, down: str, up: str) -> None:
    host = lab.host("one")
    getattr(host, down)()
    try:
        assert ssh(lab, ["one", "true"]).returncode == 255
    finally:
        getattr(host, up)()
    host.wait_ready()
    assert ssh(lab, ["one", "true"]).returncode == 0


def test_users_with_and_without_sudo(lab: Lab) -> None:
    host = lab.host("one")
    host.add_user("none", password="pw")
    host.add_user("free", sudo="nopasswd")
    host.add_user("asked", password="pw", sudo="password")
    assert ssh(lab, ["none@one", "sudo -n true"]).returncode != 0
    assert ssh(lab, ["free@one", "sudo -n id -u"]).stdout == "0\n"
    assert ssh(lab, ["asked@one", "sudo -n true"]).returncode != 0
    assert ssh(lab, ["asked@one", "echo pw | sudo -S -p '' id -u"]).stdout == "0\n"


def test_a_command_that_does_not_end_is_ended(lab: Lab) -> None:
    with pytest.raises(LabError, match="did not end within 1 s"):
        lab.host("one").run("sleep 77", timeout=1)
    assert lab.host("one").run("cat /proc/*/cmdline | tr '\\0' ' ' | grep -c 'sleep 7[7]'", check=False).stdout == "0\n"


def test_docker_io_installs_and_runs_a_container(lab: Lab) -> None:
    host = lab.host("three")
    host.run(UNATTENDED + FAST + "docker.io docker-cli", timeout=400)
    host.run(
        "mkdir /tmp/r; "
        "for f in /bin/sh $(ldd /bin/sh | grep -o '/lib[^ ]*'); do install -D $f /tmp/r/$f; done; "
        "tar -C /tmp/r -c . | docker import - own:1"
    )
    assert host.run("docker run --rm own:1 /bin/sh -c 'echo $((6*7))'").stdout == "42\n"

    registry = lab.registry({"ann": "right"})
    image = f"{registry.address}/own:1"
    login = f"docker login --username ann --password-stdin {registry.address}"
    assert "certificate" in host.run(login, input="right", check=False).stderr
    host.write(f"/etc/docker/certs.d/{registry.address}/ca.crt", registry.ca_pem)
    assert "unauthorized" in host.run(login, input="wrong", check=False).stderr.lower()
    host.run(login, input="right")
    host.run(f"docker tag own:1 {image}; docker push {image}; docker rmi {image}; docker pull {image}")


def test_the_proxy_counts_and_asks_for_its_login(lab: Lab) -> None:
    host = lab.host("two")
    plain, guarded = lab.proxy(), lab.proxy("ann", "right")
    repository = lab.apt_repository("proxied", [])
    use(host, repository)
    ip = lab.network.machine
    conf = "/etc/apt/apt.conf.d/95-test"
    try:
        for proxy in (plain, guarded):
            host.write(conf, f'Acquire::http::Proxy::{ip} "{proxy.url}";\n')
            host.run("rm -rf /var/lib/apt/lists/*; apt-get update -q --error-on=any", timeout=120)
            assert f"200 GET {repository.url}/dists/stable/InRelease" in proxy.requests()
        host.write(conf, f'Acquire::http::Proxy::{ip} "{guarded.url.replace("right", "wrong")}";\n')
        assert host.run("apt-get update -q --error-on=any", timeout=120, check=False).returncode != 0
        assert any(line.startswith("407 GET") for line in guarded.requests())
    finally:
        host.run(f"rm {conf} /etc/apt/sources.list.d/lab.list")


def test_the_legacy_stand_in_takes_its_four_options(lab: Lab, tmp_path: Path) -> None:
    host = lab.host("one")
    repository = lab.apt_repository("legacy", stand_ins.docker_engine(tmp_path), suite="ubuntu-trusty")
    use(host, repository)
    options = "--bip=192.168.99.1/24 --disable-legacy-registry --storage-driver=overlay2"
    unit = f"[Service]\nExecStart=\nExecStart=/usr/bin/dockerd -H fd:// {options}\n"
    host.write("/etc/systemd/system/docker.service.d/lab.conf", unit)
    host.run(UNATTENDED + FAST + "docker-engine=1.12.6-0~ubuntu-trusty", timeout=300)
    assert "stand-in" in host.run("dpkg-query -W -f '${Description}' docker-engine").stdout
    assert any(path.startswith("/pool/docker-engine_") for path in repository.requests)
    assert host.run("docker network inspect -f '{{(index .IPAM.Config 0).Gateway}}' bridge").stdout == "192.168.99.1\n"
    line = host.run("tr '\\0' ' ' </proc/$(cat /run/docker.pid)/cmdline").stdout
    assert options in line
    assert line == host.run("tr '\\0' ' ' </proc/$(systemctl show -p MainPID --value docker)/cmdline").stdout
    host.run("systemctl stop docker.socket docker")
    assert host.run("cat /proc/[0-9]*/comm | grep -c '^dockerd$'", check=False).stdout == "0\n"
    refused = host.run("dockerd --default-shm-size=1G", check=False)
    assert (refused.returncode, "unknown flag" in refused.stderr) == (125, True)
    host.write("/etc/docker/daemon.json", '{"default-ulimits": {}}')
    assert "don't match any configuration option: default-ulimits" in host.run("dockerd", check=False).stderr


def test_the_docker_ce_stand_ins_conflict_as_the_real_ones_do(lab: Lab, tmp_path: Path) -> None:
    host = lab.host("two")
    use(host, lab.apt_repository("vendor", stand_ins.docker_ce(tmp_path), suite="bookworm", flat=True))
    host.run(UNATTENDED + FAST + "docker-ce", timeout=300)
    words = [
        "dpkg-query",
        "-W",
        "-f",
        "${Version} ${db:Status-Abbrev}\n",
        "docker-ce",
        "docker-ce-cli",
        "containerd.io",
    ]
    assert all(line.endswith("ii ") for line in host.run(words).stdout.splitlines())
    assert host.run("systemctl is-active docker containerd").stdout.split() == ["active", "active"]
    assert "Remv docker-ce" in host.run("apt-get install -s docker.io").stdout


def test_a_package_that_is_no_stand_in_by_its_description_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="stand-in"):
        debs.repack(tmp_path / "any.deb", tmp_path, package="p", version="1", description="the real thing")


def test_down_leaves_no_host(tmp_path: Path) -> None:
    with Lab.up("test-lab-down", [HostSpec("x")], tmp_path):
        assert engine.containers("provision-lab=test-lab-down") == ["test-lab-down.x"]
    assert engine.containers("provision-lab=test-lab-down") == []
