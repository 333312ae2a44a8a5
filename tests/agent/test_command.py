"""A command with a guard."""

import pytest

from provision.agent.engine.resource import converge
from provision.agent.files.command import Command
from provision.agent.host.system import ReadOnly, System


@pytest.fixture
def system(tmp_path):
    return System(state=str(tmp_path / "state"))


def command(**changes):
    return Command(**dict({"name": "x", "argv": ["false"], "creates": None, "unless": None, "timeout": 5}, **changes))


def test_it_runs_until_what_it_creates_is_there(system, tmp_path):
    path = str(tmp_path / "made")
    made = command(argv=["touch", path], creates=path)
    assert converge(made, ReadOnly(state=system.state), True)["outcome"] == "would-change"
    assert not (tmp_path / "made").exists()
    assert converge(made, system, False)["outcome"] == "changed"
    assert converge(made, system, False)["outcome"] == "ok"


def test_its_guard_must_hold_afterwards(system, tmp_path):
    result = converge(command(argv=["true"], creates=str(tmp_path / "made")), system, False)
    assert result["outcome"] == "failed"
    assert result["error"]["cause"] == "true succeeded, but {} is not there".format(tmp_path / "made")
    assert "creates" in result["error"]["fix"]


def test_a_guard_that_still_fails_is_named_with_what_it_printed(system):
    guard = ["sh", "-c", "echo found 1; echo asked 2 >&2; exit 4"]
    error = converge(command(argv=["true"], unless=guard), system, False)["error"]
    cause = "x succeeded, but its guard still fails: sh -c echo found 1; echo asked 2 >&2; exit 4: status 4: "
    assert error["cause"].startswith(cause)
    assert "found 1" in error["output"]
    assert "asked 2" in error["output"]
    assert "unless" in error["fix"]


def test_a_guard_that_is_no_program_afterwards_is_told_so(system):
    error = converge(command(argv=["true"], unless=["/no/such/program"]), system, False)["error"]
    assert error["cause"].endswith(
        "guard still fails: /no/such/program: status 127: /no/such/program: No such file or directory"
    )


def test_a_guard_that_succeeds_means_nothing_to_do(system):
    assert converge(command(unless=["true"]), system, False)["outcome"] == "ok"


def test_a_guard_whose_program_is_not_there_means_needed(system):
    guarded = command(unless=["/no/such/program"])
    assert converge(guarded, ReadOnly(state=system.state), True)["outcome"] == "would-change"


def test_a_guard_that_hangs_is_unknown(system):
    result = converge(command(unless=["sleep", "30"], timeout=0.2), system, False)
    assert result["outcome"] == "unknown"
    assert "did not answer within 0.2 s" in result["error"]["cause"]


def test_a_command_that_fails_is_shown_with_its_words(system, tmp_path):
    failing = command(argv=["sh", "-c", "echo no such luck >&2; exit 3"], creates=str(tmp_path / "x"))
    result = converge(failing, system, False)
    assert (result["outcome"], "status 3: no such luck" in result["error"]["cause"]) == ("failed", True)
