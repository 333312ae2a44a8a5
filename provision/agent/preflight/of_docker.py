"""Questions about container engines: who else runs one here, who is in charge of ours, and would images vanish?

The law: reads only, and a stopped Docker is not started. Processes of containers are not this host's: only those in our
own PID namespace count.
"""

import json
import os
import re

from ..docker import command_line, daemon_socket, engine_facts, flags, footing
from ..docker.daemon_json import JsonKeys
from ..docker.daemon_socket import process
from ..host import lenient
from ..host.errors import Failed, Unknown
from ..packages import dpkg

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..host.system import System
    from .change import Change, Judgement

ROOT = "/var/lib/docker"
IN_CHARGE = ("kubelet", "kubelite", "k3s", "k3s-server", "k3s-agent", "rke2", "k0s")
"""Programs of Kubernetes that own the container engine of their host."""
KUBELET = re.compile(r"/kubelet\.service(?:/|$)", re.M)
"""In the cgroup of a process: asked of systemctl, a systemd that hangs would keep the host out."""
WANTED = "/etc/systemd/system/multi-user.target.wants/kubelet.service"
UNITS = ("/etc/systemd/system/", "/run/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/")
MASK, BOOTED = "/dev/null", "/run/systemd/system"
REMAP, SUBORDINATE = "userns-remap", ("/etc/subuid", "/etc/subgid")
UNTOUCHED = ("n/a", "nothing of the container engine is changed here", "")


def engines(system: "System", change: "Change") -> "Judgement":
    """One engine: no snap beside it, no second dockerd, nobody who poses as docker."""
    if not change.engine:
        return UNTOUCHED
    if lenient.exists(system, "/snap/docker/current"):
        return "fail", "Docker is installed as a snap, beside which no other engine works", "snap remove docker"
    daemon = process(system)
    if daemon is not None and lenient.exists(system, BOOTED) and not command_line.started_by_unit(system, daemon):
        cause = "Docker runs, and not as docker.service, which does not start beside it: {}".format(
            _named(system, str(daemon))
        )
        return "fail", cause, "end it (kill {}), and start docker.service in its place".format(daemon)
    others = [pid for pid in _pids(system) if engine_facts.is_daemon(system, pid)]
    others = [pid for pid in others if pid != str(daemon or "") and _ours(system, pid)]
    if others:
        cause = "another dockerd runs here: {}".format(_named(system, others[0]))
        return "warn", cause, "end it, or see to it that its networks, data root and socket are its own"
    client = system.which("docker")
    target = os.path.basename(system.link(client) or "") if client else ""
    if target in ("podman", "snap"):
        return "warn", "{} is {}, not Docker's client".format(client, target), "remove podman-docker, or the snap"
    return "pass", "there is no other container engine", ""


def _named(system: "System", pid: str) -> str:
    words = " ".join(lenient.without_secrets(word) for word in lenient.arguments(system, pid) or ())[:120]
    return "process {} ({})".format(pid, words)


def socket(system: "System", change: "Change") -> "Judgement":
    """docker.service does not start without what its unit names, or without docker.socket, which a group is given."""
    if change.of("docker_service") and not change.packages:
        try:
            footing.refuse_unit(system)
        except Failed as error:
            return "fail", error.cause, error.fix
    if not change.engine or system.link(UNITS[0] + "docker.service") == MASK:
        return UNTOUCHED
    if not re.search(r"^(?:Requires|BindsTo)=.*\bdocker\.socket\b", _unit(system, "docker.service"), re.M):
        return "n/a", "Docker's unit needs no socket", ""
    if system.link(UNITS[0] + "docker.socket") == MASK:
        cause = "docker.socket is masked, and docker.service does not start without it"
        return "fail", cause, "systemctl unmask docker.socket, or mask docker.service as well"
    groups = re.findall(r"^SocketGroup=(\S+)", _unit(system, "docker.socket"), re.M)
    coming = [fields["name"] for fields, _ in change.of("group")]
    missing = [name for name in groups[-1:] if not name.isdigit() and system.gid(name) is None and name not in coming]
    if missing and dpkg.broken(system):
        return "n/a", "the group {} comes once dpkg is repaired".format(missing[0]), ""
    if missing:
        cause = "there is no group {0}, to which docker.socket is given: it does not start, nor does docker.service"
        return "fail", cause.format(missing[0]), "groupadd --system {}".format(missing[0])
    return "pass", "docker.socket can start", ""


