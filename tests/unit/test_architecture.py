"""The shape of the code, enforced: which file may import which, and that both halves of a kind agree."""

import ast
import importlib
import sys
import tomllib
from pathlib import Path

import pytest

import provision
from provision import resources
from provision.agent import kinds

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "provision"

LAYERS = [
    {"errors", "secrets"},
    {"target", "facts", "events", "resources", "templates", "traits"},
    {"transport", "bundle", "role", "messages", "journal"},
    {"daemon", "inventory"},
    {"plan", "preflight", "bootstrap", "login", "lifeline", "questions"},
    {"run", "accounting"},
    {"session"},
    {"rollout"},
    {"report", "verify"},
    {"cli"},
]
"""From the ground up. A module imports only from layers below its own, or from its own package."""


def rank(module: str) -> int:
    for number, layer in enumerate(LAYERS):
        if module in layer:
            return number
    raise AssertionError(f"provision/{module} stands in no layer: add it to LAYERS where it belongs")


def imports(path: Path) -> set[str]:
    """Dotted names imported by a file, relative ones included as such."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            names |= {f"{module}.{alias.name}" if module == "provision" else module for alias in node.names}
    return names


def controller_files() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if "agent" not in path.relative_to(PACKAGE).parts]


def agent_files() -> list[Path]:
    return sorted((PACKAGE / "agent").glob("*.py"))


@pytest.mark.parametrize("path", controller_files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_point_one_way(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "provision" or len(parts) < 2 or parts[1] in (own, "__version__"):
            continue
        if parts[1] == "agent":
            assert parts[2:3] in ([], ["wire"]), f"the controller imports only agent.wire, not {name}"
            continue
        assert rank(parts[1]) < rank(own), f"{own} (layer {rank(own)}) must not import {name} (layer {rank(parts[1])})"


@pytest.mark.parametrize("path", agent_files(), ids=lambda path: path.name)
def test_the_agent_imports_only_the_standard_library(path: Path) -> None:
    for name in imports(path):
        if name.startswith("."):
            assert not name.startswith(".."), f"{name} leaves the agent"
        else:
            top = name.split(".")[0]
            # _sha2 is the standard library's from 3.12 on; this interpreter may be older.
            assert top in sys.stdlib_module_names | {"agent", "_sha2", "_sha256"}, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", agent_files(), ids=lambda path: path.name)
def test_nothing_rests_on_an_assert_of_the_agents(path: Path) -> None:
    """boot.py keeps the code without."""
    assert not [node.lineno for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Assert)]


@pytest.mark.parametrize("path", sorted((ROOT / "roles").glob("*.py")), ids=lambda path: path.name)
def test_a_role_imports_only_what_roles_may(path: Path) -> None:
    allowed = {"role", "resources", "templates", "secrets"}
    for name in imports(path):
        if name.startswith("provision"):
            assert name.split(".")[1] in allowed, f"{path.name} imports {name}"


@pytest.mark.parametrize(
    ("library", "home"),
    [
        ("fabric", "transport"),
        ("paramiko", "transport"),
        ("click", "cli"),
        ("rich", "report"),
        ("testinfra", "verify"),
        ("distributed", "rollout"),
        ("dask", "rollout"),
    ],
)
def test_a_library_has_one_home(library: str, home: str) -> None:
    for path in controller_files():
        if path.relative_to(PACKAGE).parts[0].removesuffix(".py") != home:
            tops = {name.split(".")[0] for name in imports(path)}
            assert library not in tops, f"{path.relative_to(ROOT)} imports {library}; only provision/{home} may"


def test_both_halves_of_each_kind_have_the_same_fields() -> None:
    declared = {
        item.kind: set(item.model_fields)
        for item in vars(resources).values()
        if isinstance(item, type) and issubclass(item, resources.Resource) and hasattr(item, "kind")
    }
    folded = {"daemon_option", "daemon_environment", "daemon_input"}  # plan.py folds these; they never travel
    assert set(declared) - folded == set(kinds.MODULES)
    for kind, (module, name) in kinds.MODULES.items():
        behaviour = getattr(importlib.import_module(f"provision.agent.{module}"), name)
        assert set(behaviour.fields) == declared[kind], kind


def test_no_file_is_called_after_nothing() -> None:
    nameless = {"utils", "util", "base", "common", "helpers", "helper", "manager", "misc"}
    assert not [path for path in PACKAGE.rglob("*.py") if path.stem in nameless]


def test_every_file_says_what_it_is_for() -> None:
    for path in [*controller_files(), *agent_files()]:
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), path


def test_library_code_never_exits_and_never_prints() -> None:
    for path in controller_files():
        if path.relative_to(PACKAGE).parts[0].removesuffix(".py") in ("cli", "report"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("print", "exit", "sys.exit", "os._exit"), f"{path}:{node.lineno}"


def test_the_version_stands_in_two_places_and_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == provision.__version__
