"""A plan that was reviewed: the host does that, or nothing."""

import os

import pytest

from tests.agent.conversation import file, stage

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the agent works as root only")

SALT = "5a"


def looked(start, *stages, **more):
    """What a check digests of these stages."""
    agent = start(check=True, run="look", reviewed={"salt": SALT, "seen": None, "later": []}, **more)
    agent.hear()
    agent.plan(*stages)
    heard = agent.hear_all()
    agent.end()
    return next(message["seen"] for message in heard if message["type"] == "looked")


def applied(start, seen, *stages, check=False, later=(), settle=False):
    """The outcomes, or the refusal, of a run that is bound to a reviewed plan."""
    told = {"salt": SALT, "seen": seen, "later": list(later)}
    agent = start(run="apply{}".format(check), check=check, settle=settle, reviewed=told)
    agent.hear()
    agent.plan(*stages)
    heard = agent.hear_all()
    agent.end()
    if heard[-1]["type"] == "refused":
        return heard[-1]["cause"]
    return [message["outcome"] for message in heard if message["type"] == "result"]


def test_what_was_reviewed_is_applied(start, tmp_path):
    plan = stage("r", file(tmp_path / "a"), file(tmp_path / "b"))
    seen = looked(start, plan)
    assert sorted(seen) == ["r: file {}".format(tmp_path / name) for name in "ab"]
    assert applied(start, seen, plan) == ["changed", "changed"]


def test_a_look_that_is_digested_writes_nothing(start, tmp_path):
    looked(start, stage("r", file(tmp_path / "a")))
    assert sorted(os.listdir(str(tmp_path))) == ["payload-look.json"]


@pytest.mark.parametrize("check", [True, False])
def test_a_host_that_was_changed_since_is_not_touched(start, tmp_path, check):
    plan = stage("r", file(tmp_path / "a"), file(tmp_path / "b"))
    seen = looked(start, plan)
    (tmp_path / "b").write_text("somebody's\n")
    said = applied(start, seen, plan, check=check)
    assert said == "r: file {} is not what it was when it was reviewed".format(tmp_path / "b")
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "b").read_text() == "somebody's\n"


def test_what_is_asked_otherwise_was_not_reviewed(start, tmp_path):
    seen = looked(start, stage("r", file(tmp_path / "a")))
    said = applied(start, seen, stage("r", file(tmp_path / "a", "other\n")))
    assert said == "r: file {} is not asked as it was reviewed: the host's facts have changed".format(tmp_path / "a")


def test_one_resource_more_or_less_was_not_reviewed(start, tmp_path):
    one, two = stage("r", file(tmp_path / "a")), stage("r", file(tmp_path / "a"), file(tmp_path / "b"))
    assert "b was not in the reviewed plan" in applied(start, looked(start, one), two)
    assert "b was in the reviewed plan, and is not asked" in applied(start, looked(start, two), one)
    assert not (tmp_path / "a").exists()


def test_what_was_in_place_and_was_taken_away_since_is_not_made(start, tmp_path):
    (tmp_path / "a").write_text("x\n")
    plan = stage("r", file(tmp_path / "a"))
    seen = looked(start, plan)
    (tmp_path / "a").unlink()
    assert "is not what it was" in applied(start, seen, plan)


def test_a_stage_that_is_planned_anew_is_the_one_that_was_reviewed(start, tmp_path):
    first, second = stage("r", file(tmp_path / "a")), stage("s", file(tmp_path / "b"))
    seen = looked(start, first, second)
    for anew, type_, exists in ((file(tmp_path / "b"), "bye", True), (file(tmp_path / "c"), "refused", False)):
        for name in "ab":
            if (tmp_path / name).exists():
                (tmp_path / name).unlink()
        agent = start(run=type_, reviewed={"salt": SALT, "seen": seen, "later": []})
        agent.hear()
        agent.plan(first, second)
        assert [agent.hear()["type"] for _ in range(3)] == ["started", "result", "replan"]
        agent.plan(stage("s", anew))
        assert agent.hear_all()[-1]["type"] == type_
        assert (tmp_path / anew["fields"]["path"]).exists() is exists


def test_a_stage_that_could_not_be_reviewed_in_detail_is_planned_when_its_turn_comes(start, tmp_path):
    first = stage("r", file(tmp_path / "a"))
    agent = start(reviewed={"salt": SALT, "seen": looked(start, first), "later": ["s"]})
    agent.hear()
    agent.plan(first, stage("s", replan=True))
    assert [agent.hear()["type"] for _ in range(3)] == ["started", "result", "replan"]
    agent.plan(stage("s", file(tmp_path / "b")))
    assert agent.hear_all()[-1]["type"] == "bye"
    assert (tmp_path / "b").exists()


def test_no_secret_can_be_read_or_cheaply_guessed_from_a_digest(start, tmp_path):
    secret = file(tmp_path / "a", "hunter2\n")
    secret["fields"]["sensitive"] = True
    plain = looked(start, stage("r", file(tmp_path / "a", "hunter2\n")))
    tainted = looked(start, stage("r", secret))
    assert set(plain) == set(tainted)
    assert "hunter2" not in str(tainted)
    (name,) = plain
    assert plain[name][1] != tainted[name][1]
