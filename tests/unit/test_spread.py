"""An executor on Dask: what workers say is told once, and what is wrong with a cluster is told before the run."""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future as Promise
from pathlib import Path
from typing import Any

import pytest

from provision.events import Event, HostFinished, HostStarted, Notice, Outcome, Progress, ResourceDone

pytest.importorskip("distributed", reason="--executor IS NOT TESTED: this Python has no distributed")

from provision.errors import InputError
from provision.rollout import spread
from provision.rollout.hosts import Job, run_host
from provision.rollout.order import Order
from provision.rollout.spread import _Task
from provision.rollout.worker import Ended, WorkerMessage
from provision.run import Run
from provision.target import Target
from tests.dask_cluster import cluster

ROOT = Path(__file__).parents[2]
ORDER = Order("r1", ("/nowhere",), ("a",), "digest", None, (), (), None, False, False)
STARTED, DONE = HostStarted("a"), ResourceDone("a", "r", "file", "/x", Outcome.CHANGED)
FINISHED = HostFinished("a", Outcome.CHANGED, {"changed": 1}, 1.0)


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def task(events: list[Event]) -> _Task:
    return _Task("a", events.append)


def test_what_is_heard_is_told_at_once_and_only_once(task: _Task, events: list[Event]) -> None:
    task.hear(WorkerMessage("t", "1", 1, STARTED))
    task.hear(WorkerMessage("t", "1", 0, Progress("a", "step")))
    task.hear(WorkerMessage("t", "1", 2, DONE))
    assert events == [STARTED, Progress("a", "step"), DONE]
    task.hear(WorkerMessage("t", "1", 2, DONE))
    task.end(Ended("1", FINISHED, (STARTED, DONE)))
    assert len(events) == 3
    assert task.promise.result(0) is FINISHED


def test_what_got_lost_on_the_way_comes_with_the_result_and_in_order(task: _Task, events: list[Event]) -> None:
    task.hear(WorkerMessage("t", "1", 1, STARTED))
    task.hear(WorkerMessage("t", "1", 3, Notice("later", "a")))
    assert events == [STARTED], "what comes after a gap waits"
    task.end(Ended("1", FINISHED, (STARTED, DONE, Notice("later", "a"))))
    assert events == [STARTED, DONE, Notice("later", "a")]


def test_once_another_worker_goes_on_nothing_is_heard_of_the_lost_one(task: _Task, events: list[Event]) -> None:
    task.hear(WorkerMessage("t", "1", 1, STARTED))
    task.hear(WorkerMessage("t", "2", 1, STARTED))
    task.hear(WorkerMessage("t", "1", 2, DONE))
    assert events[:2] == [STARTED, STARTED]
    assert isinstance(events[2], Notice)
    assert "its worker was lost" in events[2].text
    assert len(events) == 3


def test_a_host_whose_worker_was_lost_is_not_called_untouched_after_a_cancel(task: _Task) -> None:
    task.hear(WorkerMessage("t", "1", 1, STARTED))
    task.end(Ended("2", HostFinished("a", Outcome.NOT_STARTED, {}, 0.0)))
    assert task.promise.result(0).outcome is Outcome.UNKNOWN


def test_a_host_that_nobody_has_touched_is_not_started(task: _Task) -> None:
    task.end(Ended("1", HostFinished("a", Outcome.NOT_STARTED, {}, 0.0)))
    assert task.promise.result(0).outcome is Outcome.NOT_STARTED


class Future:
    """Of Dask: done when a test says so."""

    status = "pending"

    def add_done_callback(self, tell: Any) -> None:
        self.tell = tell

    def cancel(self) -> None:
        self.status = "cancelled"
        self.tell(self)

    def result(self) -> Ended:
        raise RuntimeError(self.status)

    def release(self) -> None: ...


class Client:
    """A connection to a scheduler, without one."""

    def __init__(self) -> None:
        self.futures: list[Future] = []
        self.workers = {"tcp://w": 1}
        self.lost = False

    def submit(self, *arguments: Any, **options: Any) -> Future:
        if self.lost:
            raise ConnectionError("lost")
        self.futures.append(Future())
        return self.futures[-1]

    def nthreads(self) -> dict[str, int]:
        return self.workers

    def subscribe_topic(self, topic: str, handler: Any) -> None: ...

    def run(self, *arguments: Any, **options: Any) -> None: ...


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def executor(client: Client) -> Iterator[spread.Spread]:
    made = spread.Spread(client, ORDER, lambda: None)
    yield made
    made.shutdown()


def start(executor: spread.Spread, cancel: threading.Event, host: str = "a") -> "Promise[HostFinished]":
    job = Job(Target(host, host), (), {})
    return executor.submit(run_host, job, Run("r1", "me", False), None, lambda event: None, cancel)


