"""One host's part of a run: from connecting to its end.

The law: `run_host` never raises, because one host's failure is that host's; and what it takes and gives can be pickled
(but for the pool, the sink and the flag, which each executor brings), so that a rollout may use any executor.
"""

import time
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event as Flag
from typing import Any

from provision import bootstrap, preflight
from provision.errors import HostError, ProtocolError, ProvisionError, Refused, RoleFault, Unreachable
from provision.events import (
    Answered,
    Error,
    Event,
    HostFacts,
    HostFinished,
    HostStarted,
    Outcome,
    Preflight,
    Progress,
    ResourceDone,
    RoleSkipped,
    Sink,
    worst,
)
from provision.facts import Facts
from provision.login import NoPython
from provision.plan import RefusedByRole, Removal, Stage, plan, removal
from provision.questions import Question
from provision.role import Role, Settings, installing, of_daemon
from provision.run import Reviewed, Run
from provision.secrets import Secret
from provision.session import Session
from provision.target import Target
from provision.transport import Pool


@dataclass(frozen=True)
class Job:
    """One host's part of a run: how to reach it, and what it is asked to have."""

    target: Target
    roles: Sequence[Role]
    settings: Mapping[str, Settings]
    in_run: Sequence[str] | None = None
    templates: Sequence[Path] = ()
    """Folders of templates that win over the shipped one."""
    question: Question | None = None
    """Asked in place of sending a plan; goes with a run of `facts_only`."""
    reviewed: Reviewed | None = None
    """The host does what was reviewed, or nothing; or its digests are wanted for a review."""
    removed: Removal | None = None
    """What to take from the host; then `roles` are those that stay and have a say in the Docker daemon."""
    refused: str = ""
    """Why nothing may be done on this host: it is not even connected to."""

    @property
    def candidate(self) -> preflight.Candidate:
        """What the preflight has to know, as far as settings are known here: workers know more."""
        if self.removed:
            return preflight.Candidate(self.target.name, [], None, installs=False)
        here = [role for role in self.roles if self.in_run is None or role.name in self.in_run]
        here = [role for role in here if role.name in self.settings]
        owner = of_daemon(here)
        settings = self.settings[owner.name] if owner is not None else None
        names = [role.name for role in here]
        return preflight.Candidate(self.target.name, names, settings, installing(here) is not None)

    def stages(self, facts: Facts) -> Sequence[Stage]:
        if self.removed:
            return removal(self.removed, self.roles, self.settings, facts, self.templates)
        return plan(self.roles, self.settings, facts, self.in_run, self.templates)

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
    rolled_back: bool = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, ResourceDone | RoleSkipped | Answered):
            self.outcomes.append(event.outcome)
        if isinstance(event, ResourceDone) and event.error is not None:
            self.error = replace(event.error, cause=f"{event.role}: {event.kind} {event.name}: {event.error.cause}")
        if isinstance(event, ResourceDone) and event.rolled_back:
            self.rolled_back = True
        self.sink(event)


def run_host(job: Job, run: Run, pool: Pool, sink: Sink, cancel: Flag) -> HostFinished:
    """One host from connecting to its end. Never raises: what goes wrong is in the result, which is returned and not
    sent: what it means is for the rollout to say."""
    name, started = job.target.name, time.monotonic()
    tally = _Tally(sink)
    if cancel.is_set():
        return not_started(name)
    sink(HostStarted(name))
    if run.preflight is not None:
        run = replace(run, preflight=preflight.wanted(job.candidate.daemon))
    outcome: Outcome | None = None
    try:
        if job.refused:
            raise Refused(job.refused, "check again with --out, and review that")
        _hold_session(job, replace(run, reviewed=job.reviewed), pool, tally, cancel)
    except RefusedByRole as error:
        outcome = Outcome.FAILED
        tally.error = Error(f"{error.role}: {error.cause}", error.fix)
        tally(RoleSkipped(name, error.role, outcome, error.cause, error.fix))
    except RoleFault as error:
        outcome = Outcome.FAILED
        tally.error = Error(error.cause, error.fix, trace=traceback.format_exc(), place=error.place)
    except HostError as error:
        outcome = Outcome.UNREACHABLE if isinstance(error, Unreachable) else Outcome.FAILED
        tally.error = Error(error.cause, error.fix)
    except ProtocolError as error:
        outcome, tally.error = Outcome.FAILED, Error(str(error), error.fix)
    except ProvisionError as error:
        outcome, tally.error = Outcome.FAILED, Error(str(error), "this is a bug of provision: please report it")
    except Exception as error:  # a bug of ours on one host must not end the others
        outcome = Outcome.FAILED
        cause = f"{type(error).__name__}: {error}"
        tally.error = Error(cause, "this is a bug of provision: please report it", trace=traceback.format_exc())
    return _finished(name, tally, started, outcome)


