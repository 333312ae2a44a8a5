"""docker_daemon: the service, the options as they are in force, and what a container really gets of them."""

import ipaddress

import pytest

from provision.agent.docker.flags import size, unlike
from provision.daemon.options import OPTIONS, same
from provision.verify import network
from provision.verify.asked import agree, skip_unless

IN_FORCE = {
    "storage_driver": "Driver",
    "data_root": "DockerRootDir",
    "log_driver": "LoggingDriver",
    "live_restore": "LiveRestoreEnabled",
    "default_runtime": "DefaultRuntime",
}
"""Settings that `docker info` shows as they are, by its names."""
ON_FILE = set(IN_FORCE) | {"bip", "fixed_cidr", "mtu", "dns", "dns_search", "default_shm_size", "exec_opts"}


@pytest.fixture(scope="session")
def asked(settings):
    return {name: value for name, value in settings["docker_daemon"].items() if value is not None}


def test_the_service_runs_and_will_run_after_a_boot(host):
    service = host.service("docker")
    found = {"docker running": (True, service.is_running), "docker enabled": (True, service.is_enabled)}
    if host.exists("systemctl"):
        found["docker masked"] = (False, service.is_masked)
    agree(found)


def test_its_socket_is_there_for_root_and_the_group_only(host):
    file = host.file("/run/docker.sock")
    agree({"docker.sock": ("root 0o660", f"{file.user} {oct(file.mode)}")})
    listening = network.listening(host.file("/proc/net/unix").content_string)
    assert {"/run/docker.sock", "/var/run/docker.sock"} & listening, "docker.sock: nobody listens on it"


def test_options_in_force_are_the_asked_ones(asked, host, dockerd):
    there = {name: dockerd.info[key] for name, key in IN_FORCE.items() if name in asked}
    if "data_root" in asked and _place(host, asked["data_root"]) == _place(host, there["data_root"]):
        there["data_root"] = asked["data_root"]  # Docker tells the name behind a symbolic link
    agree({f"docker_daemon.{name}": (asked[name], value) for name, value in there.items()})


def test_runtimes_are_known(asked, dockerd):
    skip_unless(asked.get("runtimes"), "docker_daemon.runtimes")
    there = dockerd.info["Runtimes"]
    found = {name: (one["path"], there.get(name, {}).get("path")) for name, one in asked["runtimes"].items()}
    agree({f"docker_daemon.runtimes.{name}": pair for name, pair in found.items()})


def test_registries_are_the_asked_ones(asked, dockerd):
    config = dockerd.info["RegistryConfig"]
    known = set(config["IndexConfigs"]) | set(config["InsecureRegistryCIDRs"] or ())
    missing = [name for name in asked.get("insecure_registries", ()) if name not in known]
    assert not missing, f"docker_daemon.insecure_registries: {missing} are not insecure for the daemon"
    mirrors = [mirror.rstrip("/") for mirror in config["Mirrors"] or ()]
    if "registry_mirrors" in asked:
        agree({"docker_daemon.registry_mirrors": ([item.rstrip("/") for item in asked["registry_mirrors"]], mirrors)})


def test_the_bridge_has_the_asked_network(asked, host, dockerd):
    skip_unless(asked.get("bip"), "docker_daemon.bip")
    pool = dockerd.bridge["IPAM"]["Config"][0]
    wanted = ipaddress.IPv4Interface(asked["bip"])
    found = {
        "docker_daemon.bip (docker0)": (True, asked["bip"] in _addresses(host, "docker0")),
        "docker_daemon.bip (network)": (str(wanted.network), pool["Subnet"]),
        "docker_daemon.bip (gateway)": (str(wanted.ip), pool.get("Gateway")),
    }
    if "fixed_cidr" in asked:
        found["docker_daemon.fixed_cidr"] = (asked["fixed_cidr"], pool.get("IPRange"))
    if "mtu" in asked:
        options = dockerd.bridge["Options"]
        found["docker_daemon.mtu"] = (str(asked["mtu"]), options.get("com.docker.network.driver.mtu"))
    agree(found)