def test_where_the_scheduler_is_lost_hosts_in_flight_are_unknown_and_no_more_are_started(
    client: Client, executor: spread.Spread
) -> None:
    flying = start(executor, threading.Event())
    client.futures[-1].cancel()
    assert flying.result(30).outcome is Outcome.UNKNOWN
    assert "the connection to the scheduler was lost" in str(flying.result().error)
    assert start(executor, threading.Event(), "b").result(30).outcome is Outcome.NOT_STARTED
    assert len(client.futures) == 2, "the order, and one host"


def test_a_scheduler_that_was_lost_between_two_waves_is_no_crash(client: Client, executor: spread.Spread) -> None:
    client.lost = True
    assert start(executor, threading.Event()).result(30).outcome is Outcome.NOT_STARTED


def test_without_any_worker_a_cancel_ends_the_run(
    client: Client, executor: spread.Spread, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()
    monkeypatch.setattr(spread.worker, "cancelled", lambda run, client: told)
    monkeypatch.setattr(spread, "LOOK", 0.0)
    client.workers = {}
    cancel = threading.Event()
    flying = start(executor, cancel)
    cancel.set()
    assert "all workers were lost" in str(flying.result(30).error)
    assert told.is_set()


def test_workers_that_do_not_come_back_are_not_waited_for_for_ever(
    client: Client, executor: spread.Spread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread, "LOOK", 0.0)
    monkeypatch.setattr(spread, "WORKERS_LIMIT", 0.1)
    flying = start(executor, threading.Event())
    client.workers = {}
    assert "all workers were lost" in str(flying.result(30).error)


def test_a_task_that_no_worker_survives_is_unknown(client: Client, executor: spread.Spread) -> None:
    flying = start(executor, threading.Event())
    client.futures[-1].status = "error"
    client.futures[-1].tell(client.futures[-1])
    assert flying.result(30).outcome is Outcome.UNKNOWN
    assert "RuntimeError: error" in str(flying.result().error)


def test_tls_without_certificates_is_refused() -> None:
    with pytest.raises(InputError, match="names no certificates"):
        spread.connect("tls://127.0.0.1:1", ORDER)


def test_a_scheduler_that_does_not_answer_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "SCHEDULER_LIMIT", 0.2)
    with pytest.raises(InputError, match=r"no scheduler answers at tcp://127\.0\.0\.1:1"):
        spread.connect("tcp://127.0.0.1:1", ORDER)


# -- with real workers: check on this machine, by several names

ROLE = '''
"""A file that is not there, and a secret in the reason for it."""
from provision import role
from provision.resources import File
from provision.secrets import Secret


class Settings(role.Settings):
    token: Secret


def resources(facts, settings):
    yield File(path="/etc/provision-test-" + settings.token.reveal(), content="x")
'''
TOKEN = "workers-only-token"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="CHECK NEEDS ROOT: the agent works as nobody else")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles" / "told.py").write_text(ROLE)
    variables = "    roles: [told]\n    ansible_connection: local\n    told: {token: !secret env:DASK_TOKEN}\n"
    (tmp_path / "hosts.yml").write_text(f"all:\n  vars:\n{variables}  hosts:\n    a[1:4]:\n")
    return tmp_path / "hosts.yml"


def check(site: Path, executor: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, str(ROOT / "provision.py"), "check", "-i", str(site), "--executor", executor, "--json"]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, env={**os.environ, **environment})


def hosts(ended: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])["hosts"]
    return {name: host["outcome"] for name, host in found.items()}


@as_root
def test_a_local_cluster_checks_each_host_once(site: Path) -> None:
    ended = check(site, "dask+local:2", DASK_TOKEN=TOKEN)
    assert ended.returncode == 3, ended.stderr
    assert hosts(ended) == dict.fromkeys(["a1", "a2", "a3", "a4"], "would-change")
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    finished = Counter(event["host"] for event in events if event["type"] == "host-finished")
    assert set(finished.values()) == {1}
    assert TOKEN not in ended.stdout + ended.stderr, "masked on the worker"
    assert "/etc/provision-test-********" in ended.stdout
    assert ended.stderr == ""


@as_root
def test_workers_look_at_the_order_before_the_run(site: Path, tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster", workers=1, environment={"DASK_TOKEN": ""}) as found:
        ended = check(site, found.executor)
        assert ended.returncode == 2, ended.stdout
        assert "the environment variable DASK_TOKEN is empty" in ended.stderr
        assert "(on the worker tcp://127.0.0.1:" in ended.stderr
        assert ended.stdout == ""
