"""A state directory that cannot be believed is one sentence, whatever is asked, and is left as it is."""

import json
import os

import pytest

from provision.agent.host import lock
from provision.agent.host.errors import Failed
from provision.agent.host.system import ReadOnly, System
from provision.agent.rollback import state_check, undo

from .conversation import file, stage

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")

WAYS = [{"check": True}, {"settle": True, "check": True}, {}, {"facts_only": True}]
IDS = ["check", "the first look", "apply", "status"]


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "state"
    made.mkdir(0o700)
    (made / "undo").mkdir(0o700)
    for name in state_check.FILES:
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
    for use in (lock.inspect, lock.clear, lambda system: lock.Lock(system, {"id": "r1", "by": "me"}).take(None)):
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


@pytest.mark.parametrize("name", ("", "undo") + state_check.FILES)
def test_what_others_own_or_may_write_is_refused(folder, name):
    path = folder / name
    if not path.exists():
        path.write_text("{}")
    state_check.check(ReadOnly(str(folder)))
    path.chmod(0o770)
    with pytest.raises(Failed) as caught:
        state_check.check(ReadOnly(str(folder)))
    assert "may be written by others" in caught.value.cause
    path.chmod(0o700)
    os.chown(str(path), 7, 7)
    with pytest.raises(Failed) as caught:
        state_check.check(ReadOnly(str(folder)))
    assert "belongs to another user" in caught.value.cause


def test_the_boot_undoes_nothing_by_the_word_of_another_user(folder, tmp_path):
    os.chown(str(folder), 12345, 12345)
    with pytest.raises(Failed):
        undo.start({"state": str(folder), "booting": True}, None)


def planned(start, way, path):
    """What an agent says to a plan of one file."""
    agent = start(**way)
    message = agent.hear(limit=10)
    if message["type"] == "refused":
        return message
    agent.plan(stage("r", file(path)))
    return [heard for heard in agent.hear_all() if heard["type"] != "started"][0]


ODD = [
    "null", "[]", "3", '"x"', "[" * 100000, '{"asked": []}', '{"asked": {"r": []}}', '{"asked": {"r": {"x": 1}}}',
    '{"asked": {"r": {"x": {"kind": 1, "fields": {}}}}}', '{"salt": 1}', '{"runs": {"undone": 3}}',
]  # fmt: skip


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_a_state_file_of_other_types_is_one_sentence(start, folder, tmp_path, text):
    (folder / "state.json").write_text(text)
    for way in ({"check": True}, {}):
        message = planned(start, way, tmp_path / "f")
        assert message["type"] == "refused", message
        assert "state.json is damaged" in message["cause"]
    assert (folder / "state.json").read_text() == text
    assert not (tmp_path / "f").exists()


WHOLE = {
    "run": {"id": "r0"}, "service": None, "files": [], "ran": None, "touched": False, "memory": {}, "deadline": None,
}  # fmt: skip
ENTRY = {"path": "/x", "data": "eA==", "mode": 420, "uid": 0, "gid": 0}
JOURNALS = ["", "[]", "null", "{}", "[" * 100000] + [
    json.dumps(dict(WHOLE, **odd))
    for odd in (
        {"files": {}}, {"files": [{}]}, {"files": [dict(ENTRY, data=1)]}, {"files": [dict(ENTRY, data="%")]},
        {"files": [dict(ENTRY, mode=None)]}, {"service": 1}, {"service": {"odd": 1}}, {"memory": []}, {"deadline": "x"},
    )
]  # fmt: skip


@pytest.mark.parametrize("text", JOURNALS, ids=range(len(JOURNALS)))
def test_a_journal_that_is_none_is_one_sentence(folder, text):
    (folder / "undo" / "journal.json").write_text(text)
    with pytest.raises(Failed) as caught:
        state_check.check_journal(ReadOnly(str(folder)))
    assert caught.value.cause == "{} is damaged".format(folder / "undo" / "journal.json")


def test_a_damaged_journal_is_said_in_check_and_apply_alike(start, folder, tmp_path):
    (folder / "undo" / "journal.json").write_text("[]")
    for way in ({"check": True}, {}):
        assert "journal.json is damaged" in planned(start, way, tmp_path / "f")["cause"]
    (folder / "undo" / "journal.json").write_text(json.dumps(dict(WHOLE, files=[ENTRY])))
    assert planned(start, {"check": True}, tmp_path / "f")["outcome"] == "would-change"


NEWER = {
    "newkind x": {"kind": "newkind", "fields": {"name": "x"}},
    "file /y": {"kind": "file", "fields": {"path": "/y", "colour": "red"}},
}


def test_what_only_a_newer_version_knows_is_left_alone_and_said(start, folder, tmp_path):
    (folder / "state.json").write_text(json.dumps({"asked": {"r": NEWER}}))
    for way, outcome in (({"check": True}, "would-change"), ({}, "changed"), ({}, "ok")):
        result = planned(start, way, tmp_path / "f")
        assert result["outcome"] == outcome, result
        assert "left as it is, for only a newer version knows it: file /y, newkind x" in result["note"]
        remembered = json.loads((folder / "state.json").read_text())["asked"]["r"]
        assert {key: remembered[key] for key in NEWER} == NEWER


@pytest.mark.parametrize("way", WAYS[:3], ids=IDS[:3])
@pytest.mark.parametrize("name", ["history.jsonl", "staged"])
def test_what_only_a_change_writes_to_is_looked_at_before(start, folder, way, name):
    path = folder / name
    if path.exists():
        is_dir(path)
    else:
        path.write_text("")
    assert refused(start, way).startswith("{} is not a ".format(path))
