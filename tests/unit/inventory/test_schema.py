"""The JSON Schema accepts what the loader accepts: the shipped inventories, the README's, and files of variables."""

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from provision import role, shipped
from provision.inventory import schema
from provision.report import settings

README = Path(__file__).parents[3] / "README.md"
ROLES = [role.load(name, [shipped.ROLES]) for name in shipped.role_names([shipped.ROLES])]
SCHEMA = schema.schema(ROLES)
VARIABLES = schema.schema(ROLES, variables=True)
FILES = sorted((shipped.INVENTORIES / "example" / "group_vars").glob("*.yml"))


class Loader(yaml.SafeLoader):
    """Takes a tagged scalar as its text, as editors do that know the custom tags."""


Loader.add_multi_constructor("!", lambda loader, tag, node: node.value)


def complaints(schema: dict[str, Any], text: str) -> list[str]:
    data = yaml.load(text, Loader)
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(data)]


def daemon(text: str) -> list[str]:
    return complaints(VARIABLES, f"docker_daemon: {text}")


def test_it_is_a_schema() -> None:
    for made in (SCHEMA, VARIABLES):
        jsonschema.Draft202012Validator.check_schema(made)
    assert SCHEMA["$id"] != VARIABLES["$id"]


@pytest.mark.parametrize("name", ["dgx.yml", "local.yml", "example/hosts.yml"])
def test_it_accepts_the_shipped_inventories(name: str) -> None:
    assert complaints(SCHEMA, (shipped.INVENTORIES / name).read_text("utf-8")) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_accepts_files_of_variables(path: Path) -> None:
    assert complaints(VARIABLES, path.read_text("utf-8")) == []


def test_it_accepts_the_readme() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        assert complaints(SCHEMA, block) == []


@pytest.mark.parametrize(
    "text",
    [
        "{default_ulimits: {memlock: unlimited, stack: 67108864, core: -1}}",
        "{default_ulimits: {nofile: {soft: 1024, hard: unlimited}}}",
        "{default_shm_size: 1073741824}",
        "{log_opts: {max-file: 3, compress: true}}",
        "{mtu: '{{ big_mtu }}', default_ulimits: {memlock: '{{ limit }}'}, dns: ['{{ dns1 }}']}",
        "{dns: '{{ all_dns }}'}",
    ],
)
def test_it_accepts_each_form_that_the_role_accepts(text: str) -> None:
    assert daemon(text) == []
    [found] = [found for found in ROLES if found.name == "docker_daemon"]
    if "{{" not in text:
        found.settings.model_validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    "text",
    [
        "{default_ulimits: {memlock: many}}",
        "{default_ulimits: {memlock: -2}}",
        "{default_ulimits: {nofile: {soft: 1, hard: 2, other: 3}}}",
        "{default_shm_size: [1]}",
        "{bipp: 192.168.127.1/24}",
    ],
)
def test_it_refuses_what_the_role_refuses(text: str) -> None:
    assert daemon(text) != []


def test_a_file_of_variables_may_hold_what_is_of_no_role() -> None:
    assert complaints(VARIABLES, "rack: 7\nansible_user: ubuntu") == []


def test_roles_says_the_forms_of_an_ulimit() -> None:
    [found] = [found for found in ROLES if found.name == "docker_daemon"]
    told = "\n".join(line.text for line in settings.described([found]))
    assert "docker_daemon.default_ulimits: mapping of text to unlimited or number or mapping\n" in told
    assert "docker_daemon.default_ulimits.<key>.soft: unlimited or number (required)\n" in told
    assert "docker_daemon.default_shm_size: text or number\n" in told
