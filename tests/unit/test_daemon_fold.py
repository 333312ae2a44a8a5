"""The fold: each option in the one place that a host's engine reads, found by looking; two roles cannot differ."""

import json
from pathlib import Path
from typing import Any

import pytest

from provision import daemon, role
from provision.daemon.gate import GATE
from provision.errors import InputError
from provision.facts import Docker, Facts, Os, Unit
from provision.resources import (
    DaemonEnvironment,
    DaemonFlags,
    DaemonOption,
    DockerLive,
    DockerService,
    File,
    JsonKeys,
    Resource,
    Service,
)
from provision.secrets import Secret

GOLDEN = Path(__file__).parent / "golden"
ROLES = [Path(__file__).parents[2] / "roles"]
FOLDER = "/etc/systemd/system/docker.service.d"
STOCK = ("/usr/bin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock")
DGX = [
    "/usr/bin/dockerd",
    "-H",
    "fd://",
    "-s",
    "overlay2",
    "--default-shm-size=1G",
    "--bip=172.17.0.1/16",
    "--fixed-cidr=172.17.0.0/16",
]
NVIDIAS = {
    "dns": ["10.10.254.254"],
    "bip": "192.168.127.1/24",
    "fixed_cidr": "192.168.127.128/25",
    "storage_driver": "overlay2",
    "default_ulimits": {"memlock": "unlimited", "stack": 67108864},
}


def facts(version: str | None = "26.1.5", init: Any = "systemd", unit: Unit | None = None, **docker: Any) -> Facts:
    unit = unit or Unit(path="/lib/systemd/system/docker.service", exec_start=STOCK)
    found = Docker(version=version, daemon="/usr/bin/dockerd", unit=unit if init == "systemd" else None, **docker)
    return Facts(os=Os(id="debian"), architecture="amd64", kernel="6.1.0", init=init, docker=found)


def debian(**docker: Any) -> Facts:
    unit = Unit(
        path="/lib/systemd/system/docker.service",
        exec_start=(*STOCK, "$DOCKER_OPTS"),
        environment_files=("-/etc/default/docker",),
    )
    return facts("20.10.24", unit=unit, **docker)


def dgx() -> Facts:
    unit = Unit(
        path="/lib/systemd/system/docker.service",
        exec_start=tuple(DGX),
        exec_start_from=f"{FOLDER}/docker-override.conf",
        drop_ins=(f"{FOLDER}/docker-override.conf",),
    )
    return facts("24.0.7", unit=unit)


def options(settings: dict[str, Any], host: Facts) -> list[tuple[str, DaemonOption]]:
    loaded = role.load("docker_daemon", ROLES)
    found = loaded.resources(host, loaded.settings.model_validate(settings))
    return [("docker_daemon", item) for item in found if isinstance(item, DaemonOption)]


def fold(
    host: Facts,
    settings: dict[str, Any] | None = None,
    *more: tuple[str, DaemonOption],
    environment: Any = (),
    run: Any = ("docker_daemon",),
) -> list[Resource]:
    roles = daemon.DaemonRoles(run, engine="docker_engine")
    return daemon.merge_options([*options(settings or {}, host), *more], environment, host, roles)


def one(resources: list[Resource], kind: type[Any]) -> Any:
    (found,) = [item for item in resources if isinstance(item, kind)]
    return found


def document(resources: list[Resource]) -> dict[str, Any]:
    """daemon.json as the keys make it."""
    result: dict[str, Any] = {}
    for key in one(resources, JsonKeys).keys:
        place = result
        for part in key.path[:-1]:
            place = place.setdefault(part, {})
        place[key.path[-1]] = key.value
    return result


def flags(resources: list[Resource]) -> str:
    return " ".join(f"--{flag.name}={flag.value}" for flag in one(resources, DaemonFlags).flags)


def files(resources: list[Resource]) -> dict[str, Any]:
    return {item.path: item.content for item in resources if isinstance(item, File)}


