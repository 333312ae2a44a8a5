"""A probe: the running Docker daemon has these options in effect.

The law: read from the daemon itself (GET /info, GET /networks/bridge) and from its command line, never from a file.
What Docker does not tell is named, never claimed. A probe changes nothing: its `apply` fails.
"""

from ..engine.resource import Resource
from ..host import lenient
from ..host.errors import Failed, Unknown
from ..services import staleness
from . import daemon_socket, engine_facts, flags, footing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..host.system import System
    from ..types import Diff, State

FIXES = {
    "containerd": "restart it: systemctl restart containerd (systemctl status containerd says how it is)",
    "bridge": "restart Docker, which makes it anew: systemctl restart docker",
    "data": "mount it, then restart Docker: systemctl restart docker",
}
MTU = "com.docker.network.driver.mtu"


class DockerLive(Resource):
    options: "dict[str, Any]"
    probe = True

    def __init__(self, **values: "Any") -> None:
        Resource.__init__(self, **values)
        self._unseen: "list[str]" = []

    def identity(self) -> str:
        return "docker"

    def desired(self) -> "State":
        """running, and each option in the flat spelling of `flat`: its value."""
        return dict(flat(self.options), running=True, **footing.SOUND)

    def actual(self, system: "System") -> "State | None":
        """What the daemon says is in effect; of what it does not tell, what it was started with."""
        pid = daemon_socket.process(system)
        if pid is None:
            # Nothing is known of the others, and one line says it.
            return dict(flat(self.options), running=False, **footing.SOUND)
        info = daemon_socket.get(system, pid, "/info")
        found, self._unseen = seen(system, pid, self.options, info)
        return dict(found, running=True, **footing.sound(system, pid, self.options, info or {}))

    def apply(self, system: "System", diff: "Diff") -> None:
        """Always Failed: a probe that differs is not changed."""
        if "running" in diff:
            raise Failed("Docker does not run", "look at its log: journalctl -u docker, or /var/log/docker.log")
        options = sorted(set(diff) - set(footing.SOUND))
        for key in [] if options else sorted(diff):
            raise Failed("Docker runs, and no container would: {}".format(diff[key][0]), FIXES[key])
        shown = "; ".join("{}: found {!r}, asked {!r}".format(key, *diff[key]) for key in options)
        fix = "look for a drop-in or a file that wins over ours: systemctl cat docker, and the daemon's log"
        raise Failed("written but not live: {}".format(shown), fix, shown)

    def follows(self, system: "System", diff: "Diff") -> "set[str]":
        """Options that are about to change in daemon.json, or as flags in /etc/default/docker."""
        from . import command_line  # only where something differs

        changed = staleness.changing(system, engine_facts.config_file(command_line.words(system)))
        changed |= {"bridge"} if "bip" in changed else set()  # docker0 has the other address
        flagged = engine_facts.FILE in system.foreseen
        return {key for key in diff if key.partition(".")[0] in changed or (flagged and key.startswith("--"))}

    def note(self, diff: "Diff") -> str:
        if not self._unseen:
            return ""
        return "Docker does not tell, so this rests on what it was started with: {}".format(", ".join(self._unseen))


def differs(system: "System", pid: int, options: "dict[str, Any]") -> bool:
    """Does the running daemon visibly differ from these options?"""
    found, _ = seen(system, pid, options)
    return any(found.get(key) != value for key, value in flat(options).items())


def flat(options: "dict[str, Any]") -> "dict[str, Any]":
    """Options as one level of keys, in the spelling of what is read back: runtimes.nvidia, default-ulimits.memlock."""
    state = {}
    for key, value in options.items():
        if key in ("runtimes", "default-ulimits", "log-opts", "proxies", "features") and isinstance(value, dict):
            state.update({"{}.{}".format(key, name): _spelled(key, item) for name, item in value.items()})
        else:
            state[key] = _spelled(key, value)
    return state


def seen(
    system: "System", pid: int, options: "dict[str, Any]", info: "dict[str, Any] | None" = None
) -> "tuple[dict[str, Any], list[str]]":
    """({flat key: value in effect}, [keys that cannot be seen, and stand in the former as asked])."""
    bridge = None
    arguments = lenient.arguments(system, pid) or ()
    given = flags.values(arguments)
    found: "dict[str, Any]" = {}
    unseen = []
    for key, asked in flat(options).items():
        top, _, entry = key.partition(".")
        if key.startswith("--"):
            found[key] = _flag(key[2:], given.get(key[2:], []), asked)
        elif top in INFO:
            info = info or _answer(daemon_socket.get(system, pid, "/info"), "/info")
            found[key] = _of_info(top, entry, info, asked)
            if top == "data-root" and _same_place(system, asked, found[key]):
                found[key] = asked
        elif top in BRIDGE:
            bridge = bridge or daemon_socket.get(system, pid, "/networks/bridge") or {}
            found[key] = BRIDGE[top](bridge)
        else:
            found[key] = asked
            if not _shown_as_flag(top, options):
                unseen.append(key)
    return found, unseen


def _same_place(system: "System", asked: "str | None", found: "str | None") -> bool:
    """Are these two names of one directory? Docker tells the name that it found behind a symbolic link."""
    if not asked or not found:
        return False
    return lenient.resolved(system, asked) == lenient.resolved(system, found) is not None


