"""A service runs what is on disk: staleness is a record of a process, not a file time; one start, proven."""

import json

import pytest

from provision.agent.docker.known_errors import explain
from provision.agent.docker.service import DockerService
from provision.agent.engine.resource import converge
from provision.agent.host.errors import Failed
from provision.agent.host.results import CommandResult
from provision.agent.services.probe import Probe
from provision.agent.services.service import Service

from .fake_host import DAEMON_JSON, UNIT, Host

DROP_IN = "/etc/systemd/system/docker.service.d/zz-provision.conf"


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """What stays up for a moment stays."""
    monkeypatch.setattr("provision.agent.services.service.SETTLE", 0)
    monkeypatch.setattr("provision.agent.services.service.SUSPECT", 0.4)


@pytest.fixture
def host():
    host = Host()
    host.files[DAEMON_JSON] = '{"mtu": 1400}'
    return host


def service(**changes):
    fields = dict(name="docker", enabled=True, running=True, files=[UNIT, DROP_IN, DAEMON_JSON], also=["docker.socket"])
    return DockerService(**dict(dict(fields, options={}, reload=None, timeout=5), **changes))


def plain(**changes):
    """A service that is not Docker."""
    fields = dict(
        name="mini", enabled=True, running=True, files=[], also=[], platform=None, in_use=[], may_cut=False, timeout=5
    )
    return Service(**dict(fields, **changes))


def run(host, resource=None, check=False):
    del host.ran[:]
    resource = resource or service()
    result = converge(resource, host, check)
    if result["outcome"] in ("ok", "changed") and not check:
        resource.settled(host)
    return result


def restarts(host):
    return [words for words in host.ran if "restart" in words or "start docker" in words]


def test_it_is_enabled_then_started_and_a_second_run_asks_nothing(host):
    host.unit["UnitFileState"] = "disabled"
    del host.files["/etc/systemd/system/multi-user.target.wants/docker.service"]
    assert run(host)["outcome"] == "changed"
    assert host.ran == [
        "systemctl enable docker.service",
        "systemctl reset-failed docker.service docker.socket",
        "systemctl start docker.service",
    ]
    host.query = None  # a no-change look starts no process
    assert run(host)["outcome"] == "ok"
    assert host.ran == []


def test_the_first_start_of_docker_can_cut_the_host_off_and_another_service_s_cannot():
    assert service().cuts({"running": (False, True)}) is True
    assert plain(name="nvidia-persistenced").cuts({"running": (False, True)}) is False
    assert plain(name="nftables", may_cut=True).cuts({"stale": (True, False)}) is True
    assert service().cuts({"enabled": (False, True)}) is False


def test_check_starts_nothing(host):
    result = run(host, check=True)
    assert result["outcome"] == "would-change"
    assert host.ran == []
    assert host.pid is None


def test_a_stopped_docker_with_its_socket_active_does_not_run(host):
    run(host)
    host.end()
    assert host.socket == "active"
    result = run(host)
    assert result["diff"] == [{"key": "running", "before": False, "after": True}]
    assert restarts(host) == ["systemctl start docker.service"]


def test_it_is_stopped_together_with_its_socket(host):
    run(host)
    assert run(host, service(running=False))["outcome"] == "changed"
    assert host.ran == ["systemctl stop docker.socket docker.service"]
    assert run(host, service(running=False))["outcome"] == "ok"


def test_a_changed_file_restarts_once(host):
    run(host)
    host.write(DAEMON_JSON, '{"mtu": 1500}')
    assert run(host)["diff"] == [{"key": "stale", "before": True, "after": False}]
    assert restarts(host) == ["systemctl restart docker.service"]
    assert run(host)["outcome"] == "ok"


def test_a_file_changed_by_hand_counts_too(host):
    run(host)
    host.files[DAEMON_JSON] = '{"mtu": 1500}'
    assert run(host)["outcome"] == "changed"


def test_another_indentation_is_no_reason_to_restart(host):
    run(host)
    host.files[DAEMON_JSON] = '{\n    "mtu":   1400\n}\n'
    assert run(host)["outcome"] == "ok"


def test_killed_between_write_and_restart_the_next_run_restarts(host):
    host.begin()  # started by somebody else: no record
    host.write(DAEMON_JSON, '{"mtu": 1500}')
    assert run(host)["outcome"] == "changed"
    assert restarts(host) == ["systemctl restart docker.service"]


