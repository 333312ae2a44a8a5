"""What the Docker daemon stands on: containerd, its programs, its bridge in the kernel, and where it keeps its data.

The law: reads only, and without a process where `sound` asks: these are read in each run. What Docker has been told is
no proof here: its bridge is the kernel's, its data are on the disk. `startable` starts programs, before a restart only.
"""

import os

from ..host import lenient
from ..host.errors import Failed
from ..services import unit_file
from . import engine_facts, flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..host.system import System

LISTS = "/var/lib/dpkg/info"
FOLDERS = ("/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/", "/usr/libexec/docker/")
NEEDED = ("runc", "docker-init", "docker-proxy", "containerd-shim-runc-v2")
"""Programs that containers are started with, and a flag for which each answers by itself."""


def containerd(system: "System", pid: int) -> "str | None":
    """The socket of the containerd that the daemon uses, where it is not a child of its own."""
    given = flags.values(lenient.arguments(system, pid) or ()).get("containerd")
    return given[-1] if given else None


def sound(system: "System", pid: int, options: "dict[str, Any]", info: "dict[str, Any]") -> "dict[str, Any]":
    """{what: true, or what is the matter with it} for all that a running daemon stands on."""
    return {
        "containerd": containerd_answers(system, pid) or True,
        "bridge": bridge_lost(system, pid, options) or True,
        "data": data_lost(system, info) or True,
    }


SOUND = {"containerd": True, "bridge": True, "data": True}


def containerd_answers(system: "System", pid: int) -> str:
    """Why the daemon's containerd is none to build on, or ""."""
    path = containerd(system, pid)
    if path is None or system.unix_peer(path) is not None:
        return ""
    return "nobody answers on {}".format(path)


def bridge_lost(system: "System", pid: int, options: "dict[str, Any]") -> str:
    """What the kernel has in place of the daemon's bridge, or "" where that is as it should be."""
    name = _bridge(system, pid)
    if name == "none":
        return ""
    address = system.address_of(name)
    asked = options.get("bip")
    if address is None:
        return "{} is not there, or has no address".format(name)
    if not system.is_up(name):
        return "{} is down".format(name)
    return "{} has the address {}".format(name, address) if asked not in (None, address) else ""


def _bridge(system: "System", pid: int) -> str:
    given = flags.values(lenient.arguments(system, pid) or ())
    configured = _document(system, given).get("bridge")
    return (given.get("bridge") or [configured or "docker0"])[-1]


def _document(system: "System", given: "dict[str, list[str]]") -> "dict[str, Any]":
    return engine_facts.document(system, given.get("config-file", [engine_facts.CONFIG])[-1])


def data_lost(system: "System", info: "dict[str, Any]") -> str:
    """What is the matter with the place where the daemon keeps its data (GET /info), or ""."""
    root, driver = info.get("DockerRootDir"), info.get("Driver")
    if not root or not driver:
        return ""
    snapshotter = ["driver-type", "io.containerd.snapshotter.v1"] in (info.get("DriverStatus") or [])
    place = root if snapshotter else "{}/{}".format(root, driver)
    if not lenient.exists(system, place):
        return "{} is not there any more: is its file system mounted?".format(place)
    return ""


def programs(system: "System") -> "list[str]":
    """The programs of the engine's own packages, as dpkg knows them."""
    found = []
    for package in engine_facts.PACKAGES:
        text = lenient.text(system, "{}/{}.list".format(LISTS, package)) or ""
        found += [line for line in text.splitlines() if line.startswith(FOLDERS)]
    return sorted(set(found))


def missing(system: "System", paths: "list[str]") -> "list[str]":
    """Those of these programs that are not there, or nobody could execute."""
    return [path for path in paths if not _is_program(system, path)]


def _is_program(system: "System", path: str) -> bool:
    place = lenient.resolved(system, path)
    status = system.stat(place) if place is not None else None
    return status is not None and bool(status.st_mode & 0o111) and status.st_size > 0


def refuse_restart(system: "System", info: "dict[str, Any]") -> None:
    """Failed where a daemon that runs would not come up again, or could start no container."""
    refuse_unit(system)
    lost = data_lost(system, info)
    if lost:
        raise Failed("Docker would not come up again: {}".format(lost), "mount it, then run again")
    for path in programs(system):
        if os.path.basename(path) in NEEDED:
            _start(system, path, "no container would start")


def refuse_unit(system: "System") -> None:
    """Failed where the unit, with whatever others have put into it, has what no start gets over."""
    unit = unit_file.load(system, "docker.service") if lenient.exists(system, "/run/systemd/system") else None
    if unit is None:
        return
    for path in unit["environment_files"]:
        if not path.startswith("-") and "*" not in path and not lenient.exists(system, path):
            cause = "Docker would not come up again: its unit wants the file {}, which is not there".format(path)
            raise Failed(cause, "make it, or put a dash before its name: systemctl cat docker names the drop-in")
    if unit["exec_start"]:
        program = unit["exec_start"][0]
        ours = "docker" in os.path.basename(program)  # a shell with a script of its own may not know the flag
        _start(system, program, "Docker would not come up again", (0,) if ours else (0, 1, 2))


def _start(system: "System", path: str, what: str, good: "tuple[int, ...]" = (0, 1, 2)) -> None:
    """It has to run, whatever it makes of the flag: old ones know none for their version."""
    flag = "-v" if "shim" in path else "--version"
    try:
        answer = system.query([path, flag], timeout=10)
        runs = not answer.timed_out and answer.status in good
        said = "it does not end" if answer.timed_out else answer.tail(1) or "status {}".format(answer.status)
    except OSError as error:  # no program at all
        runs, said = False, os.strerror(error.errno or 0)
    if not runs:
        fix = "install its package anew (dpkg -S {} names it), or correct what runs it".format(path)
        raise Failed("{}: {} does not run ({})".format(what, path, said), fix)
