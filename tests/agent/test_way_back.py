"""The way back with nothing but the journal: a full disk, a state.json that is empty, cut or gone, others' hands."""

import base64
import json
import os
import subprocess

import pytest

from provision.agent.host import safe_files
from provision.agent.host.errors import Failed
from provision.agent.host.state import StateFile
from provision.agent.host.system import System
from provision.agent.rollback import before, deadman, state_check, undo
from provision.agent.rollback.transaction import Transaction
from provision.agent.run.link import Cancelled

from .one_service import FakeService, Sources, at

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED, needs root: mounts, owners")


class Dies(BaseException):
    """The host's power, in a test."""


def dies(*args):
    raise Dies()


def left_open(lab, monkeypatch, *asked):
    """A run that is gone when its service is to be started, and another program on that host."""
    with monkeypatch.context() as patch:
        patch.setattr(FakeService, "apply", dies)
        with pytest.raises(Dies):
            lab.run(*asked or (at(lab.config, "new"),))
    fresh(lab)


def fresh(lab):
    lab.system = System(state=lab.system.state)
    lab.system.sources = Sources()


def boots(lab):
    lab.world["runs_with"] = None
    undo.start({"state": lab.system.state, "booting": True}, Sources())


def told(lab):
    return (System(state=lab.system.state).state_file.get("runs", "undone") or {}).get("text", "")


def second_names(folder):
    return [name for name in os.listdir(str(folder)) if "provision" in name]


DAMAGE = [b"", b"{", b"\0" * 50, None]


@pytest.mark.parametrize("damage", DAMAGE, ids=["empty", "cut", "zeroes", "gone"])
@pytest.mark.parametrize("finished_by", ["boot", "run"])
def test_the_way_back_needs_nothing_that_is_remembered(lab, monkeypatch, damage, finished_by):
    lab.runs_with("old")
    lab.system.write(str(lab.config), b"old", 0o644, os.geteuid(), os.getegid())
    salt = lab.system.state_file.digest(b"x")
    left_open(lab, monkeypatch)
    state = lab.path / "state" / "state.json"
    state.unlink() if damage is None else state.write_bytes(damage)
    if finished_by == "boot":
        boots(lab)
    else:
        state_check.check_journal(lab.system)
        assert lab.run(at(lab.config, "bad"))["rolled_back"] is True
    assert lab.config.read_text() == "old"
    assert "somebody else" not in told(lab)
    fresh(lab)
    assert lab.system.state_file.digest(b"x") == salt, "what was remembered before the change is remembered again"
    assert lab.system.stat(lab.system.state + "/undo") is None and second_names(lab.path) == []


