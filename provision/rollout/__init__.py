"""Hosts by an executor: each host one session, each session's events to one sink; all at once, or wave by wave.

The law: one host's failure is that host's; it never ends another's session. Everything that goes to the sink is
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

from provision.events import (
    BAD,
    Error,
    Event,
    HostChecked,
    HostFacts,
    HostFinished,
    Outcome,
    RunStarted,
    Sink,
    Stopped,
    Summary,
    WaveFinished,
    WaveStarted,
    worst,
)
from provision.rollout import waves
from provision.rollout.hosts import Job, not_started, run_host
from provision.rollout.masking import masked
from provision.rollout.policy import Policy
from provision.secrets import Mask
from provision.session import Run
from provision.traits import Traits, differences, traits
from provision.transport import Pool

SETTLED = frozenset({Outcome.OK, Outcome.SKIPPED})
"""Outcomes of a check after which there is nothing left to do on a host."""
ALL_AT_ONCE = Policy()
Preflight = Callable[[Mapping[str, HostFinished]], Mapping[str, Error]]
"""From the results of a check of all hosts to those that must not be touched, each with why and what to do."""


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
        preflight: Preflight | None = None,
    ) -> None:
        self._run = run
        self._verb = verb
        self._jobs = {job.target.name: job for job in jobs}
        self._forks = max(1, min(forks, len(jobs)))
        self._policy = policy
        self._preflight = preflight
        self._lock = Lock()
        self._cancel = Flag()
        self._reason = ""
        """Why the run stopped itself."""
        self._budget = waves.Budget(policy.limit(len(self._jobs)))
        self._results: dict[str, HostFinished] = {}
        self._traits: dict[str, Traits] = {}
        self._sink = masked(sink, mask, self._lock)

    def cancel(self) -> None:
        """Start no more hosts, and tell those in flight to end their step."""
        self._cancel.set()

    @property
    def sink(self) -> Sink:
        """The masked sink, for notices that come from outside a session (an added host key)."""
        return self._sink

    def execute(self, pool: Pool, executor: Callable[[int], Executor] = ThreadPoolExecutor) -> Summary:
        """Run all hosts; return the summary, which has been sent as the last event too."""
        self._sink(RunStarted(self._run.id, self._verb, tuple(self._jobs), self._run.check))
        hosts = waves.ordered(list(self._jobs), self._policy.order, self._run.id)
        with executor(self._forks) as workers:
            if self._policy.waves and not self._run.check:
                self._in_waves(workers, pool, hosts)
            else:
                self._drive(workers, pool, hosts, self._run, self._settle)
        if self._reason:
            self._tell_stop()
        results = {name: self._results.get(name) or self._leave(name) for name in self._jobs}
        summary = Summary(self._run.id, worst([result.outcome for result in results.values()]), results)
        self._sink(summary)
        return summary

    # -- many hosts

    def _drive(
        self, workers: Executor, pool: Pool, hosts: Sequence[str], run: Run, settle: Callable[[HostFinished], None]
    ) -> None:
        """These hosts, as many at a time as there are forks; none is started after a stop."""
        waiting = deque(hosts)
        flying: set[Future[HostFinished]] = set()
        while True:
            while waiting and len(flying) < self._forks and not self._over:
                job = self._jobs[waiting.popleft()]
                flying.add(workers.submit(run_host, job, run, pool, self._observe, self._cancel))
            if not flying:
                break
            # Waiting in slices lets the main thread take signals between them.
            done, flying = wait(flying, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                settle(future.result())

    def _in_waves(self, workers: Executor, pool: Pool, hosts: Sequence[str]) -> None:
        """First a check of all; then, wave by wave, those with something to change, planned anew."""
        checked: dict[str, HostFinished] = {}

        def look(result: HostFinished) -> None:
            if result.outcome in BAD or result.outcome in SETTLED:
                self._settle(result)
            else:
                checked[result.host] = result
                self._sink(HostChecked(result.host, result.outcome, result.counts, result.seconds))

        self._drive(workers, pool, hosts, replace(self._run, check=True), look)
        self._keep_out(checked)
        left = [host for host in hosts if host in checked]
        plan = waves.layout(left, self._policy.waves, self._policy.places)
        for number, wave in enumerate(plan, 1):
            if self._over or (number > 1 and self._cancel.wait(self._policy.pause)):
                break
            self._wave(workers, pool, wave, number, len(plan))

    def _keep_out(self, checked: dict[str, HostFinished]) -> None:
        """Hosts that preflight says must not be touched have failed."""
        for host, error in (self._preflight(checked) if self._preflight else {}).items():
            self._settle(replace(checked.pop(host), outcome=Outcome.FAILED, error=error))

    def _wave(self, workers: Executor, pool: Pool, wave: Sequence[str], number: int, of: int) -> None:
        started = time.monotonic()
        self._sink(WaveStarted(number, of, tuple(wave)))
        self._drive(workers, pool, wave, self._run, self._settle)
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
        found = differences(self._known(self._budget.failed), self._known(good))
        waiting = len(self._jobs) - len(self._results)
        self._sink(Stopped(self._reason, tuple(self._budget.failed), waiting, tuple(map(str, found))))

    def _known(self, hosts: Sequence[str]) -> list[Traits]:
        with self._lock:
            return [self._traits[host] for host in hosts if host in self._traits]

    def _observe(self, event: Event) -> None:
        """What hosts say: kept in short, where it may have to say why some fail."""
        if isinstance(event, HostFacts) and self._budget.limit is not None:
            found = traits(event.facts)
            with self._lock:
                self._traits[event.host] = found
        self._sink(event)


__all__ = ["Job", "Policy", "Rollout", "run_host"]
