"""The question `status`, asked of a real agent whose state directory tells all sorts of things."""

import json
import os
import time

import pytest

from provision.agent.host import lock, times
from provision.agent.host.errors import Failed
from provision.agent.host.system import ReadOnly, System
from provision.agent.questions import ask
from provision.agent.questions import status as ask_status
from tests.agent.conversation import file, stage
from tests.agent.test_main import SLOW, slow

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the agent works as root only")


@pytest.fixture
def state(tmp_path):
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    return path


def status(state, *roles):
    return ask.answer(ReadOnly(str(state)), "status", {"roles": list(roles)})


def keep(state, **sections):
    (state / "state.json").write_text(json.dumps(sections))


def ago(seconds):
    return time.strftime(times.FORM, time.gmtime(time.time() - seconds))


def test_a_host_that_we_never_touched_has_nothing_to_tell_and_nothing_is_written(start, tmp_path):
    found = start(facts_only=True).ask("status", roles=[])
    assert found.pop("time").startswith("20")
    found.pop("reboot")  # the machine that runs the tests may want one
    nothing = {name: None for name in ("unfinished", "last_run", "proof", "lock", "interrupted")}
    assert found == dict(nothing, pending=[], unmanaged=[])
    assert not (tmp_path / "state").exists()


def test_after_a_run_the_last_one_is_told_with_its_comment(start):
    agent = start(comment="kernel rollout")
    agent.hear()
    agent.plan(stage("r", file("/proc/no/such"), file("/x")))
    agent.hear_all()
    agent.process.wait(10)
    found = start(facts_only=True, run="r2").ask("status", roles=["r"])["last_run"]
    assert (found["run"], found["by"], found["comment"], found["changed"]) == ("r1", "me@here", "kernel rollout", 0)
    assert found["failed"] == ["r: file /proc/no/such"]
    assert 0 <= found["age"] < 60


def test_a_run_at_work_is_shown_as_the_holder_and_is_not_disturbed(start, tmp_path):
    worker = start(extra=SLOW, comment="kernel rollout")
    worker.hear()
    worker.plan(stage("r", slow(tmp_path / "a", 3)))
    worker.hear()
    found = start(facts_only=True, run="r2").ask("status", roles=[])["lock"]
    assert (found["held"], found["pid"], found["orphan"]) == (True, worker.process.pid, False)
    assert (found["run"], found["by"], found["comment"]) == ("r1", "me@here", "kernel rollout")
    assert found["since"].endswith("Z") and 0 <= found["age"] < 60
    assert [message["type"] for message in worker.hear_all()] == ["result", "bye"]


def test_whoever_finds_the_host_locked_hears_what_for_and_since_when(start, tmp_path):
    worker = start(extra=SLOW, comment="kernel rollout")
    worker.hear()
    worker.plan(stage("r", slow(tmp_path / "a", 2)))
    worker.hear()
    cause = start(run="r2").hear()["cause"]
    assert cause.startswith("another run holds this host: run r1 of me@here, since 20")
    assert cause.endswith(" s): 'kernel rollout'")


class Impatient:
    """Hears of each second of the wait, and does not wait for ever."""

    def __init__(self):
        self.told = []

    def progress(self, text):
        self.told.append(text)
        assert len(self.told) < 10, "it waits for an orphan without end"


def test_an_orphan_is_waited_for_and_not_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "WAIT_FOR_ORPHAN", 0.5)
    system = System(str(tmp_path / "state"))
    orphan = lock.Lock(system, {"id": "r1", "by": "me"})
    orphan.take(None)
    orphan.orphan()
    line = Impatient()
    with pytest.raises(Failed, match="another run holds this host: run r1 of me"):
        lock.Lock(system, {"id": "r2", "by": "you"}).take(line)
    assert line.told[0].startswith("waiting for an interrupted run to end its step (run r1 of me")
    orphan.release()


