"""A host with one service in a change: a fake of the service and of the line to the controller, all else real."""

import json
import os

from provision.agent.engine import impact
from provision.agent.engine.resource import Resource
from provision.agent.host.errors import Failed
from provision.agent.host.system import System
from provision.agent.rollback.transaction import Transaction
from provision.agent.run.link import Cancelled
from provision.agent.run.run import PlanRun

from .conversation import file, stage


class FakeService(Resource):
    """Runs with what stands in its file when it was started; the word `bad` in there stops it at its start."""

    fields = ("name", "path")
    kind = "service"
    starts = True
    world = None

    def identity(self):
        return self.name

    def desired(self):
        return {"running": True, "stale": False}

    def actual(self, system):
        text = system.foreseen[self.path].decode() if self.path in system.foreseen else system.text(self.path)
        runs = self.world["runs_with"]
        return {"running": runs is not None, "stale": runs is not None and runs != text}

    def impact(self, system, diff):
        return impact.impact(impact.RESTART, ["file"])

    def cuts(self, diff):
        return True

    def apply(self, system, diff):
        self.world["starts"].append(system.text(self.path))
        self.world["runs_with"] = None
        if "bad" in (system.text(self.path) or ""):
            raise Failed("docker does not start: bad", "correct it", "the daemon's last words")
        self.world["runs_with"] = system.text(self.path)

    def go_back(self, system, running):
        if running:
            self.apply(system, {})
        else:
            self.world["runs_with"] = None


class FakeLine:
    """The controller's end: `reach` is what it does when the host asks for a new connection."""

    def __init__(self):
        self.sent = []
        self.cancelled = False
        self.reach = lambda: None

    def step(self, text):
        """Not looked at."""

    def progress(self, text):
        """Not looked at."""

    def send(self, message):
        self.sent.append(message)
        if message["type"] == "confirm":
            self.reach()

    def results(self):
        return [(message["kind"], message["outcome"]) for message in self.sent if message["type"] == "result"]


class Sources:
    def packed(self, options):
        return json.dumps(options).encode()


class Lab:
    """A state directory, a configuration file, a fake service."""

    def __init__(self, path):
        self.path = path
        self.config = path / "daemon.json"
        self.other = path / "drop-in"
        self.world = {"runs_with": None, "starts": []}
        self.system = System(state=str(path / "state"))
        self.system.sources = Sources()
        self.link = FakeLine()

    def runs_with(self, text):
        self.config.write_text(text)
        self.world["runs_with"] = text

    def run(self, *resources, check=False, confirm=0, **changes):
        self.link.sent = []
        self.link.cancelled = False
        service = {"kind": "service", "fields": {"name": "docker", "path": str(self.config)}}
        plan = stage("docker_daemon", *resources, service, transaction=True, **changes)
        options = {"check": check, "settle": False, "confirm": confirm, "run": {"id": "r1", "by": "me@here"}}
        try:
            PlanRun(self.link, self.system, {"stages": [plan]}, options).execute()
        except Cancelled:
            pass
        return [message for message in self.link.sent if message["type"] == "result"][-1]

    def journal(self):
        return Transaction.left(self.system)

    def left_behind(self):
        return sorted(name for name in os.listdir(self.system.state) if name not in ("state.json", "history.jsonl"))


def at(path, content):
    return file(path, content)