def test_restarted_by_hand_after_that_it_is_not_restarted_again(host):
    run(host)
    host.write(DAEMON_JSON, '{"mtu": 1500}')
    host.end()
    host.begin()
    assert run(host)["outcome"] == "ok"
    assert run(host)["outcome"] == "ok"
    host.write(DAEMON_JSON, '{"mtu": 1600}')
    assert run(host)["outcome"] == "changed", "the record of the new process was kept"


def test_a_file_that_was_put_back_after_a_restart_by_hand_was_not_what_docker_started_with(host):
    run(host)
    host.write(DAEMON_JSON, '{"mtu": 1500}')
    run(host)
    host.end()
    host.begin()  # with another daemon.json in its place, which is then put back: its contents are ours again
    host.changed[DAEMON_JSON] = host.now + 5
    assert run(host)["outcome"] == "changed"
    assert restarts(host) == ["systemctl restart docker.service"]


def test_a_write_that_died_half_way_counts_when_it_came_about(host):
    host.begin()
    digest = host.state_file.digest(b'{"mtu": 1400}')
    host.state_file.put("written", DAEMON_JSON, {"digest": digest, "boot": host.boot_id(), "uptime": None})
    assert run(host)["outcome"] == "changed"
    host.end()
    host.begin()
    host.state_file.put("written", DAEMON_JSON, {"digest": "another", "boot": host.boot_id(), "uptime": None})
    assert run(host)["outcome"] == "ok"


def test_a_write_before_this_boot_says_nothing(host):
    host.write(DAEMON_JSON, '{"mtu": 1500}')
    host.files["/proc/sys/kernel/random/boot_id"] = "another-boot"
    host.now = 1.0
    host.begin()
    assert run(host)["outcome"] == "ok"


def test_our_drop_in_that_systemd_has_not_read_makes_it_stale(host):
    host.write(DROP_IN, "[Service]\nExecStart=\n")
    host.unit["NeedDaemonReload"] = "yes"
    host.begin()  # restarted by hand, without daemon-reload
    assert run(host)["outcome"] == "changed"
    assert host.ran[0] == "systemctl daemon-reload"
    host.end()
    host.begin()
    assert run(host)["outcome"] == "ok"


def test_a_drop_in_in_a_new_directory_is_read_although_systemd_sees_no_need(host):
    host.write(DROP_IN, "[Service]\nExecStart=\n")
    assert host.unit["NeedDaemonReload"] == "no", "systemd 252 looks into a cache of the directories that it knew"
    assert run(host)["outcome"] == "changed"
    assert host.ran[0] == "systemctl daemon-reload"


def test_what_is_live_decides_where_there_is_no_record(host):
    host.begin()
    host.api = {"/info": {"Driver": "vfs"}}
    assert run(host, service(options={"storage-driver": "vfs"}))["outcome"] == "ok"
    host.end()
    host.begin()
    resource = service(options={"storage-driver": "overlay2"})
    assert run(host, resource, check=True)["diff"] == [{"key": "stale", "before": True, "after": False}]


def test_a_docker_that_does_not_answer_is_unknown_and_not_ok(host):
    host.begin()
    result = run(host, service(options={"storage-driver": "overlay2"}))
    assert result["outcome"] == "unknown"
    assert "does not answer" in result["error"]["cause"]


def test_a_new_or_removed_drop_in_makes_it_stale_and_a_file_that_is_new_to_us_does_not(host):
    run(host)
    site = "/etc/systemd/system/docker.service.d/site.conf"
    host.files.update({site: "[Service]\n", "/etc/default/docker": "DOCKER_OPTS=\n"})
    files = [UNIT, DROP_IN, DAEMON_JSON, "/etc/default/docker"]
    assert run(host, service(files=files))["outcome"] == "ok"
    assert run(host, service(files=files + [site]))["outcome"] == "changed"
    del host.files[site]
    assert run(host, service(files=files))["outcome"] == "changed"
    assert run(host, service(files=files))["outcome"] == "ok"


def test_a_daemon_whose_program_was_upgraded_is_stale(host):
    run(host)
    host.links["/proc/{}/exe".format(host.pid)] = "/usr/bin/dockerd (deleted)"
    assert run(host)["outcome"] == "changed"


