"""Removing a role from a host: what it brought goes, what was there before or others ask for stays."""

import json
import os

import pytest

from tests.agent.conversation import file, stage

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the agent works as root only")


def run(start, name, *stages, **more):
    agent = start(run=name, **more)
    agent.hear()
    agent.plan(*stages)
    heard = []
    while heard[-1:] != [None]:
        heard.append(agent.hear())
        if heard[-1] and heard[-1]["type"] == "replan":
            agent.plan(*stages[heard[-1]["stage"] :])
    heard.pop()
    agent.end()
    assert heard[-1]["type"] == "bye", heard[-1]
    return [(message["kind"], message["name"], message["outcome"]) for message in heard if message["type"] == "result"]


def asked(tmp_path):
    return json.loads((tmp_path / "state" / "state.json").read_text())["asked"]


def directory(path):
    made = file(path)["fields"]
    return {"kind": "directory", "fields": dict({key: made[key] for key in ("path", "owner", "group")}, mode="0755")}


def removal(role):
    return stage(role, remove=True)


def test_what_a_role_brought_goes_and_nothing_else(start, tmp_path):
    (tmp_path / "found").write_text("x\n")
    ours, found, others = (tmp_path / name for name in ("ours", "found", "others"))
    run(start, "1", stage("r", file(ours), file(found)), stage("s", file(others)))
    assert run(start, "2", removal("r")) == [("file", str(ours), "changed")]
    assert (ours.exists(), found.exists(), others.exists()) == (False, True, True)
    assert list(asked(tmp_path)) == ["s"]


def test_what_was_found_so_stays_found_and_what_we_repaired_is_ours(start, tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_text("x\n")
    b.write_text("x\n")
    plan = stage("r", file(a), file(b))
    run(start, "1", plan)
    b.write_text("somebody's\n")
    run(start, "2", plan)
    run(start, "3", plan)
    assert run(start, "4", removal("r")) == [("file", str(b), "changed")]
    assert a.exists()


def test_a_check_of_a_removal_changes_nothing_and_forgets_nothing(start, tmp_path):
    run(start, "1", stage("r", file(tmp_path / "a")))
    before = asked(tmp_path)
    for settle in (False, True):
        said = run(start, "c{}".format(settle), removal("r"), check=True, settle=settle)
        assert said == [("file", str(tmp_path / "a"), "would-change")]
    assert (asked(tmp_path), (tmp_path / "a").exists()) == (before, True)


def test_a_directory_that_we_made_goes_when_it_is_empty(start, tmp_path):
    inner = tmp_path / "d" / "e"
    run(start, "1", stage("r", directory(tmp_path / "d"), directory(inner), file(inner / "a")))
    (tmp_path / "d" / "theirs").write_text("")
    run(start, "2", removal("r"))
    assert os.listdir(str(tmp_path / "d")) == ["theirs"]


def test_what_a_role_dropped_before_and_stayed_goes_with_it(start, tmp_path):
    run(start, "1", stage("r", directory(tmp_path / "d"), file(tmp_path / "a")))
    run(start, "2", stage("r", file(tmp_path / "a")))
    assert (tmp_path / "d").is_dir()
    run(start, "3", removal("r"))
    assert not (tmp_path / "d").exists()


def test_nothing_is_left_to_remove_the_second_time(start, tmp_path):
    run(start, "1", stage("r", file(tmp_path / "a")), stage("s", file(tmp_path / "b")))
    run(start, "2", removal("r"))
    assert run(start, "3", removal("r")) == []


def test_the_state_directory_goes_with_the_last_role(start, tmp_path):
    run(start, "1", stage("r", file(tmp_path / "a")), stage("s", file(tmp_path / "b")))
    run(start, "2", removal("r"))
    assert (tmp_path / "state").is_dir()
    run(start, "3", removal("s"))
    assert not (tmp_path / "state").exists()


def test_what_a_probe_told_others_goes_though_it_failed(start, tmp_path):
    driver = {"kind": "nvidia_driver", "fields": {"expect_gpus": 99}}
    assert run(start, "1", stage("r", driver)) == [("nvidia_driver", "nvidia", "failed")]
    assert asked(tmp_path)["r"]["proof_left gate"]["fields"] == {"gate_only": True}
    assert run(start, "2", removal("r"))[0][:2] == ("proof_left", "gate")
