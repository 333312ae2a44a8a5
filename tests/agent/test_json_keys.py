"""Keys of daemon.json: ours as asked, everybody else's as it was; what is wrong with the file is told with its line."""

import grp
import json
import os
import pwd

import pytest

from provision.agent.docker.daemon_json import JsonKeys
from provision.agent.engine.resource import converge
from provision.agent.host.system import ReadOnly, System

NVIDIA = {"path": "nvidia-container-runtime", "runtimeArgs": []}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "docker" / "daemon.json"


@pytest.fixture
def system(tmp_path):
    return System(state=str(tmp_path / "state"))


def key(value, *path, **more):
    return dict({"path": list(path), "value": value, "role": "docker_daemon", "secret": False}, **more)


def keys(path, *items, **changes):
    owner, group = pwd.getpwuid(os.geteuid())[0], grp.getgrgid(os.getegid())[0]
    fields = dict(path=str(path), keys=list(items), absent=[], roles=["docker_daemon"], mode="0644", sensitive=False)
    fields["validate_with"] = None
    return JsonKeys(**dict(fields, owner=owner, group=group, **changes))


def run(resource, system, check=False):
    result = converge(resource, system, check)
    if result["outcome"] in ("ok", "changed") and not check:
        resource.settled(system)
    return result


def shown(result):
    return {item["key"]: (item["before"], item["after"]) for item in result["diff"]}


def test_a_file_is_made_with_its_folder_and_a_second_run_is_ok(path, system):
    resource = keys(path, key("192.168.127.1/24", "bip"), key(NVIDIA, "runtimes", "nvidia"))
    result = run(resource, system)
    assert result["outcome"] == "changed", result
    assert shown(result)["bip"] == (None, "192.168.127.1/24")
    assert path.read_text() == json.dumps({"bip": "192.168.127.1/24", "runtimes": {"nvidia": NVIDIA}}, indent=4) + "\n"
    inode = path.stat().st_ino
    assert run(resource, system)["outcome"] == "ok"
    assert path.stat().st_ino == inode


def test_check_writes_nothing(path, tmp_path):
    assert (
        converge(keys(path, key(1500, "mtu")), ReadOnly(state=str(tmp_path / "state")), True)["outcome"]
        == "would-change"
    )
    assert os.listdir(str(tmp_path)) == []


def test_foreign_keys_and_the_order_of_all_stay(path, system):
    path.parent.mkdir()
    path.write_text('{"zeta": 1, "bip": "10.0.0.1/24", "runtimes": {"kata": {"path": "kata"}}, "alpha": [1]}')
    run(keys(path, key("192.168.127.1/24", "bip"), key(NVIDIA, "runtimes", "nvidia"), key(1400, "mtu")), system)
    document = json.loads(path.read_text())
    assert list(document) == ["zeta", "bip", "runtimes", "alpha", "mtu"]
    assert document["runtimes"] == {"kata": {"path": "kata"}, "nvidia": NVIDIA}
    assert document["bip"] == "192.168.127.1/24"


def test_a_key_that_is_asked_for_no_more_goes_and_others_do_not(path, system):
    run(keys(path, key(1400, "mtu"), key(NVIDIA, "runtimes", "nvidia"), key("info", "log-level", role="site")), system)
    document = dict(json.loads(path.read_text()), foreign=True)
    path.write_text(json.dumps(document))
    result = run(keys(path, key(1400, "mtu")), system)
    assert shown(result)["unwanted"] == (["runtimes.nvidia"], [])
    assert json.loads(path.read_text()) == {"mtu": 1400, "log-level": "info", "foreign": True}
    assert run(keys(path, roles=["another"]), system)["outcome"] == "ok"
    run(keys(path), system)
    assert json.loads(path.read_text()) == {"log-level": "info", "foreign": True}
    assert run(keys(path), system)["outcome"] == "ok"


def test_a_run_that_died_after_writing_knows_what_is_ours(path, system, tmp_path):
    converge(keys(path, key(1400, "mtu")), system, False)  # and never settled
    assert run(keys(path), System(state=str(tmp_path / "state")))["outcome"] == "changed"
    assert json.loads(path.read_text()) == {}


def test_a_bip_that_goes_is_told_to_stay_in_docker0(path, system):
    run(keys(path, key("10.92.0.1/24", "bip"), key(1400, "mtu")), system)
    assert run(keys(path, key("10.92.0.1/24", "bip")), system)["note"] == ""
    assert "docker0 keeps the address that it has" in run(keys(path), system)["note"]


