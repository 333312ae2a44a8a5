"""A service that has just started must stay up for a while: the proof that comes next runs in this time, and counts
only if the service has stayed."""

import pytest

from provision.agent.engine import kinds
from provision.agent.engine.resource import Resource
from provision.agent.host.errors import Failed
from provision.agent.run.link import Cancelled
from provision.agent.run.run import PlanRun

from .conversation import stage
from .one_service import FakeService, at


class Young(FakeService):
    """It was started just now; `dies` ends it before it has stayed up for long enough."""

    is_young = True

    def stays(self, system):
        self.world["did"].append("stays")
        if self.world["dies"]:
            raise Failed("docker does not start: it came up, and ended by itself", "look at its log")


class Proof(Resource):
    """A probe; `ahead` is whether it may run in that time."""

    fields = ("name", "ahead")
    probe = True
    world = None

    @property
    def goes_ahead(self):
        return self.ahead

    def identity(self):
        return self.name

    def desired(self):
        return {"proven": True}

    def actual(self, system):
        return {"proven": self.name in self.world["proven"]}

    def apply(self, system, diff):
        self.world["did"].append("proves " + self.name)
        self.world["proven"].append(self.name)


@pytest.fixture
def young(lab, monkeypatch):
    lab.world.update(did=[], dies=False, proven=[], planned=None)
    lab.runs_with("old")
    made = kinds.make

    def make(kind, fields):
        if kind not in ("service", "proof"):
            return made(kind, fields)
        resource = (Young if kind == "service" else Proof)(**fields)
        resource.world = lab.world
        return resource

    monkeypatch.setattr(kinds, "make", make)
    return lab


def proof(name="gpu", ahead=True):
    return {"kind": "proof", "fields": {"name": name, "ahead": ahead}}


def run(lab, *resources, anew=None, reviewed=None):
    """A run whose daemon's configuration changes; `anew` is the stage after it as it is planned again."""
    service = {"kind": "service", "fields": {"name": "docker", "path": str(lab.config)}}
    first = stage("docker_daemon", at(lab.config, "new"), service, transaction=True)
    after = stage("gpu_smoke_test", *resources)
    lab.link.next = lambda: {"type": "plan", "stages": [anew or after]}
    options = {"check": False, "settle": False, "confirm": 0, "run": {"id": "r1", "by": "me@here"}}
    run = PlanRun(lab.link, lab.system, {"stages": [first, after]}, options)
    run._reviewed = reviewed
    run.execute()
    return lab.link.results()


def test_the_proof_runs_while_docker_shows_that_it_stays_and_only_once(young):
    told = run(young, proof())
    assert young.world["did"] == ["proves gpu", "stays"]
    assert told == [("file", "changed"), ("service", "changed"), ("proof", "ok")]
    assert young.left_behind() == []


def test_a_docker_that_ends_meanwhile_is_rolled_back_and_the_proof_does_not_count(young):
    young.world["dies"] = True
    assert run(young, proof()) == [("file", "changed"), ("service", "failed")]
    last = [message for message in young.link.sent if message["type"] == "result"][-1]
    assert last["rolled_back"]
    assert "ended by itself; rolled back" in last["error"]["cause"]
    assert young.config.read_text() == "old"
    assert young.world["runs_with"] == "old"
    assert young.journal() is None


def test_what_is_not_made_for_it_waits_for_its_turn_and_so_does_what_comes_after_it(young):
    run(young, proof("first", ahead=False), proof("second"))
    assert young.world["did"] == ["stays", "proves first", "proves second"]


def test_a_proof_that_is_planned_otherwise_by_then_is_made_in_its_turn(young):
    run(young, proof("one"), anew=stage("gpu_smoke_test", proof("two")))
    assert young.world["did"] == ["proves one", "stays", "proves two"]


def test_nothing_goes_ahead_once_the_run_was_ended(young):
    young.link.cancelled = True
    with pytest.raises(Cancelled):
        run(young, proof())
    assert young.world["did"] == ["stays"]
    assert young.config.read_text() == "new"


def test_the_result_of_a_start_is_told_only_once_it_has_stayed(young, monkeypatch):
    stays = Young.stays
    told = []
    monkeypatch.setattr(Young, "stays", lambda self, system: told.extend(young.link.results()) or stays(self, system))
    run(young, proof())
    assert told == [("file", "changed")]
