"""Hosts by an executor: a first look at all of them, then those with something to change; at once, or wave by wave.

The law: nothing is changed anywhere before all hosts have been looked at and the questions before a change have been
answered. One host's failure is that host's; it never ends another's session. Everything that goes to the sink is
masked first. A rollout ends when every host has, when its failure budget is used up or a gate stays shut (hosts in
flight end whole, the rest are not started), or when it is cancelled (hosts in flight bring their step to its end).
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Event as Flag
from threading import Lock
from typing import Any

from provision import preflight
from provision.events import (
    BAD,
    CHECKED,
    Event,
    HostChecked,
    HostFinished,
    HostStarted,
    Outcome,
    Preflight,
    Progress,
    RunStarted,
    Sink,
    Stopped,
    Summary,
    WaveFinished,
    WaveStarted,
    worst,
)
from provision.rollout import waves
from provision.rollout.equals import Equals
from provision.rollout.first_pass import FirstPass
from provision.rollout.hooks import PlannedChange, run_hooked
from provision.rollout.hosts import Job, not_started, run_host
from provision.rollout.known import Known
from provision.rollout.masking import masked
from provision.rollout.policy import Policy
from provision.rollout.shared import Share, with_bundle
from provision.run import Run
from provision.secrets import Mask
from provision.transport import Pool

SETTLED = frozenset({Outcome.OK, Outcome.SKIPPED})
"""Outcomes of a check after which there is nothing left to do on a host."""
ALL_AT_ONCE = Policy()
Judge = Callable[
    [Sequence[preflight.Candidate], Mapping[str, preflight.Seen], Mapping[str, str]],
    Mapping[str, Sequence[Preflight]],
]
"""From what all hosts have told to the controller's own answers for those that have something to change."""