def test_keys_that_must_not_be_there_go_whoever_wrote_them(path, system):
    path.parent.mkdir()
    path.write_text('{"bip": "10.0.0.1/24", "labels": ["a=b"]}')
    assert run(keys(path, absent=[["bip"]]), system)["outcome"] == "changed"
    assert json.loads(path.read_text()) == {"labels": ["a=b"]}


def test_a_key_that_somebody_else_changed_is_named_before_it_is_changed_back(path, system):
    resource = keys(path, key(1400, "mtu"), key("1G", "default-shm-size"))
    run(resource, system)
    path.write_text('{"mtu": 9000, "default-shm-size": "1G"}')
    again = keys(path, key(1400, "mtu"), key("1G", "default-shm-size"))
    result = run(again, system)
    assert result["outcome"] == "changed"
    assert "somebody else" in result["note"]
    assert "mtu" in result["note"]
    assert "shm" not in result["note"]
    assert "somebody" not in run(keys(path, key(1500, "mtu"), key("1G", "default-shm-size")), system)["note"]


def test_the_mode_is_repaired_without_a_new_file(path, system):
    resource = keys(path, key(1400, "mtu"))
    run(resource, system)
    path.chmod(0o664)
    inode = path.stat().st_ino
    assert shown(run(resource, system)) == {"mode": ("0664", "0644")}
    assert path.stat().st_ino == inode


def test_a_secret_never_shows_and_the_keys_beside_it_do(path, system):
    path.parent.mkdir()
    path.write_text('{"proxies": {"http-proxy": "http://old:hunter1@p"}, "mtu": 1}')
    proxy = key("http://u:hunter2@p", "proxies", "http-proxy", secret=True)
    result = run(keys(path, proxy, key(1400, "mtu"), sensitive=True, mode="0600"), system)
    assert shown(result)["mtu"] == (1, 1400)
    assert shown(result)["proxies.http-proxy"] == ("differs (secret)", "differs (secret)")
    assert "hunter" not in json.dumps(result)
    assert "hunter" not in (path.parent.parent / "state" / "state.json").read_text()
    plain = run(keys(path, key("http://p", "proxies", "http-proxy"), mode="0600"), system)
    assert "hunter" not in json.dumps(plain), "the value that goes is a secret too"


@pytest.mark.parametrize(
    "found", [{"path": "/usr/bin/nvidia-container-runtime", "args": []}, {"path": "nvidia-container-runtime"}, NVIDIA]
)
def test_the_forms_that_nvidias_own_tools_write_count_as_equal(path, system, found):
    path.parent.mkdir()
    path.write_text(json.dumps({"runtimes": {"nvidia": found}}))
    path.chmod(0o644)
    assert run(keys(path, key(NVIDIA, "runtimes", "nvidia")), system)["outcome"] == "ok"


def test_the_mode_of_a_file_with_somebody_elses_password_is_theirs(path, system):
    path.parent.mkdir()
    path.write_text('{"proxies": {"http-proxy": "http://u:p@proxy"}}')
    path.chmod(0o600)
    assert run(keys(path, key(1400, "mtu")), system)["outcome"] == "changed"
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert run(keys(path, key(1400, "mtu")), system)["outcome"] == "ok"


def test_another_runtime_of_that_name_does_not(path, system):
    path.parent.mkdir()
    path.write_text('{"runtimes": {"nvidia": {"path": "/opt/nvidia-container-runtime"}}}')
    assert run(keys(path, key(NVIDIA, "runtimes", "nvidia")), system)["outcome"] == "changed"


def test_ulimits_are_read_in_any_case(path, system):
    path.parent.mkdir()
    path.write_text('{"default-ulimits": {"memlock": {"name": "memlock", "hard": -1, "soft": -1}}}')
    path.chmod(0o644)
    asked = key({"Name": "memlock", "Hard": -1, "Soft": -1}, "default-ulimits", "memlock")
    assert run(keys(path, asked), system)["outcome"] == "ok"


@pytest.mark.parametrize(
    "says, outcome",
    [
        ("echo configuration OK >&2; exit 0", "changed"),
        ("echo dockerd needs to be started with root privileges; exit 1", "changed"),
        ("echo the following directives don\\'t match any configuration option: nope >&2; exit 1", "failed"),
        ("echo odd; exit 1", "failed"),
    ],
)
def test_dockerd_itself_reads_the_file_before_it_is_put_in_place(path, system, tmp_path, says, outcome):
    path.parent.mkdir()
    path.write_text("{}")
    daemon = tmp_path / "dockerd"
    daemon.write_text('#!/bin/sh\ngrep -q nope "${2#--config-file=}" || { echo not the staged file; exit 2; }\n' + says)
    daemon.chmod(0o755)
    asked = keys(path, key(1, "nope"), validate_with=[str(daemon), "--flag", "--config-file={}"])
    result = run(asked, system)
    assert result["outcome"] == outcome
    if outcome == "failed":
        assert path.read_text() == "{}"
        assert str(path) in result["error"]["cause"]
        assert result["error"]["fix"]


