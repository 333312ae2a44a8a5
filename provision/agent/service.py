"""A service: does it start at boot, does it run, does it run what is on disk?

The law (6): triggers are state. At each proven start we record what the process was started with: {boot id, PID, start
ticks, digest of each file it reads}. It is stale when the files differ from the record of *this* process. Without a
record, what is live decides, and then whether we wrote a file after the process began, in a clock that nobody sets.
"""

import json
import os
import time

from . import docker_live, docker_socket, look
from .docker_failures import explain
from .resource import Failed, Resource
from .systemd import Systemd
from .sysv import Sysv

SECTION = "services"
TICKS = os.sysconf("SC_CLK_TCK")


class Service(Resource):
    fields = ("name", "enabled", "running", "files", "also", "live", "ready", "timeout")

    def __init__(self, **values):
        Resource.__init__(self, **values)
        self._started_with = None
        self._process = None

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
        self._process = _process(system, found["pid"]) if found["running"] else None
        if self.running and self._process is not None:
            state["stale"] = self._stale(system, self._process, found.get("reload", False))
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
        elif "running" in diff or "stale" in diff:
            self._start(system, manager, log, restart="running" not in diff)

    def note(self, diff):
        if diff.get("stale", (False,))[0]:
            return "restarts {}: it does not run what is on disk".format(self.name)
        return ""

    def settled(self, system):
        """Keep what this process was started with; a process that was just proven fresh runs what is on disk."""
        if self._process is None:
            return
        files = self._started_with or self._digests(system)
        before = system.memory.get(SECTION, self.name) or {}
        if before.get("process") == self._process and self._started_with is None:
            files = dict(before["files"], **files)
        self._record(system, self._process, files)

    def _record(self, system, process, files):
        if process is not None:
            system.memory.put(SECTION, self.name, {"process": process, "files": files})

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
            or _process(system, record["process"][1]) != record["process"]
        ):
            return None
        return manager.glance(system, record["process"][1])

    def go_back(self, system, running):
        """Run again with the files as they are now, or be stopped: the way back of a transaction."""
        manager = self._manager(system)
        log = os.path.join(system.memory.directory(), "service-{}.log".format(self.name))
        if running:
            self._start(system, manager, log, restart=True)
        else:
            manager.stop(system, self.timeout, log)

    # -- staleness

    def _stale(self, system, process, unread):
        """`unread`: systemd has not read the unit as it stands on disk."""
        if (system.link("/proc/{}/exe".format(process[1])) or "").endswith(" (deleted)"):
            return True  # its program was replaced by an upgrade
        record = system.memory.get(SECTION, self.name)
        if record is not None and record["process"] == process:
            return self._differs(system, record["files"])
        if self.live is not None and docker_live.differs(system, process[1], self.live):
            return True
        if any(path in system.foreseen or _written_since(system, path, process) for path in self.files):
            return True
        # Restarted by hand after we died, but without daemon-reload: without the drop-in that we wrote.
        units = [path for path in self.files if path.startswith("/etc/systemd/")] if unread else []
        return any((system.memory.get("written", path) or {}).get("boot") == process[0] for path in units)

    def _differs(self, system, recorded):
        now = self._digests(system)
        for path in sorted(set(now) | set(recorded)):
            before = recorded.get(path)
            if before is None:
                # Not looked at when the process began: a drop-in is new, any other file is new to us only.
                if os.path.dirname(path).endswith(".d") and now[path] != "absent":
                    return True
            elif (now[path] if path in now else _digest(system, path)) != before:
                return True
        return False

    def _digests(self, system):
        return {path: _digest(system, path) for path in self.files}

    # -- starting

    def _start(self, system, manager, log, restart):
        self._started_with = self._digests(system)
        system.progress("{} {}".format("restarting" if restart else "starting", self.name))
        system.keep(log, b"")
        mark = manager.mark(system)
        try:
            manager.start(system, self.timeout, log, restart)
            self._wait(system, manager)
        except Failed as error:
            words = manager.last_words(system, mark).strip()
            cause, fix = explain(words + "\n" + error.output) or (error.cause, error.fix or "look at its log")
            raise Failed("{} does not start: {}".format(self.name, cause), fix, words or error.output) from None
        found = manager.look(system)
        if found is not None and found["pid"] is not None:
            self._record(system, _process(system, found["pid"]), self._started_with)

    def _wait(self, system, manager):
        end = time.monotonic() + self.timeout
        while not self._up(system, manager):
            if time.monotonic() > end:
                raise Failed("it is not ready within {} s".format(self.timeout), "look at its log")
            time.sleep(0.1)

    def _up(self, system, manager):
        if self.ready == "docker":
            pid = docker_socket.process(system)
            return pid is not None and docker_socket.ping(system, pid)
        found = manager.look(system)
        return found is not None and found["running"]


def started_with(system, name, pid, path):
    """Do we know this process to have been started with the file as it stands there now?"""
    record = system.memory.get(SECTION, name)
    if record is None or record["process"] != _process(system, pid):
        return False
    return record["files"].get(path) == _digest(system, path)


def _process(system, pid):
    """[boot id, PID, start ticks]: no other process of any time has the same."""
    text = look.text(system, "/proc/{}/stat".format(pid))
    if text is None:
        return None
    return [system.boot_id(), pid, int(text.rpartition(")")[2].split()[19])]


def _digest(system, path):
    """A file's digest, or "absent". JSON counts by its meaning: another tool's indentation is no reason to restart."""
    data = system.foreseen[path] if path in system.foreseen else system.read(path)
    if path.endswith(".json"):
        try:
            document = json.loads(data.decode("utf-8")) if data and data.strip() else {}
            data = json.dumps(document, sort_keys=True).encode("ascii")
        except (ValueError, RecursionError):
            pass  # what is no JSON counts byte by byte
    return system.memory.digest(data)


def _written_since(system, path, process):
    """Was this file of ours written after the process began: by us, in a clock that nobody sets, or by anybody else?

    The second is told by the file's own time, which a set clock can spoil, and so only where we know no better: a file
    that was another one when somebody restarted the service by hand, and was put back since, has our contents again.
    """
    record = system.memory.get("written", path)
    if record is None:
        return False
    changed = system.changed_at(path)
    if changed is not None and changed > process[2] / TICKS + 1:
        return True
    if record["boot"] != process[0]:
        return False
    if record["uptime"] is None:  # we died in the write: it counts when it came about
        return record["digest"] == system.memory.digest(system.read(path))
    return record["uptime"] > process[2] / TICKS