def test_check_foresees_the_restart_that_a_pending_file_brings(host):
    run(host)
    host.foreseen[DAEMON_JSON] = b'{"mtu": 9000}'
    assert run(host, check=True)["outcome"] == "would-change"
    host.foreseen[DAEMON_JSON] = b'{"mtu":1400}'
    assert run(host, check=True)["outcome"] == "ok", "drift that is taken back brings no restart"


def test_a_masked_unit_is_named(host):
    host.unit.update(LoadState="masked", UnitFileState="masked")
    result = run(host)
    assert result["outcome"] == "failed"
    assert "masked" in result["error"]["cause"]
    assert "unmask" in result["error"]["fix"]


def test_no_unit_is_absent_in_check_and_a_clear_failure_in_apply(host):
    host.unit["LoadState"] = "not-found"
    assert run(host, check=True)["outcome"] == "would-change"
    assert "there is no service docker" in run(host)["error"]["cause"]


def test_a_failed_start_carries_the_daemons_own_words_and_their_meaning(host):
    host.broken = True
    host.log = (
        "Starting Docker\nunable to configure the Docker daemon with file /etc/docker/daemon.json: the following"
        " directives are specified both as a flag and in the configuration file: mtu: (from flag: 1, from file: 2)\n"
        "Failed to start\n"
    )
    result = run(host)
    assert result["outcome"] == "failed"
    assert (
        "both on Docker's command line and in daemon.json: mtu: (from flag: 1, from file: 2)"
        in result["error"]["cause"]
    )
    assert result["error"]["fix"]
    assert "Failed to start" in result["error"]["output"]
    assert host.state_file.get("services", "docker") is None


def test_the_newest_known_words_explain():
    log = "no space left on device\nspecified default runtime 'nvidia' does not exist\nsomething else"
    assert explain(log)[0] == "the default runtime nvidia is not installed"
    assert explain("all is well") is None


@pytest.mark.parametrize(
    "words",
    [
        'failed to start daemon: Error initializing network controller: Error creating default "bridge" network: '
        "Pool overlaps with other one on this address space",
        "invalid pool request: Pool overlaps with other one on this address space",
        'Error creating default "bridge" network: cannot create network 9e29 (docker0): conflicts with network 4a01 '
        "(br-0123456789ab): networks have overlapping IPv4",
    ],
)
def test_a_pool_that_overlaps_is_another_network_of_docker_s(words):
    cause, fix = explain(words + "\ndocker.service: Failed with result 'exit-code'.")
    assert cause.startswith("another Docker network overlaps the one that is asked for docker0")
    assert "docker network inspect" in fix


def test_the_record_holds_no_content(host):
    host.files[DAEMON_JSON] = json.dumps({"proxies": {"http-proxy": "http://u:hunter2@p"}})
    run(host)
    assert "hunter2" not in host.files["/state/state.json"]


def test_an_init_script_where_systemd_is_not(host):
    host = Host(systemd=False)
    host.files.update({"/etc/init.d/docker": "#!/bin/sh\n", "/etc/rc2.d/S01docker": "", DAEMON_JSON: "{}"})
    resource = service(files=[DAEMON_JSON], also=[])
    assert run(host, resource)["outcome"] == "changed"
    assert host.ran == ["service docker start"]
    assert run(host, service(files=[DAEMON_JSON], also=[]))["outcome"] == "ok"
    host.write(DAEMON_JSON, '{"mtu": 1}')
    assert run(host, service(files=[DAEMON_JSON], also=[]))["outcome"] == "changed"
    assert host.ran == ["service docker stop", "service docker start"]


def test_an_init_script_that_may_not_raise_limits_starts_without(host):
    host = Host(systemd=False)
    host.files.update({"/etc/init.d/docker": "#!/bin/sh\n", "/etc/rc2.d/S01docker": "", DAEMON_JSON: "{}"})
    host.said = "/etc/init.d/docker: 86: ulimit: error setting limit (Operation not permitted)"
    assert run(host, service(files=[DAEMON_JSON], also=[]))["outcome"] == "changed"
    assert host.ran[0] == "service docker start" and host.ran[1].endswith("/etc/init.d/docker start")


def test_a_daemon_that_ends_at_its_start_is_not_waited_for(host, monkeypatch):
    monkeypatch.setattr("provision.agent.services.service.GONE", 0.2)
    host = Host(systemd=False)
    host.dies = True
    host.files.update({"/etc/init.d/docker": "#!/bin/sh\n", "/etc/rc2.d/S01docker": "", DAEMON_JSON: "{}"})
    host.files["/var/log/docker.log"] = ""
    result = run(host, service(files=[DAEMON_JSON], also=[], timeout=60))
    assert result["outcome"] == "failed"
    assert "it has ended at its start" in result["error"]["cause"]


