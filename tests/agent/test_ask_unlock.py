"""The question `unlock`, about real agents that hold a lock."""

import os
import shutil
import subprocess
import sys
import time

import pytest

from provision.agent.host import lock
from provision.agent.host.errors import Failed
from provision.agent.host.system import ReadOnly, System
from provision.agent.questions import ask
from provision.agent.questions import unlock as ask_unlock
from tests.agent.conversation import stage
from tests.agent.test_main import SLOW, slow

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the agent works as root only")

TOOL = {
    "agent.files.command": SLOW["agent.files.command"].replace(
        "time.sleep(self.seconds)", 'system.run([self.path, "30"])'
    ),
}


@pytest.fixture
def unlock(tmp_path):
    def call(end=True, force=False, run=None):
        system = ReadOnly(str(tmp_path / "state"))
        return ask.answer(system, "unlock", {"end": end, "force": force, "run": run})

    return call


def working(start, resource, extra=SLOW):
    agent = start(extra=extra)
    agent.hear()
    agent.plan(stage("r", resource))
    agent.hear()
    return agent


def test_a_host_that_nobody_holds_is_free_and_nothing_is_written(unlock, tmp_path):
    assert unlock() == {"state": "free", "lock": None}
    assert os.listdir(str(tmp_path)) == []


def test_to_look_disturbs_nobody(start, unlock, tmp_path):
    agent = working(start, slow(tmp_path / "a", 2))
    found = unlock(end=False)
    assert (found["state"], found["lock"]["run"], found["lock"]["pid"]) == ("held", "r1", agent.process.pid)
    assert [message["type"] for message in agent.hear_all()] == ["result", "bye"]


def test_a_run_ends_after_its_step_and_its_controller_and_the_next_run_hear_of_it(start, unlock, tmp_path):
    agent = working(start, slow(tmp_path / "a", 2))
    assert unlock(run="r1")["state"] == "ended"
    heard = agent.hear_all()
    assert [message["type"] for message in heard] == ["result", "refused"]
    assert "ended on the host itself" in heard[1]["cause"]
    assert (tmp_path / "a").exists()
    assert start(run="r2").hear()["interrupted"]["run"]["id"] == "r1"


def test_a_run_that_waits_for_its_controller_ends_too(start, unlock):
    agent = start()
    agent.hear()
    assert unlock()["state"] == "ended"
    assert agent.hear()["type"] == "refused"


def test_a_step_that_does_not_end_is_killed(start, unlock, tmp_path, monkeypatch):
    monkeypatch.setattr(ask_unlock, "GRACE", 0.5)
    agent = working(start, slow(tmp_path / "a", 60))
    assert unlock()["state"] == "killed"
    assert agent.process.wait(10) == -9
    assert unlock(end=False)["state"] == "stale"


def test_the_name_of_a_run_that_died_is_cleared(start, unlock):
    agent = start()
    agent.hear()
    agent.process.kill()
    agent.process.wait(10)
    assert (unlock(end=False)["state"], unlock()["state"], unlock()["state"]) == ("stale", "cleared", "free")


def test_another_run_than_was_shown_is_left_alone(start, unlock):
    agent = start()
    agent.hear()
    with pytest.raises(Failed, match="another run holds this host by now: run r1 of me@here"):
        unlock(run="r0")
    agent.plan()
    assert agent.hear()["type"] == "bye"


def test_a_process_that_is_no_agent_is_left_alone(unlock, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    program = "import fcntl,sys;f=open(sys.argv[1],'w');fcntl.flock(f,2);print('held',flush=True);sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program, str(state / "lock")], **pipes) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(Failed, match="process {} holds the lock and is no agent of ours".format(other.pid)):
            unlock()
        assert other.poll() is None
        other.stdin.close()


def test_a_file_that_only_names_a_process_does_not_have_it_ended(start, unlock, tmp_path):
    """A PID of long ago may be anybody's now: the kernel says who holds the lock."""
    state = tmp_path / "state"
    state.mkdir()
    with subprocess.Popen([sys.executable, "-c", "input() #provision-agent-1"], stdin=subprocess.PIPE) as other:
        (state / "lock").write_text('{{"id": "r0", "by": "x@y", "pid": {}}}'.format(other.pid))
        assert unlock()["state"] == "cleared"
        assert other.poll() is None
        other.communicate(b"\n")


def test_a_package_run_in_hand_is_spared_unless_forced(start, unlock, tmp_path, monkeypatch):
    monkeypatch.setattr(ask_unlock, "GRACE", 0.5)
    tool = tmp_path / "dpkg"
    shutil.copy(shutil.which("sleep"), str(tool))
    agent = working(
        start,
        slow(tool, 0),
        extra={"agent.files.command": TOOL["agent.files.command"].replace("is not None", "is None")},
    )
    deadline = time.monotonic() + 20
    while ask_unlock._package_tool(System(), agent.process.pid) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(Failed, match=r"a package run in hand: dpkg \(process \d+\)"):
        unlock()
    assert agent.process.poll() is None
    pid = ask_unlock._package_tool(System(), agent.process.pid)[0]
    assert unlock(force=True)["state"] == "killed"
    os.kill(pid, 0)  # it goes on alone
    os.kill(pid, 15)


def test_a_lock_that_was_taken_meanwhile_is_not_cleared(tmp_path):
    system = System(str(tmp_path / "state"))
    taken = lock.Lock(system, {"id": "r1", "by": "me"})
    taken.take(None)
    assert lock.clear(system) is False
    assert lock.inspect(system)[0]["id"] == "r1"
    taken.release()
