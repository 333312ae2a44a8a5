"""Symbolic links, on a real file system."""

import os

import pytest

from provision.agent.engine.resource import converge
from provision.agent.files.symlink import Symlink
from provision.agent.host.system import ReadOnly
from provision.agent.rollback.transaction import Transaction

from .rooted import Rooted


@pytest.fixture
def host(tmp_path):
    host = Rooted(tmp_path)
    host.put("/etc/x", "")
    return host


def link(target="one", absent=False):
    return Symlink(path="/etc/link", target=target, absent=absent)


def outcome(resource, host):
    return converge(resource, host, False)["outcome"]


def test_a_link_is_made_kept_and_turned(host):
    assert outcome(link(), host) == "changed"
    assert outcome(link(), host) == "ok"
    assert outcome(link("two"), host) == "changed"
    assert host.link("/etc/link") == "two"


def test_a_file_in_its_place_stays(host):
    host.put("/etc/link", "data")
    result = converge(link(), host, False)
    assert result["outcome"] == "failed"
    assert "is none" in result["error"]["cause"]
    assert host.text("/etc/link") == "data"
    assert outcome(link(absent=True), host) == "ok"


def test_a_dropped_link_goes_and_somebody_elses_stays(host):
    outcome(link(), host)
    undo = Symlink(**link().when_dropped()[1])
    assert undo.when_dropped() is None
    host.make_link("elsewhere", "/etc/link")
    assert outcome(undo, host) == "ok"
    assert host.link("/etc/link") == "elsewhere"
    host.make_link("one", "/etc/link")
    assert outcome(undo, host) == "changed"
    assert host.stat("/etc/link") is None


def test_check_makes_no_link(tmp_path):
    resource = Symlink(path=str(tmp_path / "link"), target="x", absent=False)
    assert converge(resource, ReadOnly(state=str(tmp_path / "state")), True)["outcome"] == "would-change"
    assert os.listdir(str(tmp_path)) == []


def test_a_transaction_puts_a_link_back(host):
    host.link_to("/etc/link", "old")
    transaction = Transaction.open(host, None, "r1")
    transaction.begin([link()])
    outcome(link(), host)
    Transaction.left(host).undo()
    assert host.link("/etc/link") == "old"
