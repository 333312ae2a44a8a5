"""Files and directories, on a real file system, through the real door."""

import grp
import os
import pwd
import stat

import pytest

from provision.agent.engine.resource import converge
from provision.agent.files.file import Directory, File
from provision.agent.host import safe_files
from provision.agent.host.errors import Failed
from provision.agent.host.system import ReadOnly, System

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: owners")


@pytest.fixture
def system(tmp_path):
    return System(state=str(tmp_path / "state"))


def me():
    return {"owner": pwd.getpwuid(os.geteuid())[0], "group": grp.getgrgid(os.getegid())[0]}


def file(path, content="text\n", **changes):
    fields = dict(me(), path=str(path), content=content, mode="0640", sensitive=False, validate_with=None)
    return File(**dict(fields, **changes))


def directory(path, **changes):
    return Directory(**dict(me(), path=str(path), mode="0750", **changes))


def test_what_a_run_that_died_left_beside_a_file_goes(tmp_path):
    """The sibling that it had not renamed yet."""
    path = tmp_path / "daemon.json"
    (tmp_path / ".daemon.json.provision-0123").write_text("half")
    (tmp_path / ".other.provision-0123").write_text("another file's")
    safe_files.replace(str(path), b"x", 0o644, os.geteuid(), os.getegid())
    assert sorted(os.listdir(str(tmp_path))) == [".other.provision-0123", "daemon.json"]


def test_a_file_is_made_kept_repaired_and_removed(system, tmp_path):
    path = tmp_path / "f"
    assert converge(file(path), system, False)["outcome"] == "changed"
    assert path.read_text() == "text\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    inode = path.stat().st_ino
    assert converge(file(path), system, False)["outcome"] == "ok"
    assert path.stat().st_ino == inode
    path.chmod(0o600)
    result = converge(file(path), system, False)
    assert result["diff"] == [{"key": "mode", "before": "0600", "after": "0640"}]
    assert path.stat().st_ino == inode, "a change of mode does not replace the file"
    assert converge(file(path, content=None), system, False)["outcome"] == "changed"
    assert not path.exists()
    assert converge(file(path, content=None), system, False)["outcome"] == "ok"


def test_check_writes_nothing(tmp_path):
    system = ReadOnly(state=str(tmp_path / "state"))
    assert converge(file(tmp_path / "f"), system, True)["outcome"] == "would-change"
    assert converge(directory(tmp_path / "d"), system, True)["outcome"] == "would-change"
    assert os.listdir(str(tmp_path)) == []


def test_a_write_in_check_mode_is_a_loud_bug(tmp_path):
    with pytest.raises(AssertionError):
        ReadOnly(state=str(tmp_path)).write(str(tmp_path / "x"), b"")
    with pytest.raises(AssertionError):
        ReadOnly(state=str(tmp_path)).run(["true"])


def test_bytes_that_are_no_text_survive_a_comparison(system, tmp_path):
    (tmp_path / "f").write_bytes(b"\xff\xfe\n\n")
    result = converge(file(tmp_path / "f"), system, False)
    assert result["outcome"] == "changed"


def test_a_validator_that_says_no_leaves_the_old_file(system, tmp_path):
    path = tmp_path / "f"
    path.write_text("old")
    asked = file(path, validate_with=("sh", "-c", "echo bad line 3 >&2; exit 1", "{}"))
    result = converge(asked, system, False)
    assert result["outcome"] == "failed"
    assert "bad line 3" in result["error"]["cause"]
    assert path.read_text() == "old"
    assert os.listdir(str(tmp_path)) in (["f", "state"], ["state", "f"])


def test_the_validator_sees_the_new_content(system, tmp_path):
    asked = file(tmp_path / "f", content="good\n", validate_with=("grep", "-q", "good", "{}"))
    assert converge(asked, system, False)["outcome"] == "changed"


def test_a_directory_in_the_way_is_named(system, tmp_path):
    (tmp_path / "f").mkdir()
    assert "is a directory" in converge(file(tmp_path / "f"), system, False)["error"]["cause"]


def test_a_missing_parent_is_named(system, tmp_path):
    result = converge(file(tmp_path / "no" / "f"), system, False)
    assert result["outcome"] == "failed"
    missing = "{0}/no/f has no place: the directory {0}/no does not exist".format(tmp_path)
    assert result["error"]["cause"] == missing
    assert "ask for that directory" in result["error"]["fix"]


