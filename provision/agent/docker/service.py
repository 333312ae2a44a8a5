"""A service: does it start at boot, does it run, does it run what is on disk?

The law (6): triggers are state. At each proven start we record what the process was started with: {boot id, PID, start
ticks, digest of each file it reads}. It is stale when the files differ from the record of *this* process. Without a
record, what is live decides, and then whether we wrote a file after the process began, in a clock that nobody sets.
The record has the keys of the file that a signal makes it read again, too: so it is known when the signal is enough.
"""

import os
import time

from ..engine import impact
from ..engine.resource import Resource
from ..host import look
from ..host.errors import Failed
from ..services import staleness
from ..services.systemd import Systemd
from . import daemon_socket, live
from .known_errors import explain
from .sysv import Sysv

SECTION = "services"
GONE = 10
"""Seconds without a process after which a service that was started counts as ended."""


class Service(Resource):
    fields = ("name", "enabled", "running", "files", "also", "live", "ready", "reload", "timeout")

    def __init__(self, **values):
        Resource.__init__(self, **values)
        self._started_with = None
        self._process = None
        self._need = None  # what a stale one needs: (level, what differs)
        self._reloaded = False
        self.may_restart = lambda: True  # where a reload does not take; the guard has its say

    def identity(self):
        return self.name

    def desired(self):
        return {"enabled": self.enabled, "running": self.running, "stale": False}

    def actual(self, system):
        found = self._glance(system) or self._manager(system).look(system)
        if found is None:
            return None
        if found["masked"] and (self.running or self.enabled):
            raise Failed(
                "{} is masked".format(self.name), "run `systemctl unmask {}`, if it is to run here".format(self.name)
            )
        # A socket that listens for a stopped service would start it: that is not stopped.
        running = found["running"] or bool(found["also"] and not self.running)
        state = {"enabled": found["enabled"], "running": running, "stale": False}
        self._process = staleness.process(system, found["pid"]) if found["running"] else None
        if self.running and self._process is not None:
            state["stale"] = self._stale(system, self._process, found.get("reload", False))
            if state["stale"]:
                record = system.memory.get(SECTION, self.name)
                self._need = staleness.needed(system, record, self._process, self.files, self.reload)
        return state

    def apply(self, system, diff):
        manager = self._manager(system)
        if manager.look(system) is None:
            raise Failed(
                "there is no service {} on this host".format(self.name), "install it first: is its role in this run?"
            )
        log = os.path.join(system.memory.directory(), "service-{}.log".format(self.name))
        if "enabled" in diff:  # first: if we die in between, a reboot still brings it up
            manager.enable(system, self.enabled)
        if "running" in diff and not self.running:
            manager.stop(system, self.timeout, log)
        elif "running" in diff:
            self._start(system, manager, log, restart=False)
        elif "stale" in diff:
            self._renew(system, manager, log)

    def impact(self, system, diff):
        """Others feel Docker's restart, and systemd's own reload; a service of another name is nobody's platform."""
        systemd = self._systemd_reloads(system)
        platform = self.ready == "docker"
        if "running" in diff:
            return impact.impact(impact.RESTART if platform and not self.running else impact.NONE, ["running"], systemd)
        if "stale" not in diff:
            return None
        level, why = self._need
        if not platform:
            return impact.impact(impact.NONE, why, systemd)
        restart = level == impact.RESTART
        return impact.impact(level, why, systemd and restart, restart and self._outlived(system, why))

    def cuts(self, diff):
        """The first start makes a bridge; a restart does where bridge, rules or unit change."""
        if self.ready != "docker" or "running" in diff:
            return self.ready == "docker"
        level, why = self._need if "stale" in diff else (impact.NONE, [])
        kept = self.reload["outlived"] if self.reload else ()
        return level == impact.RESTART and not all(key.partition(".")[0] in kept for key in why)

    def note(self, diff):
        if diff.get("stale", (False,))[0]:
            level, why = self._need
            return "{}s {}: it does not run what is on disk ({})".format(level, self.name, ", ".join(why))
        return ""

    def settled(self, system):
        """Keep what this process was started with; a process that was just proven fresh runs what is on disk."""
        if self._process is None:
            return
        taken = self._started_with or self._taken(system)
        before = system.memory.get(SECTION, self.name) or {}
        if before.get("process") == self._process and self._started_with is None:
            taken = dict(taken, files=dict(before["files"], **taken["files"]))
        self._record(system, self._process, taken)

    def when_removed(self, role):
        """As it was found. Docker is no role's own: it stays as it is until its packages go."""
        before = self.found
        if self.ready or not before or all(before[key] == self.desired()[key] for key in ("enabled", "running")):
            return None
        fields = {name: getattr(self, name) for name in self.fields}
        fields.update(enabled=before["enabled"], running=before["running"])
        return "service", dict(fields, files=[], live=None, reload=None)

    def _taken(self, system):
        return staleness.taken(system, self.files, self.reload)

    def _record(self, system, process, taken):
        if process is not None:
            system.memory.put(SECTION, self.name, dict(taken, process=process))

    def _manager(self, system):
        if system.stat("/run/systemd/system") is not None:
            return Systemd(self.name, self.also)
        return Sysv(self.name)

    def _glance(self, system):
        """The look without a process (10 ms less), where the one that we recorded is still at work and all is well."""
        record = system.memory.get(SECTION, self.name)
        manager = self._manager(system)
        if (
            record is None
            or not (self.running and self.enabled)
            or staleness.process(system, record["process"][1]) != record["process"]
        ):
            return None
        return manager.glance(system, record["process"][1])

    def go_back(self, system, running):
        """Run again with the files as they are now, or be stopped: the way back of a transaction."""
        manager = self._manager(system)
        log = os.path.join(system.memory.directory(), "service-{}.log".format(self.name))
        if not running:
            manager.stop(system, self.timeout, log)
        elif not self._reloaded:
            self._start(system, manager, log, restart=True)
        else:
            self._reload_back(system)

    def _reload_back(self, system):
        """What a reload added stays live until a restart: the record says so, and the service is stale."""
        tried = self._started_with
        self._reload(system)
        now = self._taken(system)
        if set(tried["keys"]) - set(now["keys"]):
            self._record(system, self._process, dict(tried, keys=dict(tried["keys"], **now["keys"])))

    def _systemd_reloads(self, system):
        """Will this make systemd read its configuration anew? Not where it has read what is, and will be, on disk.

        Asked only where that could take a GPU from somebody: a systemd that hangs is no matter of a look.
        """
        if not look.exists(system, "/dev/nvidiactl"):
            return False
        if any(path.startswith("/etc/systemd/") for path in system.foreseen):
            return True
        found = self._manager(system).look(system)
        return bool(found and found.get("reload"))

    # -- staleness

    def _stale(self, system, process, unread):
        """`unread`: systemd has not read the unit as it stands on disk."""
        if staleness.replaced(system, process):
            return True
        record = system.memory.get(SECTION, self.name)
        if record is not None and record["process"] == process:
            return staleness.differs(system, self.files, record["files"])
        if self.live is not None and live.differs(system, process[1], self.live):
            return True
        if any(path in system.foreseen or staleness.written_since(system, path, process) for path in self.files):
            return True
        # Restarted by hand after we died, but without daemon-reload: without the drop-in that we wrote.
        units = [path for path in self.files if path.startswith("/etc/systemd/")] if unread else []
        return any((system.memory.get("written", path) or {}).get("boot") == process[0] for path in units)

    # -- starting

    def _renew(self, system, manager, log):
        """Reload where that is enough and it takes; where containers can outlive the restart, see to it first."""
        level, why = self._need
        if level == impact.RELOAD:
            if self._reload(system):
                return
            if not self.may_restart():
                cause = "{} did not take its new configuration at a signal, and must not be restarted now"
                raise Failed(cause.format(self.name), "look at its log, and restart it when the host is idle")
        elif "live-restore" in why and self._outlived(system, why):
            self._reload(system)  # makes live-restore live, so that the restart leaves the containers alone
        self._start(system, manager, log, restart=True)

    def _outlived(self, system, why):
        from . import containers  # only where something changes

        return self.ready == "docker" and containers.outlive(system, self._process[1], why, self.reload)

    def _reload(self, system):
        """Make the daemon read its file again; does it say, and show, that it did?"""
        from . import reloading

        self._started_with = self._taken(system)
        self._reloaded = True
        system.progress("reloading {}".format(self.name))
        if not reloading.reload(system, self._process[1], self.live or {}):
            return False
        self._record(system, self._process, self._started_with)
        return True

    def _start(self, system, manager, log, restart):
        from . import containers

        self._started_with = self._taken(system)
        self._reloaded = False
        back = containers.expected(system) if self.ready == "docker" and restart else {}
        system.progress("{} {}".format("restarting" if restart else "starting", self.name))
        system.keep(log, b"")
        mark = manager.mark(system)
        try:
            manager.start(system, self.timeout, log, restart)
            self._wait(system, manager)
            containers.wait_for(system, back)
        except Failed as error:
            words = manager.last_words(system, mark).strip()
            cause, fix = explain(words + "\n" + error.output) or (error.cause, error.fix or "look at its log")
            raise Failed("{} does not start: {}".format(self.name, cause), fix, words or error.output) from None
        found = manager.look(system)
        if found is not None and found["pid"] is not None:
            self._record(system, staleness.process(system, found["pid"]), self._started_with)

    def _wait(self, system, manager):
        end = time.monotonic() + self.timeout
        alive = time.monotonic()
        while not self._up(system, manager):
            found = manager.look(system)
            if found is not None and found["running"]:
                alive = time.monotonic()
            if time.monotonic() > alive + GONE:  # an init script is content with having started it
                raise Failed("it has ended at its start", "look at its log")
            if time.monotonic() > end:
                raise Failed("it is not ready within {} s".format(self.timeout), "look at its log")
            time.sleep(0.1)

    def _up(self, system, manager):
        if self.ready == "docker":
            pid = daemon_socket.process(system)
            return pid is not None and daemon_socket.ping(system, pid)
        found = manager.look(system)
        return found is not None and found["running"]


def started_with(system, name, pid, path):
    """Do we know this process to have been started with the file as it stands there now?"""
    record = system.memory.get(SECTION, name)
    if record is None or record["process"] != staleness.process(system, pid):
        return False
    return record["files"].get(path) == staleness.digest(system, path)
