"""What the host remembers of us."""

import json
import os

import pytest

from provision.agent.host.errors import Failed
from provision.agent.host.shapes import SCHEMA
from provision.agent.host.state import StateFile
from provision.agent.host.system import ReadOnly, System


def memory(tmp_path):
    return StateFile(System(state=str(tmp_path / "state")))


def test_records_last(tmp_path):
    memory(tmp_path).put("programs", "docker", {"pid": 1})
    assert memory(tmp_path).get("programs", "docker") == {"pid": 1}
    assert memory(tmp_path).section("programs") == {"docker": {"pid": 1}}
    memory(tmp_path).put("programs", "docker", None)
    assert memory(tmp_path).get("programs", "docker") is None


def test_nothing_is_written_where_nothing_changes(tmp_path):
    memory(tmp_path).put("a", "b", 1)
    inode = os.stat(str(tmp_path / "state" / "state.json")).st_ino
    memory(tmp_path).put("a", "b", 1)
    memory(tmp_path).put("a", "none", None)
    assert os.stat(str(tmp_path / "state" / "state.json")).st_ino == inode


def test_forgetting_what_was_never_known_makes_no_directory(tmp_path):
    memory(tmp_path).put("a", "b", None)
    assert not (tmp_path / "state").exists()


def test_digests_are_salted_per_host_and_tell_absent_from_empty(tmp_path):
    one, other = memory(tmp_path / "1"), memory(tmp_path / "2")
    assert one.digest(b"x") == one.digest(b"x")
    assert one.digest(b"x") != other.digest(b"x")
    assert one.digest(None) == "absent" != one.digest(b"")


def test_a_damaged_document_is_named_and_not_overwritten(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "state.json").write_text("{")
    with pytest.raises(Failed) as caught:
        memory(tmp_path).get("a", "b")
    assert "state.json is damaged" in caught.value.cause
    assert (tmp_path / "state" / "state.json").read_text() == "{"


def test_check_mode_remembers_nothing(tmp_path):
    with pytest.raises(AssertionError):
        StateFile(ReadOnly(state=str(tmp_path))).put("a", "b", 1)
    assert json.dumps(os.listdir(str(tmp_path))) == "[]"


def test_a_newer_schema_is_read_as_far_as_it_goes_and_stays_what_it_is(tmp_path):
    memory(tmp_path).put("a", "b", 1)
    path = tmp_path / "state" / "state.json"
    document = json.loads(path.read_text())
    assert document["schema"] == SCHEMA
    path.write_text(json.dumps(dict(document, schema=SCHEMA + 1)))
    assert "was written by a newer version (schema 2)" in memory(tmp_path).newer()
    memory(tmp_path).put("a", "c", 2)
    assert json.loads(path.read_text())["schema"] == SCHEMA + 1
    assert memory(tmp_path).section("a") == {"b": 1, "c": 2}


def test_a_state_without_a_schema_is_of_the_first(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "state.json").write_text('{"a": {"b": 1}}')
    assert memory(tmp_path).get("a", "b") == 1
