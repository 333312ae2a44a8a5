"""The verb bundle on the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from provision import cli
from provision.bundle.needs import needs
from provision.cli import bundle as verb
from provision.errors import Refused


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.provision, ["bundle", *map(str, words)])


def test_without_a_place_it_says_where(tmp_path: Path) -> None:
    ended = run("-i", tmp_path)
    assert (ended.exit_code, "say where: --out DIR" in ended.stderr) == (2, True)


def test_hosts_are_planned_with_other_settings_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle: Path
) -> None:
    asked = list[list[str]]()

    class Making:
        def __init__(self, *given: Any) -> None: ...

        def make(self, members: Any) -> Any:
            asked.extend([*needs(member.plan(member.facts)).packages] for member in members)
            raise Refused("that is all")

    monkeypatch.setattr(verb, "Maker", Making)
    monkeypatch.setattr(verb, "files_of", lambda facts: {})
    (tmp_path / "hosts.yml").write_text("all: {hosts: {web1: {roles: [docker_engine]}}}")
    also = ("--also", "docker_engine.version=26.1.5+dfsg1-9", "--for", "debian:trixie/amd64")
    assert run("-i", tmp_path / "hosts.yml", "--out", bundle, *also).exit_code == 1
    old = "=26.1.5+dfsg1-9"
    assert asked == [["docker.io", "docker-cli"], [f"docker.io{old}", f"docker-cli{old}"]]


def test_verify_tells_in_its_status_whether_a_bundle_is_good(
    make: Callable[..., Any], member: Callable[..., Any], bundle: Path
) -> None:
    made = make(member("base"))
    assert run("verify", bundle).exit_code == 0
    path = made.manifest.packages[0].file.path
    (bundle / path).write_bytes(b"!")
    ended = run("verify", bundle)
    assert ended.exit_code == 1
    assert f"{path} has 1 bytes, and the manifest says" in ended.stderr


def test_verify_of_a_folder_that_is_none_is_bad_input(tmp_path: Path) -> None:
    ended = run("verify", tmp_path)
    assert ended.exit_code == 2
    assert "is no bundle" in ended.stderr
