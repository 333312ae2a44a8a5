"""Inventories written to a temporary directory, with two roles of their own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision import inventory
from provision.errors import InputError
from provision.inventory import Host, Inventory

LOADING = ("no_exec", "vault_password_file", "vault_ids", "config")
"""Options of `load`."""
DAEMON = '''"""The Docker daemon. More words."""
from typing import Annotated, Any, Literal
from pydantic import BaseModel, Field, field_validator
from provision import role

class Settings(role.Settings):
    bip: str | None = None
    """The bridge's address."""
    mtu: int | None = Field(default=None, ge=68)
    storage_driver: Literal["overlay2", "btrfs"] = "overlay2"
    default_ulimits: dict[str, Literal["unlimited"] | int] = {}
    log_opts: dict[str, str] = {}
    dns: list[Annotated[str, Field(min_length=1)]] = []
    extra: dict[str, Any] = {}

    @field_validator("bip")
    @classmethod
    def count(cls, value):
        VALIDATED.append(value)
        if value == "bad":
            raise ValueError("bad is no address")
        return value

VALIDATED = []
def resources(facts, settings): yield from ()
'''
LOGIN = '''"""Registry logins."""
from provision import role
from provision.secrets import Secret

class Registry(role.Settings):
    username: str
    password: Secret
    users: list[str] = ["root"]

class Settings(role.Settings):
    registries: dict[str, Registry] = {}
    token: str | Secret | None = None
    note: str | None = None

def resources(facts, settings): yield from ()
'''


@pytest.fixture
def roles(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "site_roles"
    folder.mkdir()
    (folder / "docker_daemon.py").write_text(DAEMON)
    (folder / "registry_login.py").write_text(LOGIN)
    return [folder]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes files: `write({"hosts.yml": text})` returns the directory."""

    def writes(files: dict[str, str | bytes]) -> Path:
        folder = tmp_path / "inv"
        for name, content in files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    return writes


@pytest.fixture
def loaded(write: Callable[..., Path]) -> Callable[..., Inventory]:
    """`loaded(hosts_yml, more files…)`: the inventory."""

    def loads(text: str, files: dict[str, str | bytes] | None = None, **options: Any) -> Inventory:
        return inventory.load(str(write({"hosts.yml": text} | (files or {}))), **options)

    return loads


@pytest.fixture
def resolved(loaded: Callable[..., Inventory], roles: list[Path]) -> Callable[..., dict[str, Host]]:
    """`resolved(hosts_yml, …)`: all hosts by name."""

    def resolves(text: str, files: dict[str, str | bytes] | None = None, **options: Any) -> dict[str, Host]:
        loading = {key: options.pop(key) for key in LOADING if key in options}
        loading |= {"ask": options["ask"]} if "ask" in options else {}
        found = loaded(text, files, **loading)
        return {host.name: host for host in found.resolve(found.hosts, role_path=roles, **options)}

    return resolves


@pytest.fixture
def refused(resolved: Callable[..., dict[str, Host]], tmp_path: Path) -> Callable[..., list[str]]:
    """`refused(hosts_yml, …)`: the problems, as text, file names without the directory."""

    def refuses(text: str, files: dict[str, str | bytes] | None = None, **options: Any) -> list[str]:
        with pytest.raises(InputError) as caught:
            resolved(text, files, **options)
        return [str(problem).replace(f"{tmp_path}/inv/", "") for problem in caught.value.problems]

    return refuses
