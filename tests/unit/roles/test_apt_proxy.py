"""apt_proxy: the file by golden examples, the other consumers, and what is no proxy."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from provision import role
from provision.facts import Facts
from provision.resources import AptConf, AptEffective, ClientProxies, DaemonEnvironment, Resource
from provision.secrets import Secret, text_of

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "unit" / "golden"
ROLE = role.load("apt_proxy", [ROOT / "roles"])
FACTS = Facts.model_validate({"os": {"id": "debian"}, "architecture": "amd64", "init": "systemd"})
FULL: dict[str, Any] = {
    "http": "http://proxy.corp:3128/",
    "https": "http://proxy.corp:3128",
    "ftp": "ftp://ftp-proxy.corp:2121",
    "no_proxy": ["localhost", ".corp", "mirror.corp:8080", "10.1.2.3", "10.0.0.0/8", "*", "fd00::1", "mirror.corp"],
    "username": "u@corp",
    "password": 'p@ss/:%" w',
    "client_users": ["alice"],
}


def resources(**settings: Any) -> list[Resource]:
    return list(ROLE.resources(FACTS, ROLE.settings.model_validate(settings)))


def one(kind: type[Resource], found: list[Resource]) -> Any:
    [item] = [item for item in found if isinstance(item, kind)]
    return item


def test_the_file_with_a_login() -> None:
    conf = one(AptConf, resources(**FULL))
    assert isinstance(conf.content, Secret)
    assert conf.content.reveal() == (GOLDEN / "proxy.conf").read_text()
    assert (conf.path, conf.mode, conf.sensitive) == ("/etc/apt/apt.conf.d/proxy.conf", "0600", True)


def test_the_file_without_a_login() -> None:
    conf = one(AptConf, resources(http="http://proxy.corp:3128", https="DIRECT"))
    assert conf.content == (GOLDEN / "proxy-plain.conf").read_text()
    assert conf.mode == "0644"


@pytest.mark.skipif(shutil.which("apt-config") is None, reason="needs apt")
@pytest.mark.parametrize("name", ["proxy.conf", "proxy-plain.conf"])
def test_apt_itself_reads_the_golden_file(name: str, tmp_path: Path) -> None:
    wrapper = tmp_path / "alone.conf"
    wrapper.write_text(f'Dir::Etc::parts "/dev/null";\nDir::Etc::main "/dev/null";\n#include "{GOLDEN / name}";\n')
    done = subprocess.run(["apt-config", "dump"], env={"APT_CONFIG": str(wrapper)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = [line for line in (GOLDEN / name).read_text().splitlines() if not line.startswith("//")]
    assert set(lines) <= set(done.stdout.splitlines())


def test_without_a_proxy_the_file_goes_and_nothing_else_is_asked() -> None:
    [conf] = resources()
    assert isinstance(conf, AptConf)
    assert conf.content is None


def test_apt_is_asked_whether_it_goes_by_it() -> None:
    values = one(AptEffective, resources(**FULL)).values
    assert len(values) == len((GOLDEN / "proxy.conf").read_text().splitlines()) - 1
    assert isinstance(values["Acquire::http::Proxy"], Secret)


def test_https_goes_as_http_where_nothing_else_is_said() -> None:
    found = resources(http="http://proxy:1")
    assert {item.name: item.value for item in found if isinstance(item, DaemonEnvironment)} == {
        "HTTP_PROXY": "http://proxy:1",
        "HTTPS_PROXY": "http://proxy:1",
    }


def test_the_daemon_and_the_containers_get_the_same() -> None:
    found = resources(**FULL)
    login = "http://u%40corp:p%40ss%2F%3A%25%22%20w@proxy.corp:3128"
    environment = {item.name: item.value for item in found if isinstance(item, DaemonEnvironment)}
    assert {name: text_of(value) for name, value in environment.items()} == {
        "HTTP_PROXY": login,
        "HTTPS_PROXY": login,
        "NO_PROXY": ",".join(FULL["no_proxy"]),
    }
    assert isinstance(environment["HTTP_PROXY"], Secret)
    client = one(ClientProxies, found)
    assert client.user == "alice"
    assert set(client.proxies or {}) == {"httpProxy", "httpsProxy", "ftpProxy", "noProxy"}


def test_the_daemon_is_left_alone_where_asked() -> None:
    assert not [item for item in resources(**{**FULL, "docker_daemon": False}) if isinstance(item, DaemonEnvironment)]


def test_a_host_without_python_hears_of_it_too() -> None:
    assert ROLE.apt_configuration is not None
    settings = ROLE.settings.model_validate(FULL)
    text = ROLE.apt_configuration(settings)
    assert text is not None
    assert text.reveal() == (GOLDEN / "proxy.conf").read_text()
    assert ROLE.apt_configuration(ROLE.settings()) is None


@pytest.mark.parametrize(
    "settings",
    [
        {"http": "proxy:3128"},
        {"http": "http://u:p@proxy:3128"},
        {"http": "http://proxy:99999"},
        {"http": 'http://proxy:1";evil'},
        {"http": "http://proxy:1/path"},
        {"http": "socks://proxy:1"},
        {"http": "http://proxy:1", "password": "p"},
        {"username": "u"},
        {"client_users": ["alice"]},
        {"http": "http://proxy:1", "no_proxy": ['a";evil']},
        {"http": "http://proxy:1", "no_proxy": "a,b"},
    ],
)
def test_what_is_wrong_is_told_at_once(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ROLE.settings.model_validate(settings)


def test_the_same_input_gives_the_same_plan() -> None:
    assert resources(**FULL) == resources(**FULL)
