"""Changes whose run died in the middle: the next run, the boot, or the deadline goes on from what is on disk."""

import os
import time

import pytest

from provision.agent.host.system import System
from provision.agent.rollback import deadman, undo

from .one_service import FakeService, Sources, at


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
    told = System(state=lab.system.state).state_file.get("runs", "undone")
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
    assert "nobody confirmed" in System(state=lab.system.state).state_file.get("runs", "undone")["text"]


def test_what_somebody_else_has_changed_since_is_theirs(lab, monkeypatch):
    lab.runs_with("old")
    dies_in(lab, monkeypatch, "new")
    lab.config.write_text("by hand")
    undo.start({"state": lab.system.state, "booting": True}, Sources())
    assert lab.config.read_text() == "by hand"
    assert (
        "somebody else has changed {}".format(lab.config)
        in System(state=lab.system.state).state_file.get("runs", "undone")["text"]
    )


def test_without_systemd_no_unit_is_written_and_with_it_the_boot_is_covered(lab, monkeypatch, tmp_path):
    monkeypatch.setattr(deadman, "UNIT", str(tmp_path / "unit"))
    monkeypatch.setattr(deadman, "WANTED", str(tmp_path / "wanted"))
    monkeypatch.setattr(deadman, "_systemd", lambda system: True)
    lab.system.state_file.directory()
    os.mkdir(os.path.join(lab.system.state, "undo"))
    deadman.arm(lab.system, ["/data/conf", "/odd name"])
    text = (tmp_path / "unit").read_text()
    assert "Before=docker.service" in text
    assert "RequiresMountsFor={} /data/conf\n".format(lab.system.state) in text
    assert "ConditionPathExists={}/undo/journal.json".format(lab.system.state) in text
    assert os.readlink(str(tmp_path / "wanted")) == str(tmp_path / "unit")
    deadman.disarm(lab.system)
    assert not (tmp_path / "unit").exists() and not os.path.lexists(str(tmp_path / "wanted"))
    assert lab.left_behind() == []
