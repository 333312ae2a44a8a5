"""Ansible's vaults, made by ansible-vault itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision.errors import InputError
from provision.inventory import Host, Inventory
from provision.secrets import Secret

from . import vaults

Resolved = Callable[..., dict[str, Host]]
Refused = Callable[..., list[str]]
BLOCKS = (
    "all:\n  hosts:\n    h:\n      roles: [registry_login]\n      registry_login:\n        token: "
    + vaults.block(vaults.BLOCK, 10)
    + "      ansible_password: "
    + vaults.block(vaults.LABELLED, 10)
)
WHOLE = "all: {vars: {roles: [docker_daemon, registry_login]}, hosts: {h: }}"


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "vault-password"
    file.write_text(vaults.PASSWORD + "\n")
    return file


def token(host: Host) -> Any:
    settings: Any = host.settings["registry_login"]
    return settings.token.reveal() if not isinstance(settings.token, str) else settings.token


def test_blocks(resolved: Resolved, password: Path) -> None:
    host = resolved(BLOCKS, vault_password_file=password)["h"]
    assert token(host) == vaults.BLOCK_VALUE
    assert host.target.password is not None
    assert host.target.password.reveal() == "x"
    assert vaults.BLOCK_VALUE not in repr(host)


def test_a_whole_file(loaded: Callable[..., Inventory], password: Path, roles: list[Path]) -> None:
    found = loaded(WHOLE, {"group_vars/all.yml": vaults.WHOLE_FILE}, vault_password_file=password)
    host = found.resolve(["h"], role_path=roles)[0]
    settings: Any = host.settings["docker_daemon"]
    assert (settings.mtu, token(host)) == (9000, "t0ken")
    assert found.warnings == []
    shown = {row.variable: row.value for row in found.explain("h", role_path=roles)}
    assert shown["registry_login.token"] == "********"
    assert shown["docker_daemon.mtu"] == "********"


def test_the_password_may_come_from_a_program(resolved: Resolved, refused: Refused, password: Path) -> None:
    password.write_text(f"#!/bin/sh\necho '{vaults.PASSWORD}'\n")
    password.chmod(0o755)
    assert token(resolved(BLOCKS, vault_password_file=password)["h"]) == vaults.BLOCK_VALUE
    assert "is a program; --no-exec forbids to run it" in refused(BLOCKS, vault_password_file=password, no_exec=True)[0]
    password.write_text("#!/bin/sh\necho no agent >&2\nexit 1\n")
    assert "ended with status 1: no agent" in refused(BLOCKS, vault_password_file=password)[0]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "is in a vault; give --vault-password-file"),
        ("wrong", "the vault password does not open "),
        ("", "is empty; check --vault-password-file"),
    ],
)
def test_a_wrong_password_is_one_error(refused: Refused, password: Path, content: str | None, problem: str) -> None:
    password.write_text(content or "")
    found = refused(BLOCKS, vault_password_file=None if content is None else password)
    assert len(found) == 1, found
    assert problem in found[0]


def test_a_password_file_that_is_not_there(refused: Refused, tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refused(BLOCKS, vault_password_file=tmp_path / "nothing")[0]


def test_a_whole_file_needs_its_password_to_load(refused: Refused, password: Path) -> None:
    files = {"group_vars/all.yml": vaults.WHOLE_FILE}
    assert "group_vars/all.yml is in a vault; give --vault-password-file" in refused(WHOLE, files)[0]
    password.write_text("wrong")
    assert len(refused(WHOLE, files, vault_password_file=password)) == 1


@pytest.mark.parametrize(
    ("vault", "problem"),
    [
        ("$ANSIBLE_VAULT;1.0;AES\n00", "is no vault of version 1.1 or 1.2 (AES256)"),
        ("plain", "is no vault"),
        ("$ANSIBLE_VAULT;1.1;AES256\nzz", "the vault is damaged"),
        ("$ANSIBLE_VAULT;1.1;AES256\n3030", "the vault is damaged"),
        ("$ANSIBLE_VAULT;1.1;AES256\n30300a30300a303", "the vault is damaged"),
        ("$ANSIBLE_VAULT;1.1;AES256\n30300a30300a3030", "the vault password does not open"),
        (vaults.BLOCK.replace("3736\n", "3737\n"), "the vault password does not open"),
    ],
)
def test_a_damaged_vault(refused: Refused, password: Path, vault: str, problem: str) -> None:
    text = "all:\n  hosts:\n    h:\n      ansible_password: " + vaults.block(vault, 10)
    found = refused(text, vault_password_file=password)
    assert len(found) == 1
    assert problem in found[0]


def test_a_vault_in_a_place_that_is_no_secret(refused: Refused, password: Path) -> None:
    text = "all:\n  hosts:\n    h:\n      ansible_user: " + vaults.block(vaults.BLOCK, 10)
    assert "ansible_user: is not a secret" in refused(text, vault_password_file=password)[0]


def test_without_secrets_no_password_is_needed(
    resolved: Resolved, loaded: Callable[..., Inventory], roles: list[Path]
) -> None:
    resolved(BLOCKS, secrets=False)
    shown = {row.variable: row.value for row in loaded(BLOCKS).explain("h", role_path=roles)}
    assert shown["ansible_password"] == "********"
    with pytest.raises(InputError):
        loaded(BLOCKS).resolve(["h"], role_path=roles)


TWO = (
    "all:\n  hosts:\n    h:\n      roles: [registry_login]\n      registry_login:\n        token: "
    + vaults.block(vaults.PROD, 10)
    + "      ansible_password: "
    + vaults.block(vaults.LABELLED, 10)
)


@pytest.fixture
def prod(tmp_path: Path) -> Path:
    file = tmp_path / "prod-password"
    file.write_text(f" {vaults.PROD_PASSWORD} \n")  # blanks around it do not count, as in Ansible
    return file


@pytest.mark.parametrize("labels", [("dev", "prod"), ("prod", "dev"), ("a", "b"), ("", "")])
def test_several_passwords_whatever_their_labels(
    resolved: Resolved, password: Path, prod: Path, labels: tuple[str, str]
) -> None:
    ids = [f"{label}@{file}".removeprefix("@") for label, file in zip(labels, (password, prod), strict=True)]
    host = resolved(TWO, vault_ids=ids)["h"]
    assert (token(host), host.target.password) == ("from-prod", Secret("x"))


def test_a_vault_id_that_is_missing_is_told_by_its_label(refused: Refused, password: Path, prod: Path) -> None:
    found = refused(TWO, vault_ids=[f"dev@{password}", f"qa@{password}"])
    assert len(found) == 1
    assert "none of the vault passwords (dev, qa) opens " in found[0]
    assert "a vault of the label prod; check the password files" in found[0]
    assert "is in a vault of the label prod; give --vault-id prod@FILE" in refused(TWO)[0]
    prod.unlink()
    told = refused(TWO, vault_ids=[f"dev@{password}", f"prod@{prod}"])
    assert told == [
        f"the vault password file {prod} cannot be read: No such file or directory; check --vault-id prod@…"
    ]


def test_a_client_is_told_which_password_is_wanted(resolved: Resolved, tmp_path: Path) -> None:
    client = tmp_path / "keyring-client.sh"
    client.write_text(
        f'#!/bin/sh\ntest "$1" = --vault-id || exit 1\n'
        f"case $2 in dev) echo '{vaults.PASSWORD}';; prod) echo '{vaults.PROD_PASSWORD}';; esac\n"
    )
    client.chmod(0o755)
    assert token(resolved(TWO, vault_ids=[f"dev@{client}", f"prod@{client}"])["h"]) == "from-prod"


def test_a_password_may_be_asked_for_once_and_only_when_it_is_needed(
    resolved: Resolved, refused: Refused, password: Path
) -> None:
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return vaults.PROD_PASSWORD

    ids = [f"dev@{password}", "prod@prompt"]
    assert token(resolved(TWO, vault_ids=ids, ask=ask)["h"]) == "from-prod"
    assert asked == ["vault password (prod)"]
    assert resolved("all: {hosts: {h: }}", vault_ids=ids, ask=ask)
    assert len(asked) == 1
    assert "prod is to be asked for, and there is no terminal" in refused(TWO, vault_ids=ids)[0]
