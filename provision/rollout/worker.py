"""A Dask worker's part of a run: one task is one host, from the worker's own inventory.

The law: what leaves the worker is masked here, since nobody else knows its secrets. A process holds one pool, one mask
and one cancel flag for each run. No host is begun after the run was cancelled; and a run whose controller is gone is
cancelled, for nobody would hear what its hosts say.
"""

import asyncio
import pickle
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import Event as Flag
from typing import Any

from distributed import Client, Event, Status, Worker, get_client, get_worker

from provision.errors import InputError, Problem
from provision.events import Error, HostFinished, Notice, Outcome, Progress
from provision.events import Event as Said
from provision.rollout.hooks import run_hooked
from provision.rollout.hosts import Job, run_host
from provision.rollout.masking import clean
from provision.rollout.order import Order, carry_out
from provision.run import Run
from provision.secrets import Mask
from provision.transport import Pool

WATCH = 2.0
"""Seconds between two looks whether the controller is still there; a cancel is heard at once."""


def topic(run: str) -> str:
    """Where the workers of a run say what happens."""
    return f"provision-{run}"


def cancelled(run: str, client: Client) -> Event:
    """The cancel flag of a run, on the scheduler."""
    return Event(f"provision-{run}-cancelled", client=client)


@dataclass(frozen=True)
class WorkerMessage:
    """One thing that a worker said: the `number`th of this attempt at a task (0: progress, which may get lost)."""

    task: str
    attempt: str
    number: int
    event: Said


@dataclass(frozen=True)
class Ended:
    """What came of a task, with all that was said on the way: for those who missed some of it."""

    attempt: str
    result: HostFinished
    said: tuple[Said, ...] = ()


@dataclass
class _Held:
    """What this process has of one run."""

    jobs: Mapping[str, Job]
    mask: Mask
    pool: Pool
    cancel: Flag = field(default_factory=Flag)
    tasks: set[str] = field(default_factory=set)
    """Keys of tasks that are running here."""
    watched: bool = False


_HELD: dict[str, _Held] = {}
_LOCK = threading.Lock()


def _hold(order: Order, worker: Worker) -> _Held:
    """What this process has of the run, made when it is first asked for. Raises InputError."""
    with _LOCK:
        if order.run not in _HELD:

            def tell(text: str) -> None:
                worker.log_event(topic(order.run), pickle.dumps(clean(Notice(text), mask)))

            jobs, mask = carry_out(order)
            pool = Pool(accept_new_host_keys=order.accept_new_host_keys, on_host_key=tell)
            _HELD[order.run] = _Held(jobs, mask, pool)
        return _HELD[order.run]


async def prepare(order: Order, dask_worker: Worker) -> tuple[Problem, ...]:
    """What keeps this worker from working on the order. In a thread: inventories may be programs, secrets commands."""
    try:
        await asyncio.to_thread(_hold, order, dask_worker)
    except InputError as error:
        return error.problems
    return ()


def forget(run: str) -> None:
    """The run is over: its connections are closed, and its secrets are gone from this process."""
    with _LOCK:
        held = _HELD.pop(run, None)
    if held is not None:
        held.cancel.set()
        held.pool.close()


def same(order: Order) -> Order:
    """The order as a task that all others need: Dask brings it to each worker once, and again where one was lost."""
    return order


def work(order: Order, task: str, host: str, run: Run, *hooked: Any) -> Ended:
    """One host from connecting to its end, between its hooks if it has any; never raises. Where this is not the first
    attempt (a worker was lost), the host says what its own record has of the run, before anything is done."""
    worker, attempt = get_worker(), uuid.uuid4().hex
    try:
        held = _hold(order, worker)
    except InputError as error:
        cause = f"the worker {worker.address} cannot work on this run: {error.problems[0]}"
        fix = "bring it to the state of the controller, then run again"
        return Ended(attempt, HostFinished(host, Outcome.FAILED, {}, 0.0, Error(cause, fix)))
    said: list[Said] = []

    def sink(event: Said) -> None:
        event = clean(event, held.mask)
        if not isinstance(event, Progress):
            said.append(event)
        heard = WorkerMessage(task, attempt, 0 if isinstance(event, Progress) else len(said), event)
        worker.log_event(topic(order.run), pickle.dumps(heard))

    _watch(held, order.run, worker, task)
    try:
        program = run_hooked if hooked else run_host
        result = program(held.jobs[host], replace(run, spread=True), held.pool, sink, held.cancel, *hooked)
    finally:
        with _LOCK:
            held.tasks.discard(task)
    return Ended(attempt, clean(result, held.mask), tuple(said))


def _watch(held: _Held, run: str, worker: Worker, task: str) -> None:
    """Know whether the run is cancelled, from now to the end of the task."""
    client = get_client()
    if cancelled(run, client).is_set():
        held.cancel.set()
    with _LOCK:
        held.tasks.add(task)
        if held.watched:
            return
        held.watched = True
    threading.Thread(target=_listen, args=(held, run, worker, client), name="cancel", daemon=True).start()


def _listen(held: _Held, run: str, worker: Worker, client: Client) -> None:
    """Set the flag when the run is cancelled; when the scheduler wants none of its tasks any more, since the controller
    is gone; or when the scheduler is gone itself. What this process has of such a run goes with its last task."""
    flag = cancelled(run, client)
    while True:
        try:
            over = flag.wait(WATCH)
        except Exception:  # it may come back; without a scheduler a worker closes itself
            time.sleep(WATCH)
            over = worker.status is not Status.running
        with _LOCK:
            states = [found.state for key in held.tasks if (found := worker.state.tasks.get(key))]
            if over or (held.tasks and not {"executing", "long-running"} & set(states)):
                held.cancel.set()
            held.watched = bool(held.tasks)
        if not held.watched:
            break
        if held.cancel.is_set():
            time.sleep(WATCH)
    if held.cancel.is_set():
        forget(run)
