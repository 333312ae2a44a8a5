"""A service under systemd.

The law: one `systemctl show` tells all, unit and socket together; nothing is started to look. `reset-failed` comes
before every start, because the third start within a minute ends in start-limit-hit; `daemon-reload` where
systemd has not read what stands on disk.
"""

import contextlib
import time

from ..host import lenient
from ..host.errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..host.system import System

PROPERTIES = "Id,LoadState,ActiveState,SubState,MainPID,UnitFileState,NeedDaemonReload,DropInPaths,Result,NRestarts"
UNITS = "/etc/systemd/system"
STARTS_AT_BOOT = ("enabled", "static", "alias", "indirect", "generated", "linked")


class Systemd:
    """One service and the units that start it by themselves (its sockets)."""

    def __init__(self, name: str, also: "list[str]") -> None:
        self.unit = name if "." in name else name + ".service"
        self.also = tuple(also)

    def inspect(self, system: "System") -> "dict[str, Any] | None":
        """{enabled, running, pid} and what apply needs; None when there is no such unit."""
        argv = ["systemctl", "show", "--no-pager", "-p", PROPERTIES, "--", self.unit] + list(self.also)
        result = system.query(argv, timeout=30)
        if not result.ok:
            raise Failed(
                "systemd does not answer: {}".format(result.tail(1)), "look at the host's console", result.tail()
            )
        units = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in result.out.split("\n\n")]
        unit, others = units[0], units[1:]
        if unit.get("LoadState") == "not-found":
            return None
        running = unit.get("ActiveState") in ("active", "reloading") and unit.get("MainPID", "0") != "0"
        return {
            "enabled": unit.get("UnitFileState") in STARTS_AT_BOOT,
            "running": running,
            "pid": int(unit["MainPID"]) if running else None,
            "masked": "masked" in (unit.get("LoadState"), unit.get("UnitFileState")),
            "failed": unit.get("ActiveState") == "failed",
            "restarts": int(unit.get("NRestarts") or 0),
            "also": [other["Id"] for other in others if other.get("ActiveState") == "active"],
            "reload": any(unread(system, known) for known in units),
        }

    def glance(self, system: "System", pid: int, enabled: bool) -> "dict[str, Any] | None":
        """The same without asking systemd, for a process of this unit; None where it is not plain that all is well.

        `enabled`: it should start at boot by itself.
        """
        places = [name for name in system.names(UNITS) if name.endswith((".wants", ".requires"))]
        enabled = not enabled or any(
            system.stat("{}/{}/{}".format(UNITS, name, self.unit)) is not None for name in places
        )
        masked = system.link("{}/{}".format(UNITS, self.unit)) == "/dev/null"
        groups = lenient.text(system, "/proc/{}/cgroup".format(pid)) or ""
        if not enabled or masked or "/{}\n".format(self.unit) not in groups + "\n":
            return None
        return {"enabled": True, "running": True, "pid": pid, "masked": False, "also": []}

    def enable(self, system: "System", enabled: bool) -> None:
        system.run(
            ["systemctl", "enable" if enabled else "disable", "--", self.unit] + ([] if enabled else list(self.also))
        )

    def start(self, system: "System", timeout: int, log: str, restart: bool, sockets: bool = False) -> None:
        """`sockets`: those that listen now are made anew between its end and its start, because it has taken them."""
        found = self.inspect(system)
        if found is not None and found["reload"]:
            system.run(["systemctl", "daemon-reload"], timeout=90)
        with contextlib.suppress(Failed):  # a unit that systemd has not loaded has nothing to reset
            system.run(["systemctl", "reset-failed", "--", self.unit] + list(self.also))
        units = [self.unit] + (found["also"] if found is not None and sockets else [])
        system.run(["systemctl", "restart" if restart else "start", "--"] + units, timeout=timeout, log=log)

    def stop(self, system: "System", timeout: int, log: str) -> None:
        # Together: a socket that still listens would start the service again.
        system.run(["systemctl", "stop", "--"] + list(self.also) + [self.unit], timeout=timeout, log=log)

    def mark(self, system: "System") -> int:
        """Where its log ends now, for `last_words`."""
        return int(time.time())

    def last_words(self, system: "System", mark: int) -> str:
        """The newest lines of the service's log since `mark`: an earlier failure explains nothing."""
        system.query(["journalctl", "--sync"], timeout=20)  # what the daemon said last may not be there yet
        since = ["--since", "@{}".format(mark)]
        argv = ["journalctl", "-u", self.unit, "-n", "30", "--no-pager", "-o", "cat", "-q"] + since
        return system.query(argv, timeout=20).out


def unread(system: "System", unit: "dict[str, str]") -> bool:
    """Does systemd not know a unit as it stands on disk? Its own word misses drop-ins of a new directory: a cache."""
    known = unit.get("DropInPaths", "").split()
    directory = "{}/{}.d".format(UNITS, unit.get("Id", ""))
    found = ["{}/{}".format(directory, name) for name in system.names(directory) if name.endswith(".conf")]
    found = [path for path in found if system.link(path) != "/dev/null"]  # a masked one is in no list of systemd's
    vanished = any(system.stat(path) is None for path in known)
    return unit.get("NeedDaemonReload") == "yes" or vanished or not set(found) <= set(known)