def test_a_look_at_the_lock_takes_nothing(start, tmp_path):
    """A thousand looks, while runs take the lock again and again: none of them finds it held."""
    system = System(str(tmp_path / "state"))
    for number in range(20):
        taken = lock.Lock(system, {"id": "r{}".format(number), "by": "me"})
        for _ in range(50):
            lock.inspect(system)
        taken.take(None)
        owner, pid = lock.inspect(system)
        assert (owner["id"], pid) == ("r{}".format(number), os.getpid())
        taken.release()
        assert lock.inspect(system) == ({}, None)


def test_a_run_that_died_has_left_its_name_and_holds_nothing(start, tmp_path):
    worker = start(extra=SLOW)
    worker.hear()
    worker.process.kill()
    worker.process.wait(10)
    found = start(facts_only=True, run="r2").ask("status", roles=[])["lock"]
    assert (found["held"], found["pid"], found["run"]) == (False, None, "r1")


def test_what_is_pending_is_told_with_its_age(state):
    record = {
        "since": ago(7200), "run": "r7", "by": "alice@ctl", "reason": "3 containers use GPUs",
        "resources": ["service docker"], "staged": ["/etc/docker/daemon.json"],
    }  # fmt: skip
    keep(state, pending={"docker_daemon": record, "odd": "not a record"})
    (found,) = status(state)["pending"]
    assert 7200 <= found.pop("age") < 7260
    assert found == dict(record, role="docker_daemon")


@pytest.mark.parametrize("run", ["r7", {"id": "r7", "by": "alice@ctl"}])
def test_of_an_unfinished_change_only_the_head_is_told(state, run):
    (state / "undo").mkdir()
    journal = {"run": run, "by": "alice@ctl", "since": ago(60), "deadline": "soon", "files": {"/x": "hunter2"}}
    (state / "undo" / "journal.json").write_text(json.dumps(journal))
    found = status(state)
    assert (found["unfinished"]["run"], found["unfinished"]["by"], found["unfinished"]["deadline"]) == (
        "r7",
        "alice@ctl",
        "soon",
    )
    assert "hunter2" not in json.dumps(found)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"run": [1], "since": {}}'])
def test_a_torn_record_is_a_record_without_details(state, text):
    (state / "undo").mkdir()
    (state / "undo" / "journal.json").write_text(text)
    (state / "history.jsonl").write_text('{"run": "r1", "changed": 3}\n' + text)
    (state / "proofs").mkdir()
    (state / "proofs" / "gpu.json").write_text(text)
    found = status(state)
    assert found["unfinished"] is not None
    assert json.dumps(found)


def test_a_damaged_state_is_said(state):
    (state / "state.json").write_text("{")
    with pytest.raises(Failed) as caught:
        status(state)
    assert "damaged" in caught.value.cause


def test_the_last_proof_is_told_with_what_failed(state):
    (state / "proofs").mkdir()
    receipt = {"verdict": "failed", "time": ago(90), "gpus": [1, 2], "levels": {"0": {}, "1": {}}, "key": {"x": "y"}}
    (state / "proofs" / "gpu.json").write_text(json.dumps(dict(receipt, failed_checks=["no such device"])))
    found = status(state)["proof"]
    assert (found["verdict"], found["gpus"], found["levels"], found["failed"]) == (
        "failed",
        2,
        ["0", "1"],
        ["no such device"],
    )
    assert 90 <= found["age"] < 150


