"""Logins in config.json and in credential helpers: a real file system and a real helper."""

import base64
import getpass
import json
import os
import stat
import textwrap

import pytest

from provision.agent.engine.resource import converge
from provision.agent.host.errors import Failed
from provision.agent.host.system import ReadOnly, System
from provision.agent.registries import client_config
from provision.agent.registries import login as registry_login
from provision.agent.registries.login import ClientProxies, RegistryLogin

SECRET, OLD = "new-secret-1", "old-secret-9"
ME = getpass.getuser()


class Account:
    pw_uid, pw_gid = os.geteuid(), os.getegid()

    def __init__(self, home):
        self.pw_dir = str(home)


@pytest.fixture
def home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setattr(client_config, "account", lambda name: Account(home) if name == ME else None)
    return home


@pytest.fixture
def system(tmp_path):
    return System(state=str(tmp_path / "state"))


def login(registry="nvcr.io", password=SECRET, user=ME, username="$oauthtoken"):
    return RegistryLogin(registry=registry, user=user, username=username, password=password)


def outcome(resource, system, check=False):
    result = converge(resource, system, check)
    for hidden in (SECRET, OLD, encoded(SECRET), encoded(OLD)):
        assert hidden not in str(result)
    return result["outcome"]


def encoded(password, username="$oauthtoken"):
    return base64.b64encode("{}:{}".format(username, password).encode()).decode()


def config(home):
    return home / ".docker" / "config.json"


def written(home, document, indent=None):
    config(home).parent.mkdir(mode=0o700, exist_ok=True)
    config(home).write_text(json.dumps(document, indent=indent))
    config(home).chmod(0o600)


def test_a_login_is_written_as_dockers_client_writes_it(system, home):
    assert outcome(login(), system, check=True) == "would-change"
    assert os.listdir(str(home)) == []
    assert outcome(login(), system) == "changed"
    assert config(home).read_text() == '{\n\t"auths": {\n\t\t"nvcr.io": {\n\t\t\t"auth": "%s"\n\t\t}\n\t}\n}' % encoded(
        SECRET
    )
    assert stat.S_IMODE(config(home).stat().st_mode) == 0o600
    assert stat.S_IMODE(config(home).parent.stat().st_mode) == 0o700
    assert outcome(login(), system) == "ok"


def test_foreign_keys_stay_and_both_sides_of_a_rotation_are_hidden(system, home):
    foreign = {
        "psFormat": "x",
        "auths": {"other": {"auth": "eDp5"}, "nvcr.io": {"auth": encoded(OLD)}},
        "currentContext": "ü",
    }
    written(home, foreign)
    assert outcome(login(), system) == "changed"
    document = json.loads(config(home).read_text("utf-8"))
    assert list(document) == list(foreign)
    assert document["auths"] == {"other": {"auth": "eDp5"}, "nvcr.io": {"auth": encoded(SECRET)}}
    kind, fields = login().when_dropped()
    assert SECRET not in str(fields)
    assert outcome(RegistryLogin(**fields), system) == "changed"
    assert outcome(RegistryLogin(**fields), system) == "ok"
    del foreign["auths"]["nvcr.io"]
    assert json.loads(config(home).read_text("utf-8")) == foreign


def test_docker_hub_has_its_own_key(system, home):
    outcome(login("docker.io"), system)
    assert list(json.loads(config(home).read_text())["auths"]) == ["https://index.docker.io/v1/"]


def test_open_modes_are_closed(system, home):
    outcome(login(), system)
    config(home).chmod(0o644)
    config(home).parent.chmod(0o755)
    assert outcome(login(), system, check=True) == "would-change"
    assert outcome(login(), system) == "changed"
    assert stat.S_IMODE(config(home).stat().st_mode) == 0o600
    assert stat.S_IMODE(config(home).parent.stat().st_mode) == 0o700


def test_an_identity_token_is_replaced(system, home):
    written(home, {"auths": {"nvcr.io": {"auth": encoded(SECRET), "identitytoken": "t"}}})
    assert outcome(login(), system) == "changed"
    assert "identitytoken" not in config(home).read_text()


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": []}'])
def test_a_file_that_is_none_of_dockers_stays(system, home, text):
    config(home).parent.mkdir(mode=0o700)
    config(home).write_text(text)
    assert outcome(login(), system) == "failed"
    assert config(home).read_text() == text


