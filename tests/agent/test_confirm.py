"""A change that can cut the host off: it stands once somebody gets through over a new connection."""

import pytest

from provision.agent.host.errors import Failed
from provision.agent.host.system import System
from provision.agent.rollback.confirmed import confirm

from .one_service import at

CONFIRM = 2


def test_a_change_that_can_cut_us_off_stands_once_somebody_gets_through(lab):
    lab.runs_with("old")
    lab.link.reach = lambda: confirm(System(state=lab.system.state), {"id": "r1"})
    assert lab.run(at(lab.config, "new"), confirm=CONFIRM)["outcome"] == "changed"
    assert [message["seconds"] for message in lab.link.sent if message["type"] == "confirm"] == [CONFIRM]
    assert lab.world["runs_with"] == "new"
    assert lab.left_behind() == []
    with pytest.raises(Failed, match="put back already"):
        confirm(System(state=lab.system.state), {"id": "r1"})


@pytest.mark.parametrize("cancelled", [False, True], ids=["nobody", "cancel"])
def test_when_nobody_does_everything_goes_back(lab, cancelled):
    lab.runs_with("old")
    lab.link.reach = lambda: setattr(lab.link, "cancelled", cancelled)
    words = "the run was ended before" if cancelled else "nobody reached this host over a new connection"
    result = lab.run(at(lab.config, "new"), confirm=0.3)
    assert (result["outcome"], result["rolled_back"]) == ("failed", True)
    assert words in result["error"]["cause"]
    assert lab.world["runs_with"] == "old"
    assert lab.config.read_text() == "old"
    assert lab.left_behind() == []


def test_a_host_that_is_asked_to_wait_for_nobody_does_not(lab):
    lab.runs_with("old")
    assert lab.run(at(lab.config, "new"), confirm=0)["outcome"] == "changed"
    assert [message for message in lab.link.sent if message["type"] == "confirm"] == []
