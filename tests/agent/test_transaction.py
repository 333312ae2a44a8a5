"""Changes that stand or fall together, with real files and a service that does as it is told."""

import errno
import os

import pytest

from provision.agent.file import File
from provision.agent.resource import Failed, Resource, converge
from provision.agent.run import Run
from provision.agent.system import System
from provision.agent.transaction import Transaction
from tests.agent.conversation import file


class FakeService(Resource):
    """A service that starts only while its configuration says "good". `starts` lists what it was started with."""

    fields = ("path",)

    def __init__(self, path, running):
        Resource.__init__(self, path=str(path))
        self.runs_with = "old" if running else None
        self.starts = []

    def identity(self):
        return "docker"

    def desired(self):
        return {"running": True, "stale": False}

    def actual(self, system):
        return {"running": self.runs_with is not None, "stale": self.runs_with != system.text(self.path)}

    def apply(self, system, diff):
        self.starts.append(system.text(self.path))
        self.runs_with = None
        if self.starts[-1] == "bad":
            raise Failed("docker does not start: bad", "correct it", "the daemon's last words")
        self.runs_with = self.starts[-1]

    def go_back(self, system, running):
        if running:
            self.apply(system, {})
        else:
            self.runs_with = None


@pytest.fixture
def system(tmp_path):
    return System(state=str(tmp_path / "state"))


def run(system, service, *resources):
    """Converge resources and the service as a group; return (outcome, clause of the undo or None)."""
    group = Transaction(system, service)
    for resource in [*resources, service]:
        result = converge(resource, system, False, group.before)
        if result["outcome"] == "failed":
            return "failed", group.undo() if group.begun else None
    return "ok", None


def at(path, content):
    return File(**file(path, content)["fields"])


def test_a_daemon_that_does_not_come_up_has_its_files_back_and_runs_again(system, tmp_path):
    config, other = tmp_path / "daemon.json", tmp_path / "drop-in"
    config.write_text("old")
    config.chmod(0o640)
    service = FakeService(config, running=True)
    outcome, clause = run(system, service, at(config, "bad"), at(other, "new"))
    assert outcome == "failed"
    assert config.read_text() == "old"
    assert config.stat().st_mode & 0o777 == 0o640
    assert not other.exists()
    assert service.starts == ["bad", "old"]
    assert service.runs_with == "old"
    assert clause == "the files are as they were, and docker runs with them again"


def test_a_service_that_did_not_run_is_stopped_again(system, tmp_path):
    config = tmp_path / "daemon.json"
    service = FakeService(config, running=False)
    outcome, clause = run(system, service, at(config, "bad"))
    assert outcome == "failed"
    assert not config.exists()
    assert service.runs_with is None
    assert "docker is stopped, as it was" in clause


def test_a_file_that_cannot_be_written_takes_the_others_back_and_leaves_the_service_alone(system, tmp_path):
    config = tmp_path / "daemon.json"
    config.write_text("old")
    service = FakeService(config, running=True)
    outcome, clause = run(system, service, at(config, "good"), at(tmp_path / "no" / "such", "x"))
    assert outcome == "failed"
    assert config.read_text() == "old"
    assert service.starts == []
    assert clause == "the files are as they were"


def test_what_the_host_remembers_of_us_goes_back_too(system, tmp_path):
    system.memory.put("json_keys", "daemon.json", {"bip": 1})
    config = tmp_path / "daemon.json"
    config.write_text("old")

    class Owning(File):
        def apply(self, system, diff):
            File.apply(self, system, diff)
            system.memory.put("json_keys", "daemon.json", {"bip": 2})

    run(system, FakeService(config, running=True), Owning(**file(config, "bad")["fields"]))
    assert system.memory.get("json_keys", "daemon.json") == {"bip": 1}
    record = system.memory.get("written", str(config))
    assert record["digest"] == system.memory.digest(b"old"), "when we last wrote a file stays true"


def test_undoing_twice_is_harmless(system, tmp_path):
    config = tmp_path / "daemon.json"
    config.write_text("old")
    service = FakeService(config, running=True)
    group = Transaction(system, service)
    converge(at(config, "bad"), system, False, group.before)
    group.undo()
    group.undo()
    assert config.read_text() == "old"


def test_nothing_changed_is_nothing_to_undo(system, tmp_path):
    config = tmp_path / "daemon.json"
    config.write_text("x\n")
    config.chmod(0o644)
    group = Transaction(system, FakeService(config, running=True))
    assert converge(at(config, "x\n"), system, False, group.before)["outcome"] == "ok"
    assert not group.begun


@pytest.mark.skipif(os.geteuid() != 0, reason="needs an immutable file")
def test_a_way_back_that_fails_is_said(system, tmp_path):
    config = tmp_path / "daemon.json"
    config.write_text("old")
    group = Transaction(system, FakeService(config, running=True))
    converge(at(config, "good"), system, False, group.before)
    config.unlink()
    config.mkdir()
    (config / "x").write_text("")
    with pytest.raises(Failed) as caught:
        group.undo()
    assert "daemon.json could not be put back" in caught.value.cause


def test_a_way_back_that_fails_stands_beside_what_went_wrong_first(system):
    class Line:
        def step(self, text):
            assert text == "putting back what was changed"

    class Group:
        def undo(self):
            raise OSError(errno.ENOSPC, "No space left on device")

    run = Run(Line(), system, {"stages": []}, {"check": False, "run": {"id": "r1"}})
    result = {"error": {"cause": "docker does not start", "output": "last words"}, "rolled_back": False}
    run._undo(Group(), result)
    assert result["rolled_back"] is False
    assert result["error"]["cause"].startswith("docker does not start; and the way back failed: ")
    assert "No space left" in result["error"]["cause"]
