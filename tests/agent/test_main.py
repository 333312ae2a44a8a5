"""The agent as a whole: a real process, real pipes."""

import json
import marshal
import os
import subprocess
import sys
import time

import pytest

from provision.agent import main, wire
from provision.agent.host.errors import Failed
from provision.agent.host.system import ReadOnly
from provision.agent.questions import ask
from provision.agent.run.link import Cancelled, ControllerLink
from tests.agent.conversation import AGENT, file, stage

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the agent works as root only")

SLOW = {
    "agent.files.command": """
import time
from ..engine.resource import Resource
class Command(Resource):
    fields = ("path", "seconds")
    def identity(self): return self.path
    def desired(self): return {"there": True}
    def actual(self, system): return {"there": system.stat(self.path) is not None}
    def apply(self, system, diff):
        print("a stray print")
        system.progress("waiting")
        time.sleep(self.seconds)
        system.write(self.path, b"done")
"""
}


def slow(path, seconds):
    return {"kind": "command", "fields": {"path": str(path), "seconds": seconds}}


def types(messages):
    return [message["type"] for message in messages]


def test_hello_plan_results_bye(start, tmp_path):
    agent = start()
    hello = agent.hear()
    assert (hello["type"], hello["protocol"], hello["interrupted"]) == ("hello", 1, None)
    assert hello["facts"]["os"]["id"]
    agent.plan(stage("r", file(tmp_path / "a"), file(tmp_path / "b")))
    messages = agent.hear_all()
    assert types(messages) == ["started", "result", "started", "result", "bye"]
    assert messages[1]["outcome"] == "changed"
    assert (messages[1]["role"], messages[1]["kind"], messages[1]["name"]) == ("r", "file", str(tmp_path / "a"))


def test_check_writes_nothing_at_all(start, tmp_path):
    agent = start(check=True)
    agent.hear()
    agent.plan(stage("r", file(tmp_path / "a")))
    assert [message.get("outcome") for message in agent.hear_all()] == [None, "would-change", None]
    assert sorted(os.listdir(str(tmp_path))) == ["payload-r1.json"]


def test_the_first_failure_ends_the_run(start, tmp_path):
    agent = start()
    agent.hear()
    agent.plan(stage("r", file(tmp_path / "no" / "a"), file(tmp_path / "b")), stage("s", file(tmp_path / "c")))
    messages = agent.hear_all()
    assert types(messages) == ["started", "result", "bye"]
    assert messages[1]["outcome"] == "failed"
    assert not (tmp_path / "b").exists()


def test_after_a_change_the_next_stage_is_planned_anew(start, tmp_path):
    agent = start()
    agent.hear()
    agent.plan(stage("r", file(tmp_path / "a")), stage("s", file(tmp_path / "b")))
    assert types([agent.hear(), agent.hear()]) == ["started", "result"]
    replan = agent.hear()
    assert (replan["type"], replan["stage"]) == ("replan", 1)
    assert replan["facts"]["os"]["id"]
    agent.plan(stage("s", file(tmp_path / "other")))
    assert types(agent.hear_all()) == ["started", "result", "bye"]
    assert (tmp_path / "other").exists()
    assert not (tmp_path / "b").exists()


def test_without_a_change_there_is_no_further_trip(start, tmp_path):
    (tmp_path / "a").write_text("x\n")
    agent = start()
    agent.hear()
    agent.plan(stage("r", file(tmp_path / "a")), stage("s", file(tmp_path / "a")))
    assert types(agent.hear_all()) == ["started", "result", "started", "result", "bye"]


def test_a_deferred_stage_asks_for_its_plan_when_its_turn_comes(start, tmp_path):
    agent = start()
    agent.hear()
    agent.plan(stage("r", replan=True))
    assert agent.hear()["type"] == "replan"
    agent.plan(stage("r", file(tmp_path / "a")))
    assert types(agent.hear_all()) == ["started", "result", "bye"]


def run(start, number, *stages):
    agent = start(run="run{}".format(number))
    agent.hear()
    agent.plan(*stages)
    messages = agent.hear_all()
    agent.end()
    return [message for message in messages if message["type"] == "result"]


def test_what_a_role_no_longer_asks_for_goes_and_what_others_asked_for_stays(start, tmp_path):
    a, b, c = (tmp_path / name for name in "abc")
    run(start, 1, stage("r", file(a), file(b)))
    run(start, 2, stage("s", file(c)))
    results = run(start, 3, stage("r", file(a)))
    assert [(item["name"], item["outcome"]) for item in results] == [(str(a), "ok"), (str(b), "changed")]
    assert a.exists() and not b.exists() and c.exists()
    assert len(run(start, 4, stage("r", file(a)))) == 1