def test_the_last_proof_is_no_better_than_the_speed_of_the_gpus(state):
    (state / "proofs").mkdir()
    receipt = {"verdict": "passed", "time": ago(90), "gpus": [1], "levels": {"0": {}}, "failed_checks": []}
    (state / "proofs" / "gpu.json").write_text(json.dumps(receipt))
    speed = {"verdict": "failed", "levels": {"5": {}}, "failed_checks": ["GPU 0: memory read is slow"]}
    (state / "proofs" / "gpu-speed.json").write_text(json.dumps(speed))
    found = status(state)["proof"]
    assert (found["verdict"], found["levels"], found["failed"]) == ("failed", ["0", "5"], speed["failed_checks"])
    (state / "proofs" / "gpu-speed.json").write_text(json.dumps(dict(speed, verdict="passed", failed_checks=7)))
    assert status(state)["proof"]["verdict"] == "passed"
    (state / "proofs" / "gpu-speed.json").write_text('{"levels": 7')
    assert status(state)["proof"]["levels"] == ["0"]


def absent(path):
    fields = {"path": str(path), "content": None, "mode": "0644", "owner": "root", "group": "root"}
    return {"kind": "file", "fields": dict(fields, sensitive=False, validate_with=None)}


def test_roles_that_the_host_does_not_have_any_more_are_told_with_what_they_left(state, tmp_path):
    daemon, default, site = (tmp_path / name for name in ("daemon.json", "default", "site"))
    daemon.write_text('{"runtimes": {"nvidia": {}}, "bip": "10.0.0.1/24", "mtu": 1400, "dns": []}')
    default.write_text('DOCKER_OPTS="--bip=10.0.0.1/24"\n')
    site.write_text("x")
    of_nvidia = {
        '["%s"]' % name: {"role": "nvidia_docker", "digest": "1"} for name in ("mtu", "gone", 'runtimes", "nvidia')
    }
    keep(
        state,
        asked={
            "site": {"file site": absent(site), "file gone": absent(tmp_path / "gone")},
            "found": {"file site": dict(absent(site), found=True)},
            "newer": {"quux x": {"kind": "quux", "fields": {}}},
            "kept": {"file kept": {}},
        },
        json_keys={
            str(daemon): dict(
                of_nvidia, **{'["bip"]': {"role": "kept", "digest": "2"}, '["dns"]': {"role": "", "digest": "3"}}
            )
        },
        daemon_flags={str(default): {"flags": [["bip", "10.0.0.1/24", "site"]], "variables": []}},
    )
    assert status(state, "kept", "")["unmanaged"] == [
        {"role": "newer", "left": ["quux x"]},
        {"role": "nvidia_docker", "left": ["mtu, runtimes.nvidia in {}".format(daemon)]},
        {"role": "site", "left": ["file {}".format(site), "--bip in {}".format(default)]},
    ]
    assert status(state, "kept", "site", "nvidia_docker", "newer")["unmanaged"] == []


def test_a_reboot_that_is_wanted_is_told_with_its_packages(state, tmp_path, monkeypatch):
    flag = tmp_path / "reboot-required"
    monkeypatch.setattr(ask_status, "REBOOT", (str(flag),))
    assert status(state)["reboot"] is None
    flag.write_text("*** System restart required ***\n")
    assert status(state)["reboot"] == []
    (tmp_path / "reboot-required.pkgs").write_text("linux-image\nlibc6\nlinux-image\n")
    assert status(state)["reboot"] == ["libc6", "linux-image"]


def test_long_texts_are_cut(state):
    keep(state, pending={"r": {"reason": "x" * 10000, "resources": ["y" * 10000] * 1000}})
    assert len(json.dumps(status(state))) < 100000


def test_an_unknown_question_is_a_bug(state):
    with pytest.raises(ValueError, match="nobody answers the question 'os'"):
        ask.answer(ReadOnly(str(state)), "os", {})


@pytest.mark.parametrize("moment", [None, 3, "", "yesterday", "2026-13-01T00:00:00Z", []])
def test_what_is_no_moment_has_no_age(moment):
    assert times.age(moment) is None


@pytest.mark.parametrize(
    "seconds, words", [(0, "0 s"), (59.9, "59 s"), (182, "3 min 2 s"), (7260, "2 h 1 min"), (180000, "2 d 2 h")]
)
def test_spans_as_people_tell_them(seconds, words):
    assert times.told(seconds) == words
