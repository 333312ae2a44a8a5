"""Hosts as people have reported them: each is set up as in the report, and judged as its reporter would."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.runner import Ended, HostSpec, Lab, Provision, settle

pytestmark = pytest.mark.lab
HOSTS = {"r1": "bookworm", "r2": "trixie"}
PACKAGES = {"bookworm": ("docker.io",), "trixie": ("docker.io", "docker-cli")}
DROP_IN = "/etc/systemd/system/docker.service.d/docker-dns.conf"
VARIABLES = """\
[Service]
Environment="DOCKER_DNS_OPTIONS=--dns 192.0.2.53 --dns-search example.com"
ExecStart=
ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_DNS_OPTIONS
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    specs = [HostSpec(name, release, packages=PACKAGES[release]) for name, release in HOSTS.items()]
    with Lab.up("reported", specs, tmp_path_factory.mktemp("reported")) as up:
        yield up


def asked(lab: Lab, roles: tuple[str, ...] = ("docker_daemon",), **settings: Any) -> Provision:
    return settle(lab, {"roles": list(roles), **settings})


def applied(run: Provision) -> Ended:
    """Changed, and then nothing more to do."""
    first = run.apply()
    assert first.status == 0, first.explain()
    again = run.check()
    assert again.status == 0, again.explain() + str(again.resources("would-change"))
    return first


def test_a_flag_in_a_variable_of_the_unit_is_taken_over(lab: Lab) -> None:
    for host in lab.hosts:
        host.write(DROP_IN, VARIABLES)
        host.run("systemctl daemon-reload; systemctl restart docker")
    applied(asked(lab, docker_daemon={"dns": ["198.51.100.53"]}))
    for host in lab.hosts:
        words = host.run("tr '\\0' ' ' </proc/$(cat /run/docker.pid)/cmdline").stdout
        assert "--dns-search example.com" in words
        assert "--dns " not in words


def test_a_data_root_by_another_name_is_in_force(lab: Lab) -> None:
    for host in lab.hosts:
        host.run("mkdir -p /srv/disk1; ln -s /srv/disk1 /data")
    run = asked(lab, docker_daemon={"data_root": "/data/docker"})
    refused = run.apply()
    assert refused.status == 1
    for name in HOSTS:
        assert "goes through a symbolic link to /srv/disk1/docker" in refused.host(name)["error"]
    for host in lab.hosts:
        host.run("mkdir /srv/disk1/docker")
    applied(run)
    ended = run("verify")
    assert ended.status == 0, ended.explain()


def test_a_bip_of_another_docker_network_is_refused_before_docker_stops(lab: Lab) -> None:
    pids = {}
    for host in lab.hosts:
        host.run("docker network create --subnet 192.168.66.0/24 team-net")
        pids[host.name] = host.run("cat /run/docker.pid").stdout
    ended = asked(lab, docker_daemon={"data_root": "/data/docker", "bip": "192.168.66.1/24"}).apply()
    assert ended.status == 1
    for host in lab.hosts:
        assert "overlaps 192.168.66.0/24 of Docker's network" in ended.host(host.name)["error"]
        assert host.run("cat /run/docker.pid").stdout == pids[host.name]


def test_proxies_in_daemon_json_are_verified(lab: Lab) -> None:
    proxy = {"http": lab.proxy("me", "secret").url.replace("me:secret@", ""), "no_proxy": ["registry.example.com"]}
    run = asked(lab, ("apt_proxy", "docker_daemon"), apt_proxy=proxy, docker_daemon={"data_root": "/data/docker"})
    applied(run)
    ended = run("verify")
    assert ended.status == 0, ended.explain()


def test_hosts_that_are_dropped_from_the_inventory_may_go(lab: Lab) -> None:
    here = ["unix:///run/docker.sock", "tcp://127.0.0.1:2375"]
    applied(asked(lab, docker_daemon={"data_root": "/data/docker", "extra": {"hosts": here}}))
    without = asked(lab, docker_daemon={"data_root": "/data/docker"})
    ended = without.check()
    assert ended.status == 3, ended.explain()


OVERRIDE = "/etc/systemd/system/docker.service.d/docker-override.conf"
DGX = """\
[Unit]
After=nvidia-fabricmanager.service
[Service]
ExecStart=
ExecStart=/usr/sbin/dockerd -H fd:// -s overlay2 --default-shm-size=1G --bip=172.17.0.1/16 --fixed-cidr=172.17.0.0/16
LimitSTACK=67108864
"""
"""What DGX OS 5 to 7 bring for Docker (nv-docker-options), less the memlock that no lab host can give."""


def test_the_flags_of_a_dgx_are_kept_or_taken_over_and_what_is_not_restarted_is_seen(lab: Lab) -> None:
    host, only = lab.host("r1"), ("--limit", "r1")
    host.run("rm -rf /etc/docker/daemon.json /etc/systemd/system/docker.service.d /var/lib/provision")
    host.write(OVERRIDE, DGX)
    host.run("systemctl daemon-reload; systemctl stop docker.socket docker; systemctl start docker.socket docker")
    kept = {"storage_driver": "overlay2", "default_shm_size": "1G", "default_ulimits": {"stack": 67108864}}
    for settings in (kept, kept | {"bip": "192.168.127.1/24", "fixed_cidr": "192.168.127.128/25"}):
        run = asked(lab, docker_daemon=settings)
        for ended in (run.apply(*only), run("verify", *only)):
            assert ended.status == 0, ended.explain()
    words = host.run("tr '\\0' ' ' </proc/$(cat /run/docker.pid)/cmdline").stdout
    assert words.strip() == "/usr/sbin/dockerd -H fd:// -s overlay2 --default-shm-size=1G"
    host.run(f"rm -r {OVERRIDE.rpartition('/')[0]}; systemctl daemon-reload")
    statuses = {verb: run(verb, *only).status for verb in ("check", "status", "verify")}
    assert statuses == {"check": 3, "status": 3, "verify": 1}