WATCHER = """
from ..engine.resource import Resource
class Service(Resource):
    fields = ("watches",)
    starts = True
    def identity(self): return "watcher"
    def desired(self): return {"seen": False}
    def actual(self, system): return {"seen": system.stat(self.watches) is not None}
"""


def test_what_goes_has_gone_before_a_service_is_looked_at(start, tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    watcher = {"kind": "service", "fields": {"watches": str(b)}}
    run(start, 1, stage("r", file(a), file(b)))
    agent = start(run="r2", extra={"agent.services.service": WATCHER})
    agent.hear()
    agent.plan(stage("r", file(a), watcher))
    results = [item for item in agent.hear_all() if item["type"] == "result"]
    outcomes = [(item["kind"], item["outcome"]) for item in results]
    assert outcomes == [("file", "ok"), ("file", "changed"), ("service", "ok")]


def test_no_content_is_kept_in_the_state(start, tmp_path):
    run(start, 1, stage("r", file(tmp_path / "a", "very secret words\n")))
    state = (tmp_path / "state" / "state.json").read_text()
    assert "secret words" not in state
    assert str(tmp_path / "a") in state


def test_a_stray_print_does_not_corrupt_a_frame(start, tmp_path):
    agent = start(extra=SLOW)
    agent.hear()
    agent.plan(stage("r", slow(tmp_path / "a", 0)))
    assert types(agent.hear_all()) == ["started", "result", "bye"]


def test_it_beats_with_the_step_and_says_what_it_waits_for(start, tmp_path):
    agent = start(extra=SLOW)
    agent.hear()
    agent.plan(stage("r", slow(tmp_path / "a", 6)))
    agent.hear()
    first, second = agent.hear(beats=True), agent.hear(beats=True)
    assert (first["type"], first["text"]) == ("beat", "waiting")
    assert (second["type"], second["step"]) == ("beat", "r: command {}".format(tmp_path / "a"))


def test_a_lost_controller_lets_the_step_end_and_the_next_run_hears_of_it(start, tmp_path):
    agent = start(extra=SLOW)
    agent.hear()
    agent.plan(stage("r", slow(tmp_path / "a", 2), file(tmp_path / "b")))
    agent.hear()
    agent.hang_up()
    agent.process.wait(30)
    assert (tmp_path / "a").read_text() == "done"
    assert not (tmp_path / "b").exists()
    story = start(run="r2").hear()["interrupted"]
    assert story["run"]["id"] == "r1"
    assert story["step"] == "command {}".format(tmp_path / "a"), "the step that it was in"


def test_a_controller_that_is_lost_when_the_plan_is_to_be_made_anew_is_told_of_too(start, tmp_path):
    agent = start(extra=SLOW)
    agent.hear()
    agent.plan(stage("r", slow(tmp_path / "a", 1)), stage("s", file(tmp_path / "b")))
    agent.hear()
    agent.hang_up()
    agent.process.wait(30)
    assert start(run="r2").hear()["interrupted"]["step"] == "command {}".format(tmp_path / "a")


def test_a_run_that_was_killed_is_told_by_its_lock_once(start, tmp_path):
    agent = start(extra=SLOW)
    agent.hear()
    agent.process.kill()
    agent.process.wait(30)
    second = start(run="r2")
    story = second.hear()["interrupted"]
    assert (story["run"]["id"], story["step"]) == ("r1", None)
    second.plan()
    second.hear_all()
    assert start(run="r3").hear()["interrupted"] is None


def test_a_finished_run_clears_the_story(start, tmp_path):
    agent = start(extra=SLOW)
    agent.hear()
    agent.plan(stage("r", slow(tmp_path / "a", 1), file(tmp_path / "b")))
    agent.hear()
    agent.hang_up()
    agent.process.wait(30)
    run(start, 2, stage("r", file(tmp_path / "b")))
    assert start(run="r3").hear()["interrupted"] is None


def test_cancel_ends_after_the_step_in_hand(start, tmp_path):
    agent = start(extra=SLOW)
    agent.hear()
    agent.plan(stage("r", slow(tmp_path / "a", 1), file(tmp_path / "b")))
    agent.hear()
    agent.say({"type": "cancel"})
    assert types(agent.hear_all()) == ["result"]
    assert (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()


def test_two_runs_at_once_the_second_hears_who_holds_the_host(start, tmp_path):
    first = start(extra=SLOW)
    first.hear()
    first.plan(stage("r", slow(tmp_path / "a", 3)))
    first.hear()
    refused = start(run="r2").hear()
    assert refused["type"] == "refused"
    assert "run r1 of me@here, since 20" in refused["cause"]
    assert types(first.hear_all()) == ["result", "bye"]
    assert start(run="r3").hear()["type"] == "hello"


def test_an_orphan_that_still_works_is_waited_for(start, tmp_path):
    orphan = start(extra=SLOW)
    orphan.hear()
    orphan.plan(stage("r", slow(tmp_path / "a", 3)))
    orphan.hear()
    orphan.hang_up()
    time.sleep(0.5)
    second = start(run="r2")
    beat = second.hear(beats=True)
    assert "waiting for an interrupted run" in beat["text"]
    assert second.hear()["type"] == "hello"
    assert (tmp_path / "a").exists()


def test_a_run_that_is_spread_over_workers_waits_for_its_own_lost_part_and_tells_what_it_did(start, tmp_path):
    """The first controller is gone, and the host does not know it yet."""
    first = start(extra=SLOW, spread=True)
    assert first.hear()["earlier"] is None
    first.plan(stage("r", slow(tmp_path / "a", 3)))
    first.hear()
    second = start(spread=True)
    assert "waiting for an interrupted run" in second.hear(beats=True)["text"]
    assert second.hear()["earlier"] == {"changed": ["r: command {}".format(tmp_path / "a")], "failed": []}
    second.plan(stage("r", file(tmp_path / "b")))
    second.hear_all()
    third = start(spread=True)
    both = ["r: command {}".format(tmp_path / "a"), "r: file {}".format(tmp_path / "b")]
    assert third.hear()["earlier"]["changed"] == both
    third.plan()
    third.hear_all()
    assert start(run="r2", spread=True).hear()["earlier"] is None


def test_check_needs_no_lock(start, tmp_path):
    first = start(extra=SLOW)
    first.hear()
    assert start(check=True, run="r2").hear()["type"] == "hello"


def test_a_bug_comes_back_as_a_crash_with_source_lines(start):
    agent = start(
        extra={
            "agent.facts.gather": "def gather(system):\n    raise ZeroDivisionError('on purpose')  # this very line\n"
        }
    )
    crash = agent.hear()
    assert crash["type"] == "crash"
    assert "this very line" in crash["trace"]


def test_a_full_disk_under_our_own_state_is_the_hosts_matter_and_no_bug(start):
    lines = "def gather(system):\n    raise OSError(28, 'No space left on device', '/var/lib/provision/lock')\n"
    refused = start(extra={"agent.facts.gather": lines}).hear()
    assert refused["type"] == "refused"
    assert refused["cause"] == "No space left on device /var/lib/provision/lock"
    assert "df -h" in refused["fix"]


def test_an_os_error_that_no_host_can_help_is_a_bug(start):
    crash = start(
        extra={"agent.facts.gather": "def gather(system):\n    raise OSError(9, 'Bad file descriptor')\n"}
    ).hear()
    assert crash["type"] == "crash"


def test_facts_only_says_bye_and_writes_nothing(start, tmp_path):
    agent = start(facts_only=True)
    assert agent.hear()["type"] == "hello"
    agent.say({"type": "end"})
    assert types(agent.hear_all()) == ["bye"]
    assert not (tmp_path / "state").exists()


@pytest.fixture
def nobody():
    """For the time of a test we are not root."""
    os.seteuid(65534)
    yield
    os.seteuid(0)


def test_facts_need_no_root_where_root_has_run_before(tmp_path, nobody):
    """They did not come at all: the record of an interrupted run is root's alone to read."""

    class Locked(ReadOnly):
        def read(self, path, limit=0):
            raise PermissionError(13, "Permission denied", path)

    assert main._interrupted(Locked(str(tmp_path)), None) is None


def test_a_question_needs_root(tmp_path, nobody):
    with pytest.raises(Failed, match="not root on this host"):
        ask.answer(ReadOnly(str(tmp_path)), "status", {"roles": []})


def test_an_unknown_kind_is_a_bug_that_is_named(start):
    agent = start()
    agent.hear()
    agent.plan(stage("r", {"kind": "no-such", "fields": {}}))
    crash = agent.hear()
    assert crash["type"] == "crash"
    assert "no-such" in crash["trace"]
    assert json.dumps(crash)


def test_compiled_code_is_kept_for_the_next_run_and_only_for_these_sources(start, tmp_path):
    run(start, 1, stage("r", file(tmp_path / "a")))
    (kept,) = [path for path in (tmp_path / "state").iterdir() if path.name.startswith("code-")]
    assert kept.stat().st_mode & 0o777 == 0o600
    first = kept.stat().st_mtime_ns
    assert run(start, 2, stage("r", file(tmp_path / "a")))[0]["outcome"] == "ok"
    assert kept.stat().st_mtime_ns == first, "nothing new was compiled"
    changed = start(run="r3", extra={"agent.facts.gather": "def gather(system): return {'other': 1}\n"})
    assert changed.hear()["facts"] == {"other": 1}


def test_what_a_run_without_changes_uses_costs_few_imports():
    """Each of these costs every host a millisecond or more, in each run."""
    kinds = "packages", "file", "json_keys", "daemon_flags", "service", "docker_live"
    code = (
        "import sys, importlib; sys.path.insert(0, {!r}); from provision.agent import main; "
        "from provision.agent.engine.kinds import AGENT, MODULES; "
        "[importlib.import_module(AGENT + '.' + MODULES[kind][0]) for kind in {!r}]; print(*sys.modules)"
    )
    root = os.path.dirname(os.path.dirname(AGENT))
    shown = subprocess.check_output([sys.executable, "-I", "-S", "-c", code.format(root, kinds)])
    dear = {"socket", "signal", "copy", "subprocess", "hashlib", "http.client", "difflib", "base64", "tempfile"}
    assert not dear & set(shown.decode().split())


def test_damaged_code_of_one_module_is_compiled_anew(start, tmp_path):
    run(start, 1, stage("r", file(tmp_path / "a")))
    (kept,) = [path for path in (tmp_path / "state").iterdir() if path.name.startswith("code-")]
    digest, codes = marshal.loads(kept.read_bytes())
    codes["agent.facts.gather"] = codes["agent.facts.gather"][:40]
    kept.write_bytes(marshal.dumps((digest, codes)))
    assert start(run="r2").hear()["type"] == "hello"


def test_damaged_or_foreign_code_is_not_run(start, tmp_path):
    run(start, 1, stage("r", file(tmp_path / "a")))
    (kept,) = [path for path in (tmp_path / "state").iterdir() if path.name.startswith("code-")]
    for data, mode in ((b"", 0o600), (b"garbage", 0o600), (kept.read_bytes(), 0o666)):
        kept.write_bytes(data)
        kept.chmod(mode)
        assert start(check=True, run="r2").hear()["type"] == "hello"


def test_what_a_failed_run_wrote_is_remembered_and_removed_once_nobody_asks_for_it(start, tmp_path):
    (tmp_path / "directory").mkdir()
    first = start(run="r1")
    first.hear()
    first.plan(stage("r", file(tmp_path / "written"), file(tmp_path / "directory")))
    outcomes = [message["outcome"] for message in first.hear_all() if message["type"] == "result"]
    assert outcomes == ["changed", "failed"]
    second = start(run="r2")
    second.hear()
    second.plan(stage("r", file(tmp_path / "other")))
    second.hear_all()
    assert not (tmp_path / "written").exists()
    assert (tmp_path / "directory").is_dir(), "what we could not make is not ours to remove"


def test_a_minute_without_an_answer_is_the_end_of_input(tmp_path):
    """A cable that was cut tells nobody: then the beats go unanswered."""
    to_agent, controller = os.pipe()
    back, from_agent = os.pipe()
    ended = []
    line = ControllerLink(to_agent, from_agent, beat=0.05, silence=0.5)
    line.on_end = lambda: ended.append(time.monotonic())
    began = time.monotonic()
    line.start()
    for _ in range(6):
        os.write(controller, wire.encode({"type": "heard"}))
        time.sleep(0.2)
    assert not ended, "answered beats keep it going"
    with pytest.raises(Cancelled):
        line.next()
    assert line.cancelled
    assert ended[0] - began >= 1.2
    for fd in (to_agent, controller, back, from_agent):
        os.close(fd)


# -- the first look of an apply

WANTED = {"storage_driver": None, "data_root": None, "containerd_store": None, "deferred": []}


def first_look(start, tmp_path, *resources, **plan):
    agent = start(check=True, settle=True, run="look")
    agent.hear()
    agent.plan(stage("r", *resources), preflight=dict(WANTED, **plan))
    return agent.hear_all()


def everything(tmp_path):
    """{path: content} of all that is there, but for what a test itself sends."""
    found = {}
    for folder, _, names in os.walk(str(tmp_path)):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                found[os.path.join(folder, name)] = file.read()
    return {path: data for path, data in found.items() if "payload-" not in path}


def test_a_first_look_that_finds_something_to_change_asks_and_writes_nothing(start, tmp_path):
    messages = first_look(start, tmp_path, file(tmp_path / "a"))
    assert types(messages) == ["started", "result", "preflight", "bye"]
    answers = {item["question"]: item["verdict"] for item in messages[2]["answers"]}
    assert set(answers) >= {"disk", "engines", "orchestrator", "images", "dpkg", "locks", "holds", "reboot"}
    assert (answers["holds"], answers["engines"]) == ("n/a", "n/a")
    assert everything(tmp_path) == {}
    assert not (tmp_path / "state").exists()


def test_what_is_only_known_later_is_a_change_to_come(start, tmp_path):
    (tmp_path / "a").write_text("x")
    os.chmod(str(tmp_path / "a"), 0o644)
    assert "preflight" in types(first_look(start, tmp_path, deferred=["docker_daemon"]))
    assert everything(tmp_path) == {str(tmp_path / "a"): b"x"}


def test_a_first_look_at_a_host_in_sync_is_all_of_its_run(start, tmp_path):
    agent = start(run="r0")
    agent.hear()
    agent.plan(stage("r", file(tmp_path / "a")))
    agent.hear_all()
    after = everything(tmp_path)
    for path in [path for path in after if "/state/" in path]:
        os.unlink(path)  # nobody remembers anything, as on a host that somebody else has set up
    assert types(first_look(start, tmp_path, file(tmp_path / "a"))) == ["started", "result", "bye"]
    with open(str(tmp_path / "state" / "state.json"), encoding="ascii") as document:
        assert json.load(document)["asked"]["r"], "what was asked is remembered, so that it can be dropped"
    kept = everything(tmp_path)
    assert [path for path in kept if "/code-" in path], "and the code is kept for the next time"
    first_look(start, tmp_path, file(tmp_path / "a"))
    assert everything(tmp_path) == kept, "a second look has nothing to write"


def test_a_first_look_without_a_state_directory_makes_one_for_a_host_in_sync(start, tmp_path):
    (tmp_path / "a").write_bytes(file_content(tmp_path))
    os.chmod(str(tmp_path / "a"), 0o644)
    assert types(first_look(start, tmp_path, file(tmp_path / "a"))) == ["started", "result", "bye"]
    assert (tmp_path / "state" / "state.json").exists()


def file_content(tmp_path):
    return file(tmp_path / "a")["fields"]["content"].encode("utf-8")


def test_a_first_look_that_fails_asks_nothing_and_leaves_its_line(start, tmp_path):
    bad = dict(file(tmp_path / "folder")["fields"], path="/proc/self/mem")  # nobody can read that
    messages = first_look(start, tmp_path, file(tmp_path / "b"), {"kind": "file", "fields": bad})
    assert [message.get("outcome") for message in messages] == [None, "would-change", None, "failed", None]
    lines = (tmp_path / "state" / "history.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["failed"] == ["r: file /proc/self/mem"]


def test_a_first_look_waits_for_nobody_who_is_at_work(start, tmp_path):
    holder = start(extra=SLOW, run="r0")
    holder.hear()
    holder.plan(stage("r", slow(tmp_path / "there", 5)))
    assert holder.hear()["type"] == "started"
    looker = start(check=True, settle=True, run="look")
    said = looker.hear()
    assert said["type"] == "refused"
    assert "another run holds this host: run r0" in said["cause"]


@pytest.mark.parametrize(("words", "state"), [(["plan", "plan"], "working"), (["sing"], "waiting for a request")])
def test_a_word_out_of_turn_ends_the_run_and_is_named(start, tmp_path, words, state):
    fields = {"name": "wait", "argv": ["sleep", "1"], "creates": str(tmp_path / "no"), "unless": None, "timeout": 9}
    agent = start()
    agent.hear()
    for word in words:
        agent.say({"type": word, "modules": {}, "stages": [stage("r", {"kind": "command", "fields": fields})]})
    last = agent.hear_all()[-1]
    assert last["type"] == "refused"
    assert last["cause"] == "the controller said {!r} in the state {!r}".format(words[-1], state)
