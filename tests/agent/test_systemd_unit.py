"""Unit files and drop-ins: on disk, and read by systemd."""

import pytest

from provision.agent.engine.resource import converge
from provision.agent.services.unit import SystemdDropIn, SystemdUnit

from .rooted import Rooted, answer

UNIT = "/etc/systemd/system/a.service"
DROP_IN = "/etc/systemd/system/docker.service.d/50-limits.conf"
RELOAD = (["systemctl", "daemon-reload"], answer())


@pytest.fixture
def host(tmp_path):
    host = Rooted(tmp_path)
    host.put("/run/systemd/system/x", "")
    host.put("/etc/systemd/system/x", "")
    return host


def unit(content="[Service]\nExecStart=/bin/a\n"):
    return SystemdUnit(name="a.service", content=content)


def drop_in(content="[Service]\nLimitNOFILE=1\n"):
    return SystemdDropIn(unit="docker.service", name="50-limits.conf", content=content)


def shows(name="a.service", **properties):
    fields = dict({"Id": name, "LoadState": "loaded", "NeedDaemonReload": "no"}, **properties)
    text = "".join("{}={}\n".format(*item) for item in sorted(fields.items()))
    return (["systemctl", "show"], answer(text))


def test_a_unit_is_written_and_read_by_systemd(host):
    host.commands = [shows(LoadState="not-found"), RELOAD, shows()]
    result = converge(unit(), host, False)
    assert result["outcome"] == "changed"
    assert result["impact"]["systemd"]
    assert host.text(UNIT) == unit().content
    host.commands = [shows()]
    assert converge(unit(), host, False)["outcome"] == "ok"
    host.done()


@pytest.mark.parametrize("before", [{"NeedDaemonReload": "yes"}, {"LoadState": "not-found"}])
def test_a_unit_that_systemd_has_not_read_is_only_read_again(host, before):
    host.put(UNIT, unit().content)
    host.commands = [shows(**before), RELOAD, shows()]
    result = converge(unit(), host, False)
    assert [item["key"] for item in result["diff"]] == ["read_by_systemd"]
    assert result["outcome"] == "changed"


def test_a_reload_that_does_not_help_is_a_failure(host):
    host.commands = [shows(), RELOAD, shows(NeedDaemonReload="yes")]
    assert converge(unit(), host, False)["outcome"] == "failed"


def test_a_unit_that_systemd_cannot_use_is_a_failure(host):
    host.commands = [shows(LoadState="not-found"), RELOAD, shows(LoadState="bad-setting")]
    assert "bad-setting" in converge(unit(), host, False)["error"]["cause"]
    host.commands = [shows(LoadState="bad-setting"), RELOAD, shows()]
    assert converge(unit("[Service]\nExecStart=/bin/b\n"), host, False)["outcome"] == "changed", "it can be mended"


def test_a_dropped_unit_is_disabled_and_goes(host):
    host.put(UNIT, unit().content)
    undo = SystemdUnit(**unit().when_dropped()[1])
    host.commands = [
        shows(UnitFileState="enabled"),
        shows(UnitFileState="enabled"),
        (["systemctl", "disable", "--", "a.service"], answer()),
        RELOAD,
        shows(LoadState="not-found"),
    ]
    assert converge(undo, host, False)["outcome"] == "changed"
    host.done()
    assert host.stat(UNIT) is None
    host.commands = [shows(LoadState="not-found")]
    assert converge(undo, host, False)["outcome"] == "ok"
    assert undo.when_dropped() is None


def test_a_drop_in_gets_its_directory(host):
    docker = "docker.service"
    host.commands = [shows(docker), RELOAD, shows(docker, DropInPaths=DROP_IN)]
    assert converge(drop_in(), host, False)["outcome"] == "changed"
    assert host.text(DROP_IN) == drop_in().content
    host.commands = [shows(docker, DropInPaths=DROP_IN)]
    assert converge(drop_in(), host, False)["outcome"] == "ok"
    host.commands = [shows(docker), RELOAD, shows(docker, DropInPaths=DROP_IN)]
    assert converge(drop_in(), host, False)["outcome"] == "changed", "systemd did not know it"


def test_a_dropped_drop_in_goes(host):
    host.put(DROP_IN, "x")
    host.commands = [shows("docker.service", DropInPaths=DROP_IN), RELOAD, shows("docker.service")]
    assert converge(SystemdDropIn(**drop_in().when_dropped()[1]), host, False)["outcome"] == "changed"
    assert host.stat(DROP_IN.rpartition("/")[0]) is None, "nor its empty directory"


def test_without_systemd_only_the_file_counts(tmp_path):
    host = Rooted(tmp_path)
    host.put("/etc/systemd/system/x", "")
    assert converge(unit(), host, False)["outcome"] == "changed"
    assert converge(unit(), host, False)["outcome"] == "ok"


def test_a_drop_in_of_a_unit_that_is_not_there_yet(host):
    there_is_none = shows("docker.service", LoadState="not-found")
    host.commands = [there_is_none, RELOAD, there_is_none]
    assert converge(drop_in(), host, False)["outcome"] == "changed"
