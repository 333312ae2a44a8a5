"""A change and its undo die at each of their writes, by SIGKILL and by a power loss that takes what was not synced.

After each the boot puts back what was there, or the change stands, whole; and a plain run converges.
"""

import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path

import pytest

from provision.agent.host.system import System
from provision.agent.rollback import deadman, undo

from . import power
from .one_service import FakeService, Sources, at

STRIDE = int(os.environ.get("PROVISION_STRIDE", "23"))
"""1: at every single step, some minutes. Each Python begins with another one, so that all of them together try more."""
MEMORY = "/dev/shm"
MOST = 600
"""Steps; no change of these few files takes so many."""


class Killed:
    """The file systems of a host that only its programs are killed on."""

    def __init__(self, folder):
        self.etc, self.var = folder / "etc", folder / "var"
        self.folder = folder
        self.cut = self.end = lambda: None
        for path in (self.etc, self.var):
            path.mkdir()

    def keep(self):
        power.run("cp", "-a", str(self.etc), str(self.folder / "kept"))

    def anew(self):
        power.run("rm", "-rf", str(self.etc), str(self.var))
        power.run("cp", "-a", str(self.folder / "kept"), str(self.etc))
        self.var.mkdir()

    def comes_up(self):
        """Nothing was lost."""


class OneDisk:
    """All on one file system, which loses what was not synced."""

    def __init__(self, folder):
        self.disks = self.made(folder)
        self.etc, self.var = self.disks[0].path / "etc", self.disks[-1].path / "var"
        for path in (self.etc, self.var):
            path.mkdir()

    def made(self, folder):
        return [power.Disk(folder)]

    def keep(self):
        for disk in self.disks:
            disk.keep()

    def anew(self):
        for disk in self.disks:
            disk.anew()

    def cut(self):
        for disk in self.disks:
            disk.cut()

    def comes_up(self):
        for disk in self.disks:
            disk.comes_up()

    def end(self):
        for disk in self.disks:
            disk.end()


class TwoDisks(OneDisk):
    """The state directory has one of its own: what was written first may be what is lost."""

    def made(self, folder):
        (folder / "1").mkdir()
        (folder / "2").mkdir()
        return [power.Disk(folder / "1"), power.Disk(folder / "2")]


@pytest.fixture(params=[Killed, OneDisk, TwoDisks], ids=["killed", "power lost", "power lost, two disks"])
def host(request, lab, tmp_path, monkeypatch):
    why = power.missing() if request.param is not Killed else None
    if why is not None:
        pytest.skip("NOT TESTED, no file system that loses its power: " + why)
    folder = Path(tempfile.mkdtemp(dir=MEMORY if os.access(MEMORY, os.W_OK) else str(tmp_path)))
    made = request.param(folder)
    monkeypatch.setattr(deadman, "UNIT", str(made.etc / "undo.service"))
    monkeypatch.setattr(deadman, "WANTED", str(made.etc / "wants" / "undo.service"))
    monkeypatch.setattr(deadman, "_systemd", lambda system: True)
    monkeypatch.setattr(deadman, "stop_deadline", lambda system: None)
    try:
        yield Host(lab, made)
    finally:
        made.end()
        shutil.rmtree(str(folder))


