"""Docker's API over its Unix socket, for reading: 13 ms where the client takes 68.

The law: a stopped Docker is never started. docker.socket starts it for whoever connects, so the caller first finds the
daemon's process (`process`), and without one nothing is asked.
"""

import json

from ..host import lenient
from ..host.errors import Unknown
from . import flags
from .engine_facts import CONFIG, document, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..host.system import System

SOCKET = "/var/run/docker.sock"
__all__ = ["SOCKET", "address", "containers", "get", "log", "ping", "process", "start"]


def log(system: "System") -> str:
    """Where the daemon's log is to be looked at, on this host."""
    return "journalctl -u docker" if lenient.exists(system, "/run/systemd/system") else "/var/log/docker.log"


def start(system: "System") -> str:
    """The command that starts the daemon, on this host."""
    return "systemctl start docker" if lenient.exists(system, "/run/systemd/system") else "service docker start"


def address(system: "System", pid: int) -> str:
    """The path of the daemon's Unix socket, from its command line or daemon.json."""
    given = flags.values(lenient.arguments(system, pid) or ())
    hosts = given.get("host") or _configured(system, given)
    for host in hosts:
        if host.startswith("unix://"):
            return host[len("unix://") :] or SOCKET
    return SOCKET


def is_given(system: "System", pid: int) -> bool:
    """Are all of the daemon's Unix sockets those that systemd has opened for it?"""
    hosts = flags.values(lenient.arguments(system, pid) or ()).get("host") or ["unix://"]
    return not any(host.startswith("unix://") for host in hosts)


def _configured(system: "System", given: "dict[str, list[str]]") -> "list[str]":
    path = given.get("config-file", [CONFIG])[-1]
    hosts = document(system, path).get("hosts")
    return hosts if isinstance(hosts, list) else []


def get(system: "System", pid: int, target: str, timeout: float = 10) -> "Any":
    """The JSON answer to GET `target`; None for 404; Unknown where the daemon does not answer in time."""
    path = address(system, pid)
    try:
        status, body = system.get_unix(path, target, timeout)
    except OSError as error:
        message = "Docker runs (PID {}) but does not answer on {} within {} s: {}"
        raise Unknown(message.format(pid, path, timeout, error)) from None
    if status == 404:
        return None
    if status != 200:
        raise Unknown(
            "Docker answers GET {} with status {}: {}".format(target, status, body[:200].decode("utf-8", "replace"))
        )
    try:
        return json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Unknown("Docker answers GET {} with what is not JSON".format(target)) from None


def containers(system: "System", pid: int, target: str = "/containers/json") -> "list[dict[str, Any]]":
    """Docker's list of containers; Unknown where it is none: a Docker that is half dead is not an idle one."""
    listed = get(system, pid, target)
    if not isinstance(listed, list) or not all(isinstance(item, dict) and item.get("Id") for item in listed):
        raise Unknown("Docker answers GET {} with no list of containers".format(target))
    return listed


def ping(system: "System", pid: int, timeout: float = 5) -> bool:
    """Does the daemon answer?"""
    try:
        return system.get_unix(address(system, pid), "/_ping", timeout)[0] == 200
    except OSError:
        return False