def not_started(name: str) -> HostFinished:
    """The end of a host that was left alone."""
    return HostFinished(name, Outcome.NOT_STARTED, {}, 0.0)


def _finished(name: str, tally: _Tally, started: float, outcome: Outcome | None) -> HostFinished:
    ended = outcome if outcome is not None else worst(tally.outcomes)
    counts = Counter(str(item) for item in tally.outcomes)
    seconds = round(time.monotonic() - started, 3)
    return HostFinished(name, ended, dict(counts), seconds, tally.error, tally.rolled_back)


def _hold_session(job: Job, run: Run, pool: Pool, sink: Sink, cancel: Flag) -> None:
    if job.target.connection == "local":
        run = replace(run, limits=replace(run.limits, confirm=0))  # no change to a network cuts us off
    connection = pool.connect(job.target)

    def reached(seconds: float) -> bool:
        return _confirm(job.target, run, pool, cancel, seconds)

    try:
        planner = job.question or (None if run.facts_only else job.stages)
        try:
            Session(job.target, connection, planner, run, sink, cancel, reached).execute()
        except NoPython as error:
            if run.facts_only:
                raise
            if job.removed:  # nothing of ours can be on such a host
                return
            _install_python(job, run, connection, sink, error)
            if not run.check:
                run = replace(run, reviewed=None)  # that it had no python3 is all that could be reviewed
                _ask(job, run, connection, sink, cancel)
                Session(job.target, connection, planner, run, sink, cancel, reached).execute()
    finally:
        connection.close()


def _confirm(target: Target, run: Run, pool: Pool, cancel: Flag, seconds: float) -> bool:
    """Tell a host over a new connection that it can be reached; False where none gets through in time."""
    end = time.monotonic() + seconds
    limits = replace(run.limits, login=min(run.limits.login, seconds + 1), host=min(run.limits.host, seconds + 1))
    run = replace(run, confirms=True, limits=limits)
    while not cancel.is_set():
        try:
            connection = pool.connect(target)
            try:
                Session(target, connection, None, run, lambda event: None, cancel).execute()
            finally:
                connection.close()
        except HostError:
            if time.monotonic() >= end:
                return False
            time.sleep(1)
        else:
            return True
    return False


def _ask(job: Job, run: Run, connection: Any, sink: Sink, cancel: Flag) -> None:
    """The questions before a change, of a host that could not answer them before it had python3."""
    name, answers, seen = job.target.name, list[Preflight](), dict[str, preflight.Seen]()

    def hear(event: Event) -> None:
        if isinstance(event, HostFacts):
            seen[name] = preflight.Seen(event.facts, time.time())
        elif isinstance(event, Preflight):
            answers.append(event)

    look = replace(run, check=True, preflight=preflight.wanted(job.candidate.daemon))
    Session(job.target, connection, job.stages, look, hear, cancel).execute()
    if answers:
        mine = preflight.judge([job.candidate], seen, {})[name]
        answers[:0] = [answer for answer in mine if answer.question != "subnets"]  # that needed no python3
    for answer in answers:
        sink(answer)
    ended = preflight.verdict(answers, changed="nothing but python3")
    if ended is not None:
        raise Refused(ended[1].cause, ended[1].fix)


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
    if run.bundle is not None:
        bootstrap.install_python_offline(connection, job.target, run.bundle.python)
    else:
        bootstrap.install_python(connection, job.target, job.apt_configuration())
    seconds = round(time.monotonic() - started, 3)
    sink(ResourceDone(name, "bootstrap", "packages", "python3", Outcome.CHANGED, diff, seconds=seconds))
