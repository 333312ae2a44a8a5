"""One rollout over two Dask workers: one is killed in the middle, and each host ends once; Ctrl-C reaches them all."""

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.dask_cluster import Cluster, cluster
from tests.e2e.runner import Ended, HostSpec, Lab, Provision, settle

pytestmark = pytest.mark.lab
pytest.importorskip("distributed", reason="--executor IS NOT TESTED: this Python has no distributed")

NAMES = [f"d{number}" for number in range(1, 5)]
TOKEN = "token-that-only-workers-have"
ROLE = '''
"""Four files; two of them take until somebody says go, or 20 s."""
from provision import role
from provision.resources import File
from provision.secrets import Secret

SLOW = "touch /run/there; for n in $(seq 200); do test -e /run/go-{0} && exit 0; sleep 0.1; done"


class Settings(role.Settings):
    text: str = "one"
    token: Secret


def resources(facts, settings):
    yield File(path="/etc/first", content=settings.token)
    yield File(path="/etc/second", content=settings.text, validate_with=("sh", "-c", SLOW.format(2), "{}"))
    yield File(path="/etc/third", content=settings.text, validate_with=("sh", "-c", SLOW.format(3), "{}"))
    yield File(path="/etc/fourth", content=settings.text)
'''


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    directory = tmp_path_factory.mktemp("dask")
    with Lab.up("dask", [HostSpec(name) for name in NAMES], directory) as up:
        (directory / "roles").mkdir()
        (directory / "roles" / "steps.py").write_text(ROLE)
        settle(up, {"roles": ["steps"], "steps": {"token": "TOKEN"}})
        variables = directory / "group_vars" / "all.yml"
        variables.write_text(variables.read_text().replace("TOKEN", "!secret env:DASK_TEST_TOKEN"))
        yield up


def in_the_second_step(lab: Lab, process: "subprocess.Popen[str]") -> None:
    """Wait for all hosts to be there."""
    for name in NAMES:
        while lab.host(name).run(["test", "-e", "/run/there"], check=False).returncode:
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)


def go(lab: Lab, *steps: int) -> None:
    """Let these steps end; without any, the next ones wait."""
    for name in NAMES:
        lab.host(name).run("rm -f /run/there /run/go-*" + "".join(f"; touch /run/go-{number}" for number in steps))


def ended(process: "subprocess.Popen[str]") -> Ended:
    return Provision.ended(process, *process.communicate(timeout=120))


def test_a_worker_is_killed_in_the_middle_and_each_host_ends_once(lab: Lab) -> None:
    tokens = {"DASK_TEST_TOKEN": TOKEN}
    with cluster(lab.directory / ".cluster", tls=True, environment=tokens) as found:
        provision = Provision(lab.directory, found.environment)
        process = provision.start("apply", "--yes", "--executor", found.executor)
        in_the_second_step(lab, process)
        found.workers[0].kill()
        go(lab, 2, 3)
        first = ended(process)
        again = provision.apply("--executor", found.executor)
    assert first.status == 0, first.explain()
    assert Counter(event["host"] for event in first.of("host-finished")) == dict.fromkeys(NAMES, 1)
    for name in NAMES:
        assert first.host(name)["outcome"] == "changed"
        assert (first.host(name)["changed"], first.host(name)["ok"]) == (4, 0), "each step counts once"
    lost = [event["host"] for event in first.of("notice") if "its worker was lost" in event["text"]]
    assert len(lost) == 2, "two of four were on the worker that was killed"
    for name in lost:
        lines = lab.host(name).read("/var/lib/provision/history.jsonl").splitlines()
        assert [len(json.loads(line)["changed"]) for line in lines] == [2, 2], "no step was done twice"
    assert lab.host("d1").read("/etc/first") == TOKEN
    assert TOKEN not in first.stdout + first.stderr
    assert again.status == 0, again.explain()
    assert {host["outcome"] for host in again.summary["hosts"].values()} == {"ok"}


@pytest.fixture(scope="module")
def plain(lab: Lab) -> Iterator[Cluster]:
    with cluster(lab.directory / ".plain", environment={"DASK_TEST_TOKEN": TOKEN}) as found:
        yield found


def stopped(lab: Lab, executor: str, text: str, number: signal.Signals) -> "subprocess.Popen[str]":
    """An apply whose controller gets this signal when all hosts are in the second step, which ends then."""
    go(lab)
    provision = Provision(lab.directory)
    process = provision.start("apply", "--yes", "--executor", executor, "--set", f"steps.text={text}")
    in_the_second_step(lab, process)
    process.send_signal(number)
    time.sleep(4)  # it takes no longer where nothing else happens; a host that hears of it later is in the third step,
    go(lab, 2)  # whose time runs out
    return process


def test_ctrl_c_ends_the_steps_in_hand_on_all_workers(lab: Lab, plain: Cluster) -> None:
    found = ended(stopped(lab, plain.executor, "two", signal.SIGINT))
    assert found.status == 130, found.explain()
    assert Counter(event["host"] for event in found.of("host-finished")) == dict.fromkeys(NAMES, 1)
    for name in NAMES:
        assert "interrupted" in found.host(name)["error"]
        assert lab.host(name).read("/etc/second") == "two", "the step in hand was brought to its end"
        assert lab.host(name).read("/etc/fourth") == "one", "and the last one was not begun"


def test_hosts_of_a_controller_that_was_killed_end_their_step_too(lab: Lab, plain: Cluster) -> None:
    process = stopped(lab, plain.executor, "three", signal.SIGKILL)
    process.communicate()
    for name in NAMES:
        lab.host(name).run("for n in $(seq 600); do test -s /var/lib/provision/lock || exit 0; sleep 0.1; done; exit 1")
        assert lab.host(name).read("/etc/second") == "three"
        assert lab.host(name).read("/etc/fourth") == "one"
