"""The verb bundle on the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from provision import cli


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.provision, ["bundle", *map(str, words)])


def test_without_a_place_it_says_where(tmp_path: Path) -> None:
    ended = run("-i", tmp_path)
    assert (ended.exit_code, "say where: --out DIR" in ended.stderr) == (2, True)


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