def test_modern_engine_everything_in_daemon_json() -> None:
    settings = NVIDIAS | {
        "default_shm_size": "1G",
        "default_address_pools": [{"base": "192.168.128.0/18", "size": 24}],
        "log_driver": "json-file",
        "log_opts": {"max-size": "50m", "max-file": 3},
        "runtimes": {"nvidia": {"path": "nvidia-container-runtime"}},
        "default_runtime": "nvidia",
    }
    found = fold(facts(), settings)
    assert document(found) == json.loads((GOLDEN / "daemon-modern.json").read_text())
    assert flags(found) == ""
    assert set(files(found).values()) == {None}, "no drop-in of ours is needed, and none may be left"


def test_the_order_is_files_then_service_then_proof() -> None:
    kinds = [item.kind for item in fold(facts(), NVIDIAS)]
    assert kinds == ["daemon_flags", "file", "file", "json_keys", "docker_service", "docker_live"]
    kinds = [item.kind for item in fold(facts("1.12.6"), NVIDIAS)]
    assert kinds == ["json_keys", "daemon_flags", "directory", "file", "file", "docker_service", "docker_live"]


def test_dgx_flags_of_equal_value_stay_and_their_options_stay_out_of_daemon_json() -> None:
    settings = NVIDIAS | {"bip": "172.17.0.1/16", "fixed_cidr": "172.17.0.0/16", "default_shm_size": "1024m"}
    found = fold(dgx(), settings)
    assert document(found) == json.loads((GOLDEN / "daemon-dgx.json").read_text())
    assert set(one(found, JsonKeys).absent) == {("bip",), ("fixed-cidr",), ("storage-driver",), ("default-shm-size",)}
    assert set(files(found).values()) == {None}
    assert one(found, DockerLive).options["--bip"] == ["172.17.0.1/16"]


def test_dgx_another_subnet_takes_over_with_a_drop_in_that_sorts_last() -> None:
    found = fold(dgx(), NVIDIAS)
    assert files(found)[f"{FOLDER}/zz-provision.conf"] == (GOLDEN / "zz-provision.conf").read_text()
    assert files(found)[f"{FOLDER}/50-provision.conf"] is None
    assert document(found)["bip"] == "192.168.127.1/24"
    assert "storage-driver" not in document(found), "equal, so the unit keeps it"
    assert f"{FOLDER}/docker-override.conf" in one(found, DockerService).files


def test_a_drop_in_that_sorts_after_ours_is_refused() -> None:
    late = f"{FOLDER}/zzz.conf"
    unit = Unit(
        path="/lib/systemd/system/docker.service", exec_start=tuple(DGX), exec_start_from=late, drop_ins=(late,)
    )
    with pytest.raises(role.Refuse, match=r"zzz\.conf"):
        fold(facts(unit=unit), NVIDIAS)


def test_somebody_elses_ulimits_come_along_when_the_flag_has_to_go() -> None:
    unit = Unit(path="/u", exec_start=(*STOCK, "--default-ulimit", "nofile=1024:4096", "--default-ulimit=stack=1"))
    limits = document(fold(facts(unit=unit), NVIDIAS))["default-ulimits"]
    assert limits["nofile"] == {"Name": "nofile", "Hard": 4096, "Soft": 1024}
    assert limits["stack"]["Soft"] == 67108864
    (carried,) = [key for key in one(fold(facts(unit=unit), NVIDIAS), JsonKeys).keys if key.role == ""]
    assert carried.path == ("default-ulimits", "nofile")


def test_docker_opts_that_we_own_move_to_daemon_json_where_the_daemon_reads_them() -> None:
    given = ("--bip=10.0.0.1/24", "--debug")
    found = fold(debian(default_options=given), NVIDIAS)
    assert set(one(found, DaemonFlags).absent) == {"bip", "dns", "fixed-cidr", "storage-driver", "default-ulimit"}
    assert "/etc/default/docker" in one(found, DockerService).files
    unread = fold(facts(default_options=given), NVIDIAS)
    assert one(unread, DaemonFlags).absent == (), "nobody reads it, so it is none of our business"
    assert "/etc/default/docker" not in one(unread, DockerService).files


