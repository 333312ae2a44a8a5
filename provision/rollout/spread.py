"""A rollout's hosts over several machines or processes: an executor whose tasks run on Dask's workers.

The law: Dask schedules, we do not. What a worker says is passed on as it happens and once, in its order; of a worker
that was lost nothing is heard any more once another one goes on with its host. Each host ends with exactly one result,
also when its workers or the scheduler are lost.

What workers say travels by `log_event` and `subscribe_topic`: Dask's Pub and Sub are gone from it, and a Queue would
cost each event a round trip. The scheduler keeps the last 1,000 of a topic; they are masked.
"""

import contextlib
import logging
import pickle
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from concurrent.futures import Future as Promise
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from distributed import Client, Future, LocalCluster, Security

from provision.errors import InputError, Problem
from provision.events import Error, Event, HostFinished, HostStarted, Notice, Outcome, Sink
from provision.rollout import worker
from provision.rollout.hosts import Job, not_started
from provision.rollout.order import INVENTORY, Order
from provision.run import Run

SCHEDULER_LIMIT = 10.0
"""Seconds for the scheduler to answer."""
WORKERS_LIMIT = 30.0
"""Seconds for a first worker to come, and for another one where all were lost."""
FORGET_LIMIT = 5.0
"""Seconds for workers to close what they hold of the run."""
LOOK = 2.0
"""Seconds between two looks whether there are workers."""
SCHEDULER_LOST = "the connection to the scheduler was lost"
LOST = "where it stands is not known: its worker was lost, and the run ended before another one could ask the host"


@dataclass
class _Task:
    """A host in flight, and how much of what is said of it was passed on."""

    host: str
    sink: Sink
    promise: "Promise[HostFinished]" = field(default_factory=Promise)
    future: Future | None = None
    attempts: dict[str, int] = field(default_factory=dict)
    """By attempt, the last is the one that counts: how many events of it were passed on."""

    def hear(self, heard: worker.WorkerMessage) -> None:
        """Pass it on, if it is news of the last attempt."""
        if heard.attempt not in self.attempts:
            self.attempts[heard.attempt] = 0
        if heard.attempt != list(self.attempts)[-1]:
            return
        if heard.number and heard.number != self.attempts[heard.attempt] + 1:
            return  # one before it is missing: they all come with the result
        self.attempts[heard.attempt] = heard.number or self.attempts[heard.attempt]
        self._tell(heard.event)

    def end(self, ended: worker.Ended) -> None:
        """Pass on what was missed, and the result."""
        for event in ended.said[self.attempts.get(ended.attempt, 0) :]:
            self._tell(event)
        result = ended.result
        if result.outcome is Outcome.NOT_STARTED and self.attempts:
            result = replace(result, outcome=Outcome.UNKNOWN, error=Error(LOST, "run again"))
        self.promise.set_result(result)

    def _tell(self, event: Event) -> None:
        self.sink(event)
        if isinstance(event, HostStarted) and len(self.attempts) > 1:
            self.sink(Notice("its worker was lost; another one goes on, after the step in hand has ended", self.host))


