"""What runs on this host that a restart of Docker, or of systemd's own configuration, would disturb.

The law: reads only; nothing is started to look, and a Docker that does not answer is not an idle one: its containers
are then counted by their shims. A GPU process is one that has the driver's compute device open; its user is the one
that its process runs as, which is also how a container is given to a person.
"""

import re

from ..host import lenient
from ..host.errors import Unknown
from . import containers, daemon_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..host.system import System

COMPUTE_DEVICE = "/dev/nvidia-uvm"
CHAR_LINKS = "/dev/char"
NVIDIA_MAJOR = "195:"
NAMES = 5
"""Names that a sentence lists; of more, the rest is counted."""


def users(system: "System") -> "dict[str, Any]":
    """{"containers": […], "processes": […]}: see `_container` and `_processes`."""
    pid = daemon_socket.process(system)
    return {"containers": _containers(system, pid) if pid is not None else [], "processes": _processes(system)}


def _containers(system: "System", pid: int) -> "list[dict[str, Any]]":
    try:
        listed = daemon_socket.containers(system, pid)
        info = daemon_socket.get(system, pid, "/info")
    except Unknown:
        return [_unseen("shim {}".format(shim)) for shim in _shims(system)]
    driver = info.get("CgroupDriver", "systemd") if isinstance(info, dict) else "systemd"  # not told: it may be
    loses_devices = driver == "systemd" and not _links_are_there(system)
    found = [_container(system, pid, item, loses_devices) for item in listed]
    return [container for container in found if container is not None]


def _container(system: "System", pid: int, item: "dict[str, Any]", loses_devices: bool) -> "dict[str, Any] | None":
    """A running container: name, image, user, whether Docker starts it again by itself, and what a reload cuts off."""
    known = daemon_socket.get(system, pid, "/containers/{}/json".format(item["Id"]))
    if known is None:
        return None  # it has ended since
    name = containers.name(item)
    host = known.get("HostConfig") if isinstance(known, dict) else None
    if not isinstance(host, dict):
        return dict(_unseen(name), id=item["Id"])
    return {
        "id": item["Id"],
        "name": name,
        "image": item.get("Image") or "",
        "user": _user_of(system, (known.get("State") or {}).get("Pid")),
        "restarts": containers.promised(known),
        "cut_off": loses_devices and _has_gpus_behind_systemd(host),
    }


def _unseen(name: str) -> "dict[str, Any]":
    return {"id": None, "name": name, "image": "", "user": None, "restarts": False, "cut_off": True}


def _has_gpus_behind_systemd(host: "dict[str, Any]") -> bool:
    """GPUs that a hook put into the container: systemd does not know of them, and takes them back when it reloads.

    Devices of CDI and `--device` are in the container's own configuration. What `--gpus` did cannot be told from here.
    """
    if host.get("Runtime") == "nvidia":
        return True
    return any(request.get("Driver") != "cdi" for request in host.get("DeviceRequests") or [])


def _links_are_there(system: "System") -> bool:
    """With /dev/char/195:* in place systemd finds the devices again (nvidia-ctk system create-dev-char-symlinks)."""
    devices = [name for name in lenient.names(system, "/dev") if re.match(r"nvidia\d+$", name)]
    links = [name for name in lenient.names(system, CHAR_LINKS) if name.startswith(NVIDIA_MAJOR)]
    return len(links) > len(devices)  # one for each GPU, and nvidiactl's


def _shims(system: "System") -> "list[str]":
    found = [pid for pid in lenient.names(system, "/proc") if pid.isdigit()]
    return [pid for pid in found if lenient.word(system, "/proc/{}/comm".format(pid)).startswith("containerd-shim")]


def _processes(system: "System") -> "list[dict[str, Any]]":
    """Processes with the compute device open: PID, user, command."""
    if not lenient.exists(system, COMPUTE_DEVICE):
        return []
    found = []
    for pid in lenient.names(system, "/proc"):
        if pid.isdigit() and _computes(system, pid):
            command = lenient.word(system, "/proc/{}/comm".format(pid))
            found.append({"pid": int(pid), "user": _user_of(system, pid), "command": command})
    return found


def _computes(system: "System", pid: str) -> bool:
    folder = "/proc/{}/fd".format(pid)
    return any(system.link("{}/{}".format(folder, name)) == COMPUTE_DEVICE for name in lenient.names(system, folder))


def _user_of(system: "System", pid: "str | None") -> "str | None":
    """The name of who a process runs as (its real user), or None."""
    match = (
        re.search(r"^Uid:\s*(\d+)", lenient.text(system, "/proc/{}/status".format(pid)) or "", re.M) if pid else None
    )
    return system.user_name(int(match.group(1))) if match else None


def named(things: "list[dict[str, Any]]", one: str, many: str) -> str:
    """`2 containers: train (alice), infer`."""
    shown = ["{} ({})".format(_label(item), item["user"]) if item["user"] else _label(item) for item in things[:NAMES]]
    more = ", and {} more".format(len(things) - NAMES) if len(things) > NAMES else ""
    return "{} {}: {}{}".format(len(things), one if len(things) == 1 else many, ", ".join(shown), more)


def _label(item: "dict[str, Any]") -> str:
    return item["name"] if "name" in item else "{} {}".format(item["command"], item["pid"])
