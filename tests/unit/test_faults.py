"""Faults in a role's own code: file and line, one sentence, told before the first connection where that can be."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import TypeAdapter, ValidationError

from provision import role
from provision.errors import InputError, RoleFault
from provision.facts import Facts, Os
from provision.plan import fault

FACTS = Facts(os=Os(id="debian"), architecture="amd64", init="systemd")
HEAD = """\
from provision import role
from provision.resources import File, Packages, Service

class Settings(role.Settings):
    servers: tuple[str, ...] = ()

def resources(facts, settings):
"""


def written(tmp_path: Path, body: str, head: str = HEAD) -> role.Role:
    (tmp_path / "mine.py").write_text(head + body)
    return role.load("mine", [tmp_path])


CASES = [
    ("    yield File(path='/x', contents='a')", 8, "File has no 'contents'; did you mean 'content'?", True),
    ("    yield Service(name='x', enabeld=True)", 8, "Service has no 'enabeld'; did you mean 'enabled'?", True),
    ("\n    yield Packages(packages={'a': 'b'})", 9, "Packages: packages: should be a list", True),
    ("    yield File(content='a')", 8, "File needs 'path'", True),
    ("    yield File(path='x', content='a')", 8, "File: path: should be an absolute path", False),
    (
        "    yield File(path='/x', content=settings.serverz)",
        8,
        "Settings has no 'serverz'; did you mean 'servers'?",
        True,
    ),
    ("    yield File(path='/x', content=facts.hostnam)", 8, "Facts has no 'hostnam'; did you mean 'hostname'?", True),
    ("    yield File(path='/x', content=nowhere)", 8, "NameError: name 'nowhere' is not defined", True),
    (
        "    yield File(path='/x', content=facts.apt_version.strip())",
        8,
        "AttributeError: 'NoneType' object has no attribute",
        False,
    ),
    ("    x = 1\n    yield {'path': '/x'}", 9, "resources() gives a dict, which is no resource", True),
    ("    return [{'path': '/x'}]", 7, "resources() gives a dict, which is no resource", True),
    ("    pass", 7, "resources() gives a NoneType, which is no resource", True),
    ("    yield from helper()\ndef helper():\n    yield 1 / 0", 10, "ZeroDivisionError: division by zero", False),
]


@pytest.mark.parametrize(("body", "line", "sentence", "always"), CASES)
def test_a_fault_names_file_and_line_in_one_sentence(
    tmp_path: Path, body: str, line: int, sentence: str, always: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path.parent)
    mine = written(tmp_path, body)
    with pytest.raises(RoleFault) as caught:
        list(mine.resources(FACTS, mine.settings()))
    assert str(caught.value).startswith(f"{tmp_path.name}/mine.py:{line}: {sentence}")
    assert "\n" not in str(caught.value)
    assert (fault(mine, mine.settings()) is not None) is always


def test_a_role_beside_a_relative_inventory_has_its_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "near.py").write_text(HEAD + "    x = 1\n    yield 1 / 0")
    near = role.load("near", [Path()])
    with pytest.raises(RoleFault, match=r"^near.py:9: ZeroDivisionError"):
        list(near.resources(FACTS, near.settings()))
    (tmp_path / "nearer.py").write_text("x = (\n")
    with pytest.raises(InputError, match=r"^nearer.py:1: the role does not load"):
        role.load("nearer", [Path()])


@pytest.mark.parametrize(("name", "hint"), [("Fil", "did you mean 'File'?"), ("Symbolic", "there are: A")])
def test_a_kind_that_does_not_exist_is_told_with_those_that_do(tmp_path: Path, name: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        written(tmp_path, "", f"from provision.resources import {name}\n")
    assert f"mine.py:1: the role does not load: provision.resources has no {name!r}; {hint}" in str(caught.value)


def test_an_option_of_the_daemon_without_saying_so_is_a_fault(tmp_path: Path) -> None:
    mine = written(tmp_path, "    yield DaemonOption(key=('bip',), value=1)", HEAD.replace("File,", "DaemonOption,"))
    found = fault(mine, mine.settings())
    assert found is not None
    assert "mine.py: the role mine yields options of the Docker daemon without saying so; write DAEMON" in str(found)


@pytest.mark.parametrize(
    ("pattern", "right", "wrong"),
    [("^/", "/x\n", "x/"), ("^[0-7]{4}$", "0644", "0644\n"), ("^[0-7]{4}$", "0644", "06444")],
)
def test_a_spelling_is_a_pattern_with_its_own_words(pattern: str, right: str, wrong: str) -> None:
    adapter = TypeAdapter(Annotated[str, role.Spelled(pattern, "should be something else")])
    assert adapter.validate_python(right) == right
    with pytest.raises(ValidationError, match="should be something else"):
        adapter.validate_python(wrong)
    assert adapter.json_schema() == {"type": "string", "pattern": pattern}


def test_a_wrong_signature_is_a_fault_of_its_line(tmp_path: Path) -> None:
    mine = written(tmp_path, "    yield", HEAD.replace("(facts, settings)", "(facts)"))
    with pytest.raises(RoleFault, match=r"mine.py:7: TypeError: resources\(\) takes 1 positional argument"):
        list(mine.resources(FACTS, mine.settings()))


def test_other_hooks_are_a_roles_own_too(tmp_path: Path) -> None:
    mine = written(
        tmp_path, "    yield File(path='/x', content='')\n\ndef provides(facts, settings):\n    return facts.x"
    )
    assert mine.provides is not None
    with pytest.raises(RoleFault, match=r"mine.py:11: Facts has no 'x'"):
        mine.provides(FACTS, mine.settings())


@pytest.mark.parametrize("answer", ["role.Skip('none')", "role.Refuse('no', 'do')", "role.Deferred('other')"])
def test_answers_of_a_role_are_no_faults(tmp_path: Path, answer: str) -> None:
    mine = written(tmp_path, f"    yield File(path='/x', content='')\n    raise {answer}")
    with pytest.raises((role.Skip, role.Refuse, role.Deferred)):
        list(mine.resources(FACTS, mine.settings()))
    assert fault(mine, mine.settings()) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [("import os\nx = (\n", 2), ("import os\n\nx = 1 / 0\n", 3), ("from provision.resources import Symlnk\n", 1)],
)
def test_a_role_that_does_not_load_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(InputError, match=rf"mine.py:{line}: the role does not load: "):
        written(tmp_path, "", text)