def test_dockerd_validates_the_staged_file_with_the_flags_that_it_will_have() -> None:
    plain = " ".join(one(fold(facts(), NVIDIAS), JsonKeys).validate_with)
    assert plain == f"/usr/bin/dockerd --validate -H fd:// {STOCK[3]} --config-file={{}}"
    taken = " ".join(one(fold(dgx(), NVIDIAS), JsonKeys).validate_with)
    assert "-s overlay2 --default-shm-size=1G" in taken
    assert "bip" not in taken
    old = " ".join(one(fold(debian(default_options=("--bip=10.0.0.1/24", "--debug")), NVIDIAS), JsonKeys).validate_with)
    assert old.startswith("setpriv --reuid=65534 ")
    assert old.endswith(" $DOCKER_OPTS --config-file={}")
    assert one(fold(facts("1.12.6"), NVIDIAS), JsonKeys).validate_with is None


KUBESPRAY = {
    "DOCKER_OPTS": ("--iptables=false", "--bip=192.168.99.1/24", "--log-opt", "tag=$x"),
    "DOCKER_DNS_OPTIONS": ("--dns", "192.0.2.53", "--dns-search", "example.com"),
    "MTU": ("1400",),
}


def kubespray(version: str = "26.1.5", **variables: tuple[str, ...]) -> Facts:
    words = ("/usr/bin/dockerd", "$DOCKER_OPTS", "$DOCKER_STORAGE_OPTIONS", "$DOCKER_DNS_OPTIONS", "--mtu=${MTU}")
    unit = Unit(path="/etc/systemd/system/docker.service", exec_start=words, variables=KUBESPRAY | variables)
    return facts(version, unit=unit)


def test_flags_in_variables_of_the_unit_are_taken_over_and_their_neighbours_stay() -> None:
    found = fold(kubespray(), {"dns": ["198.51.100.53"], "mtu": 9000})
    assert document(found) == {"dns": ["198.51.100.53"], "mtu": 9000}
    text = files(found)[f"{FOLDER}/zz-provision.conf"]
    assert "ExecStart=/usr/bin/dockerd $DOCKER_OPTS $DOCKER_STORAGE_OPTIONS --dns-search example.com\n" in text
    trial = " ".join(one(found, JsonKeys).validate_with)
    assert "--bip=192.168.99.1/24 --log-opt tag=$x --dns-search example.com --config-file={}" in trial
    assert "192.0.2.53" not in trial


def test_what_is_written_out_of_a_variable_is_none_any_more() -> None:
    text = files(fold(kubespray(), {"bip": "192.168.98.1/24"}))[f"{FOLDER}/zz-provision.conf"]
    assert (
        "dockerd --iptables=false --log-opt tag=$$x $DOCKER_STORAGE_OPTIONS $DOCKER_DNS_OPTIONS --mtu=${MTU}\n" in text
    )


def test_flags_in_variables_that_are_as_asked_are_left() -> None:
    found = fold(kubespray(), {"bip": "192.168.99.1/24", "mtu": 1400})
    assert document(found) == {}
    assert set(files(found).values()) == {None}
    assert one(found, DockerLive).options["--bip"] == ["192.168.99.1/24"]


def test_docker_opts_of_the_unit_itself_outlive_ours_on_a_legacy_engine() -> None:
    found = fold(kubespray("1.12.6"), {"dns_search": ["a.example"]})
    text = files(found)[f"{FOLDER}/zz-provision.conf"]
    assert "ExecStart=/usr/bin/dockerd --iptables=false --bip=192.168.99.1/24" in text
    assert text.rstrip().endswith("$DOCKER_OPTS")


