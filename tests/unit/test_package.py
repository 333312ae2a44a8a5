"""What is installed can do its work from any directory: roles, templates, inventories and tests are part of it."""

import importlib.metadata
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("roles", "templates", "inventories", "tests/verify")
HOSTS = "all: {hosts: {web1: {roles: [docker_engine, mine]}}}\n"
ROLE = '''
"""A role of one's own."""
from provision import role
class Settings(role.Settings):
    """No settings."""
def resources(facts, settings):
    return ()
'''


def shipped() -> set[str]:
    files = (file for folder in FOLDERS for file in (ROOT / folder).rglob("*"))
    return {str(file.relative_to(ROOT)) for file in files if file.is_file() and "__pycache__" not in file.parts}


def setuptools_is_new_enough() -> bool:
    try:
        return int(importlib.metadata.version("setuptools").split(".")[0]) >= 77
    except importlib.metadata.PackageNotFoundError:
        return False


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that is built from it, as a package index would serve them."""
    if not setuptools_is_new_enough():
        assert os.environ.get("CI") != "true", "building needs setuptools >= 77: run `make setup`"
        pytest.skip("building needs setuptools >= 77: run `make setup`")
    folder = tmp_path_factory.mktemp("built")
    clone = folder / "clone"
    listed = subprocess.run(
        ["git", "ls-files", "-zco", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_bytes((ROOT / name).read_bytes())
    code = "from setuptools import build_meta; import sys; print(build_meta.build_sdist(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=clone, capture_output=True, check=True, timeout=120)
    pip = [sys.executable, "-m", "pip", "-q", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    [archive] = folder.glob("*.tar.gz")
    subprocess.run([*pip, "-w", str(folder), str(archive)], check=True, timeout=120)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path) -> Path:
    target = built / "installed"
    pip = [sys.executable, "-m", "pip", "-q", "install", "--no-deps", "--no-index", "--target", str(target)]
    [wheel] = built.glob("*.whl")
    subprocess.run([*pip, str(wheel)], check=True, timeout=120)
    return target


def provision(installed: Path, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """`python -m provision` as installed, from a directory that is not the clone."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    argv = [sys.executable, "-m", "provision", *words]
    return subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def test_a_wheel_has_the_shipped_data(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert shipped() <= {name.removeprefix("provision/data/") for name in names}
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"provision"}


def test_an_sdist_has_the_shipped_data(built: Path) -> None:
    [archive] = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert shipped() | {"docs/rollouts.md", "provision.py", "CHANGES.md"} <= names


def test_installed_roles_are_listed(installed: Path, tmp_path: Path) -> None:
    done = provision(installed, tmp_path, "roles", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    roles = [json.loads(line) for line in done.stdout.splitlines()]
    assert {found["role"] for found in roles} == {file.stem for file in (ROOT / "roles").glob("*.py")}
    assert {Path(found["path"]).parent for found in roles} == {installed / "provision/data/roles"}


def test_a_shipped_inventory_is_found_by_name(installed: Path, tmp_path: Path) -> None:
    done = provision(installed, tmp_path, "inventory", "-i", "dgx", "--graph")
    assert (done.returncode, done.stderr) == (0, "")
    assert "dgx08.example.com" in done.stdout


def test_ones_own_inventory_and_role_are_found_beside_shipped_ones(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "inventories/roles").mkdir(parents=True)
    (tmp_path / "inventories/mine.yml").write_text(HOSTS)
    (tmp_path / "inventories/roles/mine.py").write_text(ROLE)
    done = provision(installed, tmp_path, "inventory", "-i", "mine")
    assert (done.returncode, done.stderr) == (0, "")
    assert "docker_engine,mine" in done.stdout


def test_the_installed_schema_knows_shipped_roles(installed: Path, tmp_path: Path) -> None:
    done = provision(installed, tmp_path, "schema")
    assert done.returncode == 0
    assert "docker_daemon" in json.loads(done.stdout)["$defs"]


def test_verify_finds_the_shipped_tests(installed: Path, tmp_path: Path) -> None:
    code = "from provision.verify import runner; print(runner.TESTS); import provision.templates as t; print(t.OURS)"
    argv = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": str(installed)}
    done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    tests, templates = map(Path, done.stdout.split())
    assert (tests / "docker_engine.py").is_file()
    assert (templates / "docker-exec-start.conf.j2").is_file()