class Spread(Executor):
    """Runs `run_host` on workers: what a job is, each of them knows from its own inventory."""

    def __init__(self, client: Client, order: Order, close: Callable[[], object]) -> None:
        self._client = client
        self._order = order
        self._close = close
        self._given = client.submit(worker.same, order, key=f"order-{order.run}", pure=False)
        self._tasks: dict[str, _Task] = {}
        self._count = 0
        self._lost = ""
        self._sink: Sink | None = None
        self._news: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._threads: list[threading.Thread] = []
        client.subscribe_topic(worker.topic(order.run), self._receive)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Promise[Any]":
        """As `run_host` or `run_hooked` is called: job, run, pool (the worker's own), sink, cancel, and hooks."""
        return self._start(*args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """All hosts have ended: workers forget the run."""
        self._closed.set()
        self._news.put(None)
        for thread in self._threads:
            thread.join()
        if not self._lost:  # a worker that hangs is not waited for
            forget = threading.Thread(target=self._forget, daemon=True)
            forget.start()
            forget.join(FORGET_LIMIT)
        self._close()

    def _forget(self) -> None:
        with contextlib.suppress(Exception):  # a worker that is lost has forgotten it
            self._client.run(worker.forget, self._order.run, on_error="ignore")

    def _start(
        self, job: Job, run: Run, pool: object, sink: Sink, cancel: threading.Event, *hooked: Any
    ) -> "Promise[HostFinished]":
        if not self._threads:
            self._sink = sink
            for target in (self._pass_on, partial(self._watch, cancel)):
                self._threads.append(threading.Thread(target=target, daemon=True))
                self._threads[-1].start()
        host = job.target.name
        task = _Task(host, sink)
        self._count += 1
        key = f"{host}-{self._order.run}-{self._count}"
        self._tasks[key] = task
        try:
            if not self._lost:
                task.future = self._client.submit(
                    worker.work, self._given, key, host, run, *hooked, key=key, pure=False
                )
        except Exception:  # it was lost between two waves
            self._lost = SCHEDULER_LOST
        if task.future is None:
            left = replace(not_started(host), error=Error(self._lost, "run again"))
            self._news.put(partial(self._end, key, worker.Ended("", left)))
        else:
            task.future.add_done_callback(partial(self._done, key))
        return task.promise

    # -- what comes from the scheduler: put into one queue, so that one thread tells it, in order

    def _receive(self, event: tuple[float, bytes]) -> None:
        self._news.put(partial(self._hear, event[1]))

    def _done(self, key: str, future: Future) -> None:
        """In a thread of Dask's."""
        try:
            ended = future.result()
        except BaseException as error:
            ended = self._failed(key, future.status, error)
        future.release()
        self._news.put(partial(self._end, key, ended))

    def _failed(self, key: str, status: str, error: BaseException) -> worker.Ended:
        host = self._tasks[key].host
        if status in ("cancelled", "lost"):
            self._lost = self._lost or SCHEDULER_LOST
            cause, fix = f"{self._lost} while a worker was at this host", "run again to see where it stands"
        else:
            cause, fix = f"{type(error).__name__}: {error}", "look into the log of the workers; then run again"
        return worker.Ended("", HostFinished(host, Outcome.UNKNOWN, {}, 0.0, Error(cause, fix)))

    def _pass_on(self) -> None:
        while (news := self._news.get()) is not None:
            news()

    def _hear(self, packed: bytes) -> None:
        heard = pickle.loads(packed)  # noqa: S301 - from a worker, whose results are pickles too
        if isinstance(heard, worker.WorkerMessage):
            if heard.task in self._tasks:
                self._tasks[heard.task].hear(heard)
        elif self._sink is not None:
            self._sink(heard)

    def _end(self, key: str, ended: worker.Ended) -> None:
        self._tasks.pop(key).end(ended)

    # -- what goes to the workers

    def _watch(self, cancel: threading.Event) -> None:
        """Tell workers of a cancel; and do not wait for ever for workers that do not come back."""
        told, looked, alone = False, 0.0, 0.0
        while not self._closed.wait(0.2):
            with contextlib.suppress(Exception):  # without a scheduler there is nobody to tell or to ask
                if cancel.is_set() and not told:
                    worker.cancelled(self._order.run, self._client).set()
                    told = True
                if time.monotonic() < looked + LOOK:
                    continue
                looked = time.monotonic()
                alone = 0.0 if self._client.nthreads() else alone or looked
                if alone and (told or looked > alone + WORKERS_LIMIT):
                    self._give_up()

    def _give_up(self) -> None:
        self._lost = "all workers were lost"
        for task in list(self._tasks.values()):
            if task.future is not None:
                task.future.cancel()


def connect(address: str, order: Order) -> Spread:
    """Over the workers of the scheduler at `tls://HOST:PORT` or `tcp://HOST:PORT`. Raises InputError, with what keeps a
    worker from this run."""
    _be_quiet()
    security = Security(require_encryption=True) if address.startswith("tls:") else Security()
    if address.startswith("tls:") and not (security.tls_ca_file and security.tls_client_cert):
        hint = (
            "set distributed.comm.tls.ca-file, client.cert and client.key, or DASK_DISTRIBUTED__COMM__TLS__CA_FILE, …"
        )
        raise InputError([Problem("--executor: Dask's configuration names no certificates", hint=hint)])
    try:
        client = Client(address, security=security, timeout=SCHEDULER_LIMIT, set_as_default=False, name="provision")
    except (OSError, RuntimeError, ValueError) as error:
        what = f"--executor: no scheduler answers at {address}: {error}"
        raise InputError([Problem(what, hint="start one: dask scheduler")]) from None
    return _open(client, order, client.close)


def local(processes: int, threads: int, order: Order) -> Spread:
    """Over so many processes of this machine. They and their scheduler talk by TLS, with certificates that exist in
    memory only: any user of this machine can reach a port on loopback."""
    _be_quiet()
    cluster = LocalCluster(
        n_workers=processes,
        threads_per_worker=threads,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        security=Security.temporary(),
        silence_logs=logging.CRITICAL,
        memory_limit=0,
        preload=["provision.rollout.dask_preload"],
        env={INVENTORY: ""},  # the controller's own means nothing to them: the order names it
    )
    client = Client(cluster, set_as_default=False, name="provision")

    def close() -> None:
        client.close()
        cluster.close()

    return _open(client, order, close)


def _open(client: Client, order: Order, close: Callable[[], object]) -> Spread:
    try:
        _ask_workers(client, order)
        return Spread(client, order, close)
    except BaseException:
        close()
        raise


def _ask_workers(client: Client, order: Order) -> None:
    """Each worker that is there looks at the order, before the first host is touched."""
    try:
        client.wait_for_workers(1, timeout=WORKERS_LIMIT)
    except TimeoutError:
        raise InputError(
            [Problem("--executor: the scheduler has no workers", hint="start some: dask worker")]
        ) from None
    answers = client.run(worker.prepare, order, on_error="return")
    wrong: dict[Problem, list[str]] = {}
    for address, answer in answers.items():
        for problem in [Problem(repr(answer))] if isinstance(answer, BaseException) else answer:
            wrong.setdefault(problem, []).append(address)
    if wrong:
        raise InputError([_located(problem, addresses) for problem, addresses in wrong.items()])


def _located(problem: Problem, addresses: list[str]) -> Problem:
    more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
    return replace(problem, message=f"{problem.message} (on the worker {addresses[0]}{more})")


def _be_quiet() -> None:
    """What goes wrong is in our own errors."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":  # each has a level and a handler of its own
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