def test_an_undo_that_died_right_before_its_rename_is_finished_by_the_boot(lab, monkeypatch):
    """What was remembered of our writes had the old file's digest by then, and the new file stood there still."""
    lab.runs_with("old")
    left_open(lab, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(safe_files, "put_back", dies)
        patch.setattr(safe_files, "replace", dies)
        with pytest.raises(Dies):
            boots(lab)
    boots(lab)
    assert lab.config.read_text() == "old" and "somebody else" not in told(lab)


@root_only
@pytest.mark.parametrize("full", ["etc", "state", "both"])
def test_a_disk_that_fills_up_in_the_change_does_not_end_the_way_back(lab, tmp_path, monkeypatch, full):
    mounts = [tmp_path / name for name in ("etc", "state") if full in (name, "both")]
    for mount in mounts:
        mount.mkdir()
        subprocess.check_call(["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(mount)])
    try:
        lab.config = (tmp_path / "etc" if full != "state" else tmp_path) / "daemon.json"
        lab.runs_with("old" * 1000)
        apply = FakeService.apply

        def fills(self, system, diff):
            if self.world["starts"] == []:
                for mount in mounts:
                    with open(str(mount / "flood"), "wb", buffering=0) as file, pytest.raises(OSError):
                        for _ in range(1024):
                            file.write(b"x" * 1024)
            apply(self, system, diff)

        monkeypatch.setattr(FakeService, "apply", fills)
        lab.system.state_file.put("kinds", "x", 1)
        try:
            result = lab.run(at(lab.config, "bad"))
        except OSError:  # what the run did cannot be noted either; its result was sent
            result = [message for message in lab.link.sent if message["type"] == "result"][-1]
        assert (result["outcome"], result["rolled_back"]) == ("failed", True), result
        assert lab.config.read_text() == lab.world["runs_with"] == "old" * 1000
        for mount in mounts:
            (mount / "flood").unlink()
        fresh(lab)
        state_check.close_undone(lab.system)
        assert lab.left_behind() == [] and second_names(lab.config.parent) == []
        assert lab.run(at(lab.config, "good"))["outcome"] == "changed"
    finally:
        for mount in mounts:
            subprocess.check_call(["umount", "--lazy", str(mount)])


@root_only
def test_a_disk_that_is_full_before_the_change_is_left_alone(lab, tmp_path):
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    subprocess.check_call(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(state)])
    try:
        lab.runs_with("old" * 30000)
        with pytest.raises((OSError, Cancelled)):
            lab.run(at(lab.config, "new"))
        assert lab.config.read_text() == "old" * 30000 and second_names(tmp_path) == []
    finally:
        subprocess.check_call(["umount", "--lazy", str(state)])


def test_a_file_system_without_hard_links_is_put_back_from_the_journal(lab, monkeypatch):
    lab.runs_with("old")
    lab.config.chmod(0o640)

    def refuses(*args, **more):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuses)
    assert lab.run(at(lab.config, "bad"))["rolled_back"] is True
    assert lab.config.read_text() == "old" and lab.config.stat().st_mode & 0o7777 == 0o640


def test_the_old_inode_comes_back_with_all_that_it_had(lab):
    lab.runs_with("old")
    lab.config.chmod(0o600)
    os.link(str(lab.config), str(lab.path / "backup"))
    os.setxattr(str(lab.config), "user.site", b"theirs")
    inode = lab.config.stat().st_ino
    assert lab.run(at(lab.config, "bad"))["rolled_back"] is True
    assert lab.config.stat().st_ino == inode
    assert os.getxattr(str(lab.config), "user.site") == b"theirs"
    assert lab.config.stat().st_mode & 0o7777 == 0o600, "a mode of its own comes back, too"
    assert second_names(lab.path) == []


def test_a_second_name_that_somebody_wrote_to_is_not_what_comes_back(lab, monkeypatch):
    lab.runs_with("old")
    os.link(str(lab.config), str(lab.path / "backup"))
    left_open(lab, monkeypatch)
    (lab.path / "backup").write_text("edited in place")
    boots(lab)
    assert lab.config.read_text() == "old"


@pytest.mark.parametrize("hand", ["edits", "links", "makes a directory"])
def test_what_somebody_else_has_done_since_stays_and_is_said(lab, monkeypatch, hand):
    lab.runs_with("old")
    left_open(lab, monkeypatch, at(lab.config, "new"), at(lab.other, "new"))
    lab.config.unlink()
    if hand == "edits":
        lab.config.write_text("theirs")
    elif hand == "links":
        lab.config.symlink_to("elsewhere")
    else:
        lab.config.mkdir()
    boots(lab)
    assert told(lab) == "left as it is, because somebody else has changed {}".format(lab.config)
    assert lab.other.read_text() == "new", "all of it or nothing"
    assert os.path.lexists(str(lab.config))


def test_a_run_that_goes_on_from_another_one_takes_back_to_what_somebody_did_in_between(lab, monkeypatch):
    lab.runs_with("old")
    left_open(lab, monkeypatch)
    lab.config.write_text("theirs")
    assert lab.run(at(lab.config, "bad"))["rolled_back"] is True
    assert lab.config.read_text() == "theirs"


def test_a_run_that_goes_on_from_an_undo_that_was_cut_short_can_still_go_all_the_way_back(lab, monkeypatch):
    lab.runs_with("old")
    left_open(lab, monkeypatch, at(lab.other, "new"), at(lab.config, "new"))
    with monkeypatch.context() as patch:
        patch.setattr(before, "put_back", lambda *args, real=before.put_back: (real(*args), dies()))
        with pytest.raises(Dies):
            boots(lab)
    assert (lab.config.read_text(), lab.other.read_text()) == ("old", "new")
    fresh(lab)
    assert lab.run(at(lab.other, "x"), at(lab.config, "bad"))["rolled_back"] is True
    assert lab.config.read_text() == "old" and not lab.other.exists()


def test_a_way_back_that_fails_at_boot_is_told_and_stays_open(lab, monkeypatch):
    lab.runs_with("old")
    left_open(lab, monkeypatch)

    def refuses(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(safe_files, "put_back", refuses)
        with pytest.raises(Failed):
            boots(lab)
    assert "not put back: {} could not be put back: No space left".format(lab.config) in told(lab)
    boots(lab)
    assert lab.config.read_text() == "old"


def older(lab):
    """The journal as release 0.1 wrote it."""
    path = lab.path / "state" / "undo" / "journal.json"
    record = json.loads(path.read_text())
    del record["salt"]
    for entry in record["files"]:
        for name in ("was", "wrote"):
            del entry[name]
    path.write_text(json.dumps(record))
    for name in second_names(lab.path):
        (lab.path / name).unlink()


@pytest.mark.parametrize("hand", [None, "theirs"])
def test_the_journal_of_an_earlier_release_is_undone_as_well(lab, monkeypatch, hand):
    lab.runs_with("old")
    (lab.path / "target").write_text("behind")
    lab.other.symlink_to("target")
    left_open(lab, monkeypatch, at(lab.config, "new"), at(lab.other, "new"))
    older(lab)
    if hand:
        lab.config.write_text(hand)
    boots(lab)
    assert lab.config.read_text() == (hand or "old")
    assert (lab.path / "target").read_text() == ("new" if hand else "behind")
    assert os.readlink(str(lab.other)) == "target"


def test_the_journal_has_what_an_earlier_release_asks_of_it(lab, monkeypatch):
    lab.runs_with("old")
    left_open(lab, monkeypatch)
    entry = json.loads((lab.path / "state" / "undo" / "journal.json").read_text())["files"][0]
    assert base64.b64decode(entry["data"]) == b"old"
    assert {"path", "mode", "uid", "gid", "link"} <= set(entry)


def full(*args, **more):
    raise OSError(28, "No space left on device", "/var/lib/provision/x")


def refuses(*args, **more):
    raise Failed("systemd-run: no such program", "install systemd")


@pytest.mark.parametrize(
    ("name", "fails"),
    [("deadman.arm_deadline", refuses), ("Transaction.due", full), ("Transaction.touches_service", full)],
    ids=lambda what: getattr(what, "__name__", what),
)
def test_what_cannot_be_armed_before_the_service_takes_the_files_back_and_leaves_it_alone(
    lab, monkeypatch, name, fails
):
    lab.runs_with("old")
    owner, attribute = name.split(".")
    monkeypatch.setattr({"deadman": deadman, "Transaction": Transaction}[owner], attribute, fails)
    result = lab.run(at(lab.config, "new"), confirm=5)
    assert (result["outcome"], result["rolled_back"], result["kind"]) == ("failed", True, "service"), result
    assert result["error"]["fix"]
    assert lab.config.read_text() == "old" and lab.world["starts"] == []
    assert lab.left_behind() == [] and second_names(lab.path) == []


def test_what_cannot_be_noted_after_the_change_takes_it_back(lab, monkeypatch):
    lab.runs_with("old")
    put = StateFile.put

    def once(self, section, key, record):
        if section == "asked" and lab.config.read_text() == "new":
            full()
        put(self, section, key, record)

    monkeypatch.setattr(StateFile, "put", once)
    result = lab.run(at(lab.config, "new"))
    assert (result["outcome"], result["rolled_back"]) == ("failed", True), result
    assert lab.config.read_text() == "old" == lab.world["runs_with"]


@pytest.mark.parametrize("fails", [full, refuses])
def test_without_a_way_back_at_boot_nothing_is_begun(lab, monkeypatch, fails):
    lab.runs_with("old")
    monkeypatch.setattr(deadman, "arm", fails)
    with pytest.raises((OSError, Failed)):
        lab.run(at(lab.config, "new"))
    assert lab.config.read_text() == "old" and lab.journal() is None and second_names(lab.path) == []


@pytest.mark.parametrize("text", ["garbage", '{"files": [1]}', "[]", '{"files": [{"was": {"relative": null}}]}'])
def test_what_is_left_of_a_closed_journal_never_stands_in_the_way(lab, text):
    lab.runs_with("old")
    (lab.path / "state" / "undo").mkdir(parents=True, mode=0o700)
    (lab.path / "state" / "undo" / "done.json").write_text(text)
    assert lab.run(at(lab.config, "new"))["outcome"] == "changed"
    assert lab.left_behind() == []


def test_what_a_user_puts_beside_his_file_does_not_keep_us_from_writing_it(tmp_path):
    (tmp_path / ".config.json.provision-x").mkdir()
    safe_files.replace(str(tmp_path / "config.json"), b"new", 0o600, os.geteuid(), os.getegid())
    safe_files.remove(str(tmp_path / "config.json"))
    assert os.listdir(str(tmp_path)) == [".config.json.provision-x"]


def test_several_at_once_are_no_more_than_each(lab, monkeypatch):
    """A link, a second name that is gone, no state.json, no hard links any more, and an undo that dies half-way."""
    lab.runs_with("old")
    (lab.path / "target").write_text("behind")
    (lab.path / "link").symlink_to("target")
    lab.other.write_text("other")
    left_open(lab, monkeypatch, at(lab.config, "new"), at(lab.path / "link", "new"), at(lab.other, None))
    (lab.path / "state" / "state.json").unlink()
    (lab.path / ".drop-in.provision-kept").unlink()
    monkeypatch.setattr(os, "link", full)
    for step in (1, 2):
        with monkeypatch.context() as patch:
            calls = []
            real = before.put_back

            def some(*args, real=real, calls=calls, step=step):
                calls.append(real(*args))
                if len(calls) == step:
                    dies()

            patch.setattr(before, "put_back", some)
            with pytest.raises(Dies):
                boots(lab)
    boots(lab)
    assert (lab.config.read_text(), (lab.path / "target").read_text(), lab.other.read_text()) == (
        "old",
        "behind",
        "other",
    )
    assert os.readlink(str(lab.path / "link")) == "target"
    assert "the files are as they were" in told(lab) and second_names(lab.path) == []
