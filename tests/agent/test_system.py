"""The door: commands with limits, bounded output, a clean environment."""

import os
import time
from pathlib import Path

import pytest

from provision.agent.docker import daemon_socket
from provision.agent.docker.engine_api import Engine
from provision.agent.docker.stream import post
from provision.agent.host.commands import OUTPUT_LIMIT
from provision.agent.host.errors import Failed, TimedOut
from provision.agent.host.system import ReadOnly, System


@pytest.fixture
def system(tmp_path):
    return System(state=str(tmp_path))


def test_a_command_is_an_argv_list_with_a_closed_stdin_and_a_c_locale(system):
    result = system.query(["sh", "-c", "cat; echo $LC_ALL $0 $1", "a;b", "$(c)"])
    assert (result.status, result.out) == (0, "C a;b $(c)\n")


@pytest.mark.parametrize(
    "change",
    [
        lambda system: Engine(system).post("/containers/create"),
        lambda system: Engine(system).delete("/containers/x"),
        lambda system: post(system, "/images/create", {}, None, "x", 1),
    ],
)
def test_in_check_mode_nothing_is_changed_through_dockers_socket_either(tmp_path, change, monkeypatch):
    monkeypatch.setattr(daemon_socket, "process", lambda system: 1)
    with pytest.raises(AssertionError, match="check mode"):
        change(ReadOnly(state=str(tmp_path)))


def test_a_missing_program_is_a_result(system):
    result = system.query(["no-such-program"])
    assert result.status == 127
    assert "no-such-program" in result.err


def test_a_failure_of_a_changing_command_raises_with_its_last_words(system):
    with pytest.raises(Failed) as caught:
        system.run(["sh", "-c", "echo first; echo last >&2; exit 3"])
    assert "status 3: last" in caught.value.cause


def test_a_command_past_its_limit_is_killed_with_its_children(system, tmp_path):
    started = time.monotonic()
    with pytest.raises(TimedOut) as caught:
        system.run(["sh", "-c", "sleep 300 & echo $! > {}; wait".format(tmp_path / "pid")], timeout=1)
    assert "longer than 1 s" in caught.value.cause
    assert time.monotonic() - started < 20
    child = int((tmp_path / "pid").read_text())
    for _ in range(50):
        try:
            if Path("/proc/{}/stat".format(child)).read_text().split()[2] == "Z":
                break
        except OSError:
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the child lives on")


def test_output_without_end_does_not_fill_the_memory(system):
    result = system.query(["head", "-c", str(5 * OUTPUT_LIMIT), "/dev/zero"])
    assert result.ok
    assert len(result.out) == OUTPUT_LIMIT


def test_input_is_given_and_one_that_is_not_wanted_does_no_harm(system):
    assert system.query(["cat"], stdin=b"secret").out == "secret"
    assert system.query(["true"], stdin=b"x" * 1000000).ok


def test_a_log_takes_the_output_so_that_the_command_survives_us(system, tmp_path):
    log = str(tmp_path / "log")
    with pytest.raises(Failed) as caught:
        system.run(["sh", "-c", "echo words; exit 1"], log=log)
    assert "words" in caught.value.output
    assert os.stat(log).st_mode & 0o777 == 0o600


def test_proxies_of_the_session_reach_commands_and_nothing_else_does(system, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://p:1")
    monkeypatch.setenv("SECRET_THING", "x")
    out = system.query(["env"]).out
    assert "http_proxy=http://p:1" in out
    assert "SECRET_THING" not in out


def test_reading_what_is_not_there_is_none(system, tmp_path):
    missing = str(tmp_path / "no" / "thing")
    assert system.read(missing) is None
    assert system.text(missing) is None
    assert system.stat(missing) is None
    assert system.names(missing) == []
    assert system.link(missing) is None
    assert system.uid("no-such-user") is None


def test_uptime_and_start_ticks_are_of_one_clock(system):
    ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    age = system.uptime() - ticks / os.sysconf("SC_CLK_TCK")
    assert 0 <= age < 3600
