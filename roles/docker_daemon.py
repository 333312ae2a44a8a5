"""The Docker daemon: its options, its service, and that it runs with them.

Each option stands in the one place that this host's engine reads: daemon.json, DOCKER_OPTS for engines before 17.06, or
the unit where it has it already (DGX). Keys that are not set here are left alone. Options of other roles (runtimes,
proxies) are folded in. Docker is read back over its socket: what is written but not live is a failure.
"""

import re
from collections.abc import Callable, Iterator
from ipaddress import IPv4Interface, IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from provision import role
from provision.resources import DaemonOption, Resource

DAEMON = True
TRANSACTION = True
DISRUPTS = "docker"
NEEDS = ("docker_engine",)

ULIMITS = "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split()  # noqa: SIM905
LOG_DRIVERS = "awslogs fluentd gcplogs gelf journald json-file local logentries none splunk syslog".split()  # noqa: SIM905
UNLIMITED = -1
OWN_INTERFACES = re.compile(r"docker0$|veth|lo$")
OTHER_NETWORKS = re.compile(r"(?:br-)?([0-9a-f]{12}|docker_gwbridge)$")
"""Interfaces of Docker's other networks: their ids, and a swarm's own."""
RuntimeName = Annotated[str, role.Spelled(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", "should be letters, digits and _ . -")]
Driver = Annotated[str, role.Spelled(r"^[a-z0-9.-]+$", "should be the name of a driver, as in overlay2")]
Registry = Annotated[str, role.Spelled(r"^[^\s/]+(/\d+)?$", "should be HOST, HOST:PORT or a network, as in 10.0.0.0/8")]


def _limit(value: object) -> object:
    return UNLIMITED if value == "unlimited" else value


Number = Annotated[int, Field(ge=-1, strict=True)]
Limit = Annotated[Number, BeforeValidator(_limit, json_schema_input_type=Literal["unlimited"] | Number)]


class Ulimit(BaseModel):
    """One ulimit: -1 is unlimited."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    soft: Limit
    hard: Limit

    @model_validator(mode="after")
    def _ordered(self) -> "Ulimit":
        if self.hard != UNLIMITED and (self.soft == UNLIMITED or self.soft > self.hard):
            raise ValueError("the soft limit must not be above the hard one")
        return self


def _ulimit(value: object) -> object:
    value = _limit(value)
    if isinstance(value, bool) or not isinstance(value, int | dict | Ulimit):
        raise ValueError("should be unlimited, a number, or {soft: …, hard: …}")
    return {"soft": value, "hard": value} if isinstance(value, int) else value


def _ulimit_name(name: str) -> str:
    if name not in ULIMITS:
        raise ValueError(f"no ulimit is called {name!r}: there are {', '.join(ULIMITS)}")
    return name


def _host_address(text: str) -> str:
    if "/" not in text:
        raise ValueError(f"needs its prefix, as in {text}/24")
    try:
        address = IPv4Interface(text)
    except ValueError:
        raise ValueError("should be an IPv4 address with its prefix, as in 192.168.127.1/24") from None
    network = address.network
    if network.prefixlen > 30:
        raise ValueError(f"/{network.prefixlen} leaves no address for containers: use /30 or shorter")
    if address.ip in (network.network_address, network.broadcast_address):
        which = "network" if address.ip == network.network_address else "broadcast"
        example = f"{next(network.hosts())}/{network.prefixlen}"
        raise ValueError(f"is the {which} address of {network}: give the bridge a host address, as in {example}")
    return text


def _network(text: str) -> str:
    try:
        IPv4Network(text)
    except ValueError:
        if re.fullmatch(r"[0-9.]+/[0-9]+", text):
            raise ValueError(f"has host bits set: did you mean {IPv4Network(text, strict=False)}?") from None
        raise ValueError("should be an IPv4 network, as in 192.168.127.128/25") from None
    return text


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None


def _shm_size(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d*(\.\d+)? ?([kKmMgGtT]i?[bB]?|[bB])?", text):
        raise ValueError("should be a size as Docker takes it: 64m, 1G, 1073741824")
    return text if re.search(r"[a-zA-Z]$", text) else f"{text}b"  # Docker before 23 refuses a bare number


def _size(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _absolute(text: str) -> str:
    if not text.startswith("/") or ".." in text.split("/"):
        raise ValueError("should be an absolute path")
    return text.rstrip("/") or "/"


def _mirror(text: str) -> str:
    if "@" in text:
        raise ValueError("should have no login in it, which Docker does not take: a mirror of Docker Hub has none")
    if not re.fullmatch(r"https?://[^/\s?#]+(/[^\s?#]*)?", text):
        raise ValueError(f"{text!r} should be http://HOST[:PORT] or https://HOST[:PORT], with a path at most")
    return text


def _log_driver(name: str) -> str:
    if name not in LOG_DRIVERS and not re.fullmatch(
        r"[a-z0-9._-]+(/[a-z0-9./_-]+)?:[\w.-]+|[a-z0-9._-]+/[a-z0-9./_-]+", name
    ):
        raise ValueError(f"Docker has no log driver {name!r} (name a plugin with its tag): {', '.join(LOG_DRIVERS)}")
    return name


def _log_option(value: object) -> object:
    """Docker takes strings only; YAML makes numbers and booleans of some."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


class Pool(BaseModel):
    """Where Docker takes the subnets of new networks from."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    base: Annotated[str, AfterValidator(_network)]
    size: Annotated[int, Field(ge=1, le=30, strict=True)]

    @model_validator(mode="after")
    def _fits(self) -> "Pool":
        if self.size < IPv4Network(self.base).prefixlen:
            raise ValueError(f"networks of /{self.size} do not fit into {self.base}")
        return self


class Runtime(BaseModel):
    """One OCI runtime."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    path: Annotated[str, Field(min_length=1)]
    args: tuple[str, ...] = ()


UlimitForm = BeforeValidator(_ulimit, json_schema_input_type=Literal["unlimited"] | Number | Ulimit)
Ulimits = dict[Annotated[str, AfterValidator(_ulimit_name)], Annotated[Ulimit, UlimitForm]]
Size = Annotated[str, BeforeValidator(_size, json_schema_input_type=str | int), AfterValidator(_shm_size)]
LogOption = Annotated[str, BeforeValidator(_log_option, json_schema_input_type=str | int | float | bool)]
Address = Annotated[str, AfterValidator(_address)]


class Settings(role.Settings):
    disrupt: Literal["never", "idle", "always"] = "idle"
    """May it restart Docker while something runs? idle: once nothing does; never: you restart it; always: at once."""
    dns: tuple[Address, ...] | None = None
    """Name servers of containers."""
    dns_search: tuple[str, ...] | None = None
    """Search domains of containers."""
    bip: Annotated[str, AfterValidator(_host_address)] | None = None
    """The address of docker0 with its prefix, as in 192.168.127.1/24."""
    fixed_cidr: Annotated[str, AfterValidator(_network)] | None = None
    """The part of bip's network that containers get addresses from."""
    storage_driver: Driver | None = None
    """overlay2, …; one that is set is required, also of Docker 29, which would take overlayfs by itself."""
    disable_legacy_registry: bool | None = None
    """For engines before 17.12 only, which still speak to version 1 registries."""
    default_ulimits: Ulimits | None = None
    """Limits of every container, by name: unlimited, a number (bytes for memlock, stack, …), or {soft: …, hard: …}."""
    default_shm_size: Size | None = None
    """Shared memory of every container: 64m, 1G."""
    mtu: Annotated[int, Field(ge=68, le=65535, strict=True)] | None = None
    """MTU of docker0's network."""
    log_driver: Annotated[str, AfterValidator(_log_driver)] | None = None
    """json-file, local, journald, …"""
    log_opts: dict[str, LogOption] | None = None
    """Options of the log driver: {max-size: 50m, max-file: 3}."""
    data_root: Annotated[str, AfterValidator(_absolute)] | None = None
    """Where images and containers are kept."""
    registry_mirrors: tuple[Annotated[str, AfterValidator(_mirror)], ...] | None = None
    """Mirrors of Docker Hub."""
    insecure_registries: tuple[Registry, ...] | None = None
    """Registries without TLS, or with a certificate that nobody knows: HOST[:PORT] or a network."""
    live_restore: bool | None = None
    """Keep containers running while the daemon is down."""
    exec_opts: tuple[Annotated[str, role.Spelled(r"^[^=\s]+=\S+$", "should be NAME=VALUE")], ...] | None = None
    """NAME=VALUE, as in native.cgroupdriver=systemd."""
    default_address_pools: tuple[Pool, ...] | None = None
    """Where the subnets of new networks come from: [{base: 10.200.0.0/16, size: 24}]."""
    runtimes: dict[RuntimeName, Runtime] | None = None
    """OCI runtimes besides runc, by name: {path: …, args: […]}."""
    default_runtime: str | None = None
    """The runtime of containers that ask for none."""
    extra: dict[str, JsonValue] = Field(default_factory=dict)
    """Any other keys of daemon.json, as they stand there."""

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        bip = IPv4Interface(self.bip).network if self.bip else None
        if self.fixed_cidr and bip is None:
            raise ValueError("fixed_cidr needs bip: it is a part of its network")
        if self.fixed_cidr and bip and not IPv4Network(self.fixed_cidr).subnet_of(bip):
            raise ValueError(f"fixed_cidr {self.fixed_cidr} is not inside bip's network {bip}")
        for pool in self.default_address_pools or ():
            if bip and IPv4Network(pool.base).overlaps(bip):
                raise ValueError(f"default_address_pools: {pool.base} overlaps bip's network {bip}")
        if self.runtimes and "runc" in self.runtimes:
            raise ValueError("runtimes: runc is Docker's own name")
        for key in self.extra:
            setting = SETTING_OF.get(key)
            if setting:
                raise ValueError(f"extra: {key} has a setting of its own: {setting}")
        return self


SETTING_OF = {name.replace("_", "-"): name for name in Settings.model_fields if name not in ("extra", "disrupt")}
SETTING_OF |= {"proxies": "role apt_proxy", "graph": "data_root"}


def resources(facts: role.Facts, settings: Settings) -> Iterator[Resource]:
    _check_networks(facts, settings)
    _check_limits(facts, settings)
    _check_storage(facts, settings)
    for name, value in settings.model_dump(mode="json", exclude_none=True, exclude={"extra", "disrupt"}).items():
        if name in ENTRIES:
            for entry, item in value.items():
                yield DaemonOption(key=(name.replace("_", "-"), entry), value=ENTRIES[name](entry, item))
        else:
            yield DaemonOption(key=(name.replace("_", "-"),), value=value)
    for key, value in settings.extra.items():
        yield DaemonOption(key=(key,), value=value)


def _ulimit_entry(name: str, limit: dict[str, int]) -> dict[str, JsonValue]:
    return {"Name": name, "Hard": limit["hard"], "Soft": limit["soft"]}


def _runtime_entry(name: str, runtime: dict[str, Any]) -> dict[str, JsonValue]:
    return {"path": runtime["path"], "runtimeArgs": list(runtime["args"])}


ENTRIES: dict[str, Callable[[str, Any], JsonValue]] = {
    "default_ulimits": _ulimit_entry,
    "runtimes": _runtime_entry,
    "log_opts": lambda name, text: str(text),
}
"""Settings whose entries are options of their own, as daemon.json has them."""


def _check_networks(facts: role.Facts, settings: Settings) -> None:
    """Docker compares an explicit bip with its own networks at most: it would cut the host off from what is there."""
    asked = [(f"bip {settings.bip}", IPv4Interface(settings.bip).network, True)] if settings.bip else []
    asked += [
        (f"default_address_pools {p.base}", IPv4Network(p.base), False) for p in settings.default_address_pools or ()
    ]
    for what, network, of_docker in asked:  # Docker's networks are from its pools
        for found, used, fix in _in_use(facts, of_docker):
            if isinstance(used, IPv4Network) and used.prefixlen and used.overlaps(network):
                raise role.Refuse(f"{what} overlaps {found}", fix)


def _in_use(facts: role.Facts, of_docker: bool) -> Iterator[tuple[str, IPv4Network | IPv6Network, str]]:
    """What the host reaches or is reached by, most telling first, and what to do; default routes (/0) are among it."""
    fix = "choose a network that this host does not use"
    if facts.ssh_client:
        yield f"the address that this session comes from, {facts.ssh_client}", ip_network(facts.ssh_client), fix
    for item in facts.connected:
        name = OTHER_NETWORKS.match(item.interface)
        if name and of_docker:
            remove = f"choose another network, or remove that one (docker network rm {name[1]})"
            yield f"{item.network} of Docker's network {name[1]} ({item.interface})", item.network, remove
        elif not name and not OWN_INTERFACES.match(item.interface):
            yield item.told, item.network, fix
    for resolver in facts.resolvers:
        yield f"the name server {resolver}", ip_network(resolver), fix


def _check_limits(facts: role.Facts, settings: Settings) -> None:
    memlock = (settings.default_ulimits or {}).get("memlock")
    if memlock is None or facts.can_raise_limits or facts.memlock_hard == UNLIMITED:
        return
    if memlock.hard == UNLIMITED or memlock.hard > facts.memlock_hard:
        asked = "unlimited" if memlock.hard == UNLIMITED else str(memlock.hard)
        cause = (
            f"this host cannot give containers memlock {asked}: it has no CAP_SYS_RESOURCE, and its own limit is lower"
        )
        fix = f"ask for at most {facts.memlock_hard}; every container would fail with `error setting rlimit type 8`"
        raise role.Refuse(cause, fix)


def _check_storage(facts: role.Facts, settings: Settings) -> None:
    kernel = re.match(r"(\d+)\.(\d+)", facts.kernel)
    if settings.storage_driver == "overlay2" and kernel and int(kernel[1]) < 4:
        fix = "install a newer kernel, or choose another storage_driver"
        raise role.Refuse(f"overlay2 needs Linux 4.0, and this host runs {facts.kernel}", fix)
