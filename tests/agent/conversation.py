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
LIKE_THE_LOADER = "#provision-agent-1\n"
"""By its marker in the command line (provision/loader.py) an agent is told from other processes."""
START = (
    LIKE_THE_LOADER
    + "import json,sys,zlib;p=json.load(open(sys.argv[1]));packed=zlib.compress(p.pop('modules').encode());"
    + "exec(p['boot'],dict(payload=p,packed=packed))"
)


class Agent:
    """A running agent. `extra` replaces or adds modules by name."""

    def __init__(
        self, tmp_path, check=False, facts_only=False, extra=None, run="r1", settle=False, reviewed=None, **told
    ):
        modules = {"agent": ""}
        for path in glob.glob(os.path.join(AGENT, "**", "*.py"), recursive=True):
            name = os.path.relpath(path, AGENT)[:-3].replace(os.sep, ".")
            with open(path, encoding="utf-8") as file:
                modules["agent." + (name[:-9] if name.endswith(".__init__") else name)] = file.read()
        boot = modules.pop("agent.boot")
        for name in ("__init__", "types"):  # the latter does not travel
            modules.pop("agent." + name)
        packages = sorted({name.rpartition(".")[0] for name in modules} - {""})
        modules.update(extra or {})
        state = str(tmp_path / "state")
        options = {"check": check, "facts_only": facts_only, "state": state, "confirm": 0, "confirms": False}
        options.update(run=dict(told, id=run, by="me@here"), settle=settle, reviewed=reviewed)
        digest = hashlib.sha256(json.dumps(modules, sort_keys=True).encode("ascii")).hexdigest()
        payload = tmp_path / "payload-{}.json".format(run)
        told = {
            "boot": boot,
            "modules": "\0".join(text for item in sorted(modules.items()) for text in item),
            "options": options,
            "digest": digest,
            "packages": packages,
        }
        payload.write_text(json.dumps(told))
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

    def plan(self, *stages, **more):
        self.say(dict(more, type="plan", stages=list(stages)))

    def ask(self, question, **arguments):
        """The answer to a question, after hello and up to bye."""
        hello = self.hear()
        assert hello["type"] == "hello", hello
        self.say({"type": "ask", "question": question, "arguments": arguments})
        heard = self.hear_all()
        assert [message["type"] for message in heard] == ["answer", "bye"], heard
        return heard[0]["answer"]

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
    plan = {
        "role": role,
        "replan": False,
        "remove": False,
        "transaction": False,
        "needs": [],
        "resources": list(resources),
    }
    return dict(
        dict(plan, disrupt={"policies": {"docker": ["idle", "docker_daemon.disrupt"]}, "closed": None}), **changes
    )
