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


BESIDE = '''
"""A role of a site."""
from pydantic import BaseModel, ConfigDict, Field
from provision import role
class Inside(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    port: int
    """Where it
    listens."""
    name: str = Field(default="", description="Said otherwise.")
    """Not this."""
class Common(role.Settings):
    shared: bool = False
    """Of both."""
class Settings(Common):
    many: dict[str, tuple[Inside, ...]] = {}
    """By name."""
    bare: int = 0
def resources(facts, settings):
    return ()
'''


def test_a_docstring_under_a_field_documents_it(tmp_path):
    (tmp_path / "beside.py").write_text(BESIDE)
    loaded = role.load("beside", [tmp_path])
    found = json.loads(next(settings.as_json([loaded])).text)["settings"]
    assert {item["name"]: item["doc"] for item in found} == {
        "shared": "Of both.",
        "many": "By name.",
        "many.<key>[].port": "Where it\nlistens.",
        "many.<key>[].name": "Said otherwise.",
        "bare": None,
    }
    schema = loaded.settings.model_json_schema()
    assert schema["$defs"]["Inside"]["properties"]["port"]["description"] == "Where it\nlistens."
    assert schema["properties"]["shared"]["description"] == "Of both."