def test_an_init_script_that_fails_for_another_reason_is_not_tried_again(host):
    host = Host(systemd=False)
    host.files.update({"/etc/init.d/docker": "#!/bin/sh\n", "/etc/rc2.d/S01docker": "", DAEMON_JSON: "{}"})
    host.said = "no such file"
    assert run(host, service(files=[DAEMON_JSON], also=[]))["outcome"] == "failed"
    assert host.ran == ["service docker start"]


# -- reload where that is enough

RELOAD = {"file": DAEMON_JSON, "keys": ["live-restore", "mtu", "runtimes"], "outlived": ["live-restore", "log-driver"]}
INFO = {"LiveRestoreEnabled": False, "Swarm": {"LocalNodeState": "inactive"}, "CgroupDriver": "cgroupfs"}


def reloading(**changes):
    return service(reload=RELOAD, **changes)


def container(host, name="train", policy="no", **more):
    """A container that runs."""
    host.api.setdefault("/containers/json", []).append({"Id": name, "Names": ["/" + name], "Image": "cuda"})
    config = {"RestartPolicy": {"Name": policy}, **more}
    host.api["/containers/{}/json".format(name)] = {"State": {"Pid": None}, "HostConfig": config}


@pytest.fixture
def started(host):
    host.api["/info"] = dict(INFO)
    host.files[DAEMON_JSON] = '{"mtu": 1400, "runtimes": {"a": {"path": "a"}}}'
    run(host, reloading())
    return host


def test_a_key_that_a_signal_changes_is_no_restart(started):
    pid = started.pid
    started.write(DAEMON_JSON, '{"mtu": 1500, "runtimes": {"a": {"path": "a"}, "b": {"path": "b"}}}')
    result = run(started, reloading())
    assert result["outcome"] == "changed"
    assert result["note"] == "reloads docker: it does not run what is on disk (mtu, runtimes.b)"
    assert (started.pid, started.signals, restarts(started)) == (pid, [1], [])
    assert result["impact"]["level"] == "reload"
    assert run(started, reloading())["outcome"] == "ok"


@pytest.mark.parametrize(
    "text",
    [
        '{"mtu": 1400}',  # a runtime that goes stays live at a signal
        '{"mtu": 1400, "runtimes": {"a": {"path": "a"}}, "bip": "10.1.1.1/24"}',
        '{"mtu": 1500, "runtimes": {"a": {"path": "a"}}, "bip": "10.1.1.1/24"}',
    ],
)
def test_a_key_that_goes_or_that_no_signal_changes_is_a_restart(started, text):
    started.write(DAEMON_JSON, text)
    result = run(started, reloading())
    assert result["impact"]["level"] == "restart"
    assert restarts(started) == ["systemctl restart docker.service"]
    assert started.signals == []


def test_a_drop_in_beside_it_is_a_restart(started):
    started.write(DAEMON_JSON, '{"mtu": 1500, "runtimes": {"a": {"path": "a"}}}')
    started.write(DROP_IN, "[Service]\n")
    assert run(started, reloading())["impact"]["level"] == "restart"


def test_a_signal_that_is_not_taken_becomes_a_restart_where_that_is_allowed(started, monkeypatch):
    monkeypatch.setattr("provision.agent.docker.reloading.TIMEOUT", 0.3)
    started.takes_reloads = False
    started.write(DAEMON_JSON, '{"mtu": 1500, "runtimes": {"a": {"path": "a"}}}')
    busy = reloading()
    busy.may_restart = lambda: False
    result = run(started, busy)
    assert result["outcome"] == "failed"
    assert "did not take its new configuration at a signal" in result["error"]["cause"]
    assert restarts(started) == []
    assert run(started, reloading())["outcome"] == "changed"
    assert restarts(started) == ["systemctl restart docker.service"]


def test_a_signal_that_was_taken_and_does_not_show_is_not_believed(started):
    started.api["/info"] = dict(INFO, Debug=False)
    started.write(DAEMON_JSON, '{"mtu": 1500, "runtimes": {"a": {"path": "a"}}}')
    assert run(started, reloading(options={"debug": True}))["outcome"] == "changed"
    assert restarts(started) == ["systemctl restart docker.service"], "the event came, and debug is not live"


