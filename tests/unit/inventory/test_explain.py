"""What `inventory --host`, `inventory --graph` and `schema` show."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision import role, shipped
from provision.errors import InputError
from provision.inventory import Inventory, schema
from provision.inventory.explain import Node, Row

TEXT = """
all:
  vars:
    roles: [docker_daemon, registry_login]
    docker_daemon: {bip: x, log_opts: {a: all, b: all}}
    registry_login: {registries: {nvcr.io: {username: u, password: plain}}, token: !secret env:TOKEN}
  hosts:
    lonely:
  children:
    dgx:
      vars: {docker_daemon: {log_opts: {b: dgx}}, db_password: pw, rack: r1}
      hosts: {dgx1: {docker_daemon: {mtu: 9000}, ansible_password: pw}}
"""


@pytest.fixture
def rows(loaded: Callable[..., Inventory], roles: list[Path]) -> dict[str, Row]:
    found = loaded(TEXT).explain("dgx1", role_path=roles, overrides=["docker_daemon.dns=[a]"])
    assert len({row.variable for row in found}) == len(found)
    return {row.variable: row for row in found}


@pytest.mark.parametrize(
    ("variable", "value", "origin", "level"),
    [
        ("roles", ["docker_daemon", "registry_login"], "hosts.yml:4:12", "all"),
        ("docker_daemon.bip", "x", "hosts.yml:5:26", "all"),
        ("docker_daemon.log_opts.a", "all", "hosts.yml:5:43", "all"),
        ("docker_daemon.log_opts.b", "dgx", "hosts.yml:11:44", "group dgx"),
        ("docker_daemon.mtu", 9000, "hosts.yml:12:43", "host dgx1"),
        ("docker_daemon.dns", ["a"], "--set docker_daemon.dns", "--set"),
        ("docker_daemon.storage_driver", "overlay2", "", "default"),
        ("docker_daemon.extra", {}, "", "default"),
        ('registry_login.registries."nvcr.io".username', "u", "hosts.yml:6:55", "all"),
        ('registry_login.registries."nvcr.io".password', "********", "hosts.yml:6:68", "all"),
        ("registry_login.token", "!secret env:TOKEN", "hosts.yml:6:84", "all"),
        ("registry_login.note", None, "", "default"),
        ("ansible_password", "********", "hosts.yml:12:68", "host dgx1"),
        ("db_password", "********", "hosts.yml:11:64", "group dgx"),
        ("rack", "r1", "hosts.yml:11:74", "group dgx"),
    ],
)
def test_where_each_value_comes_from(
    rows: dict[str, Row], tmp_path: Path, variable: str, value: Any, origin: str, level: str
) -> None:
    row = rows[variable]
    assert (row.value, row.origin.replace(f"{tmp_path}/inv/", ""), row.level) == (value, origin, level)


def test_an_unknown_host(loaded: Callable[..., Inventory], roles: list[Path]) -> None:
    with pytest.raises(InputError, match="there is no host 'dgx2'; did you mean 'dgx1'"):
        loaded(TEXT).explain("dgx2", role_path=roles)


def test_wrong_values_are_shown_all_the_same(loaded: Callable[..., Inventory], roles: list[Path]) -> None:
    text = "all: {vars: {roles: 1, docker_daemon: [x], registry_login: {a: {b: }}}, hosts: {h: }}"
    rows = {row.variable: row.value for row in loaded(text).explain("h", role_path=roles)}
    assert rows == {"roles": 1, "docker_daemon": ["x"], "registry_login.a.b": None}


def test_graph(loaded: Callable[..., Inventory]) -> None:
    assert loaded(TEXT).graph() == Node("all", (Node("ungrouped", (), ("lonely",)), Node("dgx", (), ("dgx1",))), ())
    text = "a: {children: {b: {hosts: {h: }}}}\nc: {children: {b: }}"
    shared = Node("b", (), ("h",))
    ungrouped = Node("ungrouped", (), ())
    assert loaded(text).graph() == Node("all", (ungrouped, Node("a", (shared,), ()), Node("c", (shared,), ())), ())


def test_schema(roles: list[Path]) -> None:
    made = schema.schema([role.load(name, roles) for name in shipped.role_names(roles)])
    json.dumps(made)
    variables = made["$defs"]["variables"]["properties"]
    listed, template = variables["roles"]["anyOf"]
    assert listed["items"]["anyOf"] == [{"enum": ["docker_daemon", "registry_login"]}, template]
    daemon = made["$defs"]["docker_daemon"]
    assert daemon["description"] == "The Docker daemon. More words."
    assert daemon["properties"]["bip"]["description"] == "The bridge's address."
    assert daemon["additionalProperties"] is False
    registry = made["$defs"]["registry_login.Registry"]
    assert "required" not in registry, "settings may be spread over levels"
    assert registry["properties"]["password"]["anyOf"][0]["type"] == "string"
    assert set(variables) >= {f"ansible_{name}" for name in ("host", "port", "user", "password", "become")}
    assert "!secret scalar" in made["x-yaml-custom-tags"]
    assert _references(made) <= {f"#/$defs/{name}" for name in made["$defs"]}


def _references(made: Any) -> set[str]:
    if isinstance(made, dict):
        own = {made["$ref"]} if "$ref" in made else set()
        return own.union(*(_references(item) for item in made.values()))
    return set().union(*(_references(item) for item in made)) if isinstance(made, list) else set()
