"""A site's own kinds: what is wrong in them is told with its line; what a role yields travels with their text."""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from provision import cli, loader, role, site_kinds
from provision.accounting import Accounting
from provision.errors import InputError
from provision.events import Outcome
from provision.plan import TYPICAL, fault, plan
from provision.secrets import Secret

DOCS = Path(__file__).parents[2] / "docs" / "roles.md"
KIND = re.search(r"```python\n(# kinds/hosts_entry\.py\n.*?)```", DOCS.read_text(), re.S)[1]  # type: ignore[index]
ROLE = '''
"""Names."""
from provision import role

HostsEntry = role.kind(__file__, "hosts_entry")


class Settings(role.Settings):
    address: str = "10.0.0.5"


def resources(facts, settings):
    yield HostsEntry(name="registry.corp", address=settings.address)
'''


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for folder, name, text in (("kinds", "hosts_entry", KIND), ("roles", "names", ROLE)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.py").write_text(text)
    return tmp_path


def loaded(site: Path) -> role.Role:
    return role.load("names", [site / "roles"])


def test_what_a_role_yields_travels_with_the_text_of_its_kind(site: Path) -> None:
    names = loaded(site)
    (stage,) = plan([names], {"names": names.settings()}, TYPICAL)
    assert stage.wired(None)["resources"] == [
        {"kind": "site.hosts_entry", "fields": {"name": "registry.corp", "address": "10.0.0.5"}}
    ]
    assert stage.modules == ("agent.site.hosts_entry",)
    assert set(loader.modules(stage.modules)) == {"agent.site.hosts_entry"}


def test_the_text_that_travels_is_the_one_on_disk(site: Path) -> None:
    loaded(site)
    assert loader._source("agent.site.hosts_entry").decode() == KIND
    (site / "kinds" / "hosts_entry.py").write_text(KIND + "# more\n")
    (site / "roles" / "names.py").write_text(ROLE + "# more\n")
    loaded(site)
    assert loader._source("agent.site.hosts_entry").decode().endswith("# more\n")


def test_a_secret_is_taken_where_the_kind_says_that_it_may_be_one(site: Path) -> None:
    text = KIND.replace("    name: str\n", '    secret_keys = ("address",)\n    name: str\n')
    (site / "kinds" / "hosts_entry.py").write_text(text)
    found = loaded(site)
    (item,) = found.resources(TYPICAL, found.settings())
    assert type(item)(name="x", address=Secret("s")).fields() == {"name": "x", "address": "s"}  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("class HostsEntry(Resource):", "class HostsEntry(Resource)", "kinds/hosts_entry.py:9: expected ':'"),
        ("PATH = ", "import requests\nPATH = ", "kinds/hosts_entry.py:6: imports requests, which hosts do not have"),
        ("return self.name\n", "return (n := self.name)\n", "kinds/hosts_entry.py:17: "),
        ("def actual(", "def actuel(", "kinds/hosts_entry.py:9: HostsEntry has no actual"),
        ("name: str\n", "name: strr\n", "kinds/hosts_entry.py:12: the kind does not load: NameError"),
        ('PATH = "/etc/hosts"', "PATH = HOSTS", "kinds/hosts_entry.py:6: the kind does not load: NameError"),
        ("(Resource):", ":", "kinds/hosts_entry.py: has no class that makes a kind"),
    ],
)
def test_a_fault_of_a_kind_is_told_with_its_line(
    old: str, new: str, said: str, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site)
    assert old in KIND
    (site / "kinds" / "hosts_entry.py").write_text(KIND.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        loaded(site)
    assert str(caught.value).startswith(said), str(caught.value)


def test_a_kind_that_is_not_there_is_named_with_what_was_meant(site: Path) -> None:
    (site / "roles" / "names.py").write_text(ROLE.replace("hosts_entry", "host_entry"))
    with pytest.raises(InputError, match=r"there is no kind 'host_entry'; did you mean 'hosts_entry'\?"):
        loaded(site)


def test_a_role_that_gives_a_kind_the_wrong_fields_is_told_with_its_line(site: Path) -> None:
    (site / "roles" / "names.py").write_text(ROLE.replace("address=settings", "adress=settings"))
    found = loaded(site)
    said = fault(found, found.settings())
    assert "names.py:13: HostsEntry has no 'adress'; did you mean 'address'?" in str(said)


def test_how_a_host_names_such_a_resource_is_its_own_affair(site: Path) -> None:
    names = loaded(site)
    stages = plan([names], {"names": names.settings()}, TYPICAL)
    told: Any = type("R", (), {"kind": "site.hosts_entry", "name": "whatever", "outcome": Outcome.OK})
    told.stage, told.position, told.role = 0, 0, "names"
    accounting = Accounting()
    accounting.add(told, stages)
    accounting.close(stages)


def test_the_verb_kinds_shows_those_beside_the_inventory(site: Path) -> None:
    (site / "hosts.yml").write_text("all: {hosts: {web1: }}\n")
    (site / "kinds" / "_shared.py").write_text("broken(\n")
    run = partial(CliRunner().invoke, cli.provision)
    rows = run(["kinds", "-i", str(site / "hosts.yml")]).stdout
    assert "hosts_entry" in rows
    assert "One address with one name, on a line of its own; all other lines stay." in rows
    assert "_shared" not in rows
    assert "hosts_entry" not in run(["kinds"]).stdout
    told = run(["kinds", "-i", str(site / "hosts.yml"), "hosts_entry"]).stdout
    assert "  address: text (required)\n      Empty: the name has no line.\n" in told
    line = json.loads(run(["kinds", "-i", str(site / "hosts.yml"), "--json", "hosts_entry"]).stdout)
    assert (line["kind"], [field["name"] for field in line["fields"]]) == ("hosts_entry", ["name", "address"])


def test_a_fault_of_each_kind_beside_the_inventory_is_told(site: Path) -> None:
    (site / "hosts.yml").write_text("all: {hosts: {web1: }}\n")
    for name in ("one", "two"):
        (site / "kinds" / f"{name}.py").write_text("class One(\n")
    result = CliRunner().invoke(cli.provision, ["kinds", "-i", str(site / "hosts.yml")])
    assert result.exit_code == 2
    assert re.findall(r"kinds/(one|two)\.py:1: ", result.stderr) == ["one", "two"]


def test_of_two_kinds_with_one_name_the_first_is_meant(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder / "kinds").mkdir(parents=True)
        (tmp_path / folder / "kinds" / "x.py").touch()
    assert site_kinds.files([tmp_path / "b", tmp_path / "a"]) == [tmp_path / "b" / "kinds" / "x.py"]
