"""The agent's one run: hello, plans, results, bye.

The law: the wire is ours alone. fd 1 is moved away before anything else runs, so that a stray print cannot corrupt a
frame. No error reaches the shell: all that goes wrong goes over the wire.
"""

import _signal as signal  # type: ignore[import-not-found]
import os
import sys

from . import protocol
from .facts import gather
from .host.errors import FIXES, Failed, Unknown, os_error
from .host.lock import Lock
from .host.system import ReadOnly, System
from .rollback import state_check
from .run import history
from .run.link import Cancelled, ControllerLink
from .run.run import PlanRun, review_again, take_modules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .types import Ask, Options

ENDED = "this run was ended on the host itself, by `unlock` or SIGTERM; its step in hand was brought to its end"


def start(options: "Options", sources: "Any") -> None:
    """Called by the loader. Never returns an error to the shell: it goes over the wire."""
    link = ControllerLink(0, _own_the_wire(), state=protocol.BYE if options["confirms"] else protocol.START)
    signal.signal(signal.SIGTERM, lambda number, frame: link.stop())
    link.start()
    try:
        _run(link, options, sources)
    except Cancelled:
        if link.stopped:
            link.send({"type": "refused", "cause": ENDED, "fix": "ask who did, then run again"})
        elif link.broken:
            link.send({"type": "refused", "cause": link.broken, "fix": "this is a bug of provision: please report it"})
    except Failed as error:
        link.send({"type": "refused", "cause": error.cause, "fix": error.fix})
    except OSError as error:  # in our own state directory: no resource is in hand
        if error.errno not in FIXES:
            _crash(link)
        else:
            found = os_error(error)
            link.send({"type": "refused", "cause": found["cause"], "fix": found["fix"]})
    except Exception:  # a bug of ours: the controller shows it, with our source lines
        _crash(link)
    os._exit(0)  # children and threads that hang in the kernel must not keep us


def _crash(link: ControllerLink) -> None:
    from .host.tracebacks import formatted

    link.send({"type": "crash", "trace": formatted()})


def _own_the_wire() -> int:
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


def _run(link: ControllerLink, options: "Options", sources: "Any") -> None:
    facts_only = options["facts_only"]
    if os.geteuid() != 0 and not facts_only:
        raise Failed("not root on this host", "set ansible_become: true, or ansible_user: root")
    kind = ReadOnly if options["check"] or facts_only else System
    system = kind(options["state"])
    system.sources = sources
    system.progress = link.progress
    link.step("facts")
    if os.geteuid() == 0:  # others cannot read what is in it, and are only told facts
        state_check.check(system)
        if not facts_only:
            state_check.check_journal(system)
    if options["confirms"]:
        from .rollback.confirmed import confirm

        confirm(system, options["run"])
        link.send({"type": "bye"})
        return
    locks: "list[Lock]" = []
    settle = options["settle"]
    if system.writable or (settle and system.stat(system.state) is not None):
        locks.append(_locked(link, system, options))
    if system.writable:
        state_check.close_undone(system)
    if settle:
        system.state_file.wait()
    try:
        story = _interrupted(system, locks)
        hello = {"type": "hello", "protocol": 1, "facts": gather.gather(system), "interrupted": story}
        link.send(dict(hello, earlier=history.of(system, options["run"]) if locks else None))
        writer = _serve(link, system, options, locks)
        link.send({"type": "bye"})
        if writer is not None:
            _keep_code(writer, sources)  # after the bye: nobody waits for it
    finally:
        for lock in locks:
            lock.release()


def _serve(link: ControllerLink, system: System, options: "Options", locks: "list[Lock]") -> "System | None":
    """What the controller asks for after hello; returns the System that may write now, or None."""
    plan = link.next()
    if plan.get("modules"):
        take_modules(system, plan)
    if plan["type"] == "nvml":
        link.step("NVML")
        link.send({"type": "replan", "stage": 0, "facts": _facts_with_nvml(system)})
        plan = link.next()
    if plan["type"] == "ask":
        link.step(plan["question"])
        link.send({"type": "answer", "answer": _answer(system, plan)})
    if plan["type"] != "plan":
        return system if system.writable else None
    if plan.get("bundle"):
        from .host.parcels import Parcels  # only where there is one

        system.bundle = Parcels(link, plan["bundle"], Cancelled)
    if options.get("reviewed") and not options["check"]:
        reader = ReadOnly(options["state"])
        reader.bundle = system.bundle
        reader.sources, reader.modules, reader.progress = system.sources, system.modules, system.progress
        review_again(link, reader, plan, options)
    writer = System(options["state"]) if options["settle"] else system
    run = PlanRun(link, system, plan, options, writer)
    run.execute()
    if options["settle"] and run.in_sync:  # this look at the host was all of its run
        if not locks:
            locks.append(_locked(link, writer, options))
        system.state_file.commit(writer)
        run.settle(writer)
        return _unless_left(writer, run)
    return _unless_left(system, run) if system.writable else None


def _unless_left(system: System, run: PlanRun) -> "System | None":
    """The System that may write, or None where the last role was removed and nothing is to be kept."""
    if run.removes:
        from .run.leaving import leave

        if leave(system):
            return None
    return system


def _locked(link: ControllerLink, system: System, options: "Options") -> Lock:
    lock = Lock(system, options["run"])
    lock.take(link)
    link.on_end = lock.orphan
    if link.ended:  # before that: nobody has called it
        lock.orphan()
    return lock


def _keep_code(system: System, sources: "Any") -> None:
    code = sources.to_keep()
    if code is not None:
        system.state_file.directory()
        system.keep(sources.path, code)


def _answer(system: System, asked: "Ask") -> "dict[str, Any]":
    from .questions import ask  # only where something is asked

    return ask.answer(system, asked["question"], asked["arguments"])


def _facts_with_nvml(system: System) -> "dict[str, Any]":
    from .gpu import nvml  # only where somebody wants the facts of a host with a driver

    found = gather.gather(system)
    try:
        found["nvidia"]["nvml"] = nvml.ask(system)
    except Unknown as error:
        found["nvidia"]["nvml"] = {"error": {"text": str(error)}}
    return found


def _interrupted(system: System, locks: "list[Lock]") -> "dict[str, Any] | None":
    """The record of a run that nobody heard the end of, or None. One that was killed left its name in the lock."""
    if os.geteuid() != 0:  # facts need no root, and what we remember is root's alone to read
        return None
    undone = system.state_file.get("runs", "undone")
    if undone is not None:
        if locks:  # told once, to a run that may write or that has nothing to write
            system.state_file.put("runs", "undone", None)
        told = {"undone": undone.get("text"), "left": undone.get("left", False)}
        return dict(told, run=undone.get("run"), role=None, step=None, error=None)
    if locks and locks[0].left:
        return {"run": locks[0].left, "role": None, "step": None, "error": None}
    interrupted: "dict[str, Any] | None" = system.state_file.get("runs", "interrupted")
    return interrupted
