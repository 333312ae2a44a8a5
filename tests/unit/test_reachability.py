"""What is said of a host that a change may have cut off, by when it can be reached again."""

import pytest

from provision.errors import ConnectionLost
from provision.reachability import Lifeline


@pytest.mark.parametrize(
    ("after", "reached", "words"),
    [
        (3.0, True, "a new one gets through"),
        (3.0, False, "the change cut this host off"),
        (35.0, True, "the change cut this host off"),
    ],
    ids=["reached in time", "not reached", "reached once it has put itself back"],
)
def test_a_host_that_is_reached_after_its_deadline_was_cut_off(after: float, reached: bool, words: str) -> None:
    clock = [100.0]
    line = Lifeline(lambda _: reached, lambda: clock[0])
    line.arm(30.0)
    clock[0] += after
    assert words in str(line.explain(ConnectionLost("gone", ""), "service docker"))
