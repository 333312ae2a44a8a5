"""Changes that stand or fall together: looked at first, then the way back on disk, then all of them or none."""

import base64
import os

from provision.agent.engine import kinds
from provision.agent.files.file import File
from provision.agent.host.errors import Failed
from provision.agent.rollback.transaction import Transaction

from .one_service import FakeService, at


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
    assert lab.link.results() == [("file", "failed")]


def test_what_the_host_remembers_of_us_goes_back_too(lab):
    lab.system.state_file.put("kinds", "daemon.json", {"bip": 1})
    lab.runs_with("old")
    apply = File.apply

    class Owning(File):
        def apply(self, system, diff):
            apply(self, system, diff)
            system.state_file.put("kinds", "daemon.json", {"bip": 2})

    original = kinds.make
    kinds.make = lambda kind, fields: Owning(**fields) if kind == "file" else original(kind, fields)
    try:
        lab.run(at(lab.config, "bad"))
    finally:
        kinds.make = original
    memory = lab.system.state_file
    assert memory.get("kinds", "daemon.json") == {"bip": 1}
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


def test_a_rolled_back_change_through_a_link_leaves_the_link_and_its_file_as_they_were(lab):
    lab.runs_with("old")
    (lab.path / "opt").mkdir()
    target = lab.path / "opt" / "daemon.json"
    lab.config.rename(target)
    target.chmod(0o640)
    lab.config.symlink_to(target)
    result = lab.run(at(lab.config, "bad"))
    assert (result["outcome"], result["rolled_back"]) == ("failed", True)
    assert os.readlink(str(lab.config)) == str(target)
    assert target.read_text() == "old"
    assert target.stat().st_mode & 0o7777 == 0o640


def test_a_link_that_was_removed_is_back_after_a_roll_back(lab):
    lab.runs_with("old")
    for target in ("there", "nowhere"):
        (lab.path / "there").write_text("precious")
        lab.other.symlink_to(target)
        result = lab.run(at(lab.other, None), at(lab.config, "bad"))
        assert result["rolled_back"] is True, result
        assert os.readlink(str(lab.other)) == target
        assert (lab.path / "there").read_text() == "precious"
        lab.other.unlink()
    assert not (lab.path / "nowhere").exists()