def configuration(system: "System", change: "Change") -> "Judgement":
    """dockerd takes daemon.json as it is planned, what is not ours in it included."""
    written = [JsonKeys(**fields) for fields, _ in change.of("json_keys")]
    if not written:
        return UNTOUCHED
    if change.packages:
        return "n/a", "what Docker takes is known once its packages are there", ""
    for resource in written:
        try:
            remapped = bool(resource.planned(system).get(REMAP))
            missing = [path for path in SUBORDINATE if remapped and not lenient.exists(system, path)]
            if missing:
                cause = "{} needs {}, which is not there: Docker would not start".format(REMAP, " and ".join(missing))
                return "fail", cause, "touch {}".format(" ".join(missing))
            if not remapped:  # for that, the validation itself makes a user
                resource.rehearse(system)
        except Failed as error:
            return "fail", error.cause, error.fix
    return "pass", "Docker takes its planned configuration", ""


def _unit(system: "System", name: str) -> str:
    """The text of a unit with its drop-ins; "" where there is none."""
    found = next((text for text in (lenient.text(system, folder + name) for folder in UNITS) if text is not None), "")
    parts = "{}{}.d/".format(UNITS[0], name)
    return "\n".join([found] + [lenient.text(system, parts + part) or "" for part in lenient.names(system, parts)])


def orchestrator(system: "System", change: "Change") -> "Judgement":
    """A host that Kubernetes or a swarm is in charge of is theirs."""
    if not change.engine:
        return UNTOUCHED
    fix = "leave this host to its cluster's own tools, or drain it and take it out of the cluster first"
    for pid in _pids(system):
        name = _in_charge(system, pid)
        if name is not None and _ours(system, pid):
            cause = "{} runs here (process {}): Kubernetes is in charge of this host's containers".format(name, pid)
            return "fail", cause, fix
    state = _swarm(system)
    if state not in ("inactive", ""):
        return "fail", "this host is in a Docker swarm ({}), which moves containers about".format(state), fix
    if lenient.exists(system, WANTED):
        return "warn", "kubelet.service is to start at each boot, and then Kubernetes is in charge of this host", fix
    return "pass", "neither Kubernetes nor a swarm is in charge here", ""


def _in_charge(system: "System", pid: str) -> "str | None":
    """The program of Kubernetes that this process is, by its name or by its unit, or None."""
    name = os.path.basename((lenient.arguments(system, pid) or [""])[0])
    if name in IN_CHARGE:
        return name
    return "kubelet" if KUBELET.search(lenient.text(system, "/proc/{}/cgroup".format(pid)) or "") else None


def images(system: "System", change: "Change") -> "Judgement":
    """Another storage driver, store or data root hides all images and containers that there are."""
    wanted = change.wanted
    if not change.engine or not (
        wanted["storage_driver"] or wanted["data_root"] or wanted["containerd_store"] is not None
    ):
        return "n/a", "where images are kept is not asked for here", ""
    linked = _behind_a_link(system, wanted["data_root"])
    if linked:
        return linked
    now = _store(system)
    if not now["kept"]:
        return "pass", "there are no images or containers that could be hidden", ""
    driver, root = wanted["storage_driver"], wanted["data_root"]
    fix = "keep docker_daemon.{} as it is ({}), or save what you need (docker save) and remove the rest first"
    if root and lenient.resolved(system, root) != lenient.resolved(system, now["root"]):
        cause = "the data root changes from {} to {}, and hides {}".format(now["root"], root, now["kept"])
        return "fail", cause, fix.format("data_root", now["root"])
    if wanted["containerd_store"] is not None and now["containerd"] not in (None, wanted["containerd_store"]):
        cause = "features.containerd-snapshotter changes the image store, and hides {}".format(now["kept"])
        return "fail", cause, fix.format("extra.features", json.dumps(now["containerd"]))
    if driver and driver not in now["drivers"]:
        cause = "the storage driver changes from {} to {}, and hides {}".format(
            " or ".join(now["drivers"]), driver, now["kept"]
        )
        return "fail", cause, fix.format("storage_driver", now["drivers"][0])
    return "pass", "images and containers stay where they are", ""


