"""The agent's one run: hello, plans, results, bye.

The law: the wire is ours alone. fd 1 is moved away before anything else runs, so that a stray print cannot corrupt a
frame. End of input means that nobody listens any more: the resource in hand is brought to its end, what happened is
recorded on the host, and we go. A beat every 5 s says which step we are in.
"""

import os
import select
import signal
import sys
import threading
import time
import zlib

try:
    from _queue import SimpleQueue
except ImportError:  # Python 3.6
    from queue import Queue as SimpleQueue

from . import facts, kinds, wire
from .lock import Lock
from .resource import CHANGED, FAILED, FIXES, OK, WOULD_CHANGE, Failed, Unknown, converge, os_error
from .system import ReadOnly, System

BEAT = 5.0
GOOD = (OK, CHANGED, WOULD_CHANGE)


class Cancelled(Exception):
    """The controller is gone, or told us to stop."""


class Line:
    """The wire's two ends. One thread reads and beats, the main thread works."""

    def __init__(self, reader, writer, beat=BEAT):
        self._reader = reader
        self._writer = writer
        self._beat = beat
        self._lock = threading.Lock()
        self._messages = SimpleQueue()
        self._step = None
        self.cancelled = False
        self.on_end = lambda: None  # called when the controller is gone

    def start(self):
        threading.Thread(target=self._pump, daemon=True).start()

    def send(self, message):
        data = wire.encode(message)
        with self._lock:
            try:
                while data:
                    data = data[os.write(self._writer, data) :]
            except OSError:
                self.cancelled = True

    def next(self):
        """The next message from the controller; Cancelled when there will be none."""
        message = self._messages.get()
        if message is None or message["type"] == "cancel":
            raise Cancelled()
        return message

    def step(self, text):
        """What is being done from now on, for the beat."""
        self._step = (text, time.monotonic())

    def progress(self, text):
        """What the present step waits for: sent at once, so that a person sees it."""
        step, since = self._step or ("", time.monotonic())
        self._step = (step, since)
        self._send_beat(text)

    def _send_beat(self, text=""):
        step, since = self._step or ("", time.monotonic())
        self.send({"type": "beat", "step": step, "seconds": round(time.monotonic() - since, 1), "text": text})

    def _pump(self):
        try:
            self._read_and_beat(wire.Decoder())
        finally:
            self.cancelled = True
            self._messages.put(None)
            self.on_end()

    def _read_and_beat(self, decoder):
        while True:
            ready, _, _ = select.select([self._reader], [], [], self._beat)
            if not ready:
                self._send_beat()
                continue
            data = os.read(self._reader, 65536)
            if not data:
                return
            for message in decoder.feed(data):
                self.cancelled = self.cancelled or message["type"] == "cancel"
                self._messages.put(message)


def start(options, sources):
    """Called by the loader. Never returns an error to the shell: it goes over the wire."""
    line = Line(0, _own_the_wire())
    line.start()
    try:
        _run(line, options, sources)
    except Cancelled:
        pass
    except Failed as error:
        line.send({"type": "refused", "cause": error.cause, "fix": error.fix})
    except OSError as error:  # in our own state directory: no resource is in hand
        if error.errno not in FIXES:
            _crash(line)
        else:
            found = os_error(error)
            line.send({"type": "refused", "cause": found["cause"], "fix": found["fix"]})
    except Exception:  # a bug of ours: the controller shows it, with our source lines
        _crash(line)
    os._exit(0)  # children and threads that hang in the kernel must not keep us


def _crash(line):
    from .trace import formatted

    line.send({"type": "crash", "trace": formatted()})


def _own_the_wire():
    writer = os.dup(1)
    os.set_inheritable(writer, False)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    for number in (signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o022)
    sys.stdout = sys.stderr = open(os.devnull, "w")
    return writer


def _run(line, options, sources):
    facts_only = options["facts_only"]
    if os.geteuid() != 0 and not facts_only:
        raise Failed("not root on this host", "set ansible_become: true, or ansible_user: root")
    kind = ReadOnly if options["check"] or facts_only else System
    system = kind(options["state"])
    system.progress = line.progress
    line.step("facts")
    lock = None
    if system.writable:
        lock = Lock(system, options["run"])
        lock.take(line)
        line.on_end = lock.orphan
    try:
        story = _interrupted(system, lock)
        line.send({"type": "hello", "protocol": 1, "facts": facts.gather(system), "interrupted": story})
        plan = line.next()
        if plan.get("modules"):
            _take_modules(system, plan)
        if plan["type"] == "nvml":
            line.step("NVML")
            line.send({"type": "replan", "stage": 0, "facts": _facts_with_nvml(system)})
            plan = line.next()
        if plan["type"] == "plan":
            Run(line, system, plan, options).execute()
        line.send({"type": "bye"})
        if system.writable:
            _keep_code(system, sources)  # after the bye: nobody waits for it
    finally:
        if lock is not None:
            lock.release()