def test_check_says_reload_or_restart_and_does_neither(started):
    started.foreseen[DAEMON_JSON] = b'{"mtu": 1500, "runtimes": {"a": {"path": "a"}}}'
    assert run(started, reloading(), check=True)["note"].startswith("reloads docker")
    started.foreseen[DAEMON_JSON] = b"{}"
    assert run(started, reloading(), check=True)["note"].startswith("restarts docker")
    assert started.signals == [] and started.ran == []


def test_containers_outlive_a_restart_with_live_restore_where_what_changes_allows_it(started):
    document = {"mtu": 1400, "runtimes": {"a": {"path": "a"}}, "live-restore": True, "log-driver": "local"}
    started.write(DAEMON_JSON, json.dumps(document))
    result = run(started, reloading())
    assert result["impact"]["survive"] is True
    assert started.signals == [1], "made live first"
    assert restarts(started) == ["systemctl restart docker.service"]
    started.api["/info"] = dict(INFO, LiveRestoreEnabled=True)
    started.write(DAEMON_JSON, json.dumps(dict(document, bip="10.1.1.1/24")))
    assert run(started, reloading())["impact"]["survive"] is False, "not where the bridge changes"
    started.write(DAEMON_JSON, json.dumps(dict(document, **{"log-driver": "journald", "bip": "10.1.1.1/24"})))
    assert run(started, reloading(), check=True)["impact"]["survive"] is True
    del document["live-restore"]
    started.write(DAEMON_JSON, json.dumps(dict(document, bip="10.1.1.1/24")))
    assert run(started, reloading(), check=True)["impact"]["survive"] is False, "not where live-restore itself goes"
    started.write(
        DAEMON_JSON, json.dumps(dict(document, bip="10.1.1.1/24", **{"live-restore": True, "log-driver": "x"}))
    )
    started.api["/info"]["Swarm"] = {"LocalNodeState": "active"}
    assert run(started, reloading(), check=True)["impact"]["survive"] is False


def test_containers_that_docker_promised_to_start_again_must_be_back(started, monkeypatch):
    monkeypatch.setattr("provision.agent.docker.containers.LIMIT", 0.3)
    container(started, "db", policy="always")
    container(started, "once")
    started.write(DAEMON_JSON, "{}")
    begin = started.begin

    def begin_without(*arguments):
        begin(*arguments)
        started.api["/containers/json"] = []

    started.begin = begin_without
    result = run(started, reloading())
    assert result["outcome"] == "failed"
    assert result["error"]["cause"] == "containers that ran before are not back: db", "Docker did start"
    assert "once" not in result["error"]["cause"]


def test_a_reload_that_is_undone_leaves_what_it_added_live_and_the_record_says_so(started):
    old = started.files[DAEMON_JSON]
    started.write(DAEMON_JSON, '{"mtu": 1400, "runtimes": {"a": {"path": "a"}, "b": {"path": "b"}}}')
    resource = reloading()
    before = started.state_file.snapshot()
    run(started, resource)
    started.write(DAEMON_JSON, old)
    started.state_file.restore(before)
    resource.go_back(started, True)
    assert started.signals == [1, 1]
    result = run(started, reloading(), check=True)
    assert result["impact"]["level"] == "restart"
    assert result["impact"]["why"] == ["runtimes.b"]


# -- a service that is not Docker


def users_of(answer):
    """The users of a service that runs stale, by what its program says."""
    host = Host()
    resource = plain(in_use=["who-uses-mini"])
    resource._process, resource._need = ["boot", 7, 1], ("restart", ["/etc/mini.conf"])
    host.query = lambda argv, timeout: answer
    return resource.impact(host, {"stale": (True, False)})


def test_who_uses_a_service_is_what_its_program_says_and_one_that_fails_counts():
    found = users_of(CommandResult([], 0, "alice\n\nbob\n", ""))
    assert (found["service"], found["level"], found["users"]) == ("mini", "restart", ["alice", "bob"])
    assert users_of(CommandResult([], 1, "", "no socket"))["users"] == ["who uses it cannot be told (no socket)"]
    assert users_of(CommandResult([], 0, "", ""))["users"] == []


def test_a_service_whose_users_nobody_can_name_is_nobody_s_platform(host):
    resource = plain()
    resource._process, resource._need = ["boot", 7, 1], ("restart", ["/etc/mini.conf"])
    assert resource.impact(host, {"stale": (True, False)})["level"] == "none"


