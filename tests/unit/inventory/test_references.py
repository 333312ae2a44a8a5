"""Secrets: where they come from, when they are looked up, and that they do not show."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision.errors import InputError
from provision.inventory import Host, Inventory
from provision.inventory.references import Placeholder

Resolved = Callable[..., dict[str, Host]]
Refused = Callable[..., list[str]]
TEXT = "all: {vars: {roles: [registry_login], registry_login: {token: %s}}, hosts: {h: , i: }}"


def token(host: Host) -> Any:
    settings: Any = host.settings["registry_login"]
    return settings.token


def test_from_the_environment(resolved: Resolved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "value\n")
    assert token(resolved(TEXT % "!secret env:A_TOKEN")["h"]).reveal() == "value\n"


def test_from_a_file_beside_the_inventory(
    resolved: Resolved, loaded: Callable[..., Inventory], roles: list[Path]
) -> None:
    assert token(resolved(TEXT % "!secret file:ci.token", {"ci.token": "value\n\n"})["h"]).reveal() == "value\n"
    found = loaded(TEXT % "!secret file:ci.token")
    os.chmod(found.directory / "ci.token", 0o600)
    found.resolve(["h"], role_path=roles)
    assert found.warnings == []
    os.chmod(found.directory / "ci.token", 0o644)
    found.resolve(["h"], role_path=roles)
    assert len(found.warnings) == 1
    assert "everyone can read it" in found.warnings[0]


def test_from_a_command_without_a_shell(resolved: Resolved) -> None:
    host = resolved(TEXT % "!secret \"cmd:printf %s 'a $HOME; b'\"")
    assert token(host["h"]).reveal() == "a $HOME; b"


def test_a_command_runs_once_and_after_everything_else_was_found_right(
    resolved: Resolved, refused: Refused, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    script = tmp_path / "once"
    script.write_text(f"#!/bin/sh\necho run >>{log}\necho value\n")
    script.chmod(0o755)
    hosts = resolved(TEXT % f"!secret cmd:{script}")
    assert [token(host).reveal() for host in hosts.values()] == ["value", "value"]
    assert log.read_text() == "run\n"
    wrong = (TEXT % f"!secret cmd:{script}").replace("hosts: {h: ", "hosts: {h: {ansible_port: 0}")
    assert "ansible_port" in refused(wrong)[0]
    assert log.read_text() == "run\n"
    resolved(TEXT % f"!secret cmd:{script}", roles=())
    resolved(TEXT % f"!secret cmd:{script}", secrets=False)
    assert log.read_text() == "run\n"


def test_a_prompt_is_asked_once_for_all_hosts(resolved: Resolved) -> None:
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return "value"

    hosts = resolved(TEXT % "!secret prompt", ask=ask)
    assert [token(host).reveal() for host in hosts.values()] == ["value", "value"]
    assert len(asked) == 1
    assert asked[0].startswith("registry_login.token (")
    resolved(TEXT % '!secret "prompt:Token of nvcr.io"', ask=ask)
    assert asked[1] == "Token of nvcr.io"


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("env:NO_SUCH_NAME", "registry_login.token: the environment variable NO_SUCH_NAME is not set"),
        ("env:AN_EMPTY_ONE", "the environment variable AN_EMPTY_ONE is empty"),
        ("env:A_GIVEN_TOKN", "did you mean A_GIVEN_TOKEN?"),
        ("file:nothing", "nothing cannot be read: No such file or directory"),
        ("file:.", "is no regular file"),
        ("file:empty", "registry_login.token: the secret is empty"),
        ("file:binary", "is not UTF-8 text"),
        ("file:/dev/zero", "is no regular file"),
        ("enviroment:X", "no way to find the secret 'enviroment:X'; write env:NAME"),
        ("fil:X", "did you mean file:?"),
        ("env:", "no way to find the secret"),
        ("hunter2", "no way to find the secret"),
        ("cmd:/no/such/program", "the command of this secret failed: /no/such/program does not run: No such file"),
        ('cmd:sh -c "echo oops >&2; exit 3"', "sh ended with status 3: oops"),
        ("cmd:true", "the secret is empty"),
        ('cmd:echo "a', "cannot be split"),
        ("prompt", "there is no terminal"),
    ],
)
def test_a_secret_that_is_not_there(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, reference: str, problem: str
) -> None:
    monkeypatch.setenv("AN_EMPTY_ONE", "")
    monkeypatch.setenv("A_GIVEN_TOKEN", "x")
    found = refused(TEXT % f"!secret '{reference}'", {"empty": "\n", "binary": b"\xff"})
    assert len(found) == 1, found
    assert problem in found[0]
    assert found[0].startswith("hosts.yml:1:63: ")


def test_what_is_not_selected_is_not_looked_up(loaded: Callable[..., Inventory], roles: list[Path]) -> None:
    found = loaded("""
all:
  vars: {roles: [registry_login, docker_daemon]}
  hosts:
    a: {registry_login: {token: !secret env:NO_SUCH_NAME}}
    b: {ansible_password: !secret env:NO_SUCH_NAME}
    c:
""")
    assert found.resolve(["a"], role_path=roles, roles=["docker_daemon"])[0].roles == ("docker_daemon",)
    found.resolve(["a"], role_path=roles, roles=())
    found.resolve(["c"], role_path=roles)
    for name in "ab":
        with pytest.raises(InputError, match="NO_SUCH_NAME is not set"):
            found.resolve([name], role_path=roles)


def test_without_secrets_a_placeholder_stands_for_each(resolved: Resolved) -> None:
    text = "all: {vars: {ansible_password: !secret env:NO, ansible_become_password: !vault x}, hosts: {h: }}"
    target = resolved(text, secrets=False)["h"].target
    assert isinstance(target.password, Placeholder)
    assert isinstance(target.become_password, Placeholder)
    assert isinstance(token(resolved(TEXT % "!secret cmd:false", secrets=False)["h"]), Placeholder)


def test_no_exec(refused: Refused, resolved: Resolved) -> None:
    found = refused(TEXT % "!secret cmd:true", no_exec=True)
    assert found == [
        "hosts.yml:1:63: all (2 hosts): registry_login.token: the secret is a command; --no-exec forbids to run it"
    ]


def test_plain_text_where_a_secret_belongs_is_a_warning(loaded: Callable[..., Inventory], roles: list[Path]) -> None:
    found = loaded("""
all:
  vars: {roles: [registry_login], registry_login: {registries: {r: {username: u, password: pw}}}}
  hosts: {"h[001:100]": }
""")
    host = found.resolve(found.hosts, role_path=roles)[0]
    settings: Any = host.settings["registry_login"]
    assert settings.registries["r"].password.reveal() == "pw"
    assert len(found.warnings) == 1
    assert "all (100 hosts): registry_login.registries.r.password stands here in plain text" in found.warnings[0]


def test_a_secret_from_set(resolved: Resolved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "value")
    assert (
        token(resolved(TEXT % "null", overrides=["registry_login.token=!secret env:A_TOKEN"])["h"]).reveal() == "value"
    )