def test_a_container_gets_the_asked_ulimits(asked, dockerd):
    skip_unless(asked.get("default_ulimits"), "docker_daemon.default_ulimits")
    wanted = {name: (limit["soft"], limit["hard"]) for name, limit in asked["default_ulimits"].items()}
    agree(
        {
            f"docker_daemon.default_ulimits.{name} in a container": (limit, dockerd.container.ulimit(name))
            for name, limit in wanted.items()
        }
    )


def test_a_container_gets_the_asked_shared_memory(asked, dockerd):
    skip_unless(asked.get("default_shm_size"), "docker_daemon.default_shm_size")
    wanted = size(asked["default_shm_size"])
    agree({"docker_daemon.default_shm_size in a container (bytes)": (wanted, dockerd.container.shm)})


def test_a_container_gets_an_address_of_the_asked_network(asked, dockerd):
    skip_unless(asked.get("bip"), "docker_daemon.bip")
    network = ipaddress.ip_network(asked.get("fixed_cidr") or str(ipaddress.IPv4Interface(asked["bip"]).network))
    inside = [text for text in dockerd.container.addresses if ipaddress.ip_address(text) in network]
    assert inside, f"docker_daemon.bip: a container's addresses {dockerd.container.addresses} are not of {network}"


def test_the_next_start_will_have_them_too(asked, dockerd):
    """What is in force now and stands in no file is gone with the next boot. DOCKER_OPTS, or the unit, may have it."""
    found = {}
    for name in sorted(ON_FILE & set(asked)):
        key = name.replace("_", "-")
        option = OPTIONS[key]
        given = dockerd.flags.get(option.flag) or (dockerd.flags.get("graph") if key == "data-root" else None)
        if given:
            alike = same(option.flag, given, option.form(asked[name]))
            found[f"docker_daemon.{name} (--{option.flag})"] = (asked[name], asked[name] if alike else given)
        else:
            found[f"docker_daemon.{name} in daemon.json"] = (_same(asked[name]), _same(dockerd.configuration.get(key)))
    for name, limit in asked.get("default_ulimits", {}).items():
        if "default-ulimit" not in dockerd.flags:
            entry = dockerd.configuration.get("default-ulimits", {}).get(name, {})
            pair = ((limit["soft"], limit["hard"]), (entry.get("Soft"), entry.get("Hard")))
            found[f"docker_daemon.default_ulimits.{name} in daemon.json"] = pair
    agree(found)


def test_it_runs_with_what_its_unit_says(host, dockerd):
    assert dockerd.info
    if not host.exists("systemctl"):
        pytest.skip("there is no systemd on this host")
    unread = host.check_output("systemctl show -p NeedDaemonReload docker.service")
    assert unread != "NeedDaemonReload=yes", "docker.service was changed on disk: systemctl daemon-reload is missing"
    if dockerd.planned is None:
        pytest.skip("the command line of docker.service cannot be told from its files")
    different = ", ".join(unlike(dockerd.arguments[1:], dockerd.planned[1:]))
    assert not different, f"docker.service was changed and Docker not restarted since: {different} differ"


def test_keys_of_one_s_own_are_in_the_file(asked, dockerd):
    skip_unless(asked.get("extra"), "docker_daemon.extra")
    agree({f"daemon.json: {key}": (value, dockerd.configuration.get(key)) for key, value in asked["extra"].items()})


def _place(host, path):
    return host.check_output("readlink -m %s", path)


def _addresses(host, interface):
    route, trie = (host.file(f"/proc/net/{name}").content_string for name in ("route", "fib_trie"))
    return network.interface_addresses(route, trie, interface)


def _same(value):
    return list(value) if isinstance(value, tuple) else value
