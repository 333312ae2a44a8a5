"""Hosts by an executor: each host one session, each session's events to one sink.

The law: one host's failure is that host's; it never ends another's session. Everything that goes to the sink is
masked first. A rollout ends when every host has, or when it is cancelled: then hosts in flight bring their step to its
end, and the rest are not started.
"""

import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, fields, replace
from threading import Event as Flag
from threading import Lock
from typing import Any

from provision import bootstrap
from provision.errors import HostError, ProvisionError, Unreachable
from provision.events import (
    Error,
    Event,
    HostFinished,
    HostStarted,
    Notice,
    Outcome,
    Progress,
    ResourceDone,
    RoleSkipped,
    RunStarted,
    Sink,
    Summary,
    worst,
)
from provision.facts import Facts
from provision.plan import RefusedByRole, Stage, plan
from provision.role import Role, Settings
from provision.secrets import Mask, Secret
from provision.session import NoPython, Run, Session
from provision.target import Target
from provision.transport import Pool


@dataclass(frozen=True)
class Job:
    """One host's part of a run: how to reach it, and what it is asked to have."""

    target: Target
    roles: Sequence[Role]
    settings: Mapping[str, Settings]
    in_run: Sequence[str] | None = None

    def stages(self, facts: Facts) -> Sequence[Stage]:
        return plan(self.roles, self.settings, facts, self.in_run)

    def apt_configuration(self) -> Secret | None:
        """What the host's roles, in this run or not, say of apt for the time before the host has python."""
        hooks = [(role.apt_configuration, self.settings[role.name]) for role in self.roles]
        texts = [text.reveal() for hook, settings in hooks if hook and (text := hook(settings))]
        return Secret("".join(texts)) if texts else None


@dataclass
class _Tally:
    """Passes events on, and counts what the host's summary needs."""

    sink: Sink
    outcomes: list[Outcome] = field(default_factory=list)
    error: Error | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, ResourceDone | RoleSkipped):
            self.outcomes.append(event.outcome)
        if isinstance(event, ResourceDone) and event.error is not None:
            self.error = replace(event.error, cause=f"{event.role}: {event.kind} {event.name}: {event.error.cause}")
        self.sink(event)


def run_host(job: Job, run: Run, pool: Pool, sink: Sink, cancel: Flag) -> HostFinished:
    """One host from connecting to its end. Never raises: what goes wrong is in the result."""
    name, started = job.target.name, time.monotonic()
    tally = _Tally(sink)
    if cancel.is_set():
        return _finished(name, tally, started, Outcome.NOT_STARTED, sink)
    sink(HostStarted(name))
    outcome: Outcome | None = None
    try:
        _hold_session(job, run, pool, tally, cancel)
    except RefusedByRole as error:
        outcome = Outcome.FAILED
        tally.error = Error(f"{error.role}: {error.cause}", error.fix)
        sink(RoleSkipped(name, error.role, outcome, error.cause, error.fix))
    except HostError as error:
        outcome = Outcome.UNREACHABLE if isinstance(error, Unreachable) else Outcome.FAILED
        tally.error = Error(error.cause, error.fix)
    except ProvisionError as error:
        outcome, tally.error = Outcome.FAILED, Error(str(error), "this is a bug of provision: please report it")
    except Exception as error:  # a bug of ours on one host must not end the others
        outcome = Outcome.FAILED
        cause = f"{type(error).__name__}: {error}"
        tally.error = Error(cause, "this is a bug of provision: please report it", trace=traceback.format_exc())
    return _finished(name, tally, started, outcome, sink)


def _finished(name: str, tally: _Tally, started: float, outcome: Outcome | None, sink: Sink) -> HostFinished:
    ended = outcome if outcome is not None else worst(tally.outcomes)
    counts = Counter(str(item) for item in tally.outcomes)
    result = HostFinished(name, ended, dict(counts), round(time.monotonic() - started, 3), tally.error)
    sink(result)
    return result


