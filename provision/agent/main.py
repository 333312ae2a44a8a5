"""The agent's one run: hello, plans, results, bye.

The law: the wire is ours alone. fd 1 is moved away before anything else runs, so that a stray print cannot corrupt a
frame. No error reaches the shell: all that goes wrong goes over the wire.
"""

import _signal as signal
import os
import sys

from . import facts
from .line import Cancelled, Line
from .lock import Lock
from .resource import FIXES, Failed, Unknown, os_error
from .run import Run, take_modules
from .system import ReadOnly, System


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
            take_modules(system, plan)
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
