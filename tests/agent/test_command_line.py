"""What dockerd runs with beside what its unit would start it with: the flags that differ, where that can be told."""

import pytest

from provision.agent.docker import command_line, current, engine_facts
from provision.agent.docker.service import DockerService
from provision.agent.engine.resource import converge
from provision.agent.questions import status

from .fake_host import DAEMON_JSON, UNIT, Host

FOLDER = "/etc/systemd/system/docker.service.d/"
OVERRIDE = "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd -H fd:// -s overlay2 --default-shm-size=1G\n"
STOCK = "[Service]\nEnvironmentFile=-/etc/default/docker\nExecStart=/usr/bin/dockerd -H fd:// $DOCKER_OPTS\n"


@pytest.fixture
def host():
    return Host()


def runs(host, line, unit):
    host.begin(*line.split())
    host.files[UNIT] = unit


@pytest.mark.parametrize(
    ("line", "unit", "flags"),
    [
        ("-H fd://", "ExecStart=/usr/bin/dockerd --host=fd://", []),
        ("-H fd:// --dns 192.0.2.9", "ExecStart=/usr/bin/dockerd -H fd://", ["--dns"]),
        ("-H fd://", "ExecStart=/usr/bin/dockerd -H fd:// --dns 192.0.2.9", ["--dns"]),
        ("--dns 1.1.1.1 --dns 9.9.9.9", "ExecStart=/usr/bin/dockerd --dns 9.9.9.9 --dns 1.1.1.1", []),
        ("--mtu=9000 --mtu 1400", "ExecStart=/usr/bin/dockerd --mtu=1400", []),
        ("--default-shm-size=1G", "ExecStart=/usr/bin/dockerd --default-shm-size 1073741824", []),
        ("-s vfs", "ExecStart=/usr/bin/dockerd --storage-driver=overlay2", ["--storage-driver"]),
        ("--mtu=9000", 'Environment="A=--mtu=9000"\nExecStart=-/usr/bin/dockerd $A $NOBODY --label=$$x', ["--label"]),
        ("--label=$x", "ExecStart=/usr/bin/dockerd --label=$$x", []),
        ("--http-proxy=http://u:a@p:1", "ExecStart=/usr/bin/dockerd --http-proxy=http://u:b@p:1", []),
        ("--label=web1", "ExecStart=/usr/bin/dockerd --label=%H", []),
        ("--dns 192.0.2.9", "ExecStart=/usr/local/bin/start-docker --fast", []),
    ],
)
def test_flags_in_which_the_process_differs_from_its_unit(host, line, unit, flags):
    runs(host, line, "[Service]\n" + unit + "\n")
    assert command_line.otherwise(host, host.pid) == flags


def test_docker_opts_and_our_own_drop_in_count(host):
    runs(host, "-H fd:// --mtu=1400", STOCK)
    assert command_line.otherwise(host, host.pid) == ["--mtu"]
    host.files["/etc/default/docker"] = 'DOCKER_OPTS="--mtu=1400"\n'
    assert command_line.otherwise(host, host.pid) == []
    host.files["/etc/default/docker"] = "DOCKER_OPTS=$(cat /etc/options)\n"
    assert command_line.otherwise(host, host.pid) == [], "only a shell knows"
    host.files[FOLDER + "zz-provision.conf"] = OVERRIDE
    assert command_line.otherwise(host, host.pid) == ["--default-shm-size", "--mtu", "--storage-driver"]


def test_a_process_of_nobody_s_unit_is_not_compared(host):
    runs(host, "--mtu=1400", STOCK)
    host.files["/proc/{}/cgroup".format(host.pid)] = "0::/user.slice/session-1.scope\n"
    assert command_line.otherwise(host, host.pid) == []


def service():
    files = [UNIT, FOLDER + "site.conf", DAEMON_JSON]
    return DockerService(
        name="docker", enabled=True, running=True, files=files, also=[], options={}, reload=None, timeout=5
    )


def test_a_daemon_that_somebody_started_with_other_flags_is_stale(host):
    host.begin("-H", "fd://", "--dns=192.0.2.9")
    host.files[UNIT] = "[Service]\nExecStart=/usr/bin/dockerd -H fd://\n"
    found = converge(service(), host, True)
    assert (found["outcome"], found["diff"]) == ("would-change", [{"key": "stale", "before": True, "after": False}])
    assert found["note"] == "restarts docker: it runs with other flags than its unit has: --dns"


def test_status_tells_that_docker_does_not_run_what_is_on_disk(host):
    resource = service()
    converge(resource, host, False)
    resource.settled(host)
    assert status._waiting(host) == []
    host.files[FOLDER + "other.conf"] = OVERRIDE
    host.files[DAEMON_JSON] = "{}"
    [waiting] = status._waiting(host)
    assert waiting["reason"].startswith("docker does not run what is on disk: " + FOLDER + "other.conf; systemctl ")
    host.files[DAEMON_JSON] = '{"mtu": 1400}'
    assert current.changed(host) == [FOLDER + "other.conf", DAEMON_JSON]
    host.end()
    del host.files[FOLDER + "other.conf"]
    host.begin("-H", "fd://", "--mtu=1400")
    host.files[UNIT] = STOCK
    assert current.changed(host) == ["--mtu"], "restarted by somebody, before the drop-in went"
    host.end()
    assert current.changed(host) == []


def test_facts_and_questions_are_about_the_file_that_dockerd_reads(host):
    host.files[UNIT] = STOCK
    host.files[DAEMON_JSON] = '{"mtu": not JSON'
    host.files["/etc/default/docker"] = "DOCKER_OPTS=--config-file=/etc/dock/site.json\n"
    host.files["/etc/dock/site.json"] = '{"labels": ["a=b"], "data-root": "/raid"}'
    host.which = lambda name: None
    facts = engine_facts.docker(host, {})
    assert (facts["config"], facts["config_problem"]) == ("/etc/dock/site.json", None)
    assert facts["configured"] == {"labels": ["a=b"], "data-root": "/raid"}
    assert engine_facts.config_file(command_line.words(host)) == "/etc/dock/site.json", "of a Docker that does not run"
    del host.files["/run/systemd/system"]
    assert engine_facts.docker(host, {})["config"] == "/etc/dock/site.json", "an init script reads DOCKER_OPTS"