def _hold_session(job: Job, run: Run, pool: Pool, sink: Sink, cancel: Flag) -> None:
    connection = pool.connect(job.target)
    try:
        planner = None if run.facts_only else job.stages
        try:
            Session(job.target, connection, planner, run, sink, cancel).execute()
        except NoPython as error:
            if run.facts_only:
                raise
            _install_python(job, run, connection, sink, error)
            if not run.check:
                Session(job.target, connection, planner, run, sink, cancel).execute()
    finally:
        connection.close()


def _install_python(job: Job, run: Run, connection: Any, sink: Sink, error: NoPython) -> None:
    """Stage 0. In check mode it is reported, and so is all that cannot be looked at without python."""
    name = job.target.name
    diff = ({"key": "python3", "before": error.cause, "after": "installed", "text": None},)
    if run.check:
        sink(ResourceDone(name, "bootstrap", "packages", "python3", Outcome.WOULD_CHANGE, diff))
        for role in job.roles:
            if job.in_run is None or role.name in job.in_run:
                note = "known after python3 is there"
                sink(ResourceDone(name, role.name, "role", role.name, Outcome.WOULD_CHANGE, note=note))
        return
    sink(Progress(name, "bootstrap: packages python3"))
    started = time.monotonic()
    bootstrap.install_python(connection, job.target, job.apt_configuration())
    seconds = round(time.monotonic() - started, 3)
    sink(ResourceDone(name, "bootstrap", "packages", "python3", Outcome.CHANGED, diff, seconds=seconds))


class Rollout:
    """All hosts of one run. `cancel()` may be called from any thread or signal handler."""

    def __init__(  # noqa: PLR0917
        self, run: Run, verb: str, jobs: Sequence[Job], sink: Sink, mask: Mask, forks: int = 32
    ) -> None:
        self._run = run
        self._verb = verb
        self._jobs = jobs
        self._forks = max(1, min(forks, len(jobs)))
        self._lock = Lock()
        self._sink = _masked(sink, mask, self._lock)
        self._cancel = Flag()

    def cancel(self) -> None:
        """Start no more hosts, and tell those in flight to end their step."""
        self._cancel.set()

    @property
    def sink(self) -> Sink:
        """The masked sink, for notices that come from outside a session (an added host key)."""
        return self._sink

    def execute(self, pool: Pool, executor: Callable[[int], Executor] = ThreadPoolExecutor) -> Summary:
        """Run all hosts; return the summary, which has been sent as the last event too."""
        names = tuple(job.target.name for job in self._jobs)
        self._sink(RunStarted(self._run.id, self._verb, names, self._run.check))
        with executor(self._forks) as workers:
            futures: list[Future[HostFinished]] = [
                workers.submit(run_host, job, self._run, pool, self._sink, self._cancel) for job in self._jobs
            ]
            # Waiting in slices lets the main thread take signals between them.
            while wait(futures, timeout=0.2).not_done:
                pass
        results = {name: future.result() for name, future in zip(names, futures, strict=True)}
        summary = Summary(self._run.id, worst([result.outcome for result in results.values()]), results)
        self._sink(summary)
        return summary


def _masked(sink: Sink, mask: Mask, lock: Lock) -> Sink:
    """One event at a time, and no known secret in any of its texts."""

    def masked(event: Event) -> None:
        clean = _clean(event, mask) if mask else event
        with lock:
            sink(clean)

    return masked


def _clean(value: Any, mask: Mask) -> Any:
    if isinstance(value, Event | Error):
        return replace(value, **{item.name: _clean(getattr(value, item.name), mask) for item in fields(value)})
    if isinstance(value, Outcome) or not isinstance(value, str | dict | list | tuple):
        return value
    if isinstance(value, dict):
        return {key: _clean(item, mask) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_clean(item, mask) for item in value)
    return mask.text(value)


__all__ = ["Job", "Notice", "Rollout", "run_host"]