def test_legacy_upstart_is_the_line_that_nvidia_wrote() -> None:
    environment = [("apt_proxy", DaemonEnvironment(name="http_proxy", value="http://proxy.example.com:3128/"))]
    found = fold(facts("1.12.6", "upstart"), NVIDIAS | {"disable_legacy_registry": True}, environment=environment)
    variables = "".join(f'export {name}="{value}"\n' for name, value in one(found, DaemonFlags).variables.items())
    assert f'DOCKER_OPTS="{flags(found)}"\n{variables}' == (GOLDEN / "legacy-default-docker").read_text()
    assert one(found, DaemonFlags).export
    assert document(found) == {}
    assert ("default-ulimits",) in one(found, JsonKeys).absent
    assert files(found) == {}
    assert one(found, DockerLive).options["--default-ulimit"] == ["memlock=-1:-1", "stack=67108864:67108864"]


def test_legacy_systemd_gets_a_drop_in_that_reads_docker_opts() -> None:
    found = fold(facts("1.12.6", unit=Unit(path="/u", exec_start=("/usr/bin/dockerd", "-H", "fd://"))), NVIDIAS)
    assert files(found)[f"{FOLDER}/50-provision.conf"] == (GOLDEN / "50-provision.conf").read_text()
    assert "/etc/default/docker" in one(found, DockerService).files


def test_legacy_with_a_unit_that_reads_docker_opts_needs_none() -> None:
    unit = Unit(path="/u", exec_start=("/usr/bin/dockerd", "$DOCKER_OPTS"), environment_files=("-/etc/default/docker",))
    assert set(files(fold(facts("1.12.6", unit=unit), NVIDIAS)).values()) == {None}


def test_legacy_data_root_is_graph() -> None:
    assert flags(fold(facts("1.12.6"), {"data_root": "/raid/docker"})) == "--graph=/raid/docker"


@pytest.mark.parametrize(
    ("version", "settings", "words"),
    [
        ("1.12.6", {"default_shm_size": "1G"}, "1.12.6 cannot do default-shm-size: that came with 17.05"),
        ("18.03.1", {"default_address_pools": [{"base": "10.200.0.0/16", "size": 24}]}, "came with 18.06"),
        ("1.11.2", {"live_restore": True}, "came with 1.12"),
        ("20.10.24", {"disable_legacy_registry": True}, "no disable-legacy-registry any more: it went with 17.12"),
        ("1.12.6", {"extra": {"nope": 1}}, "nope is none that we know"),
        ("1.12.6", {"log_opts": {"tag": "a b"}}, "can hold no such character"),
    ],
)
def test_what_an_engine_cannot_do_is_refused_with_the_version_that_can(
    version: str, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(role.Refuse, match=words):
        fold(facts(version), settings)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (facts(config_problem="daemon.json is not JSON"), "not JSON"),
        (debian(default_problem="curly quotes"), "curly"),
        (facts(unit=Unit(path="/u", exec_start=("/usr/bin/docker", "daemon", "-H", "fd://"))), "`docker daemon`"),
        (facts(unit=Unit(path="/u", masked=True)), "masked"),
        (facts(unit=Unit(path="/u", exec_start=("dockerd", "-b", "br9"))), "bridge of its own"),
        (facts(version=None), "cannot be told"),
    ],
)
def test_a_host_that_cannot_be_configured_is_refused(host: Facts, words: str) -> None:
    with pytest.raises(role.Refuse, match=words):
        fold(host, NVIDIAS)


def test_a_host_without_docker() -> None:
    host = facts(None).model_copy(update={"docker": Docker()})
    with pytest.raises(role.Refuse, match="not installed"):
        fold(host, NVIDIAS)
    with pytest.raises(role.Deferred, match="docker_engine"):
        fold(host, NVIDIAS, run=("docker_engine", "docker_daemon"))
    proxy = [("apt_proxy", DaemonEnvironment(name="HTTP_PROXY", value="http://p"))]
    assert daemon.merge_options([], proxy, host, daemon.DaemonRoles(("apt_proxy",))) == [], (
        "nobody asked for a Docker here"
    )


