"""What has to wait: a change that would disrupt is kept aside, and a later run finishes it."""

import pytest

from provision.agent.run.run import PlanRun

from .conversation import stage
from .one_service import at


@pytest.fixture
def busy(lab, monkeypatch):
    lab.runs_with("old")
    lab.containers = [{"id": "c", "name": "train", "image": "x", "user": "alice", "restarts": False, "cut_off": False}]
    found = lambda system: {"containers": lab.containers, "processes": []}  # noqa: E731
    monkeypatch.setattr("provision.agent.docker.in_use.users", found)
    monkeypatch.setattr("provision.agent.docker.daemon_socket.process", lambda system: 1)
    return lab


def policy(name, closed=None):
    return {"policies": {"docker": [name, "docker_daemon.disrupt"]}, "closed": closed}


def test_a_busy_host_keeps_its_files_and_its_daemon(busy):
    result = busy.run(at(busy.config, "new"))
    assert result["outcome"] == "pending"
    assert "waits for the end of 1 container: train (alice) (docker_daemon.disrupt is idle)" in result["note"]
    assert result["impact"]["effect"] == "stops 1 container: train (alice)"
    assert (busy.config.read_text(), busy.world["starts"]) == ("old", [])
    record = busy.system.state_file.get("pending", "docker_daemon")
    assert record["resources"] == ["file {}".format(busy.config), "service docker"]
    staged = busy.path / "state" / "staged" / "docker_daemon" / str(busy.config).lstrip("/")
    assert staged.read_text() == "new"
    assert staged.stat().st_mode & 0o777 == 0o600


def test_its_age_is_that_of_the_first_run_and_a_later_run_finishes_it(busy):
    busy.run(at(busy.config, "new"))
    first = busy.system.state_file.get("pending", "docker_daemon")
    busy.system.state_file.put("pending", "docker_daemon", dict(first, since="2026-01-01T00:00:00Z"))
    busy.run(at(busy.config, "newer"))
    assert busy.system.state_file.get("pending", "docker_daemon")["since"] == "2026-01-01T00:00:00Z"
    busy.containers = []
    assert busy.run(at(busy.config, "newer"))["outcome"] == "changed"
    assert busy.world["runs_with"] == "newer"
    assert busy.system.state_file.get("pending", "docker_daemon") is None
    assert busy.left_behind() == []


def test_what_is_asked_for_no_more_waits_no_more(busy):
    busy.run(at(busy.config, "new"))
    assert busy.run(at(busy.config, "old"))["outcome"] in ("ok", "changed")
    assert busy.left_behind() == []


def test_check_says_that_it_would_wait_and_stages_nothing(busy):
    result = busy.run(at(busy.config, "new"), check=True)
    assert result["outcome"] == "would-change"
    assert "waits for the end of 1 container" in result["note"]
    assert not (busy.path / "state" / "staged").exists()


def test_always_is_at_once_and_never_is_never(busy):
    assert busy.run(at(busy.config, "new"), disrupt=policy("always"))["outcome"] == "changed"
    busy.containers = []
    result = busy.run(at(busy.config, "newer"), disrupt=policy("never"))
    assert result["outcome"] == "pending"
    assert "restarts Docker by hand" in result["note"]


def test_a_window_that_is_closed_closes_even_always(busy):
    busy.containers = []
    result = busy.run(at(busy.config, "new"), disrupt=policy("always", "outside the maintenance windows"))
    assert result["outcome"] == "pending"
    assert "waits: outside the maintenance windows" in result["note"]


def test_a_role_that_needs_what_waits_waits_as_well_and_others_do_not(busy):
    service = {"kind": "service", "fields": {"name": "docker", "path": str(busy.config)}}
    daemon = stage("docker_daemon", at(busy.config, "new"), service, transaction=True)
    smoke = stage("gpu_smoke_test", at(busy.path / "smoke", "x"), needs=["docker_daemon"])
    motd = stage("motd", at(busy.path / "motd", "x"))
    options = {"check": False, "settle": False, "confirm": 0, "run": {"id": "r1", "by": "me@here"}}
    PlanRun(busy.link, busy.system, {"stages": [daemon, smoke, motd]}, options).execute()
    assert busy.link.results()[-2:] == [("role", "pending"), ("file", "changed")]
    assert not (busy.path / "smoke").exists()
    busy.link.sent = []
    PlanRun(busy.link, busy.system, {"stages": [smoke]}, options).execute()
    assert busy.link.results() == [("role", "pending")], "it still waits in a run that is not about the daemon"


def test_what_waits_for_a_role_that_is_not_asked_for_any_more_is_dropped_and_holds_nobody_up(busy):
    busy.run(at(busy.config, "new"))
    smoke = stage("gpu_smoke_test", at(busy.path / "smoke", "x"), needs=["docker_daemon"])
    options = {"check": False, "settle": False, "confirm": 0, "run": {"id": "r1", "by": "me@here"}}
    for roles in (["docker_daemon", "gpu_smoke_test"], []):
        busy.link.sent = []
        PlanRun(busy.link, busy.system, {"stages": [smoke], "roles": roles}, options).execute()
        assert busy.link.results() == [("role", "pending")], "asked for in another run, or not told"
    looks = dict(options, check=True)
    PlanRun(busy.link, busy.system, {"stages": [smoke], "roles": ["gpu_smoke_test"]}, looks).execute()
    assert busy.system.state_file.get("pending", "docker_daemon"), "a check changes nothing"
    busy.link.sent = []
    PlanRun(busy.link, busy.system, {"stages": [smoke], "roles": ["gpu_smoke_test"]}, options).execute()
    assert busy.link.results() == [("file", "changed")]
    assert busy.system.state_file.get("pending", "docker_daemon") is None
    assert busy.left_behind() == []


def test_where_nothing_differs_the_first_look_drops_it(busy):
    busy.run(at(busy.config, "new"))
    options = {"check": True, "settle": True, "confirm": 0, "run": {"id": "r1", "by": "me@here"}}
    run = PlanRun(busy.link, busy.system, {"stages": [], "roles": ["users"]}, options)
    run.settle(busy.system)
    assert busy.left_behind() == []
