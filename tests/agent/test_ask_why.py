"""The question `why`: who owns an option of the daemon, on a host in a dict."""

import json

import pytest

from provision.agent.docker.daemon_json import _digest
from provision.agent.questions import why as ask_why
from provision.agent.services import staleness
from tests.agent.fake_host import DAEMON_JSON, UNIT, Host

OVERRIDE = "/etc/systemd/system/docker.service.d/docker-override.conf"
DEFAULT = "/etc/default/docker"


def host(**document):
    found = Host()
    found.files[DAEMON_JSON] = json.dumps(document)
    return found


def wrote(found, value, *path):
    """As the role docker_daemon of an earlier run wrote this key."""
    records = found.state_file.get("json_keys", DAEMON_JSON) or {}
    record = {"role": "docker_daemon", "digest": _digest(found, path, value)}
    found.state_file.put("json_keys", DAEMON_JSON, dict(records, **{json.dumps(list(path)): record}))


def why(found, *path, **arguments):
    asked = {"path": list(path), "map": False, "entries": [], "flags": [path[0]]}
    return ask_why.answer(found, dict(asked, **arguments))


def entry(found, *path, **arguments):
    (only,) = why(found, *path, **arguments)["entries"]
    return only


def test_a_key_of_ours_that_is_live():
    found = host(bip="192.168.127.1/24")
    wrote(found, "192.168.127.1/24", "bip")
    found.begin()
    found.api["/networks/bridge"] = {
        "IPAM": {"Config": [{"Subnet": "192.168.127.0/24", "Gateway": "192.168.127.1"}]},
        "Options": {},
    }
    told = entry(found, "bip")
    assert (told["in_file"], told["value"], told["live"], told["agrees"]) == (
        True,
        "192.168.127.1/24",
        "192.168.127.1/24",
        True,
    )
    assert told["record"] == {"role": "docker_daemon", "unchanged": True}
    assert told["elsewhere"] == told["process"] == []


def test_a_key_of_ours_that_somebody_changed_and_that_is_not_live():
    found = host(mtu=9000)
    wrote(found, 1400, "mtu")
    found.begin()
    found.api["/networks/bridge"] = {"Options": {"com.docker.network.driver.mtu": "1400"}}
    told = entry(found, "mtu")
    assert (told["value"], told["live"], told["agrees"], told["record"]["unchanged"]) == (9000, 1400, False, False)


def test_a_key_that_is_gone_is_remembered():
    found = host()
    wrote(found, 1400, "mtu")
    told = entry(found, "mtu")
    assert (told["in_file"], told["value"], told["record"]["unchanged"]) == (False, None, False)


def test_a_stopped_docker_is_not_asked():
    """Its socket would start it: the played host fails a test that asks."""
    told = why(host(bip="192.168.127.1/24"), "bip")
    assert told["running"] is False
    assert (told["entries"][0]["live"], told["entries"][0]["agrees"]) == (None, None)


def test_a_daemon_that_does_not_answer_leaves_what_is_live_open():
    found = host(bip="192.168.127.1/24")
    found.begin()
    told = entry(found, "bip")
    assert (told["live"], told["agrees"], told["in_file"]) == (None, None, True)


def test_what_docker_does_not_tell_rests_on_the_record_of_its_start():
    found = host(**{"default-shm-size": "1G"})
    found.begin()
    assert (entry(found, "default-shm-size")["agrees"], entry(found, "default-shm-size")["started_with"]) == (
        None,
        False,
    )
    process = staleness.process(found, found.pid)
    record = {"process": process, "files": {DAEMON_JSON: staleness.digest(found, DAEMON_JSON)}}
    found.state_file.put("services", "docker", record)
    assert entry(found, "default-shm-size")["started_with"] is True
    found.files[DAEMON_JSON] = '{"default-shm-size": "2G"}'
    assert entry(found, "default-shm-size")["started_with"] is False


def test_a_flag_is_told_with_its_file_and_the_package_that_brought_it():
    found = host()
    found.files[OVERRIDE] = "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd -s overlay2 --token=hunter2\n"
    found.files[ask_why.DPKG + "/docker.io.list"] = "/.\n{}\n".format(UNIT)
    found.files[ask_why.DPKG + "/nv-docker-options:amd64.list"] = "/.\n/etc\n{}".format(OVERRIDE)
    found.files[ask_why.DPKG + "/nv-docker-options:amd64.md5sums"] = OVERRIDE
    found.begin("-s", "overlay2")
    found.api["/info"] = {"Driver": "overlay2"}
    told = entry(found, "storage-driver")
    assert told["elsewhere"] == [
        {"value": "overlay2", "file": OVERRIDE, "package": "nv-docker-options", "role": ""},
    ]
    assert (told["process"], told["live"], told["in_file"]) == (["overlay2"], "overlay2", False)


