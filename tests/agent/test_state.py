"""A state directory that cannot be believed is one sentence, whatever is asked, and is left as it is."""

import os

import pytest

from provision.agent import lock, state, undo
from provision.agent.resource import Failed
from provision.agent.system import ReadOnly, System

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")

WAYS = [{"check": True}, {"settle": True, "check": True}, {}, {"facts_only": True}]
IDS = ["check", "the first look", "apply", "status"]


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "state"
    made.mkdir(0o700)
    (made / "undo").mkdir(0o700)
    for name in state.FILES:
        (made / name).write_text("{}")
    (made / "undo" / "journal.json").unlink()
    return made


def is_dir(path):
    path.unlink()
    path.mkdir()


def is_link(path):
    path.rename(str(path) + ".away")
    path.symlink_to(str(path) + ".away")


def is_fifo(path):
    path.unlink()
    os.mkfifo(str(path))


def refused(start, way):
    message = start(**way).hear(limit=10)
    assert message["type"] == "refused", message
    assert message["fix"]
    return message["cause"]


@pytest.mark.parametrize("way", WAYS, ids=IDS)
@pytest.mark.parametrize("made", [is_dir, is_link, is_fifo])
def test_a_lock_that_is_no_file_is_one_sentence(start, folder, made, way):
    made(folder / "lock")
    assert refused(start, way) == "{} is not a regular file".format(folder / "lock")


@pytest.mark.parametrize("made", [is_dir, is_link, is_fifo])
def test_no_use_of_the_lock_hangs_on_what_is_no_file(folder, made):
    made(folder / "lock")
    system = System(str(folder))
    for use in (lock.look, lock.clear, lambda system: lock.Lock(system, {"id": "r1", "by": "me"}).take(None)):
        with pytest.raises(Failed) as caught:
            use(system)
        assert "lock is not a regular file" in caught.value.cause


@pytest.mark.parametrize("way", WAYS, ids=IDS)
def test_a_state_directory_that_is_a_file_or_leads_nowhere_is_one_sentence(start, tmp_path, way):
    (tmp_path / "state").write_text("")
    assert refused(start, way) == "{} is not a directory".format(tmp_path / "state")
    (tmp_path / "state").unlink()
    (tmp_path / "state").symlink_to("nowhere")
    assert "is a symbolic link" in refused(start, way)
    assert sorted(os.listdir(str(tmp_path)))[-1] == "state"


def test_a_state_directory_behind_a_link_of_roots_is_used(start, tmp_path, folder):
    is_link(folder)
    assert start(check=True).hear()["type"] == "hello"


@pytest.mark.parametrize("way", WAYS, ids=IDS)
def test_a_state_directory_of_another_user_is_refused(start, folder, way):
    os.chown(str(folder), 12345, 12345)
    assert "state belongs to another user than root" in refused(start, way)


@pytest.mark.parametrize("name", ("", "undo") + state.FILES)
def test_what_others_own_or_may_write_is_refused(folder, name):
    path = folder / name
    if not path.exists():
        path.write_text("{}")
    state.check(ReadOnly(str(folder)))
    path.chmod(0o770)
    with pytest.raises(Failed) as caught:
        state.check(ReadOnly(str(folder)))
    assert "may be written by others" in caught.value.cause
    path.chmod(0o700)
    os.chown(str(path), 7, 7)
    with pytest.raises(Failed) as caught:
        state.check(ReadOnly(str(folder)))
    assert "belongs to another user" in caught.value.cause


def test_the_boot_undoes_nothing_by_the_word_of_another_user(folder, tmp_path):
    os.chown(str(folder), 12345, 12345)
    with pytest.raises(Failed):
        undo.start({"state": str(folder), "booting": True}, None)
