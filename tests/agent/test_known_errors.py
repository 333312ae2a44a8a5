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


@pytest.mark.parametrize(
    ("said", "cause", "fix"),
    [
        (
            "all (runtime): OCI runtime create failed: failed to create NVIDIA Container Runtime: failed to construct "
            'OCI spec modifier: invalid mode "fast": unknown',
            "a mode of the nvidia runtime that this toolkit does not know",
            "mode to auto",
        ),
        (
            "all (runtime): unable to retrieve OCI runtime error (open …/log.json: no such file or directory): "
            "/usr/bin/nvidia-container-runtime did not terminate successfully: exit status 1: unknown",
            "cannot read its config.toml",
            "nvidia-container-runtime --version",
        ),
        (
            "all (runtime): error constructing low-level runtime: error locating runtime: no runtime binary found from "
            "candidate list: [nothing]: unknown",
            "names no low-level runtime",
            "install runc",
        ),
        ("/usr/lib/libcuda.so.1: invalid ELF header", "is damaged, or made for another processor", "libraries anew"),
        ("/usr/lib/libcuda.so.1: file too short", "is damaged, or made for another processor", "libraries anew"),
        (
            "fork/exec /usr/bin/nvidia-container-runtime: no such file or directory: unknown",
            "its binary is gone",
            "install the toolkit again",
        ),
        ("cuInit failed with 100 CUDA_ERROR_NO_DEVICE", "CUDA sees no GPU", "the CDI spec gives"),
    ],
)
def test_failures_made_by_hand_beside_an_h200_have_their_cause_and_remedy(said, cause, fix):
    known = gpu.explain(said)
    assert cause in known.cause
    assert fix in known.fix


@pytest.mark.parametrize("table", [docker.KNOWN, stream.KNOWN, gpu.KNOWN, apt_errors.KNOWN])
def test_no_row_stands_twice(table):
    patterns = [row.pattern for row in table]
    assert [pattern for pattern in patterns if patterns.count(pattern) > 1] == []
