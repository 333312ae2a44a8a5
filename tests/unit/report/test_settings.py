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


def test_kinds_are_listed_with_what_they_are() -> None:
    lines = [line.text for line in settings.kinds_listed(settings.KINDS)]
    assert lines[0].split() == ["KIND", "WHAT", "IT", "IS"]
    assert [line.split()[0] for line in lines[1:]] == sorted(settings.KINDS)
    assert any(line.startswith("Directory ") and "A directory with this owner and mode" in line for line in lines)


def test_a_kind_is_described_with_its_fields() -> None:
    chosen = {name: settings.KINDS[name] for name in ("File", "JsonKeys")}
    text = "\n".join(line.text for line in settings.kinds_described(chosen))
    assert "File\n  A regular file with exactly this content;" in text
    assert "  path: text (required)\n" in text
    assert '  mode: text = "0644"\n' in text
    assert "  content: text or secret (required)\n" in text
    assert "\n\nJsonKeys\n" in text
    assert "  keys[].path: list of text (required)\n      From the top:" in text


@pytest.mark.parametrize("name", sorted(settings.KINDS))
def test_each_kind_says_what_it_is(name: str) -> None:
    (line,) = settings.kinds_json({name: settings.KINDS[name]})
    found = json.loads(line.text)
    assert (found["type"], found["kind"]) == ("kind", name)
    assert found["doc"]
    assert {field["name"].split(".")[0].split("[")[0] for field in found["fields"]} == set(
        settings.KINDS[name].model_fields
    )