def _behind_a_link(system: "System", root: "str | None") -> "Judgement | None":
    """The answer for a data root that Docker would make behind a symbolic link, or None where it is as it should be."""
    place = lenient.resolved(system, root) if root else ""
    if place is None:
        cause = "data_root {} goes through symbolic links that lead to each other".format(root)
        return "fail", cause, "correct the links, or choose another docker_daemon.data_root"
    if not root or place == os.path.normpath(root) or lenient.exists(system, place):
        return None
    cause = "data_root {} goes through a symbolic link to {}, which is not there, and no container runs in a directory"
    fix = "make it first (mkdir -p {0}), or set docker_daemon.data_root to it"
    return "fail", (cause + " that Docker itself makes behind a link").format(root, place), fix.format(place)


def data_root(system: "System") -> str:
    """Where the engine keeps its data, running or not."""
    words = command_line.words(system)
    for source in (flags.values(words), engine_facts.document(system, engine_facts.config_file(words))):
        for name in ("data-root", "graph"):
            value = source.get(name)
            if value:
                return value[-1] if isinstance(value, list) else str(value)
    return ROOT


def _store(system: "System") -> "dict[str, Any]":
    """{"root", "drivers" (those that hold something), "containerd" (its image store? None: not known), "kept"}."""
    pid = process(system)
    if pid is None:
        return _store_at_rest(system, data_root(system))
    info = daemon_socket.get(system, pid, "/info")
    if info is None:
        raise Unknown("Docker has no GET /info")
    counts = [(info.get("Images") or 0, "images"), (info.get("Containers") or 0, "containers")]
    status = [pair for pair in info.get("DriverStatus") or () if len(pair) == 2]
    return {
        "root": info.get("DockerRootDir") or data_root(system),
        "drivers": [info.get("Driver") or ""],
        "containerd": ["driver-type", "io.containerd.snapshotter.v1"] in [list(pair) for pair in status],
        "kept": " and ".join("{} {}".format(count, what) for count, what in counts if count),
    }


def _store_at_rest(system: "System", root: str) -> "dict[str, Any]":
    """By the directories of a Docker that does not run: each driver keeps a list of its images."""
    drivers = []
    for name in lenient.names(system, root + "/image"):
        text = lenient.text(system, "{}/image/{}/repositories.json".format(root, name))
        if text is not None and text.strip() not in ("", "{}", '{"Repositories":{}}'):
            drivers.append(name)
    containers = len(lenient.names(system, root + "/containers"))
    kept = ["images"] if drivers else []
    kept += ["{} containers".format(containers)] if containers else []
    drivers = drivers or lenient.names(system, root + "/image")
    return {"root": root, "drivers": drivers, "containerd": None, "kept": " and ".join(kept) if drivers else ""}


def _swarm(system: "System") -> str:
    pid = process(system)
    if pid is not None:
        info = daemon_socket.get(system, pid, "/info") or {}
        return (info.get("Swarm") or {}).get("LocalNodeState") or "inactive"
    state = lenient.text(system, data_root(system) + "/swarm/docker-state.json")
    return "stopped" if (state or "").strip() else "inactive"


def _pids(system: "System") -> "list[str]":
    return [name for name in lenient.names(system, "/proc") if name.isdigit()]


def _ours(system: "System", pid: str) -> bool:
    """Is the process in our PID namespace, and not in a container?"""
    return system.link("/proc/{}/ns/pid".format(pid)) == system.link("/proc/self/ns/pid")
