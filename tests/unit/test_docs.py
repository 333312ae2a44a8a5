"""The documents say what the code says: their links lead somewhere, their examples work, their tables are complete."""

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from inventory import vaults  # tests/unit/inventory

from provision import cli, inventory, role, shipped
from provision.facts import Facts
from provision.inventory import connection, references, schema
from provision.plan import plan
from provision.report import settings
from provision.resources import File, Packages, Service

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TEXTS = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]
FACTS = Facts.model_validate({"os": {"id": "debian"}, "architecture": "amd64", "init": "systemd"})


def text(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def example(name: str, path: str) -> str:
    """The block of a document whose first line is a comment with this path."""
    blocks = re.findall(r"```[a-z0-9]*\n(.*?)```", text(name), re.DOTALL)
    [found] = [block for block in blocks if re.fullmatch(f"# {path}", block.split("\n")[0])]
    return found.partition("\n")[2]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_what_a_document_names_is_there(path: Path) -> None:
    content = path.read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", content) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []
    named = re.findall(r"`((?:docs|provision|tests|tools)/[A-Za-z0-9_./-]+)`", content)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_index_names_every_document() -> None:
    found = set(re.findall(r"\]\(([a-z-]+\.md)\)", text("README.md")))
    assert found == {path.name for path in DOCS.glob("*.md")} - {"README.md"}


@pytest.mark.parametrize("name", sorted(settings.KINDS))
def test_the_table_of_kinds_has_each_with_its_fields(name: str) -> None:
    fields = [f"**`{field}`**" if info.is_required() else f"`{field}`" for field, info in _fields(name)]
    row = f"| `{name}` | {', '.join(fields)} |"
    assert row in text("roles.md"), f"put this row into docs/roles.md: {row}"


def _fields(name: str) -> list[tuple[str, object]]:
    return [(field, info) for field, info in settings.KINDS[name].model_fields.items() if field != "sensitive"]


def test_the_role_of_the_document_works(tmp_path: Path) -> None:
    for file in ("roles/time_servers.py", "templates/chrony.conf.j2", "checks/time_servers.py", "site.yml"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(example("roles.md", file))
    role_path = shipped.role_path([tmp_path])
    found = inventory.load(str(tmp_path / "site.yml"))
    assert found.warnings == []
    [host, *_] = found.resolve(list(found.hosts), role_path=role_path)
    [stage] = plan([role.load("time_servers", role_path)], host.settings, FACTS)
    packages, conf, service = stage.resources
    assert isinstance(packages, Packages)
    assert isinstance(conf, File)
    assert isinstance(service, Service)
    assert "server ntp1.example.com iburst\n" in str(conf.content)
    assert conf.path in service.files
    compile((tmp_path / "checks/time_servers.py").read_text(), "checks", "exec")


class Site:
    """A folder that the user stands in, with files of docs/from-ansible.md."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, *files: str) -> None:
        for file in files:
            (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / file).write_text(example("from-ansible.md", file))

    def run(self, *words: str) -> str:
        result = CliRunner().invoke(cli.provision, words, env={"PROVISION_INVENTORY": None})
        assert result.exit_code == 0, result.output
        return result.stdout


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.chdir(tmp_path)
    return Site(tmp_path)


def test_the_move_from_ansible_of_the_document_works(site: Site) -> None:
    site.write("inventory/hosts.ini", "inventory/group_vars/all/main.yml", "ansible.cfg", "site.yml")
    (site.folder / "inventory/group_vars/all/vault.yml").write_text(vaults.BECOME_FILE)
    (site.folder / ".vault_pass").write_text(vaults.PASSWORD)
    assert site.run("inventory") in text("from-ansible.md")
    site.write("inventory/group_vars/gpu/provision.yml")
    assert site.run("check", "--list-hosts", "-l", "cluster:!login") == "gpu01\ngpu02\n"
    values = site.run("inventory", "--host", "gpu01")
    assert re.search(r"^ansible_become +true +ansible.cfg +ansible.cfg:7:1$", values, re.MULTILINE)
    assert re.search(r"^docker_daemon.mtu +9000 +group gpu ", values, re.MULTILINE)
    assert "s3cret" not in values
    found = inventory.load("inventory", config=inventory.ansible_config.read())
    host = found.resolve(["gpu02"], role_path=[shipped.ROLES])[0]
    assert host.target.become_password is not None
    assert (host.target.address, host.target.become_password.reveal()) == ("10.0.0.12", "s3cret-sudo")


def test_the_move_of_a_public_inventory_of_the_document_works(site: Site) -> None:
    site.write("config/inventory", "config/group_vars/slurm-cluster.yml")
    assert site.run("inventory", "-i", "config/inventory") in text("from-ansible.md")
    site.write("config/group_vars/slurm-node.yml")
    found = inventory.load("config/inventory")
    head, node = found.resolve(["head01", "node02"], role_path=[shipped.ROLES])
    assert found.warnings == ["nothing is asked of head01; list its roles under roles:"]
    settings: Any = node.settings["docker_daemon"]
    assert (settings.storage_driver, settings.registry_mirrors) == ("overlay2", ("http://head01:5000",))
    assert (head.target.address, node.target.address) == ("10.20.0.1", "10.20.1.2")
    assert node.target.common_args == ("-o", "ProxyCommand=ssh -W %h:%p -q ops@gate.example.com")


def test_every_way_to_a_secret_is_documented() -> None:
    for kind in references.KINDS:
        assert f"`!secret {kind}" in text("secrets.md")
    assert "`!vault`" in text("secrets.md")


def test_every_connection_variable_is_documented() -> None:
    content = text("inventory.md")
    assert [name for name in connection.KNOWN if f"`{name}`" not in content] == []


@pytest.mark.parametrize("name", ["quickstart.md", "inventory.md", "secrets.md", "../README.md"])
def test_examples_of_inventories_are_valid(name: str, tmp_path: Path) -> None:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, tag, node: node.value)
    made = schema.schema(role.load(known, [shipped.ROLES]) for known in shipped.role_names([shipped.ROLES]))
    blocks = re.findall(r"```yaml\n(?:# .*\n)?(all:\n.*?)```", text(name), re.DOTALL)
    assert blocks
    for block in blocks:
        assert list(jsonschema.Draft202012Validator(made).iter_errors(yaml.load(block, Loader))) == []


def test_the_design_is_short_and_has_its_laws_in_order() -> None:
    content = text("design.md")
    assert len(content.splitlines()) <= 200
    numbers = [int(number) for number in re.findall(r"^(\d+)\. \*\*", content, re.MULTILINE)]
    assert numbers == list(range(1, 18))


@pytest.mark.parametrize("part", ["## Laws", "## Glossary", "## How data flows"])
def test_the_design_has_its_parts(part: str) -> None:
    assert f"\n{part}\n" in text("design.md")
