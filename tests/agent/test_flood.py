"""A program on the host that writes without end: neither the agent nor the wire holds more of it than is shown."""

import json
import os
import re

import pytest

from provision.agent import wire
from provision.agent.engine import resource
from provision.agent.host.results import CommandResult
from tests.agent.conversation import stage
from tests.agent.test_main import SLOW, slow

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the agent works as root only")

MIB = 1024 * 1024
SIZE = 1024 * MIB
FLOOD = """
from ..engine.resource import Resource
class File(Resource):
    fields = ("argv",)
    def identity(self): return "flood"
    def desired(self): return {"there": True}
    def actual(self, system): return {"there": False}
    def apply(self, system, diff):
        system.run(self.argv, timeout=300)
"""
QUIET = """\
        self.actual = lambda system: {"there": True}
"""


def peak(pid):
    """The most memory that a process has had, in bytes."""
    with open("/proc/{}/status".format(pid)) as file:
        return int(re.search(r"VmHWM:\s+(\d+) kB", file.read()).group(1)) * 1024


def flood(script):
    return {"kind": "file", "fields": {"argv": ["sh", "-c", script]}}


@pytest.mark.parametrize("stream", ["", " >&2"])
def test_of_what_a_failed_program_wrote_the_end_is_told(start, stream):
    agent = start(extra={"agent.files.file": FLOOD})
    agent.hear()
    agent.plan(stage("r", flood("head -c {} /dev/zero{}; exit 3".format(SIZE, stream))))
    assert agent.hear()["type"] == "started"
    result = agent.hear(limit=120)
    assert len(wire.encode(result)) < MIB
    assert "failed with status 3" in result["error"]["cause"]
    assert len(result["error"]["cause"]) < 3000
    assert "[cut: " in result["error"]["output"]
    assert agent.hear()["type"] == "bye"


def test_the_agents_memory_stays_small_meanwhile(start, tmp_path):
    agent = start(extra=dict(SLOW, **{"agent.files.file": FLOOD + QUIET}))
    agent.hear()
    before = peak(agent.process.pid)
    agent.plan(stage("r", flood("head -c {} /dev/zero".format(SIZE)), slow(tmp_path / "a", 1)))
    assert [agent.hear()["type"], agent.hear(limit=120)["outcome"]] == ["started", "changed"]
    assert agent.hear()["type"] == "started"
    assert peak(agent.process.pid) - before < 20 * MIB
    agent.hear_all()


def test_the_tail_of_an_output_is_short_however_long_its_lines_are():
    result = CommandResult(["x"], 1, "a" * MIB + "\n" + "b" * MIB, "c\n" * 100000)
    assert len(result.tail()) < 64 * 1024
    assert CommandResult(["x"], 1, "", "one\ntwo\n").tail(1) == "two"
    long = CommandResult(["x"], 1, "head " + "x" * MIB + " end", "").tail(1)
    assert long.startswith("head xxx") and long.endswith("xxx end") and len(long) < 3000


class Long(resource.Resource):
    fields = ("before", "after")

    def identity(self):
        return "long"

    def desired(self):
        return {"value": self.after}

    def actual(self, system):
        return {"value": self.before}


@pytest.mark.parametrize("value", ["x" * (3 * MIB), ["x" * 100] * 30000, {"k": "\0" * MIB}, "line\n" * MIB])
def test_a_difference_is_cut_where_nobody_would_read_on(value):
    for before, after in ((value, "short"), ("short", value), (None, value)):
        shown = resource.converge(Long(before=before, after=after), None, True)
        assert shown["outcome"] == "would-change"
        assert len(json.dumps(shown)) < 2 * MIB
        assert "cut" in json.dumps(shown["diff"])