def _keep_code(system, sources):
    code = sources.to_keep()
    if code is not None:
        system.memory.directory()
        system.keep(sources.path, code)


def _take_modules(system, plan):
    """Keep the modules that came with a plan: those that a child of ours will run."""
    from base64 import b64decode  # only where modules come

    for name, packed in plan["modules"].items():
        system.modules[name] = zlib.decompress(b64decode(packed)).decode("utf-8")


def _facts_with_nvml(system):
    from . import nvml  # only where somebody wants the facts of a host with a driver

    found = facts.gather(system)
    try:
        found["nvidia"]["nvml"] = nvml.ask(system)
    except Unknown as error:
        found["nvidia"]["nvml"] = {"error": {"text": str(error)}}
    return found


def _interrupted(system, lock):
    """The record of a run that nobody heard the end of, or None. One that was killed left its name in the lock."""
    if lock is not None and lock.left:
        return {"run": lock.left, "role": None, "step": None, "error": None}
    return system.memory.get("runs", "interrupted")


class Run:
    """The stages of a plan, one after the other, until something fails."""

    def __init__(self, line, system, plan, options):
        self._line = line
        self._system = system
        self._options = options
        self._check = options["check"]
        self._stages = plan["stages"]
        self._changed = False
        self._last = None  # what the next run is told of, if nobody hears the end of this one

    def execute(self):
        try:
            self._converge()
        except Cancelled:
            if self._last is not None and not self._check:
                self._system.memory.put("runs", "interrupted", self._last)
            raise
        if not self._check:
            self._system.memory.put("runs", "interrupted", None)

    def _converge(self):
        index = 0
        while index < len(self._stages):
            if self._stages[index]["replan"] or self._changed:
                self._replan(index)
                if index >= len(self._stages):
                    break
            if not self._stage(index, self._stages[index]):
                break
            index += 1
        self._stop_if_cancelled()

    def _replan(self, index):
        """The facts have changed, or were not enough: ask for the rest of the plan anew."""
        self._line.step("facts")
        self._line.send({"type": "replan", "stage": index, "facts": facts.gather(self._system)})
        plan = self._line.next()
        if plan.get("modules"):
            _take_modules(self._system, plan)
        self._stages[index:] = plan["stages"]
        self._changed = False

    def _stage(self, number, stage):
        for position, item in enumerate(self._items(stage)):
            resource = kinds.make(item["kind"], item["fields"])
            name = "{} {}".format(item["kind"], resource.identity())
            self._stop_if_cancelled()
            self._last = {"run": self._options["run"], "role": stage["role"], "step": name, "error": None}
            self._line.step("{}: {}".format(stage["role"], name))
            started = {"stage": number, "position": position, "kind": item["kind"], "name": resource.identity()}
            self._line.send(dict(started, type="started", role=stage["role"]))
            result = converge(resource, self._system, self._check)
            self._settle(resource, result)
            self._line.send(dict(result, type="result", role=stage["role"], **started))
            if result["outcome"] not in GOOD:
                self._last["error"] = result["error"]
                return False
            self._changed = self._changed or result["outcome"] == CHANGED
            self._remember(stage["role"], [item], self._asked(stage["role"]))
        self._remember(stage["role"], stage["resources"], {})
        return True

    def _settle(self, resource, result):
        if result["outcome"] not in (OK, CHANGED) or self._check:
            return
        try:
            resource.settled(self._system)
        except (Failed, OSError) as error:
            result["outcome"] = FAILED
            result["error"] = {"cause": str(error), "fix": "", "output": "", "trace": ""}

    def _stop_if_cancelled(self):
        if self._line.cancelled:
            raise Cancelled()

    def _items(self, stage):
        """The stage's resources, and what undoes those of last time: before a service, which must not run with it."""
        items = stage["resources"]
        first = next((n for n, item in enumerate(items) if item["kind"] == "service"), len(items))
        return items[:first] + self._dropped(stage) + items[first:]

    def _dropped(self, stage):
        """Resources that undo what this role asked for last time and does not ask for now."""
        asked = {_key(item) for item in stage["resources"]}
        return [record for key, record in sorted(self._asked(stage["role"]).items()) if key not in asked]

    def _asked(self, role):
        return dict(self._system.memory.get("asked", role) or {})

    def _remember(self, role, items, record):
        """Keep what was asked beside `record`: at once for each that is done, since the next one may end the run."""
        if self._check:
            return
        for item in items:
            undo = kinds.make(item["kind"], item["fields"]).when_dropped()
            if undo is not None:
                record[_key(item)] = {"kind": undo[0], "fields": undo[1]}
        self._system.memory.put("asked", role, record or None)


def _key(item):
    return "{} {}".format(item["kind"], kinds.make(item["kind"], item["fields"]).identity())