def test_no_link_is_followed(system, home, tmp_path):
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text("{}")
    config(home).parent.mkdir(mode=0o700)
    config(home).symlink_to(elsewhere)
    assert outcome(login(), system) == "failed"
    assert elsewhere.read_text() == "{}"


def test_a_user_who_is_not_there_yet_is_no_error_in_check(tmp_path, home):
    system = ReadOnly(state=str(tmp_path / "state"))
    assert outcome(login(user="alice"), system, check=True) == "would-change"
    assert outcome(RegistryLogin(registry="r", user="alice", username="", password=None), system, check=True) == "ok"


def test_an_apply_without_the_user_says_what_to_do(system, home):
    result = converge(login(user="alice"), system, False)
    assert result["outcome"] == "failed"
    assert "docker_users" in result["error"]["fix"]


HELPER = """\
#!/usr/bin/python3
import json, os, sys
store = os.path.join(os.environ["HOME"], "store.json")
known = json.load(open(store)) if os.path.exists(store) else {}
given = sys.stdin.read()
if sys.argv[1] == "get":
    if given not in known:
        print("credentials not found in native keychain")
        sys.exit(1)
    print(json.dumps(known[given]))
else:
    if sys.argv[1] == "store":
        given = json.loads(given)
        known[given["ServerURL"]] = given
    else:
        del known[given]
    json.dump(known, open(store, "w"))
"""


@pytest.fixture
def helper(tmp_path, monkeypatch, system):
    path = tmp_path / "docker-credential-test"
    path.write_text(textwrap.dedent(HELPER))
    path.chmod(0o755)
    monkeypatch.setattr(system, "which", lambda name: str(path) if name == path.name else None)


@pytest.mark.parametrize("named", [{"credsStore": "test"}, {"credHelpers": {"nvcr.io": "test"}}])
def test_a_credential_helper_is_used_and_the_file_holds_nothing(system, home, helper, named):
    written(home, named)
    assert outcome(login(), system) == "changed"
    assert outcome(login(), system) == "ok"
    assert json.loads(config(home).read_text()) == dict(named, auths={"nvcr.io": {}})
    stored = json.loads((home / "store.json").read_text())
    assert stored["nvcr.io"]["Username"] == "$oauthtoken"
    assert stored["nvcr.io"]["Secret"] == SECRET
    assert outcome(RegistryLogin(**login().when_dropped()[1]), system) == "changed"
    assert json.loads((home / "store.json").read_text()) == {}


def test_a_helper_that_is_not_installed_is_named(system, home):
    written(home, {"credsStore": "gone"})
    result = converge(login(), system, False)
    assert result["outcome"] == "failed"
    assert "docker-credential-gone" in result["error"]["cause"]


def test_a_helper_that_talks_too_much_is_not_quoted(system, home, tmp_path, monkeypatch):
    path = tmp_path / "docker-credential-chatty"
    path.write_text(
        '#!/bin/sh\n[ "$1" = get ] && { echo credentials not found in native keychain; exit 1; }\ncat >&2; exit 2\n'
    )
    path.chmod(0o755)
    monkeypatch.setattr(system, "which", lambda name: str(path))
    written(home, {"credsStore": "chatty"})
    assert outcome(login(), system) == "failed"


def test_the_containers_proxies_come_and_go_alone(system, home):
    written(home, {"proxies": {"default": {"allProxy": "socks5://x"}, "tcp://other": {}}, "auths": {}})
    resource = ClientProxies(user=ME, proxies={"httpProxy": "http://u:{}@p:1".format(SECRET), "noProxy": "a,b"})
    assert outcome(resource, system) == "changed"
    assert outcome(resource, system) == "ok"
    default = json.loads(config(home).read_text())["proxies"]["default"]
    assert default == {"allProxy": "socks5://x", "httpProxy": "http://u:{}@p:1".format(SECRET), "noProxy": "a,b"}
    assert outcome(registry_login.ClientProxies(**resource.when_dropped()[1]), system) == "changed"
    assert json.loads(config(home).read_text()) == {
        "proxies": {"default": {"allProxy": "socks5://x"}, "tcp://other": {}},
        "auths": {},
    }


def test_a_home_that_is_not_there_is_said(system, home):
    home.rmdir()
    with pytest.raises(Failed, match="is not there"):
        client_config.Client(system, ME).save({})
