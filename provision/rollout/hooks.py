"""Programs of the operator's own, run here right before and right after a host's session: drain it, reserve it, tell.

The law: argv, never a shell; one JSON object on stdin; bounded in time, and ended with all that it started. A host
whose `before_host` does not say yes is not touched. Where it has said yes, `after_host` runs, whatever became of the
host and even after an interrupt: or a drained host would stay so.
"""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Event as Flag
from typing import IO, Any

from provision.events import BAD, Error, HostFinished, HostStarted, Notice, Outcome, Progress, Sink
from provision.rollout.hosts import Job, not_started, run_host
from provision.run import Run
from provision.transport import Pool

NOT_YET = 75
"""The exit status that leaves a host pending: EX_TEMPFAIL of sysexits.h."""
SLICE = 0.2
"""Seconds between two looks at the cancel flag."""
GRACE = 2.0
"""Seconds from SIGTERM to SIGKILL."""
SHOWN = 16 * 1024
"""Bytes of a hook's output that are looked at."""


@dataclass(frozen=True)
class Hooks:
    """`rollout.before_host` and `after_host`, and the time limit for each, in seconds."""

    before: tuple[str, ...] | None = None
    after: tuple[str, ...] | None = None
    timeout: float = 600.0


@dataclass(frozen=True)
class PlannedChange:
    """What is about to be done to one host: the names of what would change, as the first look found it."""

    wave: int | None
    changes: tuple[str, ...]
    counts: Mapping[str, int]
    impact: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class HookResult:
    """How a hook ended. `status` None: it did not, and was killed; `why` says so."""

    status: int | None
    out: str = ""
    err: str = ""
    why: str = ""

    @property
    def tail(self) -> str:
        return " ".join((self.err.strip() or self.out.strip()).split())[-400:] or "it said nothing"


def run_hooked(  # noqa: PLR0917
    job: Job, run: Run, pool: Pool, sink: Sink, cancel: Flag, hooks: Hooks, planned: PlannedChange
) -> HostFinished:
    """One host between its hooks. Never raises, as `run_host`."""
    name, started = job.target.name, time.monotonic()
    if cancel.is_set():
        return not_started(name)
    sink(HostStarted(name))
    told = {
        "run": run.id,
        "host": name,
        "address": job.target.address,
        "wave": planned.wave,
        "changes": list(planned.changes),
        "impact": planned.impact,
    }
    if hooks.before is not None:
        sink(Progress(name, f"before_host: {hooks.before[0]}"))
        kept = _kept_out(call(hooks.before, told, hooks.timeout, cancel), hooks.before[0])
        if kept is not None:
            outcome, error = kept
            return HostFinished(name, outcome, planned.counts, round(time.monotonic() - started, 3), error)
    result = run_host(job, run, pool, _without_start(sink), cancel)
    if hooks.after is not None:
        sink(Progress(name, f"after_host: {hooks.after[0]}"))
        said = call(hooks.after, {**told, "outcome": str(result.outcome)}, hooks.timeout, None)
        result = _after(result, said, hooks.after[0], sink)
    return replace(result, seconds=round(time.monotonic() - started, 3))


def _without_start(sink: Sink) -> Sink:
    """The host has started already: its hook was the first of it."""

    def passed(event: Any) -> None:
        if not isinstance(event, HostStarted):
            sink(event)

    return passed


def _kept_out(said: HookResult, program: str) -> tuple[Outcome, Error] | None:
    """How the host ends that the hook does not let go on; None where it does."""
    if said.status == 0:
        return None
    if said.status == NOT_YET:
        first = next(iter(said.out.strip().splitlines()), "") or said.tail
        return Outcome.PENDING, Error(f"before_host says not yet: {first[:400]}", "run apply again")
    what = said.why or f"ended with status {said.status}: {said.tail}"
    return Outcome.FAILED, Error(f"before_host: {program} {what}; the host was not touched", "look at that program")


def _after(result: HostFinished, said: HookResult, program: str, sink: Sink) -> HostFinished:
    if said.status == 0:
        return result
    what = said.why or f"ended with status {said.status}: {said.tail}"
    error = Error(
        f"after_host: {program} {what}", "do by hand what it should have done (the host may still be drained)"
    )
    if result.outcome in BAD:  # that has a cause of its own
        sink(Notice(str(error), result.host))
        return result
    return replace(result, outcome=Outcome.FAILED, error=error)


def call(argv: tuple[str, ...], told: Mapping[str, Any], timeout: float, cancel: Flag | None) -> HookResult:
    """Run a hook with `told` on its stdin. Without `cancel` an interrupt does not end it."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(json.dumps(told).encode() + b"\n")
        given.seek(0)
        try:
            # Files and not pipes: what a hook leaves running in the background must not keep us.
            process = subprocess.Popen(argv, stdin=given, stdout=out, stderr=err, start_new_session=True)
        except (OSError, ValueError) as error:
            return HookResult(None, why=f"does not run: {getattr(error, 'strerror', None) or error}")
        why = _waited(process, timeout, cancel)
        return HookResult(None if why else process.returncode, _head(out), _tail(err), why)


def _waited(process: "subprocess.Popen[bytes]", timeout: float, cancel: Flag | None) -> str:
    """Why it was killed, or "" where it ended by itself."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            process.wait(min(SLICE, max(0.01, deadline - time.monotonic())))
            return ""
        except subprocess.TimeoutExpired:
            interrupted = cancel is not None and cancel.is_set()
            if interrupted or time.monotonic() >= deadline:
                _kill(process)
                return "was interrupted" if interrupted else f"did not end within {timeout:g} s"


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """The hook and all that it started and left in its group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)


def _head(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(SHOWN).decode(errors="replace")


def _tail(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - SHOWN))
    return file.read().decode(errors="replace")


__all__ = ["Hooks", "PlannedChange", "run_hooked"]
