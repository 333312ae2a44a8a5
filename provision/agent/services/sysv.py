"""A service where systemd is not PID 1: the `service` command in front of an init script, or of an upstart job.

The law: the process is found by its PID file, never by name: the daemons of containers are in /proc as well. One that
was started by hand is stopped by a signal, as its script knows nothing of it.
"""

import _signal as signal  # type: ignore[import-not-found]
import re
import time

from ..host import lenient
from ..host.errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..host.system import System

LEVELS = ("2", "3", "4", "5")
MAY_NOT_RAISE = re.compile(r"ulimit: .*(?:Operation not permitted|cannot modify limit)")
"""Docker's init script raises its limits first and dies of it where root has no CAP_SYS_RESOURCE: in containers."""
WITHOUT_LIMITS = 'ulimit() { command ulimit "$@" 2>/dev/null || :; }; . "$0"'
"""A constant: the script named by $0, with limits left as they are where they cannot be raised."""


class Sysv:
    """One service with a script in /etc/init.d, or a job in /etc/init."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.script = "/etc/init.d/" + name
        self.job = "/etc/init/{}.conf".format(name)
        self.override = "/etc/init/{}.override".format(name)

    def inspect(self, system: "System") -> "dict[str, Any] | None":
        """{enabled, running, pid} and what apply needs; None when there is no such service."""
        upstart = self._upstart(system)
        if not upstart and system.stat(self.script) is None:
            return None
        pid = self._pid(system)
        enabled = not self._manual(system) if upstart else self._linked(system)
        return {"enabled": enabled, "running": pid is not None, "pid": pid, "masked": False, "also": []}

    def glance(self, system: "System", pid: int, enabled: bool) -> "dict[str, Any] | None":
        """A look costs no process here."""
        return None

    def enable(self, system: "System", enabled: bool) -> None:
        if not self._upstart(system):
            # `defaults` only makes links where there are none; `enable` only turns those that are there.
            system.run(["update-rc.d", self.name, "defaults"])
            system.run(["update-rc.d", self.name, "enable" if enabled else "disable"])
            return
        lines = [line for line in (system.text(self.override) or "").splitlines() if line.strip() != "manual"]
        lines += [] if enabled else ["manual"]
        if lines:
            system.write(self.override, ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))
        else:
            system.remove(self.override)

    def start(self, system: "System", timeout: int, log: str, restart: bool, sockets: bool = False) -> None:
        if restart:
            self.stop(system, timeout, log)
        try:
            system.run(["service", self.name, "start"], timeout=timeout, log=log)
        except Failed as error:
            if self._upstart(system) or not MAY_NOT_RAISE.search(error.output):
                raise
            system.run(["sh", "-c", WITHOUT_LIMITS, self.script, "start"], timeout=timeout, log=log)

    def stop(self, system: "System", timeout: int, log: str) -> None:
        pid = self._pid(system)
        if pid is None:
            return
        # The script may not know this process; whether it is gone is what counts.
        try:
            system.run(["service", self.name, "stop"], timeout=timeout, log=log)
        except Failed:
            if self._pid(system) is None:
                return
        end = time.monotonic() + 2
        while self._pid(system) == pid and time.monotonic() < end:
            time.sleep(0.1)
        if self._pid(system) == pid:
            self._terminate(system, pid, timeout)

    def _terminate(self, system: "System", pid: int, timeout: int) -> None:
        system.signal(pid, signal.SIGTERM)
        end = time.monotonic() + timeout
        while system.stat("/proc/{}".format(pid)) is not None and self._pid(system) == pid:
            if time.monotonic() > end:
                cause = "{} (PID {}) does not stop within {} s".format(self.name, pid, timeout)
                raise Failed(cause, "look at what it waits for, then end it by hand")
            time.sleep(0.1)

    def mark(self, system: "System") -> int:
        """Where its log ends now, for `last_words`."""
        return len(self._log(system))

    def last_words(self, system: "System", mark: int) -> str:
        """The newest lines of the service's log since `mark`: an earlier failure explains nothing."""
        return "\n".join(self._log(system)[mark:].splitlines()[-30:])

    def _log(self, system: "System") -> str:
        paths = ("/var/log/{}.log".format(self.name), "/var/log/upstart/{}.log".format(self.name))
        return next((text for text in (lenient.text(system, path) for path in paths) if text), "")

    def _upstart(self, system: "System") -> bool:
        return system.stat(self.job) is not None and system.stat("/sbin/initctl") is not None

    def _manual(self, system: "System") -> bool:
        return any(line.strip() == "manual" for line in (lenient.text(system, self.override) or "").splitlines())

    def _linked(self, system: "System") -> bool:
        """Is there a start link in any of the multi-user run levels?"""
        pattern = re.compile(r"S\d\d{}$".format(re.escape(self.name)))
        return any(pattern.match(name) for level in LEVELS for name in system.names("/etc/rc{}.d".format(level)))

    def _pid(self, system: "System") -> "int | None":
        pid = lenient.word(system, "/var/run/{}.pid".format(self.name))
        return int(pid) if pid.isdigit() and system.stat("/proc/" + pid) is not None else None