def test_a_unit_that_a_foreseen_engine_will_bring_is_waited_for() -> None:
    """docker-engine 1.12.6 is asked for by its version, so that is known; how its unit starts it is not."""
    host = facts("1.12.6").model_copy(update={"docker": Docker(version="1.12.6")})
    with pytest.raises(role.Deferred, match="docker_engine"):
        fold(host, NVIDIAS, run=("docker_engine", "docker_daemon"))
    installed = host.model_copy(update={"docker": Docker(version="1.12.6", daemon="/usr/bin/dockerd")})
    with pytest.raises(role.Refuse, match=r"no docker\.service"):
        fold(installed, NVIDIAS, run=("docker_engine", "docker_daemon"))


def test_two_roles_that_differ_are_an_input_error_naming_both() -> None:
    nvidia = ("nvidia_docker", DaemonOption(key=("default-runtime",), value="nvidia"))
    with pytest.raises(InputError, match=r"docker_daemon and nvidia_docker .* default-runtime"):
        fold(facts(), {"default_runtime": "runc"}, nvidia)
    there = {"runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}}
    same = fold(facts(configured=there), {"default_runtime": "nvidia"}, nvidia)
    assert document(same) == {"default-runtime": "nvidia"}
    part = ("nvidia_docker", DaemonOption(key=("node", "x"), value=1))
    with pytest.raises(InputError, match="a part of it"):
        fold(facts(), {"extra": {"node": {"y": 1}}}, part)


def test_entries_of_one_map_belong_to_their_roles() -> None:
    cdi = ("nvidia_docker", DaemonOption(key=("features", "cdi"), value=True))
    found = fold(facts(), {"extra": {"features": {"buildkit": True}}}, cdi)
    assert {(key.path, key.role) for key in one(found, JsonKeys).keys} == {
        (("features", "buildkit"), "docker_daemon"),
        (("features", "cdi"), "nvidia_docker"),
    }


PROXIES = [
    ("apt_proxy", DaemonEnvironment(name="HTTP_PROXY", value=Secret("http://u:p%40ss@proxy:3128"))),
    ("apt_proxy", DaemonEnvironment(name="NO_PROXY", value="localhost,.corp")),
]


def test_proxies_are_keys_of_daemon_json_from_23_on() -> None:
    found = fold(facts("23.0.1"), environment=PROXIES)
    keys = one(found, JsonKeys)
    assert {key.path[1]: key.secret for key in keys.keys} == {"http-proxy": True, "no-proxy": False}
    assert keys.mode == "0600"
    live = one(found, DockerLive).options["proxies"]
    assert live == {"http-proxy": "http://xxxxx:xxxxx@proxy:3128", "no-proxy": "localhost,.corp"}


def test_proxies_with_a_password_are_a_private_environment_file_before() -> None:
    found = fold(facts("20.10.24"), environment=PROXIES)
    contents = files(found)
    assert contents[f"{FOLDER}/http-proxy.conf"] == (GOLDEN / "http-proxy-file.conf").read_text()
    secret = next(item for item in found if isinstance(item, File) and item.path == "/etc/docker/http-proxy.env")
    assert secret.mode == "0600"
    assert isinstance(secret.content, Secret)
    assert 'HTTP_PROXY="http://u:p%40ss@proxy:3128"\n' in secret.content.reveal()
    assert "p%40ss" not in repr(found)


def test_the_files_of_docker_s_proxies_make_it_stale() -> None:
    service = one(fold(facts("20.10.24"), environment=PROXIES), DockerService)
    assert {f"{FOLDER}/http-proxy.conf", "/etc/docker/http-proxy.env"} <= set(service.files)


def test_proxies_without_one_are_in_the_drop_in_with_percent_signs_doubled() -> None:
    plain = [("apt_proxy", DaemonEnvironment(name="HTTPS_PROXY", value="http://proxy:3128/a%20b"))]
    contents = files(fold(facts("20.10.24"), environment=plain))
    assert contents[f"{FOLDER}/http-proxy.conf"] == (GOLDEN / "http-proxy.conf").read_text()


def test_proxies_are_exported_where_a_shell_reads_the_file() -> None:
    found = fold(facts("20.10.24", "sysv"), environment=PROXIES)
    assert dict(one(found, DaemonFlags).variables) == {
        "HTTP_PROXY": PROXIES[0][1].value,
        "NO_PROXY": "localhost,.corp",
    }
    assert one(found, DaemonFlags).fields()["sensitive"] is True


def test_two_proxies_are_an_input_error_without_the_password() -> None:
    other = ("site", DaemonEnvironment(name="HTTP_PROXY", value="http://other"))
    with pytest.raises(InputError, match="apt_proxy and site") as caught:
        fold(facts(), environment=[*PROXIES, other])
    assert "p%40ss" not in str(caught.value)


def test_no_option_is_still_a_service_that_runs() -> None:
    found = fold(facts())
    assert one(found, JsonKeys).keys == ()
    assert one(found, DockerService).also == ("docker.socket",)


def test_the_fold_is_pure() -> None:
    assert fold(dgx(), NVIDIAS) == fold(dgx(), NVIDIAS)


def gated(*drop_ins: str) -> Facts:
    unit = Unit(path="/lib/systemd/system/docker.service", exec_start=STOCK, drop_ins=drop_ins)
    return facts(unit=unit)


def test_the_gate_is_closed_before_docker_is_installed_and_until_it_is_configured() -> None:
    bare = Facts(os=Os(id="debian"), architecture="amd64", init="systemd")
    assert [item.fields().get("path") for item in daemon.closed(bare)] == [FOLDER, GATE]
    assert [item.fields().get("path") for item in daemon.closed(gated(GATE))] == [FOLDER, GATE]
    assert daemon.closed(facts()) == []
    assert daemon.closed(bare.model_copy(update={"init": "sysv"})) == []


def test_the_gate_is_opened_with_the_daemon_s_files_right_before_its_start() -> None:
    found = fold(gated(GATE))
    at = found.index(File(path=GATE, content=None))
    assert isinstance(found[at + 1], DockerService)
    assert File(path=GATE, content=None) not in fold(facts())


@pytest.mark.parametrize(
    ("packages", "flag", "asked"),
    [
        ({"docker.io": "1", "containerd": "1"}, "--containerd=/run/containerd/containerd.sock", True),
        ({"docker-ce": "1", "containerd.io": "1"}, "--containerd=/var/run/containerd/containerd.sock", True),
        ({"docker-ce": "1", "containerd.io": "1"}, "--containerd=/run/site/containerd.sock", False),
        ({"docker-ce": "1", "containerd.io": "1"}, "--debug", False),
        ({"docker.io": "1"}, "--containerd=/run/containerd/containerd.sock", False),
    ],
)
def test_the_packages_containerd_runs_where_the_daemon_is_told_to_use_it(packages: Any, flag: str, asked: bool) -> None:
    unit = Unit(path="/lib/systemd/system/docker.service", exec_start=("/usr/bin/dockerd", "-H", "fd://", flag))
    found = [item for item in fold(facts(unit=unit, packages=packages)) if isinstance(item, Service)]
    assert [item.platform for item in found] == (["docker"] if asked else [])


def test_a_check_names_the_containerd_that_comes_with_its_engine() -> None:
    coming = facts("29.2.1", packages={"docker-ce": "", "containerd.io": ""})
    coming = coming.model_copy(update={"docker": coming.docker.model_copy(update={"unit": None, "daemon": None})})
    assert [item.name for item in fold(coming) if isinstance(item, Service)] == ["containerd"]