def test_a_probe_that_fails_is_no_change_and_names_what_it_said():
    host = Host()
    host.query = lambda argv, timeout: CommandResult([], 2, "", "it is deaf")
    found = converge(Probe(name="mini answers", argv=["ask"], fix="look at its log", timeout=0), host, False)
    assert (found["outcome"], found["error"]["cause"], found["error"]["fix"]) == (
        "failed",
        "mini answers: it is deaf",
        "look at its log",
    )
    host.query = lambda argv, timeout: CommandResult([], 0, "", "")
    assert converge(Probe(name="mini answers", argv=["ask"], fix="", timeout=0), host, False)["outcome"] == "ok"


# -- a daemon that keeps dying, and one that has lost its bridge


def died(host, times=1, age=5):
    """systemd had to start it again, the last time some seconds ago."""
    host.end()
    host.begin()
    host.unit["NRestarts"] = str(times)
    host.now += age


def test_a_daemon_that_has_just_died_is_not_up(host):
    run(host)
    died(host, times=3)
    for check in (True, False):
        result = run(host, check=check)
        assert result["outcome"] == "failed"
        assert "docker does not stay up: systemd has had to start it again 3 times, 5 s ago" in result["error"]["cause"]
    assert restarts(host) == []


def test_a_daemon_that_died_once_and_stayed_up_since_is(host):
    run(host)
    died(host, age=200)
    assert run(host)["outcome"] == "ok"
    host.end()
    host.begin()  # by hand: systemd counts on
    assert run(host)["outcome"] == "ok"


def test_a_dying_daemon_gets_the_configuration_that_may_mend_it(host):
    run(host)
    died(host)
    host.write(DAEMON_JSON, '{"mtu": 1500}')
    assert run(host)["outcome"] == "changed"


def test_a_daemon_that_ends_after_it_was_up_did_not_start(host, monkeypatch):
    monkeypatch.setattr("provision.agent.services.service.time.sleep", lambda seconds: host.end())
    host.unit["NRestarts"] = "2"
    result = run(host)
    assert result["outcome"] == "failed"
    assert "it came up, and ended by itself" in result["error"]["cause"]


@pytest.mark.parametrize(
    ("address", "why"),
    [(None, "docker0 is not there, or has no address"), ("10.0.0.1/24", "docker0 has the address 10.0.0.1/24")],
)
def test_without_its_bridge_in_the_kernel_it_is_restarted(host, address, why):
    bip = service(options={"bip": "192.168.127.1/24"})
    run(host, bip)
    host.addresses["docker0"] = address
    result = run(host, bip, check=True)
    assert (result["outcome"], result["impact"]["level"]) == ("would-change", "restart")
    assert why in result["note"]


def test_a_bridge_that_is_down_is_none(host):
    run(host)
    host.down.append("docker0")
    assert run(host, check=True)["note"] == "restarts docker: docker0 is down"


@pytest.mark.parametrize("arguments", [("--bridge=none",), ("--bridge=br0",)])
def test_a_daemon_without_docker0_has_another_bridge_or_none(host, arguments):
    host.begin(*arguments)
    host.addresses = {"br0": "10.1.1.1/24"}
    assert run(host)["outcome"] == "ok"


# -- before a restart


def footing(host, **info):
    """A daemon that runs stale, about to be restarted."""
    host.begin("--containerd=/run/containerd/containerd.sock")
    host.peers["/run/containerd/containerd.sock"] = 7
    host.files.update({"/data/overlay2": "", "/var/lib/dpkg/info/runc.list": "/usr\n/usr/sbin/runc\n"})
    host.api["/info"] = dict({"DockerRootDir": "/data", "Driver": "overlay2"}, **info)
    resource = service()
    resource._need = ("restart", ["mtu"])
    host.query = lambda argv, timeout: CommandResult(argv, 0, "", "")
    return resource


def test_what_a_daemon_stands_on_is_there_before_it_is_restarted(host):
    footing(host).prove(host)


def test_a_lost_mount_is_told_before_the_restart(host):
    resource = footing(host, DockerRootDir="/raid/docker")
    with pytest.raises(Failed, match="Docker would not come up again: /raid/docker/overlay2 is not there any more"):
        resource.prove(host)
    host.api["/info"]["DriverStatus"] = [["driver-type", "io.containerd.snapshotter.v1"]]
    host.files["/raid/docker"] = ""
    resource.prove(host)