def test_an_unknown_owner_is_a_difference_in_check_and_a_failure_in_apply(system, tmp_path):
    asked = file(tmp_path / "f", owner="nobody-of-that-name")
    assert converge(asked, ReadOnly(state=system.state), True)["outcome"] == "would-change"
    result = converge(asked, system, False)
    assert "user 'nobody-of-that-name', which does not exist" in result["error"]["cause"]


def test_a_change_through_a_link_keeps_the_link(system, tmp_path):
    (tmp_path / "conf").mkdir()
    target = tmp_path / "conf" / "target"
    target.write_text("text\n")
    target.chmod(0o600)
    (tmp_path / "f").symlink_to("conf/target")
    for content in ("text\n", "new\n"):  # a difference of the mode alone, then of the content
        assert converge(file(tmp_path / "f", content=content), system, False)["outcome"] == "changed"
        assert converge(file(tmp_path / "f", content=content), system, False)["outcome"] == "ok"
        assert os.readlink(str(tmp_path / "f")) == "conf/target"
        assert target.read_text() == content
        assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_file_that_is_not_wanted_loses_its_link_and_not_the_target(system, tmp_path):
    (tmp_path / "target").write_text("precious")
    for target in ("target", "nowhere"):
        (tmp_path / "f").symlink_to(target)
        assert converge(file(tmp_path / "f", content=None), system, False)["outcome"] == "changed"
        assert not os.path.lexists(str(tmp_path / "f"))
    assert (tmp_path / "target").read_text() == "precious"


@root_only
@pytest.mark.parametrize("target", ["f", "nowhere", "alice/f", "open/f", "alice/../open/f"])
def test_a_link_that_leads_nowhere_or_where_others_write_is_refused(system, tmp_path, target):
    for folder in ("alice", "open"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "f").write_text("theirs")
    os.chown(str(tmp_path / "alice"), 12345, 12345)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "f").symlink_to(target)
    for check in (True, False):
        error = converge(file(tmp_path / "f"), system, check)["error"]
        assert "f is a symbolic link" in error["cause"]
        assert error["fix"]
    assert os.readlink(str(tmp_path / "f")) == target
    assert (tmp_path / "alice" / "f").read_text() == (tmp_path / "open" / "f").read_text() == "theirs"


@root_only
def test_no_link_is_followed_in_a_directory_of_another_user(system, tmp_path):
    home = tmp_path / "alice"
    home.mkdir()
    (tmp_path / "secret").mkdir()
    (home / ".docker").symlink_to(tmp_path / "secret")
    os.chown(str(home), 12345, 12345)
    result = converge(file(home / ".docker" / "config.json"), system, False)
    assert result["outcome"] == "failed"
    assert ".docker is a symbolic link" in result["error"]["cause"]
    assert os.listdir(str(tmp_path / "secret")) == []


def test_a_fifo_does_not_hang_us(system, tmp_path):
    os.mkfifo(str(tmp_path / "f"))
    with pytest.raises(Failed):
        system.read(str(tmp_path / "f"))


def test_a_directory_is_made_and_repaired(system, tmp_path):
    assert converge(directory(tmp_path / "d"), system, False)["outcome"] == "changed"
    (tmp_path / "d").chmod(0o777)
    assert converge(directory(tmp_path / "d"), system, False)["outcome"] == "changed"
    assert converge(directory(tmp_path / "d"), system, False)["outcome"] == "ok"


def test_dropping_a_file_removes_it_and_keeps_no_content(tmp_path):
    kind, fields = file(tmp_path / "f", content="secret").when_dropped()
    assert kind == "file"
    assert fields["content"] is None
    assert "secret" not in str(fields)


def test_when_a_file_was_written_is_remembered_in_uptime(system, tmp_path):
    before = system.uptime()
    converge(file(tmp_path / "f"), system, False)
    record = system.state_file.get("written", str(tmp_path / "f"))
    assert before <= record["uptime"] <= system.uptime()
    assert record["boot"] == system.boot_id()
    assert record["digest"] == system.state_file.digest(b"text\n")
    assert "text" not in (tmp_path / "state" / "state.json").read_text()
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