def _answer(answer: "Any", target: str) -> "dict[str, Any]":
    if answer is None:
        raise Unknown("Docker has no GET {}".format(target))
    known: "dict[str, Any]" = answer
    return known


def _shown_as_flag(key: str, options: "dict[str, Any]") -> bool:
    return "--" + key in options or "--" + key[:-1] in options


def _flag(name: str, values: "list[str]", asked: "list[str]") -> "list[str]":
    """The asked values where the command line means the same, else what it says."""
    wanted = [flags.normal(name, value) for value in asked]
    given = [flags.normal(name, value) for value in values]
    if name in flags.REPEATABLE or name in flags.NAMED:
        return asked if set(wanted) <= set(given) else values
    return asked if given[-1:] == wanted[-1:] else values


def _spelled(key: str, value: "Any") -> "Any":
    if key == "runtimes" and isinstance(value, dict):
        return _program(value.get("path"))
    if key in ("registry-mirrors", "insecure-registries", "exec-opts", "labels"):
        return sorted(str(item).rstrip("/") for item in value)
    if key == "default-address-pools":
        return [{"base": pool["base"], "size": pool["size"]} for pool in value]
    return value


def _program(path: "str | None") -> "str | None":
    prefix = "/usr/bin/"
    return path[len(prefix) :] if isinstance(path, str) and path.startswith(prefix) else path


def _of_info(top: str, entry: str, info: "dict[str, Any]", asked: "Any") -> "Any":
    value = INFO[top](info, entry)
    # Lists that Docker completes by itself: what was asked has to be among what is there.
    if top in ("insecure-registries", "exec-opts", "labels") and isinstance(value, list):
        return asked if set(asked) <= set(value) else value
    return value


def _runtime(info: "dict[str, Any]", name: str) -> "str | None":
    runtime = (info.get("Runtimes") or {}).get(name)
    return None if runtime is None else _program(runtime.get("path"))


def _mirrors(info: "dict[str, Any]", _: str) -> "list[str]":
    return sorted(mirror.rstrip("/") for mirror in (info.get("RegistryConfig") or {}).get("Mirrors") or [])


def _insecure(info: "dict[str, Any]", _: str) -> "list[str]":
    registries = info.get("RegistryConfig") or {}
    names = [name for name, index in (registries.get("IndexConfigs") or {}).items() if not index.get("Secure", True)]
    return sorted(set(names + (registries.get("InsecureRegistryCIDRs") or [])))


def _log_driver(info: "dict[str, Any]", _: str) -> str:
    """Docker starts with a driver that it lacks, and then no container does; plugins (`name:tag`) are not listed."""
    name = info.get("LoggingDriver") or ""
    known = (info.get("Plugins") or {}).get("Log") or []
    if known and name not in known + ["none"] and not any(mark in name for mark in ":/"):
        return "{} (this Docker has no such driver)".format(name)
    return name


def _exec_options(info: "dict[str, Any]", _: str) -> "list[str]":
    return ["native.cgroupdriver={}".format(info.get("CgroupDriver"))]


def _pools(info: "dict[str, Any]", _: str) -> "list[dict[str, Any]]":
    return [{"base": pool.get("Base"), "size": pool.get("Size")} for pool in info.get("DefaultAddressPools") or []]


def _proxy(info: "dict[str, Any]", name: str) -> "str | None":
    value = info.get({"http-proxy": "HttpProxy", "https-proxy": "HttpsProxy", "no-proxy": "NoProxy"}.get(name, ""))
    return value or None


INFO = {
    "storage-driver": lambda info, _: info.get("Driver"),
    "data-root": lambda info, _: info.get("DockerRootDir"),
    "live-restore": lambda info, _: info.get("LiveRestoreEnabled"),
    "log-driver": _log_driver,
    "default-runtime": lambda info, _: info.get("DefaultRuntime"),
    "labels": lambda info, _: info.get("Labels") or [],
    "debug": lambda info, _: info.get("Debug"),
    "experimental": lambda info, _: info.get("ExperimentalBuild"),
    "runtimes": _runtime,
    "registry-mirrors": _mirrors,
    "insecure-registries": _insecure,
    "exec-opts": _exec_options,
    "default-address-pools": _pools,
    "proxies": _proxy,
}
"""What GET /info tells: (info, entry of a map) to the option's value in effect."""


def _pool_of(bridge: "dict[str, Any]") -> "dict[str, str]":
    """The bridge network's IPv4 pool."""
    pools = (bridge.get("IPAM") or {}).get("Config") or [{}]
    return next((pool for pool in pools if ":" not in pool.get("Subnet", "")), {})


def _bip(bridge: "dict[str, Any]") -> "str | None":
    pool = _pool_of(bridge)
    if not pool.get("Gateway"):
        return None
    return "{}/{}".format(pool["Gateway"].partition("/")[0], pool.get("Subnet", "").partition("/")[2])


def _mtu(bridge: "dict[str, Any]") -> "int | str | None":
    value = (bridge.get("Options") or {}).get(MTU)
    return int(value) if value and value.isdigit() else value


BRIDGE = {"bip": _bip, "fixed-cidr": lambda bridge: _pool_of(bridge).get("IPRange"), "mtu": _mtu}
"""What GET /networks/bridge tells."""
