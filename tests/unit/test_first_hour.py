"""What a new user meets first: init, shell completion with values, and the man page; all made from the code."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from provision import cli
from provision.cli import verbs
from tests.unit.test_cli import run

# -- init


def test_what_init_writes_is_an_inventory_with_a_role(tmp_path: Path) -> None:
    result = run("init", tmp_path / "infra")
    assert (result.exit_code, "next: provision check" in result.stderr) == (0, True)
    assert sorted(path.name for path in (tmp_path / "infra").iterdir()) == [
        ".inventory.schema.json",
        "hosts.yml",
        "roles",
    ]
    shown = run("inventory", "-i", tmp_path / "infra", "--json")
    assert shown.exit_code == 0, shown.stderr
    assert (json.loads(shown.stdout)["host"], json.loads(shown.stdout)["roles"]) == ("localhost", ["example"])
    assert shown.stderr == "", "without a warning"


def test_what_init_writes_passes_its_own_schema(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    yaml = pytest.importorskip("yaml")
    run("init", tmp_path)
    schema = json.loads((tmp_path / ".inventory.schema.json").read_text())
    jsonschema.validate(yaml.safe_load((tmp_path / "hosts.yml").read_text()), schema)
    assert "# yaml-language-server: $schema=.inventory.schema.json\n" in (tmp_path / "hosts.yml").read_text()


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("mine\n")
    result = run("init", tmp_path)
    assert (result.exit_code, result.stderr.split("; ")[0]) == (2, f"{tmp_path / 'hosts.yml'}: is there already")
    assert [path.name for path in tmp_path.iterdir()] == ["hosts.yml"]


# -- completion


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("PROVISION_INVENTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "inventories").mkdir()
    (tmp_path / "inventories" / "fleet.yml").write_text("all: {children: {gpus: {hosts: {gpu1: {}, gpu2: {}}}}}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def offered(*words: str) -> list[str]:
    """What is offered for the last of these words."""
    complete = ShellComplete(cli.provision, {}, "provision", "_PROVISION_COMPLETE")
    return [item.value for item in complete.get_completions(list(words[:-1]), words[-1])]


def test_names_of_hosts_groups_roles_settings_runs_and_kinds_are_offered(site: Path) -> None:
    assert offered("check", "-i", "fl") == ["fleet"]
    assert offered("check", "-i", "fleet", "--limit", "gp") == ["gpu1", "gpu2", "gpus"]
    assert offered("check", "-i", "fleet", "--limit", "gpus:!gpu1") == ["gpus:!gpu1"]
    assert offered("apply", "--roles", "docker_engine,docker_u") == ["docker_engine,docker_users"]
    assert offered("remove", "apt_") == ["apt_proxy"]
    assert offered("apply", "--set", "docker_daemon.bi") == ["docker_daemon.bip="]
    assert offered("apply", "--resume", "la") == ["last"]
    assert offered("kinds", "Syst") == ["SystemdDropIn", "SystemdUnit"]
    (site / "inventories" / "kinds").mkdir()
    (site / "inventories" / "kinds" / "hosts_entry.py").touch()
    assert offered("kinds", "-i", "fleet", "host") == ["hosts_entry"]


def test_nothing_is_offered_and_nothing_said_where_the_inventory_is_broken(
    site: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (site / "broken.yml").write_text("all: [\n")
    assert offered("check", "-i", "broken.yml", "--limit", "g") == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_given_what_it_needs(shell: str) -> None:
    text = run("completion", shell).stdout
    assert "_PROVISION_COMPLETE" in text
    if program := shutil.which(shell):
        subprocess.run([program, "-n"], input=text, text=True, check=True)


# -- the man page


def test_the_man_page_has_each_verb_and_each_option() -> None:
    page = run("man").stdout.replace("\\-", "-")
    for verb in verbs.VERBS:
        assert re.search(rf"^\.SS {verb.name} ", page, re.M), verb.name
        for option in verb.params:
            if option.param_type_name == "option":
                assert max(option.opts, key=len) in page, option.opts


def test_the_man_page_is_rendered_without_a_warning() -> None:
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("no groff here")
    page = run("man").stdout
    done = subprocess.run(
        [groff, "-k", "-man", "-Tutf8", "-ww", "-z"], input=page.encode(), capture_output=True, check=True
    )
    assert done.stderr == b""
