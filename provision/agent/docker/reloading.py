"""A signal to the Docker daemon instead of a restart, and the proof that it was taken.

The law: `kill -HUP` proves nothing. A daemon that does not like its file logs that and goes on as it was; one that took
it sends a reload event with what is in effect (daemon/reload.go). So a new such event is waited for, and what Docker
shows of its options is compared with what is asked.
"""

import json
import signal
import time

from ..host.errors import Unknown
from . import daemon_socket
from . import live as docker_live

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..host.system import System

TIMEOUT = 15
"""Seconds."""
EVENTS = "/events?since=0&until={}&filters=%7B%22event%22%3A%5B%22reload%22%5D%7D"


def reload(system: "System", pid: int, live: "dict[str, Any]") -> bool:
    """Send the signal; True once the daemon has said that it took its configuration, and shows it."""
    before = _events(system, pid)
    system.signal(pid, signal.SIGHUP)
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        if _events(system, pid) - before:
            return not docker_live.differs(system, pid, live)
        time.sleep(0.2)
    return False


def _events(system: "System", pid: int) -> "set[int]":
    """When the daemon has reloaded, as it tells (nanoseconds). It keeps the newest few."""
    target = EVENTS.format("{:.6f}".format(time.time()))  # up to now: with a later time the answer stays open till then
    try:
        _, body = system.get_unix(daemon_socket.address(system, pid), target, TIMEOUT)
    except OSError as error:
        raise Unknown("Docker (PID {}) does not tell its events: {}".format(pid, error)) from None
    found = [json.loads(line) for line in body.decode("utf-8").splitlines() if line.strip()]
    return {event.get("timeNano") for event in found}