class Host:
    """A host of one service with one file of each kind of change."""

    def __init__(self, lab, disks):
        self.lab, self.disks = lab, disks
        self.etc = disks.etc
        lab.config, lab.other = self.etc / "daemon.json", self.etc / "made"
        (self.etc / "opt").mkdir()
        lab.config.write_text("old")
        lab.config.chmod(0o640)
        (self.etc / "gone").write_text("precious")
        (self.etc / "mode").write_text("same")
        (self.etc / "mode").chmod(0o600)
        (self.etc / "opt" / "target").write_text("behind")
        (self.etc / "link").symlink_to("opt/target")
        (self.etc / "masked").symlink_to("/dev/null")
        self.before = self.seen()
        disks.keep()

    def seen(self):
        """{path: (type, contents or target, mode)} of all but what is ours while a change is at work."""
        found = {}
        for folder, _, names in os.walk(str(self.etc)):
            for name in names:
                path = os.path.join(folder, name)
                status = os.lstat(path)
                link = stat.S_ISLNK(status.st_mode)
                with open(os.devnull if link else path) as file:
                    found[path] = (os.readlink(path) if link else file.read(), stat.S_IMODE(status.st_mode))
        ours = ("undo.service", ".provision-")
        return {path: what for path, what in found.items() if not any(word in path for word in ours)}

    def anew(self):
        self.disks.anew()
        self.fresh("old")

    def fresh(self, runs_with=None):
        """Another program on the same host, which has read nothing yet."""
        self.lab.system = System(state=str(self.disks.var / "state"))
        self.lab.system.sources = Sources()
        self.lab.world.update(runs_with=runs_with, starts=[])

    def change(self, text):
        etc = self.etc
        asked = [at(self.lab.config, text), at(self.lab.other, text), at(etc / "gone", None), at(etc / "mode", "same")]
        return self.lab.run(*asked + [at(etc / "link", text), at(etc / "masked", None)])

    def boots(self):
        """What the unit does, where it is there, and then Docker's start."""
        self.disks.comes_up()
        self.fresh()
        self.undo()
        self.lab.world["runs_with"] = self.lab.config.read_text()

    def undo(self):
        if os.path.lexists(deadman.WANTED) and self.has_journal():
            undo.start({"state": self.lab.system.state, "booting": True}, Sources())

    def has_journal(self):
        return os.path.exists(os.path.join(self.lab.system.state, "undo", "journal.json"))

    def whole(self, text="new"):
        """Is it as before, or is the change there, whole?"""
        now = self.seen()
        if now == self.before:
            return "before"
        assert self.lab.config.read_text() == self.lab.other.read_text() == (self.etc / "link").read_text() == text
        assert not (self.etc / "gone").exists() and not os.path.lexists(str(self.etc / "masked"))
        assert os.readlink(str(self.etc / "link")) == "opt/target"
        return "after"

    def converges(self):
        result = self.change("new")
        assert result["outcome"] in ("changed", "ok"), result
        assert self.change("new")["outcome"] == "ok"  # what the last step of a run left goes with the next
        assert self.whole() == "after"
        assert not [name for name in self.lab.left_behind() if name not in ("lock",) and ".provision-" not in name]
        left = [name for _, _, names in os.walk(str(self.etc)) for name in names if "provision" in name]
        assert left == [] and not os.path.lexists(deadman.UNIT) and not os.path.lexists(deadman.WANTED)


def steps():
    return range(1 + sys.version_info[1] * 2 % STRIDE, MOST, STRIDE)


def test_a_change_that_dies_at_any_of_its_writes_is_whole_or_not_there(host):
    seen = []
    for step in steps():
        host.anew()
        died = power.dies_at(step, lambda: host.change("new"), host.disks.cut)
        host.boots()
        seen.append(host.whole())
        if died:
            host.converges()
        else:
            break
    assert not died and seen[0] == "before" and seen[-1] == "after"


def _left_open(host, text="new"):
    """A run that is gone right before its service is to be started."""
    host.anew()

    class Gone(BaseException):
        pass

    def apply(self, system, diff):
        raise Gone()

    original, FakeService.apply = FakeService.apply, apply
    try:
        with pytest.raises(Gone):
            host.change(text)
    finally:
        FakeService.apply = original
    host.fresh()


def test_an_undo_that_dies_at_any_of_its_writes_twice_is_finished_by_the_boot(host):
    for step in steps():
        _left_open(host)
        died = power.dies_at(step, host.undo, host.disks.cut)
        host.disks.comes_up()
        host.fresh()
        again = power.dies_at(1 + step // 2, host.undo, host.disks.cut)
        host.boots()
        assert host.whole() == "before", step
        told = host.lab.system.state_file.get("runs", "undone")
        assert told is None or "somebody else" not in told["text"]
        host.converges()
        if not died and not again:
            break
    assert not died


def test_a_disk_that_loses_its_power_keeps_what_was_synced_and_nothing_else(tmp_path):
    why = power.missing()
    if why is not None:
        pytest.skip("NOT TESTED, no file system that loses its power: " + why)
    disk = power.Disk(tmp_path)
    try:
        (disk.path / "old").write_text("old")
        disk.keep()
        (disk.path / "synced").write_text("synced")
        with open(str(disk.path / "synced"), "r+") as file:
            os.fsync(file.fileno())
        (disk.path / "late").write_text("late")
        (disk.path / "new").write_text("new")
        (disk.path / "new").rename(disk.path / "old")
        disk.cut()
        disk.comes_up()
        assert (disk.path / "old").read_text() == "old" and (disk.path / "synced").read_text() == "synced"
        assert not (disk.path / "late").exists()
    finally:
        disk.end()
