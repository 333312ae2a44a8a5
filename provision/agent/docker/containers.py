"""The containers that have to be back after a restart of the Docker daemon.

The law: a container that Docker promised to start again (`--restart always` or `unless-stopped`), and with live-restore
each one, was running before and has to be running after; else the restart has failed.
"""

import time

from ..host.errors import Failed, Unknown
from ..services import staleness
from . import daemon_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..host.system import System

NETWORK = ("bip", "fixed-cidr", "mtu", "default-gateway", "icc", "ip-masq", "iptables", "ipv6", "fixed-cidr-v6")
"""Options of docker0's network: a daemon that finds containers alive leaves it as they have it."""
RUNNING = "/containers/json?filters=%7B%22status%22%3A%5B%22running%22%5D%7D"
LIMIT = 60
"""Seconds until they must be back."""


def expected(system: "System") -> "dict[str, str]":
    """{ID: name} of the running ones that will be back; {} where Docker cannot tell: then nobody can say what ran."""
    pid = daemon_socket.process(system)
    if pid is None:
        return {}
    try:
        kept = bool((daemon_socket.get(system, pid, "/info") or {}).get("LiveRestoreEnabled"))
        running = daemon_socket.containers(system, pid, RUNNING)
        return {item["Id"]: name(item) for item in running if kept or _promised(system, pid, item["Id"])}
    except Unknown:
        return {}


def wait_for(system: "System", containers: "dict[str, str]") -> None:
    """Until all of them run; Failed names those that do not."""
    end = time.monotonic() + LIMIT
    missing = dict(containers)
    while missing:
        pid = daemon_socket.process(system)
        listed = daemon_socket.containers(system, pid) if pid is not None else []
        missing = {key: called for key, called in containers.items() if key not in {item["Id"] for item in listed}}
        if missing and time.monotonic() > end:
            names = ", ".join(sorted(missing.values()))
            fix = "look at what they say: docker logs {}".format(sorted(missing.values())[0])
            raise Failed("containers that ran before are not back: {}".format(names), fix)
        if missing:
            time.sleep(0.2)


def _promised(system: "System", pid: int, identity: str) -> bool:
    return promised(daemon_socket.get(system, pid, "/containers/{}/json".format(identity)) or {})


def promised(known: "dict[str, Any]") -> bool:
    """Does Docker start this container (as it tells of it) again by itself?"""
    policy = ((known.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name")
    return policy in ("always", "unless-stopped")


def name(item: "dict[str, Any]") -> str:
    """The name of a container in Docker's list."""
    names: "list[str]" = item.get("Names") or ["/" + item["Id"][:12]]
    return names[0].lstrip("/")


def outlive(system: "System", pid: int, why: "list[str]", reload: "dict[str, Any] | None") -> bool:
    """Do the running containers outlive a restart for these keys: with live-restore live, or made so by a reload first?

    Docker stops them after all where the bridge or the storage changes, in a swarm, and where the new configuration
    takes live-restore away.
    """
    if not reload or not all(key.partition(".")[0] in reload["outlived"] for key in why):
        return False
    try:
        info = daemon_socket.get(system, pid, "/info") or {}
    except Unknown:
        return False
    if (info.get("Swarm") or {}).get("LocalNodeState") not in (None, "", "inactive"):
        return False
    if info.get("LiveRestoreEnabled"):
        return "live-restore" not in why
    return "live-restore" in why and staleness.planned(system, reload["file"]).get("live-restore") is True


def hold_the_network(system: "System", why: "list[str]") -> bool:
    """Would a restart for these keys leave containers alive (live-restore), and so docker0 as it is?"""
    pid = daemon_socket.process(system)
    if pid is None or "live-restore" in why or not any(key.partition(".")[0] in NETWORK for key in why):
        return False
    try:
        return bool((daemon_socket.get(system, pid, "/info") or {}).get("LiveRestoreEnabled"))
    except Unknown:
        return False