class Rollout:
    """All hosts of one run. `cancel()` may be called from any thread or signal handler."""

    def __init__(  # noqa: PLR0917
        self,
        run: Run,
        verb: str,
        jobs: Sequence[Job],
        sink: Sink,
        mask: Mask,
        forks: int = 32,
        policy: Policy = ALL_AT_ONCE,
        judge: Judge = preflight.judge,
        share: Share | None = None,
    ) -> None:
        self._run = run
        self._share = share
        self._verb = verb
        self._jobs = {job.target.name: job for job in jobs}
        self._forks = max(1, min(forks, len(jobs)))
        self._policy = policy
        self._judge = judge
        self._lock = Lock()
        self._cancel = Flag()
        self._reason = ""
        """Why the run stopped itself."""
        self._budget = waves.Budget(policy.limit(len(self._jobs)))
        self._results: dict[str, HostFinished] = {}
        self._checked: dict[str, HostFinished] = {}
        """Hosts that have something to change, by the first look."""
        self._known = Known(keeps=self._budget.limit is not None)
        self._equals = Equals()
        self._sink = masked(sink, mask, self._lock)
        self._look = FirstPass(self._sink, hold=not (run.check or policy.waves))
        """Events of an apply without waves are told once, and not as a plan before."""

    def cancel(self) -> None:
        """Start no more hosts, and tell those in flight to end their step."""
        self._cancel.set()

    @property
    def sink(self) -> Sink:
        """The masked sink, for notices that come from outside a session (an added host key)."""
        return self._sink

    @property
    def opening(self) -> Run:
        """The run as each host sees it first: a look, which is all of it where nothing is to be changed."""
        if self._run.facts_only:
            return self._run
        return replace(self._run, check=True, preflight=preflight.AskedSettings(), settle=not self._run.check)

    def execute(self, pool: Pool, executor: Callable[[int], Executor] = ThreadPoolExecutor) -> Summary:
        """Run all hosts; return the summary, which has been sent as the last event too."""
        self._sink(RunStarted(self._run.id, self._verb, tuple(self._jobs), self._run.check))
        hosts = waves.ordered(list(self._jobs), self._policy.order, self._run.id)
        with executor(self._forks) as workers:
            if self._run.facts_only:
                self._drive(
                    workers,
                    hosts,
                    lambda job: (run_host, job, self._run, pool, self._observe, self._cancel),
                    self._settle,
                )
            else:
                self._in_passes(workers, pool, hosts)
        if self._reason:
            self._tell_stop()
        for step, result in list(self._equals.judge(self._results)):
            self._sink(step)
            self._results[result.host] = result
        results = {name: self._results.get(name) or self._leave(name) for name in self._jobs}
        summary = Summary(self._run.id, worst([result.outcome for result in results.values()]), results)
        self._sink(summary)
        return summary

    # -- many hosts

    def _drive(
        self,
        workers: Executor,
        hosts: Sequence[str],
        session: Callable[[Job], tuple[Any, ...]],
        settle: Callable[[HostFinished], None],
    ) -> None:
        """These hosts, as many at a time as there are forks; none is started after a stop. `session` says what is to
        be called for a host, with its arguments."""
        waiting = deque(hosts)
        flying: set[Future[HostFinished]] = set()
        while True:
            while waiting and len(flying) < self._forks and not self._over:
                job = self._jobs[waiting.popleft()]
                flying.add(workers.submit(*session(job)))
            if not flying:
                break
            # Waiting in slices lets the main thread take signals between them.
            done, flying = wait(flying, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                settle(future.result())

    def _in_passes(self, workers: Executor, pool: Pool, hosts: Sequence[str]) -> None:
        """First a check of all, and the questions before a change; then those with something to change, anew."""
        self._first_look(workers, pool, hosts)
        self._ask([host for host in hosts if host in self._checked])
        left = self._ready([host for host in hosts if host in self._checked], pool)
        if self._run.check:
            for host in left:
                self._settle(self._checked[host])
        elif self._policy.waves:
            plan = waves.layout(left, self._policy.waves, self._policy.places)
            for number, wave in enumerate(plan, 1):
                if self._over or (number > 1 and self._cancel.wait(self._policy.pause)):
                    break
                self._wave(workers, pool, wave, number, len(plan))
        else:
            self._change(workers, pool, left, None)

    def _ready(self, hosts: list[str], pool: Pool) -> list[str]:
        """Those that can be changed now; what they get of one another is had first."""
        if self._share is None or not hosts or self._over:
            return hosts
        run = with_bundle(self._run, self._share, [self._jobs[host] for host in hosts], pool)
        if isinstance(run, Run):
            self._run = run
            return hosts
        for host in hosts:
            self._settle(replace(self._checked.pop(host), outcome=Outcome.FAILED, error=run))
        return []

    def _first_look(self, workers: Executor, pool: Pool, hosts: Sequence[str]) -> None:
        """A check of all hosts. Those that are done with it are settled; the others have been checked."""
        run = self.opening

        def settle(result: HostFinished) -> None:
            if result.outcome in BAD or result.outcome in SETTLED:
                self._look.flush(result.host)
                self._settle(result)
                return
            self._checked[result.host] = result
            if self._policy.waves and not self._run.check:
                self._sink(HostChecked(result.host, result.outcome, result.counts, result.seconds))
            else:
                self._sink(Progress(result.host, CHECKED))

        self._drive(workers, hosts, lambda job: (run_host, job, run, pool, self._hear, self._cancel), settle)

    def _ask(self, hosts: Sequence[str]) -> None:
        """The answers of the preflight; hosts that must not be touched have come to their end."""
        if self._over:
            return
        candidates = [self._jobs[host].candidate for host in hosts]
        addresses = {host: job.target.address for host, job in self._jobs.items()}
        judged = self._judge(candidates, self._look.seen, addresses) if candidates else {}
        for host in hosts:
            answers = [*judged.get(host, ()), *self._look.of(host).answers]
            for answer in answers:
                self._sink(answer)
            ended = preflight.verdict(answers)
            if ended is not None:
                self._look.flush(host)
                outcome, error = ended
                self._settle(replace(self._checked.pop(host), outcome=outcome, error=error))
            else:
                self._look.drop(host)

    def _change(self, workers: Executor, pool: Pool, hosts: Sequence[str], wave: int | None) -> None:
        """Change these hosts, each between its hooks."""
        run = replace(self._run, closed=self._policy.closed)

        def session(job: Job) -> tuple[Any, ...]:
            name = job.target.name
            heard = self._look.of(name)
            planned = PlannedChange(wave, tuple(heard.changes), self._checked[name].counts, heard.impact)
            return run_hooked, job, run, pool, self._observe, self._cancel, self._policy.hooks, planned

        self._drive(workers, hosts, session, self._settle)

    def _wave(self, workers: Executor, pool: Pool, wave: Sequence[str], number: int, of: int) -> None:
        started = time.monotonic()
        self._sink(WaveStarted(number, of, tuple(wave)))
        self._change(workers, pool, wave, number)
        outcomes = [self._results[host].outcome if host in self._results else Outcome.NOT_STARTED for host in wave]
        reason = self._shut(outcomes, last=number == of)
        counts = dict(Counter(str(outcome) for outcome in outcomes))
        seconds = round(time.monotonic() - started, 3)
        gate = not reason and not self._cancel.is_set()
        self._sink(WaveFinished(number, of, counts, gate, reason, seconds))
        self._reason = self._reason or reason

    def _shut(self, outcomes: Sequence[Outcome], *, last: bool) -> str:
        """Why no wave may come after this one, or "" (an interrupt needs no reason)."""
        if self._cancel.is_set():
            return ""
        if self._budget.reached:
            return self._budget.reason()
        return "" if last else waves.gate(outcomes) or ""

    # -- one host

    def _settle(self, result: HostFinished) -> None:
        """A host has come to its end."""
        self._results[result.host] = result
        self._sink(result)
        self._budget.count(result.host, result.outcome)
        # Hosts that an interrupt has cut short have failed, too; that is no reason of the run's own.
        if self._budget.reached and not self._cancel.is_set():
            self._reason = self._budget.reason()
        if result.error is not None and result.error.place and not self._cancel.is_set():
            self._reason = f"every host would meet the fault at {result.error.place}"

    def _leave(self, name: str) -> HostFinished:
        result = not_started(name)
        self._sink(result)
        return result

    # -- stopping

    @property
    def _over(self) -> bool:
        return bool(self._reason) or self._cancel.is_set()

    def _tell_stop(self) -> None:
        """Once all in flight have ended: only then is it known who failed."""
        good = [host for host, result in self._results.items() if result.outcome in waves.PROOF]
        found = self._known.differences(self._budget.failed, good)
        waiting = len(self._jobs) - len(self._results)
        self._sink(Stopped(self._reason, tuple(self._budget.failed), waiting, found))

    def _hear(self, event: Event) -> None:
        """What hosts say in the first look."""
        self._keep(event)
        self._look(event)

    def _observe(self, event: Event) -> None:
        """What hosts say; what the first look has told already is not told again."""
        self._keep(event)
        started = isinstance(event, HostStarted) and not self._policy.waves and not self._run.facts_only
        if not started and not self._look.repeats(event):
            self._sink(event)

    def _keep(self, event: Event) -> None:
        """What is known of hosts, and the speed of their GPUs."""
        self._equals(event)
        self._known(event)


__all__ = ["Job", "Policy", "Rollout", "Share", "run_host"]