def test_a_flag_of_docker_opts_is_told_with_the_role_that_we_wrote_it_for():
    found = host()
    found.files[DEFAULT] = 'DOCKER_OPTS="--bip=192.168.127.1/24 --dns=10.0.0.1"\n'
    found.state_file.put(
        "daemon_flags", DEFAULT, {"flags": [["bip", "192.168.127.1/24", "docker_daemon"]], "variables": []}
    )
    (told,) = entry(found, "bip")["elsewhere"]
    assert (told["value"], told["file"], told["role"]) == ("192.168.127.1/24", DEFAULT, "docker_daemon")
    assert entry(found, "dns")["elsewhere"][0]["role"] == ""


def test_a_flag_in_a_variable_of_the_unit_is_told_with_the_file_that_sets_it():
    found = host()
    found.files[UNIT] = "[Service]\nExecStart=/usr/bin/dockerd --mtu=${MTU} $DOCKER_OPTS\nEnvironment=MTU=1400\n"
    found.files[OVERRIDE] = '[Service]\nEnvironment="DOCKER_OPTS=--bip=192.168.99.1/24 --dns 192.0.2.53"\n'
    assert [(item["value"], item["file"]) for item in entry(found, "bip")["elsewhere"]] == [
        ("192.168.99.1/24", OVERRIDE)
    ]
    assert [(item["value"], item["file"]) for item in entry(found, "dns")["elsewhere"]] == [("192.0.2.53", OVERRIDE)]
    assert [(item["value"], item["file"]) for item in entry(found, "mtu")["elsewhere"]] == [("1400", UNIT)]


def test_docker_opts_of_a_script_are_nobodys_to_tell():
    found = host()
    found.files[DEFAULT] = 'if true; then DOCKER_OPTS="--bip=$X"; fi\n'
    assert entry(found, "bip")["elsewhere"] == []


def test_a_map_is_told_entry_by_entry():
    found = host(runtimes={"kata": {"path": "kata"}})
    wrote(found, {"path": "nvidia-container-runtime"}, "runtimes", "nvidia")
    found.files[UNIT] = "[Service]\nExecStart=/usr/bin/dockerd --add-runtime=gvisor=/usr/bin/runsc\n"
    told = why(found, "runtimes", map=True, entries=["asked"], flags=["add-runtime"])["entries"]
    assert [item["path"] for item in told] == [["runtimes", name] for name in ("asked", "gvisor", "kata", "nvidia")]
    assert [item["in_file"] for item in told] == [False, False, True, False]
    assert [bool(item["elsewhere"]) for item in told] == [False, True, False, False]
    assert entry(found, "runtimes", "kata", map=True, flags=["add-runtime"])["value"] == {"path": "kata"}


def test_a_runtime_that_is_live_in_another_spelling_is_live():
    found = host(runtimes={"nvidia": {"path": "/usr/bin/nvidia-container-runtime", "args": []}})
    found.begin()
    found.api["/info"] = {"Runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}}
    assert entry(found, "runtimes", "nvidia", map=True)["agrees"] is True


def test_of_proxies_only_that_they_are_set():
    found = host(proxies={"http-proxy": "http://u:hunter2@proxy"})
    found.files["/etc/systemd/system/docker.service.d/http-proxy.conf"] = (
        "[Service]\n# HTTP_PROXY=old\nEnvironment=HTTPS_PROXY=http://u:hunter3@proxy\n"
    )
    found.begin()
    found.api["/info"] = {"HttpProxy": "http://u:hunter2@proxy"}
    told = why(found, "proxies", map=True, flags=[])
    assert "hunter" not in json.dumps(told)
    (only,) = told["entries"]
    assert (only["path"], only["value"], only["live"]) == (["proxies", "http-proxy"], "********", "********")
    assert [item["file"] for item in only["elsewhere"]] == ["/etc/systemd/system/docker.service.d/http-proxy.conf"]


def test_other_values_lose_what_looks_like_a_secret():
    found = host(**{"log-opts": {"splunk-token": "hunter2"}, "registry-mirrors": ["https://u:hunter3@m"]})
    assert "hunter" not in json.dumps([why(found, "log-opts", map=True), why(found, "registry-mirrors")])


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 1, "a": 2}'])
def test_a_broken_file_is_said(text):
    found = Host()
    found.files[DAEMON_JSON] = text
    told = why(found, "bip")
    assert DAEMON_JSON in told["problem"]
    assert told["entries"][0]["in_file"] is False


@pytest.mark.parametrize("value", [3, None, [], {"x": 1}, "text", True, [[1]], [{"base": 1}]])
@pytest.mark.parametrize("key", ["runtimes", "labels", "default-address-pools", "registry-mirrors", "bip", "proxies"])
def test_any_form_of_a_value_has_an_answer(key, value):
    found = host(**{key: value})
    found.begin()
    found.api.update({"/info": {}, "/networks/bridge": {}})
    assert json.dumps(why(found, key, map=key in ("runtimes", "proxies")))
    assert json.dumps(why(found, key, "entry", map=True))


def test_the_file_of_another_place_is_read():
    found = Host()
    found.files[UNIT] = "[Service]\nExecStart=/usr/bin/dockerd --config-file=/etc/dock/other.json\n"
    found.files["/etc/dock/other.json"] = '{"mtu": 1400}'
    told = why(found, "mtu")
    assert (told["config"], told["entries"][0]["value"]) == ("/etc/dock/other.json", 1400)
