"""The Docker daemon as tests from outside see it: which daemon is asked, and what an answer that is missing becomes."""

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from provision.verify.dockerd import CLIENT, Dockerd

PROXY = "http://proxy.example.com:3142"
INFO = {"ID": "x", "HttpProxy": PROXY, "HttpsProxy": f"{PROXY}/", "NoProxy": "registry.example.com"}
HERE = Path(__file__).parents[2] / "verify" / "apt_proxy.py"


class Host:
    """A host with a running Docker, and one answer to all commands."""

    def __init__(self, answer: Any, rc: int = 0, stderr: str = "") -> None:
        self.commands: list[str] = []
        self._done = SimpleNamespace(rc=rc, stdout=json.dumps(answer), stderr=stderr)

    def run(self, command: str, *words: str, **options: Any) -> SimpleNamespace:
        self.commands.append(command % words if words else command)
        return self._done

    def service(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(is_running=True)

    def file(self, path: str) -> SimpleNamespace:
        return SimpleNamespace(exists=False)

    def exists(self, program: str) -> bool:
        return True


def ask_for_proxies(info: dict[str, Any], **asked: Any) -> None:
    spec = importlib.util.spec_from_file_location("apt_proxy_from_outside", HERE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    settings = {"apt_proxy": {"docker_daemon": True, "no_proxy": ["registry.example.com"], **asked}}
    host = Host(info)
    proxies = {"http": PROXY} | asked.get("more", {})
    module.test_the_docker_daemon_has_the_proxies(settings, proxies, host, Dockerd(host))


def test_proxies_of_daemon_json_are_seen_where_no_variable_has_them() -> None:
    ask_for_proxies(INFO)


@pytest.mark.parametrize("key", ["HttpProxy", "HttpsProxy", "NoProxy"])
def test_a_proxy_that_the_daemon_does_not_have_is_told(key: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=f"docker info: {key}: asked for .*found ''"):
        ask_for_proxies(INFO | {key: ""})


def test_the_password_of_a_proxy_is_not_compared() -> None:
    ask_for_proxies(INFO | {"HttpProxy": "http://me:xxxxx@proxy.example.com:3142/"})


def test_the_daemon_of_the_system_is_asked_whatever_docker_host_says() -> None:
    host = Host(INFO)
    dockerd = Dockerd(host)
    assert dockerd.info == INFO
    dockerd.run("true", image="busybox")
    dockerd.run("true")
    dockerd.close()
    asked = [command for command in host.commands if "docker" in command]
    assert len(asked) == 5
    assert all(command.count("docker") == 2 * command.count(CLIENT) for command in asked)
    assert "docker -H unix:///var/run/docker.sock" in CLIENT


@pytest.mark.parametrize(
    "info",
    [
        {"ID": "", "ServerErrors": ["Cannot connect to the Docker daemon"], "RegistryConfig": None},
        {"ID": "", "RegistryConfig": None},
        None,
        [],
    ],
)
def test_a_daemon_that_does_not_answer_is_one_sentence(info: Any) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"does not answer at /var/run/docker.sock"):
        _ = Dockerd(Host(info)).info


@pytest.mark.parametrize("answer", [[], [{"IPAM": {"Config": []}}], [{"IPAM": None}]])
def test_a_bridge_without_a_subnet_is_one_sentence(answer: Any) -> None:
    dockerd = Dockerd(Host(answer))
    dockerd.__dict__["info"] = INFO
    with pytest.raises(pytest.fail.Exception, match="network bridge has no subnet"):
        _ = dockerd.bridge


def test_a_host_without_a_client_fails_once_with_one_sentence() -> None:
    missing = Dockerd(Host(None, rc=127, stderr="env: 'docker': No such file or directory"))
    with pytest.raises(pytest.fail.Exception, match=r"^there is no docker client on this host: install it"):
        _ = missing.info
    for _ in range(2):
        with pytest.raises(pytest.skip.Exception, match=r"^there is no docker client on this host$"):
            _ = missing.info


def test_a_daemon_without_a_pidfile_is_one_sentence() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"^the Docker daemon does not run: there is no /var/run/docker.p"):
        _ = Dockerd(Host(None)).pid
