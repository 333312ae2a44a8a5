"""docker_daemon: bad settings are input errors in plain words; a host that they would hurt refuses."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from provision import role
from provision.facts import Address, Facts, Os, Route

ROLE = role.load("docker_daemon", [Path(__file__).parents[3] / "roles"])


def host(**found: Any) -> Facts:
    return Facts(os=Os(id="debian"), architecture="amd64", init="systemd", **{"kernel": "6.1.0"} | found)


def options(settings: dict[str, Any], facts: Facts | None = None) -> dict[tuple[str, ...], Any]:
    found = ROLE.resources(facts or host(), ROLE.settings.model_validate(settings))
    return {item.key: item.value for item in found}  # type: ignore[attr-defined]


def test_nothing_set_is_nothing_of_ours() -> None:
    assert options({}) == {}


def test_every_setting_is_daemon_jsons_key_in_docker_s_own_form() -> None:
    settings = {
        "dns": ["10.10.254.254", "fd00::53"],
        "dns_search": ["corp"],
        "default_ulimits": {"memlock": "unlimited", "nofile": {"soft": 1024, "hard": 4096}, "core": 0},
        "default_shm_size": 1073741824,
        "mtu": 9000,
        "log_opts": {"max-file": 3, "compress": True},
        "insecure_registries": ["reg.corp:5000", "10.0.0.0/8"],
        "registry_mirrors": ["https://mirror.corp", "https://mirror.corp/hub"],
        "live_restore": True,
        "exec_opts": ["native.cgroupdriver=systemd"],
        "runtimes": {"kata": {"path": "/opt/kata", "args": ["--debug"]}},
        "extra": {"debug": True},
    }
    assert options(settings) == {
        ("dns",): ["10.10.254.254", "fd00::53"],
        ("dns-search",): ["corp"],
        ("default-ulimits", "memlock"): {"Name": "memlock", "Hard": -1, "Soft": -1},
        ("default-ulimits", "nofile"): {"Name": "nofile", "Hard": 4096, "Soft": 1024},
        ("default-ulimits", "core"): {"Name": "core", "Hard": 0, "Soft": 0},
        ("default-shm-size",): "1073741824b",
        ("mtu",): 9000,
        ("log-opts", "max-file"): "3",
        ("log-opts", "compress"): "true",
        ("insecure-registries",): ["reg.corp:5000", "10.0.0.0/8"],
        ("registry-mirrors",): ["https://mirror.corp", "https://mirror.corp/hub"],
        ("live-restore",): True,
        ("exec-opts",): ["native.cgroupdriver=systemd"],
        ("runtimes", "kata"): {"path": "/opt/kata", "runtimeArgs": ["--debug"]},
        ("debug",): True,
    }


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bip": "192.168.127.1"}, "needs its prefix, as in 192.168.127.1/24"),
        ({"bip": "192.168.127.0/24"}, "network address .* as in 192.168.127.1/24"),
        ({"bip": "192.168.127.255/24"}, "broadcast address"),
        ({"bip": "10.0.0.1/32"}, "leaves no address"),
        ({"bip": "300.0.0.1/24"}, "IPv4 address with its prefix"),
        ({"bip": "10.0.0.1/24", "fixed_cidr": "10.0.1.0/25"}, "not inside bip's network 10.0.0.0/24"),
        ({"bip": "10.0.0.1/24", "fixed_cidr": "10.0.0.1/25"}, "did you mean 10.0.0.0/25"),
        ({"fixed_cidr": "10.0.0.0/25"}, "needs bip"),
        ({"bip": "10.0.0.1/24", "default_address_pools": [{"base": "10.0.0.0/16", "size": 24}]}, "overlaps bip"),
        ({"default_address_pools": [{"base": "10.0.0.0/24", "size": 16}]}, "do not fit"),
        ({"dns": ["dns.corp"]}, "'dns.corp' is not an IP address"),
        ({"default_shm_size": "1 gig"}, "64m, 1G"),
        ({"default_shm_size": "0"}, "64m, 1G"),
        ({"default_ulimits": {"memlok": 1}}, "no ulimit is called 'memlok'"),
        ({"default_ulimits": {"nofile": {"soft": 2, "hard": 1}}}, "soft limit must not be above"),
        ({"default_ulimits": {"nofile": {"soft": -1, "hard": 1}}}, "soft limit must not be above"),
        ({"default_ulimits": {"nofile": -2}}, "greater than or equal to -1"),
        ({"default_ulimits": {"nofile": "many"}}, "unlimited, a number"),
        ({"default_ulimits": {"nofile": True}}, "unlimited, a number"),
        ({"mtu": "9000"}, "integer"),
        ({"log_driver": "jsonfile"}, "no log driver 'jsonfile'"),
        ({"data_root": "raid/docker"}, "absolute path"),
        ({"registry_mirrors": ["mirror.corp"]}, "https://HOST"),
        ({"registry_mirrors": ["https://u:p@mirror.corp"]}, "no login"),
        ({"registry_mirrors": ["https://mirror.corp/hub?x=1"]}, "https://HOST"),
        ({"exec_opts": ["systemd"]}, "NAME=VALUE"),
        ({"runtimes": {"runc": {"path": "runc"}}}, "Docker's own name"),
        ({"extra": {"bip": "10.0.0.1/24"}}, "bip has a setting of its own: bip"),
        ({"extra": {"log-opts": {}}}, "setting of its own: log_opts"),
        ({"extra": {"proxies": {}}}, "role apt_proxy"),
        ({"bib": "10.0.0.1/24"}, "Extra inputs"),
    ],
)
def test_bad_settings_say_what_to_do(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ROLE.settings.model_validate(settings)


def route(network: str, interface: str) -> Route:
    return Route.model_validate({"network": network, "interface": interface})


def address(text: str, interface: str) -> Address:
    return Address.model_validate({"address": text, "interface": interface})


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"routes": (route("10.0.0.0/8", "eth1"),)}, "overlaps the route to 10.0.0.0/8 by interface eth1"),
        ({"routes": (route("10.1.2.128/25", "ib0"),)}, "route to 10.1.2.128/25 by interface ib0"),
        ({"addresses": (address("10.1.2.9/24", "eno1"),)}, "10.1.2.9/24 of interface eno1"),
        ({"addresses": (address("10.1.3.1/16", "virbr0"),)}, "interface virbr0"),
        ({"resolvers": ("10.1.2.53",)}, "the name server 10.1.2.53"),
        ({"ssh_client": "10.1.2.77"}, "the address that this session comes from, 10.1.2.77"),
    ],
)
def test_a_network_that_the_host_uses_is_refused_and_named(found: dict[str, Any], words: str) -> None:
    for settings in ({"bip": "10.1.2.1/24"}, {"default_address_pools": [{"base": "10.1.0.0/16", "size": 24}]}):
        with pytest.raises(role.Refuse) as caught:
            options(settings, host(**found))
        assert words in caught.value.cause
        assert caught.value.fix


def test_docker_s_own_bridges_default_routes_and_other_networks_are_no_reason() -> None:
    facts = host(
        routes=(
            route("0.0.0.0/0", "eth0"),
            route("::/0", "eth0"),
            route("10.1.2.0/24", "docker0"),
            route("127.0.0.0/8", "lo"),
            route("192.168.0.0/16", "eth0"),
        ),
        addresses=(address("10.1.2.1/24", "docker0"), address("fe80::1/64", "eth0")),
        resolvers=("127.0.0.53", "fd00::1"),
        ssh_client="192.168.1.1",
    )
    assert options({"bip": "10.1.2.1/24"}, facts) == {("bip",): "10.1.2.1/24"}


@pytest.mark.parametrize(
    ("interface", "words", "fix"),
    [
        ("br-0123456789ab", "Docker's network 0123456789ab (br-0123456789ab)", "docker network rm 0123456789ab"),
        ("docker_gwbridge", "Docker's network docker_gwbridge (docker_gwbridge)", "docker network rm docker_gwbridge"),
    ],
)
def test_a_bip_that_another_network_of_docker_s_has_is_refused(interface: str, words: str, fix: str) -> None:
    for found in (
        {"routes": (route("192.168.66.0/24", interface),)},
        {"addresses": (address("192.168.66.1/24", interface),)},
    ):
        with pytest.raises(role.Refuse, match=r"bip 192\.168\.66\.1/24 overlaps 192\.168\.66\.") as caught:
            options({"bip": "192.168.66.1/24"}, host(**found))
        assert words in caught.value.cause
        assert fix in caught.value.fix


@pytest.mark.parametrize("interface", ["br-0123456789ab", "docker_gwbridge"])
def test_networks_that_docker_took_from_its_pools_are_no_reason_against_them(interface: str) -> None:
    pools = {"default_address_pools": [{"base": "10.1.0.0/16", "size": 24}]}
    found = {"routes": (route("10.1.3.0/24", interface),), "addresses": (address("10.1.3.1/24", interface),)}
    assert options(pools, host(**found))


def test_memlock_that_the_host_cannot_give_is_refused_before_it_breaks_every_container() -> None:
    poor = host(can_raise_limits=False, memlock_hard=8388608)
    for asked in ("unlimited", 8388609):
        with pytest.raises(role.Refuse, match="CAP_SYS_RESOURCE"):
            options({"default_ulimits": {"memlock": asked}}, poor)
    assert options({"default_ulimits": {"memlock": 8388608}}, poor)
    assert options({"default_ulimits": {"memlock": "unlimited"}}, host(can_raise_limits=False))
    assert options({"default_ulimits": {"memlock": "unlimited"}}, host(memlock_hard=65536))


def test_overlay2_needs_linux_4() -> None:
    with pytest.raises(role.Refuse, match=r"3\.13"):
        options({"storage_driver": "overlay2"}, host(kernel="3.13.0-24-generic"))
    assert options({"storage_driver": "overlay2"}, host(kernel="4.4.0"))
