"""Changes that stand or fall together: looked at first, then the way back on disk, then all of them or none."""

import base64
import json
import os
import time

import pytest

from provision.agent import deadman, guard, kinds, undo
from provision.agent.file import File
from provision.agent.group import confirm
from provision.agent.line import Cancelled
from provision.agent.resource import Failed, Resource
from provision.agent.run import Run
from provision.agent.system import System
from provision.agent.transaction import Transaction

from .conversation import file, stage

CONFIRM = 2


class FakeService(Resource):
    """Runs with what stands in its file when it was started; the word `bad` in there stops it at its start."""

    fields = ("name", "path")
    world = None

    def identity(self):
        return self.name

    def desired(self):
        return {"running": True, "stale": False}

    def actual(self, system):
        text = system.foreseen[self.path].decode() if self.path in system.foreseen else system.text(self.path)
        runs = self.world["runs_with"]
        return {"running": runs is not None, "stale": runs is not None and runs != text}

    def impact(self, system, diff):
        return guard.impact(guard.RESTART, ["file"])

    def cuts(self, diff):
        return True

    def apply(self, system, diff):
        self.world["starts"].append(system.text(self.path))
        self.world["runs_with"] = None
        if "bad" in (system.text(self.path) or ""):
            raise Failed("docker does not start: bad", "correct it", "the daemon's last words")
        self.world["runs_with"] = system.text(self.path)

    def go_back(self, system, running):
        if running:
            self.apply(system, {})
        else:
            self.world["runs_with"] = None


class FakeLine:
    """The controller's end: `reach` is what it does when the host asks for a new connection."""

    def __init__(self):
        self.sent = []
        self.cancelled = False
        self.reach = lambda: None

    def step(self, text):
        """Not looked at."""

    def progress(self, text):
        """Not looked at."""

    def send(self, message):
        self.sent.append(message)
        if message["type"] == "confirm":
            self.reach()

    def results(self):
        return [(message["kind"], message["outcome"]) for message in self.sent if message["type"] == "result"]


class Sources:
    def packed(self, options):
        return json.dumps(options).encode()


class Lab:
    """A state directory, a configuration file, a fake service."""

    def __init__(self, path):
        self.path = path
        self.config = path / "daemon.json"
        self.other = path / "drop-in"
        self.world = {"runs_with": None, "starts": []}
        self.system = System(state=str(path / "state"))
        self.system.sources = Sources()
        self.line = FakeLine()

    def runs_with(self, text):
        self.config.write_text(text)
        self.world["runs_with"] = text

    def run(self, *resources, check=False, confirm=0, **changes):
        self.line.sent = []
        self.line.cancelled = False
        service = {"kind": "service", "fields": {"name": "docker", "path": str(self.config)}}
        plan = stage("docker_daemon", *resources, service, transaction=True, **changes)
        options = {"check": check, "settle": False, "confirm": confirm, "run": {"id": "r1", "by": "me@here"}}
        try:
            Run(self.line, self.system, {"stages": [plan]}, options).execute()
        except Cancelled:
            pass
        return [message for message in self.line.sent if message["type"] == "result"][-1]

    def journal(self):
        return Transaction.left(self.system)

    def left_behind(self):
        return sorted(name for name in os.listdir(self.system.state) if name not in ("state.json", "history.jsonl"))


@pytest.fixture
def lab(tmp_path, monkeypatch):
    lab = Lab(tmp_path)
    make = kinds.make

    def made(kind, fields):
        if kind != "service":
            return make(kind, fields)
        service = FakeService(**fields)
        service.world = lab.world
        return service

    monkeypatch.setattr(kinds, "make", made)
    return lab


def at(path, content):
    return file(path, content)


def test_a_daemon_that_does_not_come_up_has_its_files_back_and_runs_again(lab):
    lab.runs_with("old")
    lab.config.chmod(0o640)
    result = lab.run(at(lab.config, "bad"), at(lab.other, "new"))
    assert (result["outcome"], result["rolled_back"]) == ("failed", True)
    assert lab.config.read_text() == "old"
    assert lab.config.stat().st_mode & 0o777 == 0o640
    assert not lab.other.exists()
    assert lab.world["starts"] == ["bad", "old"]
    assert "the files are as they were, and docker runs with them again" in result["error"]["cause"]
    assert result["error"]["output"] == "the daemon's last words"
    assert lab.left_behind() == []


def test_a_service_that_did_not_run_is_stopped_again(lab):
    result = lab.run(at(lab.config, "bad"))
    assert result["outcome"] == "failed"
    assert not lab.config.exists()
    assert lab.world["runs_with"] is None
    assert "docker is stopped, as it was" in result["error"]["cause"]


