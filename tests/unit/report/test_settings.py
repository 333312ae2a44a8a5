"""What `roles NAME` says, from the code of a role alone."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, JsonValue

from provision import role
from provision.report import settings
from provision.secrets import Secret


class Registry(BaseModel):
    username: str
    password: Secret | None = None


class Settings(role.Settings):
    registries: dict[str, Registry] = {}
    """By host[:port], as `docker login` takes it."""
    mode: Literal["on", "off"] = "on"
    sizes: list[Annotated[int, Field(ge=1)]]
    """A size.

    Another thought."""


ROLE = role.Role("login", "Logins.\n\nMore.", Path("login.py"), Settings, lambda facts, found: (), None)
GOLDEN = """\
login
  Logins.

  More.

  login.registries: mapping of text to mapping = {}
      By host[:port], as `docker login` takes it.
  login.registries.<key>.username: text (required)
  login.registries.<key>.password: secret
  login.mode: on | off = "on"
  login.sizes: list of number (required)
      A size.

      Another thought."""


def test_described() -> None:
    assert "\n".join(line.text for line in settings.described([ROLE])) == GOLDEN


def test_listed() -> None:
    assert [line.text for line in settings.listed([ROLE])] == ["ROLE   WHAT IT IS FOR", "login  Logins."]


def test_as_json() -> None:
    (line,) = settings.as_json([ROLE])
    found = json.loads(line.text)
    assert (found["type"], found["role"]) == ("role", "login")
    assert found["settings"][0] == {
        "name": "registries", "type": "mapping of text to mapping", "required": False,
        "doc": "By host[:port], as `docker login` takes it.", "default": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (str | None, "text"),
        (int | str, "number or text"),
        (tuple[str, ...], "list of text"),
        (dict[str, JsonValue], "mapping of text to anything"),
        (bool, "true | false"),
        (Any, "anything"),
    ],
)
def test_type_name(annotation: Any, name: str) -> None:
    assert settings.type_name(annotation) == name
