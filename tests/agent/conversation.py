"""Talks to a real agent process over pipes, as the controller would."""

import glob
import grp
import hashlib
import json
import os
import pwd
import select
import signal
import subprocess
import sys
import time

from provision.agent import wire

AGENT = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "provision", "agent")
START = "import json,sys;p=json.load(open(sys.argv[1]));exec(compile(p['boot'],'<agent.boot>','exec'),dict(payload=p))"


class Agent:
    """A running agent. `extra` replaces or adds modules by name."""

    def __init__(self, tmp_path, check=False, facts_only=False, extra=None, run="r1", spread=False):
        modules = {"agent": ""}
        for path in glob.glob(os.path.join(AGENT, "*.py")):
            name = os.path.basename(path)[:-3]
            with open(path, encoding="utf-8") as file:
                modules["agent." + name] = file.read()
        boot = modules.pop("agent.boot")
        modules.pop("agent.__init__")
        modules.update(extra or {})
        state = str(tmp_path / "state")
        record = {"id": run, "by": "me@here"}
        if spread:
            record["spread"] = True
        options = {"check": check, "facts_only": facts_only, "run": record, "state": state}
        digest = hashlib.sha256(json.dumps(modules, sort_keys=True).encode("ascii")).hexdigest()
        payload = tmp_path / "payload-{}.json".format(run)
        payload.write_text(json.dumps({"boot": boot, "modules": modules, "options": options, "digest": digest}))
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-c", START, str(payload)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._decoder = wire.Decoder()
        self._waiting = []

    def say(self, message):
        self.process.stdin.write(wire.encode(message))
        self.process.stdin.flush()

    def plan(self, *stages):
        self.say({"type": "plan", "stages": list(stages)})

    def hear(self, limit=30, beats=False):
        """The next message (beats are left out unless asked for), or None at the end."""
        deadline = time.monotonic() + limit
        while True:
            while self._waiting:
                message = self._waiting.pop(0)
                if beats or message["type"] != "beat":
                    return message
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            assert ready, "the agent says nothing"
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return None
            self._waiting += self._decoder.feed(data)

    def hear_all(self):
        messages = []
        while True:
            message = self.hear()
            if message is None:
                return messages
            messages.append(message)

    def hang_up(self):
        self.process.stdin.close()
        self.process.stdout.close()

    def end(self):
        """Leave no process behind."""
        for pipe in (self.process.stdin, self.process.stdout):
            if not pipe.closed:
                pipe.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)


def file(path, content="x\n"):
    """A file resource as it travels."""
    fields = {
        "path": str(path), "content": content, "mode": "0644", "owner": pwd.getpwuid(os.geteuid())[0],
        "group": grp.getgrgid(os.getegid())[0], "sensitive": False, "validate_with": None,
    }  # fmt: skip
    return {"kind": "file", "fields": fields}


def stage(role, *resources, **changes):
    return dict({"role": role, "replan": False, "transaction": False, "resources": list(resources)}, **changes)