def test_a_host_without_the_validator_goes_on(path, system):
    assert run(keys(path, key(1, "mtu"), validate_with=["/no/such/setpriv", "{}"]), system)["outcome"] == "changed"


def test_no_keys_and_no_file_is_nothing_to_do(path, system):
    assert run(keys(path), system)["outcome"] == "ok"
    assert not path.exists()


@pytest.mark.parametrize("content", ["", "\ufeff{}"])
def test_an_empty_file_is_an_empty_object_and_so_is_one_with_a_byte_order_mark(path, system, content):
    path.parent.mkdir()
    path.write_text(content, encoding="utf-8")
    run(keys(path, key(1400, "mtu")), system)
    assert json.loads(path.read_text()) == {"mtu": 1400}


@pytest.mark.parametrize(
    "content, words",
    [
        (b'{\n  "a": 1,\n  "a": 2\n}', ["'a' stands twice"]),
        (b'{\n  // no\n  "a": 1\n}', [":2:", "no comments"]),
        (b'{\n  "a": 1,\n}', ["daemon.json:"]),  # Python 3.13 names the comma's line, older ones the next
        (b'{\n  "a": "\xff"\n}', [":2:", "UTF-8"]),
        (b"[1]", ["not a JSON object"]),
    ],
)
def test_a_broken_file_is_refused_with_its_place_and_left_alone(path, system, content, words):
    path.parent.mkdir()
    path.write_bytes(content)
    result = run(keys(path, key(1400, "mtu")), system)
    assert result["outcome"] == "failed"
    for word in words + [str(path)]:
        assert word in result["error"]["cause"]
    assert result["error"]["fix"]
    assert path.read_bytes() == content


def test_a_key_cannot_go_into_what_is_no_object(path, system):
    path.parent.mkdir()
    path.write_text('{"runtimes": []}')
    assert "runtimes.nvidia" in run(keys(path, key(NVIDIA, "runtimes", "nvidia")), system)["error"]["cause"]


def test_a_key_is_changed_through_a_link_and_one_that_others_can_turn_is_refused(path, system, tmp_path):
    path.parent.mkdir()
    (tmp_path / "open").mkdir()
    target = tmp_path / "open" / "daemon.json"
    target.write_text("{}")
    path.symlink_to(target)
    asked = keys(path, key(1400, "mtu"))
    assert run(asked, system)["outcome"] == "changed"
    assert run(asked, system)["outcome"] == "ok"
    assert os.readlink(str(path)) == str(target)
    assert json.loads(target.read_text()) == {"mtu": 1400}
    if os.geteuid() == 0:
        (tmp_path / "open").chmod(0o777)
        for check in (True, False):
            cause = run(keys(path, key(1500, "mtu")), system, check)["error"]["cause"]
            assert "which others than root may change" in cause
        assert json.loads(target.read_text()) == {"mtu": 1400}


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other groups")
@pytest.mark.parametrize(
    ("mode", "group", "stays"),
    [(0o600, 0, True), (0o640, 54321, True), (0o400, 0, True), (0o664, 0, False), (0o660, 54321, False)],
)
def test_a_file_that_is_stricter_than_ours_stays_so(path, system, mode, group, stays):
    run(keys(path, key(1400, "mtu")), system)
    os.chown(str(path), 0, group)
    path.chmod(mode)
    assert run(keys(path, key(1400, "mtu")), system, check=True)["outcome"] == ("ok" if stays else "would-change")
    assert run(keys(path, key(1500, "mtu")), system)["outcome"] == "changed"
    status = path.stat()
    kept = (mode, group) if stays else (0o644, 0)
    assert (status.st_mode & 0o777, status.st_gid) == kept
    assert json.loads(path.read_text()) == {"mtu": 1500}


LARGE = pytest.param('{"a": "%s"}' % ("x" * 2000000), id="large")


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', LARGE])
def test_what_dockerd_does_not_take_is_named_with_its_file(path, system, text):
    path.parent.mkdir()
    path.write_text(text)
    for check in (True, False):
        error = run(keys(path, key(1400, "mtu")), system, check)["error"]
        assert error["cause"].startswith(str(path))
        assert error["fix"].endswith("nothing was written")
    assert path.read_text() == text
