"""Tables of known errors: each row can be searched for and filled in, whatever it matches."""

import re
import string

import pytest

from provision.agent.docker import known_errors as docker
from provision.agent.docker import stream
from provision.agent.gpu import known_errors as gpu
from provision.agent.host.known_errors import KnownError, explain
from provision.agent.packages import apt_errors

TABLE = (
    KnownError(r"no (?P<what>\S+) left", "there is no {what} left ({0})", "find some {what} for {user}"),
    KnownError("left", "something is left", ""),
)


def test_the_first_row_that_matches_is_filled_in():
    known = explain("E: no   x\nno space left\n", TABLE, user="me")
    assert (known.cause, known.fix) == ("there is no space left (no space left)", "find some space for me")
    assert explain("nothing", TABLE) is None


def test_case_counts_unless_it_is_said_not_to():
    assert explain("LEFT", TABLE) is None
    assert explain("LEFT", TABLE, ignore_case=True).cause == "something is left"


@pytest.mark.parametrize("table", [docker.KNOWN, stream.KNOWN, gpu.KNOWN, apt_errors.KNOWN])
def test_a_row_names_only_groups_that_its_pattern_has(table):
    for row in table:
        names = {name for part in (row.cause, row.fix) for _, name, _, _ in string.Formatter().parse(part) if name}
        assert names <= set(re.compile(row.pattern).groupindex) | {"0"}, row.pattern


@pytest.mark.parametrize("table", [docker.KNOWN, stream.KNOWN, gpu.KNOWN, apt_errors.KNOWN])
def test_no_row_stands_twice(table):
    patterns = [row.pattern for row in table]
    assert [pattern for pattern in patterns if patterns.count(pattern) > 1] == []
