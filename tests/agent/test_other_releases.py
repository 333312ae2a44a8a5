"""What other releases have left on a host: earlier ones, from their own state, and later ones, as far as we know it."""

import json
import os
from pathlib import Path

import pytest

from provision.agent.host.system import System
from provision.agent.rollback import before, state_check, undo

from .one_service import Sources, at
from .test_way_back import boots, left_open

STATES = Path(__file__).parent / "states"
RELEASES = sorted(path.name for path in STATES.iterdir() if path.is_dir())
TWICE_OLD = "d0d0658", "de0f3db"
"""Releases that put a file in the place of a link."""
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED, needs root: the states are root's")


@pytest.fixture(params=RELEASES)
def left(request, lab):
    """A host as that release has left it."""
    folder = STATES / request.param
    for name, text in json.loads((folder / "files.json").read_text()).items():
        (lab.path / name).write_text(text)
    if request.param not in TWICE_OLD:
        (lab.path / "link").symlink_to("target")
    (lab.path / "state" / "undo").mkdir(parents=True, mode=0o700)
    (lab.path / "state").chmod(0o700)
    for name in ("state.json", "history.jsonl", "undo/journal.json"):
        text = (folder / os.path.basename(name)).read_text()
        (lab.path / "state" / name).write_text(text.replace("@ROOT@", str(lab.path)))
    lab.release = request.param
    return lab


def json_key(lab, value):
    key = {"path": ["mtu"], "value": value, "role": "docker_daemon", "secret": False}
    fields = {"path": str(lab.path / "keys.json"), "keys": [key], "absent": [], "roles": ["docker_daemon"]}
    fields.update(mode="0644", owner="root", group="root", sensitive=False, validate_with=None)
    return {"kind": "json_keys", "fields": fields}


def run(lab, *more):
    result = lab.run(at(lab.config, "one"), at(lab.path / "link", "one"), json_key(lab, 1400), *more)
    notes = [message["note"] for message in lab.link.sent if message["type"] == "result"]
    assert not [note for note in notes if "somebody else" in note]
    return result


def test_the_boot_undoes_its_open_change_and_its_memory_is_ours(left):
    undo.start({"state": left.system.state, "booting": True}, Sources())
    behind = left.path / ("link" if left.release in TWICE_OLD else "target")
    assert (left.config.read_text(), behind.read_text()) == ("one", "one")
    assert json.loads((left.path / "keys.json").read_text()) == {"mtu": 1400}
    told = System(state=left.system.state).state_file.get("runs", "undone")["text"]
    assert "the files are as they were" in told
    left.world["runs_with"] = "one"
    assert run(left)["outcome"] == "ok"
    assert not (left.path / "extra").exists(), "what is asked for no more, and was then, goes"


def test_a_run_goes_on_from_its_open_change(left):
    left.world["runs_with"] = "old"
    state_check.check_journal(left.system)
    assert run(left)["outcome"] == "changed"
    assert left.left_behind() == [] and left.world["runs_with"] == "one"
    assert not [name for name in os.listdir(str(left.path)) if "provision" in name]


def test_what_somebody_has_changed_since_is_told_from_what_it_wrote(left):
    (left.path / "keys.json").write_text('{"mtu": 9}')
    undo.start({"state": left.system.state, "booting": True}, Sources())
    told = System(state=left.system.state).state_file.get("runs", "undone")["text"]
    assert told == "left as it is, because somebody else has changed {}".format(left.path / "keys.json")


def test_its_history_is_read_and_goes_on(left):
    left.world["runs_with"] = "one"
    run(left)
    lines = (left.path / "state" / "history.jsonl").read_text().splitlines()
    assert len(lines) >= 3 and all(json.loads(line)["run"] for line in lines)


def test_the_mode_of_a_link_that_an_early_release_noted_is_no_files_mode():
    """It followed the link for the contents, and took the mode of the link itself."""
    entry = {"path": "/x", "data": "eA==", "mode": 0o777, "uid": 0, "gid": 0}

    class Nothing:
        def link(self, path):
            return None

        read = link

        class state_file:  # noqa: N801
            get = staticmethod(lambda section, key: None)
            digest = None

    assert before.complete(Nothing(), entry, "s")["mode"] == 0o644
    assert before.complete(Nothing(), dict(entry, link=None), "s")["mode"] == 0o777


LATER = {
    "schema": 7,
    "colours": {"x": {"of": "a later release"}},
    "runs": {"best": {"id": "r0"}},
    "services": {"docker": {"process": ["b", 1, 2], "files": {}, "keys": None, "mood": "good"}},
    "asked": {"docker_daemon": {"aura /x": {"kind": "aura", "fields": {"path": "/x"}}}},
}


def test_what_a_later_release_remembers_is_kept_as_it_is(lab):
    (lab.path / "state").mkdir(mode=0o700)
    (lab.path / "state" / "state.json").write_text(json.dumps(LATER))
    lab.runs_with("old")
    for text, outcome in (("new", "changed"), ("bad", "failed"), ("new", "ok")):
        assert lab.run(at(lab.config, text))["outcome"] == outcome
        notes = [message["note"] for message in lab.link.sent if message["type"] == "result"]
        assert "was written by a newer version (schema 7)" in notes[0]
        lab.system = System(state=lab.system.state)
        lab.system.sources = Sources()
        found = json.loads((lab.path / "state" / "state.json").read_text())
        assert {key: found[key] for key in ("schema", "colours", "services")} == {
            key: LATER[key] for key in ("schema", "colours", "services")
        }
        assert found["asked"]["docker_daemon"]["aura /x"] == LATER["asked"]["docker_daemon"]["aura /x"]
        assert found["runs"]["best"] == {"id": "r0"}


def test_a_later_journal_is_undone_by_what_we_know_of_it(lab, monkeypatch):
    """It has more fields than ours, in the journal and in each file's entry."""
    lab.runs_with("old")
    left_open(lab, monkeypatch)
    path = lab.path / "state" / "undo" / "journal.json"
    record = json.loads(path.read_text())
    record.update(schema=7, files=[dict(entry, colour="red") for entry in record["files"]])
    path.write_text(json.dumps(record))
    boots(lab)
    assert lab.config.read_text() == "old"