def test_a_file_that_cannot_be_written_takes_the_others_back_and_leaves_the_service_alone(lab):
    lab.runs_with("old")
    result = lab.run(at(lab.config, "good"), at(lab.path / "no" / "such", "x"))
    assert result["outcome"] == "failed"
    assert lab.config.read_text() == "old"
    assert lab.world["starts"] == []
    assert result["error"]["cause"].endswith("rolled back: the files are as they were")


def test_what_is_wrong_before_anything_is_changed_changes_nothing(lab):
    lab.runs_with("old")
    lab.other.mkdir()
    broken = at(lab.other, "x")
    broken["fields"]["validate_with"] = ["/bin/false"]
    result = lab.run(at(lab.config, "good"), broken)
    assert result["outcome"] == "failed"
    assert result["rolled_back"] is False
    assert lab.config.read_text() == "old"
    assert lab.line.results() == [("file", "failed")]


def test_what_the_host_remembers_of_us_goes_back_too(lab):
    lab.system.memory.put("json_keys", "daemon.json", {"bip": 1})
    lab.runs_with("old")
    apply = File.apply

    class Owning(File):
        def apply(self, system, diff):
            apply(self, system, diff)
            system.memory.put("json_keys", "daemon.json", {"bip": 2})

    original = kinds.make
    kinds.make = lambda kind, fields: Owning(**fields) if kind == "file" else original(kind, fields)
    try:
        lab.run(at(lab.config, "bad"))
    finally:
        kinds.make = original
    memory = lab.system.memory
    assert memory.get("json_keys", "daemon.json") == {"bip": 1}
    record = memory.get("written", str(lab.config))
    assert record["digest"] == memory.digest(b"old"), "when we last wrote a file stays true"


def test_one_look_is_all_where_nothing_differs(lab):
    lab.runs_with("x")
    assert lab.run(at(lab.config, "x"))["outcome"] in ("ok", "changed")  # the first one sets the mode
    looks = []
    actual = FakeService.actual

    def counted(self, system):
        looks.append(1)
        return actual(self, system)

    FakeService.actual = counted
    try:
        assert lab.run(at(lab.config, "x"))["outcome"] == "ok"
    finally:
        FakeService.actual = actual
    assert len(looks) == 1
    assert lab.left_behind() == []


def test_the_way_back_is_on_disk_before_the_first_change_and_gone_after_the_last(lab):
    lab.runs_with("old")
    seen = {}

    def apply(self, system, diff):
        seen.update(Transaction.left(system).record, there=lab.left_behind())
        FakeService.world = None
        self.world["runs_with"] = system.text(self.path)

    original, FakeService.apply = FakeService.apply, apply
    try:
        assert lab.run(at(lab.config, "new"))["outcome"] == "changed"
    finally:
        FakeService.apply = original
    assert seen["there"] == ["undo"]
    assert seen["touched"] is True
    assert base64.b64decode(seen["files"][0]["data"]) == b"old"
    assert lab.left_behind() == []


def test_a_way_back_that_fails_stands_beside_what_went_wrong_first(lab, monkeypatch):
    lab.runs_with("old")
    original = FakeService.apply

    def apply(self, system, diff):
        lab.config.unlink()
        lab.config.mkdir()
        (lab.config / "x").write_text("")
        raise Failed("docker does not start")

    monkeypatch.setattr(FakeService, "apply", apply)
    result = lab.run(at(lab.config, "new"))
    monkeypatch.setattr(FakeService, "apply", original)
    assert result["rolled_back"] is False
    assert result["error"]["cause"].startswith("docker does not start; and the way back failed: ")
    assert "daemon.json could not be put back" in result["error"]["cause"]
    assert lab.journal() is not None, "what it would take is still there"


# -- runs that die in the middle


class Dies(BaseException):
    """The host's power, in a test."""


def dies_in(lab, monkeypatch, text):
    """A run that is gone when the service is to be started."""
    with monkeypatch.context() as patch:
        patch.setattr(FakeService, "apply", lambda self, system, diff: (_ for _ in ()).throw(Dies()))
        with pytest.raises(Dies):
            lab.run(at(lab.config, text))
    lab.system = System(state=str(lab.path / "state"))
    lab.system.sources = Sources()


def test_the_next_run_goes_on_and_its_way_back_leads_to_before_both(lab, monkeypatch):
    lab.runs_with("old")
    dies_in(lab, monkeypatch, "half")
    assert lab.config.read_text() == "half"
    result = lab.run(at(lab.config, "bad"))
    assert result["rolled_back"] is True
    assert lab.config.read_text() == "old"
    assert lab.world["runs_with"] == "old"


def test_the_next_run_finishes_what_was_begun(lab, monkeypatch):
    lab.runs_with("old")
    dies_in(lab, monkeypatch, "new")
    assert lab.run(at(lab.config, "new"))["outcome"] == "changed"
    assert lab.world["runs_with"] == "new"
    assert lab.left_behind() == []


