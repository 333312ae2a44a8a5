"""A service: does it start at boot, does it run, does it run what is on disk?

The law (6): triggers are state. At each proven start we record what the process was started with: {boot id, PID, start
ticks, digest of each file it reads}. It is stale when the files differ from the record of *this* process. Without a
record it is whether we wrote a file after the process began, in a clock that nobody sets. A daemon that others build on
has a class of its own, which adds what it knows (docker/service.py).
"""

import os
import time

from ..engine import impact
from ..engine.resource import Resource
from ..host import lenient
from ..host.errors import Failed
from . import staleness
from .systemd import Systemd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from ..host.system import System
    from ..types import Diff, Impact, Process, State, Undo
    from .sysv import Sysv

    Manager = Systemd | Sysv

SECTION = "services"
GONE = 10
"""Seconds without a process after which a service that was started counts as ended."""
SETTLE, SUSPECT = 1, 8
"""Seconds that it has to stay up after its start: of one that has died before the second."""
YOUNG = 120
"""Seconds after which a process that systemd had to start again counts as one that stays."""


class Service(Resource):
    kind = "service"
    starts = True
    name: str
    enabled: "bool | None"
    running: bool
    files: "list[str]"
    also: "list[str]"
    platform: "str | None"
    in_use: "list[str]"
    may_cut: bool
    timeout: int

    def __init__(self, **values: "Any") -> None:
        Resource.__init__(self, **values)
        self._started_with: "dict[str, Any]" = {}
        self._process: "Process" = []  # [] where there is none
        self._need: "tuple[str, list[str]]" = (impact.NONE, [])  # what a stale one needs: (level, what differs)
        self._reloaded = False
        self._restarts: "int | None" = None  # how often systemd has had to start it again, where that was asked
        self.may_restart: "Callable[[], bool]" = lambda: True  # where a reload does not take: the guard
        self.waits_later = False  # whoever asked for the start calls `stays`, with something to do in the meantime
        self._trial: "tuple[Process, float, float, Any] | None" = None  # (process, up since, seconds, log's mark)

    def identity(self) -> str:
        return self.name

    def desired(self) -> "State":
        """enabled, running, stale (it runs, but not what is on disk): each true or false."""
        state: "State" = {"running": self.running, "stale": False}
        return state if self.enabled is None else dict(state, enabled=self.enabled)

    def actual(self, system: "System") -> "State | None":
        """As `desired`. None: there is no such service."""
        found = self._glance(system) or self._manager(system).inspect(system)
        if found is None:
            return None
        if found["masked"] and (self.running or self.enabled):
            raise Failed(
                "{} is masked".format(self.name), "run `systemctl unmask {}`, if it is to run here".format(self.name)
            )
        # A socket that listens for a stopped service would start it: that is not stopped.
        running = found["running"] or bool(found["also"] and not self.running)
        state = {"enabled": found["enabled"], "running": running, "stale": False}
        self._process = staleness.process(system, found["pid"]) or [] if found["running"] else []
        if self.running and self._process:
            state["stale"] = self._stale(system, self._process, found.get("reload", False))
            if state["stale"]:
                record = system.state_file.get(SECTION, self.name)
                self._need = staleness.needed(system, record, self._process, self.files, self._signal())
            else:
                self._refuse_dying(system, found)
        return state

    def apply(self, system: "System", diff: "Diff") -> None:
        """Enable, start, stop, or restart it; wait until it is up."""
        manager = self._manager(system)
        if manager.inspect(system) is None:
            raise Failed(
                "there is no service {} on this host".format(self.name), "install it first: is its role in this run?"
            )
        log = self._log(system)
        if "enabled" in diff:  # first: if we die in between, a reboot still brings it up
            manager.enable(system, bool(self.enabled))
        if "running" in diff and not self.running:
            manager.stop(system, self.timeout, log)
        elif "running" in diff:
            self._start(system, manager, log, restart=False)
        elif "stale" in diff:
            self._renew(system, manager, log)

    def impact(self, system: "System", diff: "Diff") -> "Impact | None":
        """Who uses it feels that it stops; one whose users nobody can name (`in_use`) is nobody's platform."""
        if not {"running", "stale"} & set(diff):
            return None
        why = ["running"] if "running" in diff else self._need[1]
        stops = bool(self.in_use or self.platform) and bool(self._process) and ("stale" in diff or not self.running)
        found = impact.impact(impact.RESTART if stops else impact.NONE, why, self._systemd_reloads(system))
        found["service"] = self.platform or self.name
        found["users"] = self._users(system) if stops and self.in_use else []
        return found

    def cuts(self, diff: "Diff") -> bool:
        return self.may_cut and bool({"running", "stale"} & set(diff))

    def note(self, diff: "Diff") -> str:
        if diff.get("stale", (False,))[0]:
            level, why = self._need
            return "{}s {}: it does not run what is on disk ({})".format(level, self.name, ", ".join(why))
        return ""

    def settled(self, system: "System") -> None:
        """Keep what this process was started with; a process that was just proven fresh runs what is on disk."""
        if not self._process:
            return
        taken = self._started_with or self._taken(system)
        before = system.state_file.get(SECTION, self.name) or {}
        if before.get("process") == self._process and not self._started_with:
            taken = dict(taken, files=dict(before["files"], **taken["files"]))
        self._record(system, self._process, taken)

    def when_removed(self, role: str) -> "Undo | None":
        """As it was found. What others stand on (`platform`) is no role's own: it stays as it is."""
        before, wanted = self.found or {}, self.desired()
        if self.platform or all(before.get(key, wanted[key]) == wanted[key] for key in wanted if key != "stale"):
            return None
        fields = {name: before.get(name, getattr(self, name)) for name in self.fields}
        return "service", dict(fields, files=[])

    def go_back(self, system: "System", running: "bool | None") -> None:
        """Run again with the files as they are now, or be stopped: the way back of a transaction."""
        manager = self._manager(system)
        self.waits_later = False
        if running:
            self._start(system, manager, self._log(system), restart=True)
        else:
            manager.stop(system, self.timeout, self._log(system))

    def _signal(self) -> "dict[str, Any] | None":
        """When a signal is enough: {"file", "keys"}; None: it restarts."""
        return None

    def _users(self, system: "System") -> "list[str]":
        """Who uses it, by the program that the role names for that; one that fails counts as a user."""
        answer = system.query(list(self.in_use), timeout=20)
        if not answer.ok:
            return ["who uses it cannot be told ({})".format(answer.tail(1))]
        return [line.strip() for line in answer.out.splitlines() if line.strip()]

    def _taken(self, system: "System") -> "dict[str, Any]":
        return staleness.taken(system, self.files, self._signal())

    def _record(self, system: "System", process: "Process | None", taken: "dict[str, Any]") -> None:
        if process is not None:
            restarts = (system.state_file.get(SECTION, self.name) or {}).get("restarts", 0)
            restarts = restarts if self._restarts is None else self._restarts
            system.state_file.put(SECTION, self.name, dict(taken, process=process, restarts=restarts))

    def _log(self, system: "System") -> str:
        return os.path.join(system.state_file.directory(), "service-{}.log".format(self.name))

    def _manager(self, system: "System") -> "Manager":
        if system.stat("/run/systemd/system") is not None:
            return Systemd(self.name, self.also)
        return self._sysv()

    def _sysv(self) -> "Sysv":
        from .sysv import Sysv  # only where systemd is not PID 1

        return Sysv(self.name)

    def _glance(self, system: "System") -> "dict[str, Any] | None":
        """The look without a process (10 ms less), where the one that we recorded is still at work and all is well."""
        record = system.state_file.get(SECTION, self.name)
        manager = self._manager(system)
        if (
            record is None
            or not self.running
            or self.enabled is False
            or staleness.process(system, record["process"][1]) != record["process"]
        ):
            return None
        return manager.glance(system, record["process"][1], bool(self.enabled))

    def _systemd_reloads(self, system: "System") -> bool:
        """Will this make systemd read its configuration anew? Not where it has read what is, and will be, on disk.

        Asked only where that could take a GPU from somebody: a systemd that hangs is no matter of a look.
        """
        if not lenient.exists(system, "/dev/nvidiactl"):
            return False
        if any(path.startswith("/etc/systemd/") for path in system.foreseen):
            return True
        found = self._manager(system).inspect(system)
        return bool(found and found.get("reload"))

    def _refuse_dying(self, system: "System", found: "dict[str, Any]") -> None:
        """Failed where systemd has had to start it again, and that only just now: it may not stay."""
        self._restarts = found.get("restarts")
        if not self._restarts:
            return
        record = system.state_file.get(SECTION, self.name)
        known = record.get("restarts", 0) if record and record["process"][0] == self._process[0] else 0
        age = system.uptime() - self._process[2] / staleness.TICKS
        if self._restarts > known and age < YOUNG:
            cause = "{} does not stay up: systemd has had to start it again {} times, {:.0f} s ago the last time"
            raise Failed(cause.format(self.name, self._restarts, age), "look at its log: journalctl -u " + self.name)

    # -- staleness

    def _stale(self, system: "System", process: "Process", unread: bool) -> bool:
        """`unread`: systemd has not read the unit as it stands on disk."""
        if staleness.replaced(system, process):
            return True
        record = system.state_file.get(SECTION, self.name)
        if record is not None and record["process"] == process:
            return staleness.differs(system, self.files, record["files"])
        if self._shows_otherwise(system, process):
            return True
        if any(path in system.foreseen or staleness.written_since(system, path, process) for path in self.files):
            return True
        # Restarted by hand after we died, but without daemon-reload: without the drop-in that we wrote.
        units = [path for path in self.files if path.startswith("/etc/systemd/")] if unread else []
        return any((system.state_file.get("written", path) or {}).get("boot") == process[0] for path in units)

    def _shows_otherwise(self, system: "System", process: "Process") -> bool:
        """Does a process that we have no record of tell that it runs with something else than what is asked?"""
        return False

    # -- starting

    def _renew(self, system: "System", manager: "Manager", log: str) -> None:
        self._start(system, manager, log, restart=True)

    def _start(self, system: "System", manager: "Manager", log: str, restart: bool) -> None:
        self._started_with = self._taken(system)
        self._reloaded = False
        system.progress("{} {}".format("restarting" if restart else "starting", self.name))
        system.keep(log, b"")
        mark = manager.mark(system)
        try:
            seconds = self._come_up(system, manager, log, restart)
        except Failed as error:
            raise self._did_not_start(system, manager, mark, error) from None
        found = manager.inspect(system)
        born = staleness.process(system, found["pid"]) if found is not None and found["running"] else None
        self.is_young = born is not None
        self._trial = (born, time.monotonic(), seconds, mark) if born is not None else None
        if not self.waits_later:
            self.stays(system)
        if found is not None and found["pid"] is not None:
            self._restarts = found.get("restarts")
            self._record(system, staleness.process(system, found["pid"]), self._started_with)

    def stays(self, system: "System") -> None:
        """Wait until it has stayed up for long enough. Failed where it has ended by itself."""
        if self._trial is None:
            return
        born, since, seconds, mark = self._trial
        self._trial, self.is_young = None, False
        while staleness.process(system, born[1]) == born:
            left = since + seconds - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(0.2, left))
        error = Failed("it came up, and ended by itself within {} s".format(seconds), "look at its log")
        raise self._did_not_start(system, self._manager(system), mark, error)

    def _did_not_start(self, system: "System", manager: "Manager", mark: "Any", error: Failed) -> Failed:
        words = manager.last_words(system, mark).strip()
        cause, fix = self._explained(words + "\n" + error.output) or (error.cause, error.fix or "look at its log")
        return Failed("{} does not start: {}".format(self.name, cause), fix, words or error.output)

    def _come_up(self, system: "System", manager: "Manager", log: str, restart: bool) -> float:
        """Start it, and wait until it is up; returns for how many seconds it has to stay up."""
        before = manager.inspect(system) or {}
        suspect = bool(before.get("failed") or before.get("restarts"))
        manager.start(system, self.timeout, log, restart, restart and self._takes_sockets(system))
        self._wait(system, manager)
        return SUSPECT if suspect else SETTLE

    def _takes_sockets(self, system: "System") -> bool:
        """Has it made sockets of its own where its socket unit has some? Those are gone when it ends."""
        return False

    def _explained(self, words: str) -> "tuple[str, str] | None":
        """(cause, fix) of what its log says, where that is known, or None."""
        return None

    def _wait(self, system: "System", manager: "Manager") -> None:
        end = time.monotonic() + self.timeout
        alive = time.monotonic()
        while not self._up(system, manager):
            found = manager.inspect(system)
            if found is not None and found["running"]:
                alive = time.monotonic()
            # systemd says that it has ended; an init script is content with having started it.
            if found is not None and found.get("failed") or time.monotonic() > alive + GONE:
                raise Failed("it has ended at its start", "look at its log")
            if time.monotonic() > end:
                raise Failed("it is not ready within {} s".format(self.timeout), "look at its log")
            time.sleep(0.05)

    def _up(self, system: "System", manager: "Manager") -> bool:
        found = manager.inspect(system)
        return found is not None and found["running"]


def started_with(system: "System", name: str, pid: int, path: str) -> bool:
    """Do we know this process to have been started with the file as it stands there now?"""
    record = system.state_file.get(SECTION, name)
    if record is None or record["process"] != staleness.process(system, pid):
        return False
    recorded: "str | None" = record["files"].get(path)
    return recorded == staleness.digest(system, path)