@pytest.mark.parametrize(
    "answer", [CommandResult([], 127, "", "no such file"), CommandResult([], -11, "", ""), OSError(8, "Exec")]
)
def test_a_runtime_that_does_not_start_is_told_before_the_restart(host, answer):
    def query(argv, timeout):
        if "dockerd" in argv[0]:
            return CommandResult(argv, 0, "", "")
        if isinstance(answer, OSError):
            raise answer
        return answer

    resource = footing(host)
    host.query = query
    with pytest.raises(Failed, match="no container would start: /usr/sbin/runc does not run"):
        resource.prove(host)


def test_a_containerd_that_runs_and_does_not_answer_is_told_before_the_restart(host):
    resource = footing(host)
    del host.peers["/run/containerd/containerd.sock"]
    shown = "Id=containerd.service\nLoadState=loaded\nActiveState={}\nMainPID=7\n"
    host.query = lambda argv, timeout: CommandResult(argv, 0, shown.format("active"), "")
    with pytest.raises(Failed, match="containerd runs, and nobody answers on /run/containerd/containerd.sock"):
        resource.prove(host)
    host.query = lambda argv, timeout: CommandResult(argv, 0, shown.format("inactive"), "")
    resource.prove(host)


def test_a_reload_asks_nothing_of_that(host):
    resource = footing(host, DockerRootDir="/raid/docker")
    resource._need = ("reload", ["debug"])
    resource.prove(host)


# -- a Unix socket of its own


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("-H", "fd://"), "systemctl restart docker.service"),
        (("-H", "fd://", "-H", "tcp://127.0.0.1:2375"), "systemctl restart docker.service"),
        (("-H", "unix:///run/docker.sock"), "systemctl restart docker.service docker.socket"),
        (
            ("--debug",),
            "systemctl restart docker.service docker.socket",
        ),  # its hosts stood in a file that may be another one now
    ],
)
def test_a_daemon_with_a_socket_of_its_own_leaves_none_behind(host, arguments, command):
    run(host)
    host.end()
    host.begin(*arguments)
    host.write(DAEMON_JSON, '{"mtu": 1500}')
    assert run(host)["outcome"] == "changed"
    assert restarts(host) == [command]


def undone(resource, **found):
    """What removing its role makes of a service that was found so, or None."""
    resource.found = dict({"enabled": True, "running": True, "stale": False}, **found)
    undo = resource.when_removed("r")
    return undo and {name: undo[1][name] for name in ("enabled", "running")}


def test_a_removed_role_leaves_a_service_as_it_was_found():
    assert undone(plain(), enabled=False, running=False) == {"enabled": False, "running": False}
    assert undone(plain(), running=False) == {"enabled": True, "running": False}
    assert undone(plain(), stale=True) is None


def test_a_service_whose_start_at_boot_nobody_asked_for_is_only_stopped():
    resource = plain(enabled=None)
    resource.found = {"running": False, "stale": False}
    assert resource.when_removed("r")[1]["enabled"] is None


def test_docker_and_what_it_stands_on_stay_as_they_are_until_their_packages_go():
    assert undone(plain(platform="docker"), running=False) is None
    assert undone(service(), running=False) is None


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("EnvironmentFile=/etc/gone.env", "its unit wants the file /etc/gone.env, which is not there"),
        (
            "ExecStart=\nExecStart=/usr/local/sbin/dockerd -H fd://",
            "/usr/local/sbin/dockerd does not run (syntax error)",
        ),
    ],
)
def test_a_unit_that_others_have_broken_is_told_before_the_restart(host, text, cause):
    resource = footing(host)
    missing = CommandResult([], 2, "", "syntax error")
    host.query = lambda argv, timeout: missing if "local" in argv[0] else CommandResult(argv, 0, "", "")
    host.files["/etc/systemd/system/docker.service.d/site.conf"] = "[Service]\n" + text
    with pytest.raises(Failed) as caught:
        resource.prove(host)
    assert caught.value.cause == "Docker would not come up again: " + cause
    shell = "ExecStart=\nExecStart=/usr/local/bin/sh -c 'exec dockerd'\n"
    host.files["/etc/systemd/system/docker.service.d/site.conf"] = "[Service]\nEnvironmentFile=-/etc/gone\n" + shell
    resource.prove(host)