def test_restarted_by_hand_in_between_there_is_nothing_to_do_and_nothing_left(lab, monkeypatch):
    lab.runs_with("old")
    dies_in(lab, monkeypatch, "new")
    lab.world["runs_with"] = "new"
    assert lab.run(at(lab.config, "new"))["outcome"] == "ok"
    assert lab.world["starts"] == []
    assert lab.left_behind() == []


def test_the_boot_after_a_power_loss_puts_the_files_back_and_starts_nothing(lab, monkeypatch):
    lab.runs_with("old")
    dies_in(lab, monkeypatch, "new")
    lab.world["runs_with"] = None
    undo.start({"state": lab.system.state, "booting": True}, Sources())
    assert lab.config.read_text() == "old"
    assert lab.world["starts"] == []
    assert "lock" in lab.left_behind() and "undo" not in lab.left_behind()
    told = System(state=lab.system.state).memory.get("runs", "undone")
    assert told["run"]["id"] == "r1"
    assert "went down in the middle of it: the files are as they were" in told["text"]
    undo.start({"state": lab.system.state, "booting": False}, Sources())  # twice is harmless
    assert lab.config.read_text() == "old"


def test_without_a_deadline_nothing_is_put_back_while_the_host_is_up(lab, monkeypatch):
    lab.runs_with("old")
    dies_in(lab, monkeypatch, "new")
    undo.start({"state": lab.system.state, "booting": False}, Sources())
    assert lab.config.read_text() == "new"


def test_a_deadline_that_passes_puts_everything_back(lab, monkeypatch):
    lab.runs_with("old")
    dies_in(lab, monkeypatch, "new")
    transaction = lab.journal()
    transaction.due(lab.system.uptime() + 0.6)
    started = time.monotonic()
    undo.start({"state": lab.system.state, "booting": False}, Sources())
    assert time.monotonic() - started >= 0.5, "it waits for the deadline"
    assert lab.world["runs_with"] == "old"
    assert lab.config.read_text() == "old"
    assert "nobody confirmed" in System(state=lab.system.state).memory.get("runs", "undone")["text"]


def test_what_somebody_else_has_changed_since_is_theirs(lab, monkeypatch):
    lab.runs_with("old")
    dies_in(lab, monkeypatch, "new")
    lab.config.write_text("by hand")
    undo.start({"state": lab.system.state, "booting": True}, Sources())
    assert lab.config.read_text() == "by hand"
    assert (
        "somebody else has changed {}".format(lab.config)
        in System(state=lab.system.state).memory.get("runs", "undone")["text"]
    )


# -- a new connection


def test_a_change_that_can_cut_us_off_stands_once_somebody_gets_through(lab):
    lab.runs_with("old")
    lab.line.reach = lambda: confirm(System(state=lab.system.state), {"id": "r1"})
    assert lab.run(at(lab.config, "new"), confirm=CONFIRM)["outcome"] == "changed"
    assert [message["seconds"] for message in lab.line.sent if message["type"] == "confirm"] == [CONFIRM]
    assert lab.world["runs_with"] == "new"
    assert lab.left_behind() == []
    with pytest.raises(Failed, match="put back already"):
        confirm(System(state=lab.system.state), {"id": "r1"})


@pytest.mark.parametrize("cancelled", [False, True], ids=["nobody", "cancel"])
def test_when_nobody_does_everything_goes_back(lab, cancelled):
    lab.runs_with("old")
    lab.line.reach = lambda: setattr(lab.line, "cancelled", cancelled)
    words = "the run was ended before" if cancelled else "nobody reached this host over a new connection"
    result = lab.run(at(lab.config, "new"), confirm=0.3)
    assert (result["outcome"], result["rolled_back"]) == ("failed", True)
    assert words in result["error"]["cause"]
    assert lab.world["runs_with"] == "old"
    assert lab.config.read_text() == "old"
    assert lab.left_behind() == []


def test_a_host_that_is_asked_to_wait_for_nobody_does_not(lab):
    lab.runs_with("old")
    assert lab.run(at(lab.config, "new"), confirm=0)["outcome"] == "changed"
    assert [message for message in lab.line.sent if message["type"] == "confirm"] == []


# -- what has to wait


@pytest.fixture
def busy(lab, monkeypatch):
    lab.runs_with("old")
    lab.containers = [{"id": "c", "name": "train", "image": "x", "user": "alice", "restarts": False, "cut_off": False}]
    found = lambda system: {"containers": lab.containers, "processes": []}  # noqa: E731
    monkeypatch.setattr("provision.agent.busy.look_at", found)
    monkeypatch.setattr("provision.agent.docker_socket.process", lambda system: 1)
    return lab


def policy(name, closed=None):
    return {"policy": name, "closed": closed}


def test_a_busy_host_keeps_its_files_and_its_daemon(busy):
    result = busy.run(at(busy.config, "new"))
    assert result["outcome"] == "pending"
    assert "waits for the end of 1 container: train (alice) (docker_daemon.disrupt is idle)" in result["note"]
    assert result["impact"]["effect"] == "stops 1 container: train (alice)"
    assert (busy.config.read_text(), busy.world["starts"]) == ("old", [])
    record = busy.system.memory.get("pending", "docker_daemon")
    assert record["resources"] == ["file {}".format(busy.config), "service docker"]
    staged = busy.path / "state" / "staged" / "docker_daemon" / str(busy.config).lstrip("/")
    assert staged.read_text() == "new"
    assert staged.stat().st_mode & 0o777 == 0o600


def test_its_age_is_that_of_the_first_run_and_a_later_run_finishes_it(busy):
    busy.run(at(busy.config, "new"))
    first = busy.system.memory.get("pending", "docker_daemon")
    busy.system.memory.put("pending", "docker_daemon", dict(first, since="2026-01-01T00:00:00Z"))
    busy.run(at(busy.config, "newer"))
    assert busy.system.memory.get("pending", "docker_daemon")["since"] == "2026-01-01T00:00:00Z"
    busy.containers = []
    assert busy.run(at(busy.config, "newer"))["outcome"] == "changed"
    assert busy.world["runs_with"] == "newer"
    assert busy.system.memory.get("pending", "docker_daemon") is None
    assert busy.left_behind() == []


def test_what_is_asked_for_no_more_waits_no_more(busy):
    busy.run(at(busy.config, "new"))
    assert busy.run(at(busy.config, "old"))["outcome"] in ("ok", "changed")
    assert busy.left_behind() == []


def test_check_says_that_it_would_wait_and_stages_nothing(busy):
    result = busy.run(at(busy.config, "new"), check=True)
    assert result["outcome"] == "would-change"
    assert "waits for the end of 1 container" in result["note"]
    assert not (busy.path / "state" / "staged").exists()


def test_always_is_at_once_and_never_is_never(busy):
    assert busy.run(at(busy.config, "new"), disrupt=policy("always"))["outcome"] == "changed"
    busy.containers = []
    result = busy.run(at(busy.config, "newer"), disrupt=policy("never"))
    assert result["outcome"] == "pending"
    assert "restarts Docker by hand" in result["note"]


def test_a_window_that_is_closed_closes_even_always(busy):
    busy.containers = []
    result = busy.run(at(busy.config, "new"), disrupt=policy("always", "outside the maintenance windows"))
    assert result["outcome"] == "pending"
    assert "waits: outside the maintenance windows" in result["note"]


def test_a_role_that_needs_what_waits_waits_as_well_and_others_do_not(busy):
    service = {"kind": "service", "fields": {"name": "docker", "path": str(busy.config)}}
    daemon = stage("docker_daemon", at(busy.config, "new"), service, transaction=True)
    smoke = stage("gpu_smoke_test", at(busy.path / "smoke", "x"), needs=["docker_daemon"])
    motd = stage("motd", at(busy.path / "motd", "x"))
    options = {"check": False, "settle": False, "confirm": 0, "run": {"id": "r1", "by": "me@here"}}
    Run(busy.line, busy.system, {"stages": [daemon, smoke, motd]}, options).execute()
    assert busy.line.results()[-2:] == [("role", "pending"), ("file", "changed")]
    assert not (busy.path / "smoke").exists()
    busy.line.sent = []
    Run(busy.line, busy.system, {"stages": [smoke]}, options).execute()
    assert busy.line.results() == [("role", "pending")], "it still waits in a run that is not about the daemon"


def test_without_systemd_no_unit_is_written_and_with_it_the_boot_is_covered(lab, monkeypatch, tmp_path):
    monkeypatch.setattr(deadman, "UNIT", str(tmp_path / "unit"))
    monkeypatch.setattr(deadman, "WANTED", str(tmp_path / "wanted"))
    monkeypatch.setattr(deadman, "_systemd", lambda system: True)
    lab.system.memory.directory()
    os.mkdir(os.path.join(lab.system.state, "undo"))
    deadman.arm(lab.system)
    text = (tmp_path / "unit").read_text()
    assert "Before=docker.service" in text
    assert "ConditionPathExists={}/undo/journal.json".format(lab.system.state) in text
    assert os.readlink(str(tmp_path / "wanted")) == str(tmp_path / "unit")
    deadman.disarm(lab.system)
    assert not (tmp_path / "unit").exists() and not os.path.lexists(str(tmp_path / "wanted"))
    assert lab.left_behind() == []
