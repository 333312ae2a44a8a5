"""The shape of the code, enforced: which file may import which, and that both halves of a kind agree."""

import ast
import importlib
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import provision
from provision import resources
from provision.agent.engine import kinds

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "provision"

LAYERS = [
    {"docstrings", "errors", "secrets", "shipped"},
    {"sentences"},
    {"target", "facts", "events", "resources", "templates", "fact_summary", "gpu_fleet"},
    {"faults"},
    {"site_kinds"},
    {"transport", "loader", "role", "messages", "journal", "allowance"},
    {"daemon", "inventory", "as_root"},
    {"plan", "preflight", "bootstrap", "login", "reachability", "questions", "conversation"},
    {"bundle"},
    {"run", "accounting"},
    {"session"},
    {"rollout"},
    {"report", "verify"},
    {"cli"},
    {"__main__"},
]
"""From the ground up. A module imports only from layers below its own, or from its own package."""

AGENT_LAYERS = [
    {"types"},
    {"host", "protocol", "wire"},
    {"engine"},
    {"files", "accounts", "rollback"},
    {"services", "kernel"},
    {"docker", "packages"},
    {"facts", "registries"},
    {"gpu", "preflight"},
    {"questions", "run"},
    {"main", "kind"},
    {"boot"},
]
"""The agent's folders, from the ground up: the same rule, and a folder imports none beside it."""

SHARED = {"", "host", "host.known_errors", "protocol", "types", "wire", "docker.flags", "gpu.speed"} | {
    "gpu.speed.program.figures",
}
"""Files of the agent that both ends import: pure."""

FLAT = {"__init__", "boot", "kind", "main", "protocol", "types", "wire"}
"""Files of the agent that lie in no folder."""


def rank(module: str, layers: list[set[str]] = LAYERS) -> int:
    for number, layer in enumerate(layers):
        if module in layer:
            return number
    raise AssertionError(f"{module} stands in no layer: add it where it belongs")


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
    return sorted((PACKAGE / "agent").rglob("*.py"))


def agent_name(path: Path) -> str:
    return str(path.relative_to(PACKAGE / "agent"))


def dotted(path: Path) -> str:
    return ".".join(("provision", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def imported_modules(path: Path, known: set[str]) -> set[str]:
    """Modules of ours that a file imports, as absolute names; what stands in a function's body, too."""
    package = dotted(path).split(".") if path.stem == "__init__" else dotted(path).split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            if not node.level and base.startswith("agent."):
                base = f"provision.{base}"  # boot.py: on a host the agent is the top package
            found |= {name if (name := f"{base}.{alias.name}") in known else base for alias in node.names}
    return found & known


def import_graph(paths: list[Path]) -> dict[str, set[str]]:
    known = {dotted(path) for path in paths}
    return {dotted(path): imported_modules(path, known) - {dotted(path)} for path in paths}


def in_circles(graph: dict[str, set[str]]) -> set[str]:
    """Modules that are in a circle of imports: those that are left once all with no import left were taken out."""
    left = {name: set(needs) for name, needs in graph.items()}
    while ends := {name for name, needs in left.items() if not needs}:
        left = {name: needs - ends for name, needs in left.items() if name not in ends}
    while tops := set(left) - set().union(*left.values()):
        left = {name: needs for name, needs in left.items() if name not in tops}
    return set(left)


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
            assert ".".join(parts[2:]) in SHARED, f"the controller imports only {SHARED} of the agent, not {name}"
            continue
        assert rank(parts[1]) < rank(own), f"{own} (layer {rank(own)}) must not import {name} (layer {rank(parts[1])})"


@pytest.mark.parametrize("path", agent_files(), ids=agent_name)
def test_agent_folders_import_only_folders_below(path: Path) -> None:
    agent = "provision.agent."
    own = path.relative_to(PACKAGE / "agent").parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for name in imported_modules(path, {dotted(file) for file in agent_files()}) - {"provision.agent"}:
        other = name.removeprefix(agent).split(".")[0]
        if other != own:
            assert rank(other, AGENT_LAYERS) < rank(own, AGENT_LAYERS), f"{agent_name(path)} must not import {name}"


def test_each_module_of_the_controller_stands_in_a_layer() -> None:
    for path in controller_files():
        top = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        assert top == "__init__" or rank(top) >= 0


def test_agent_files_lie_in_folders() -> None:
    flat = {path.stem for path in (PACKAGE / "agent").glob("*.py")}
    assert flat == FLAT, "a new file of the agent goes into the folder of its subject"


@pytest.mark.parametrize("files", [controller_files, agent_files])
def test_no_circle_of_imports(files: Callable[[], list[Path]]) -> None:
    assert in_circles(import_graph(files())) == set()


def test_a_circle_is_found_and_a_straight_line_is_not() -> None:
    assert in_circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}, "e": set()}) == {"b", "c"}
    assert in_circles({"a": {"b"}, "b": {"c"}, "c": set()}) == set()


@pytest.mark.parametrize("path", agent_files(), ids=agent_name)
def test_the_agent_imports_only_the_standard_library(path: Path) -> None:
    depth = len(path.relative_to(PACKAGE / "agent").parts)
    for name in imports(path):
        if name.startswith("."):
            assert len(name) - len(name.lstrip(".")) <= depth, f"{name} leaves the agent"
        else:
            top = name.split(".")[0]
            # _sha2 is the standard library's from 3.12 on; this interpreter may be older.
            assert top in sys.stdlib_module_names | {"agent", "_sha2", "_sha256"}, f"{path.name} imports {name}"


def run_time_imports(tree: ast.Module) -> set[str]:
    """Modules that are imported when the file runs: those below `if TYPE_CHECKING` are not."""
    apart = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    unseen = {id(inner) for node in apart for inner in ast.walk(node)}
    left = [node for node in ast.walk(tree) if id(node) not in unseen]
    names = {alias.name for node in left if isinstance(node, ast.Import) for alias in node.names}
    return names | {f"{'.' * node.level}{node.module or ''}" for node in left if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("path", [*agent_files(), *controller_files()], ids=lambda path: str(path.relative_to(PACKAGE)))
def test_types_cost_nothing_at_run_time(path: Path) -> None:
    """`import typing` takes a host 5 ms, and agent/types.py a hundredth of a run without changes."""
    if path.name != "types.py":
        found = run_time_imports(ast.parse(path.read_text("utf-8")))
        of_the_agent = ("typing", "types") if path in agent_files() else ()
        assert not [
            name for name in found if name.lstrip(".") in (*of_the_agent, "agent.types", "provision.agent.types")
        ]


@pytest.mark.parametrize("path", agent_files(), ids=agent_name)
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


def test_each_kind_is_made_true_in_the_folder_of_its_subject() -> None:
    """What resources/docker.py declares stands in agent/docker/."""
    subject = {
        item.kind: item.__module__.rpartition(".")[2]
        for item in vars(resources).values()
        if isinstance(item, type) and issubclass(item, resources.Resource) and hasattr(item, "kind")
    }
    assert {kind: module.partition(".")[0] for kind, (module, _) in kinds.MODULES.items()} == {
        kind: subject[kind] for kind in kinds.MODULES
    }


@pytest.mark.parametrize("kind", kinds.MODULES)
def test_each_kind_says_what_its_state_is(kind: str) -> None:
    """`desired` has the keys, `actual` what may be found, `apply` what it does."""
    module, name = kinds.MODULES[kind]
    behaviour = getattr(importlib.import_module(f"provision.agent.{module}"), name)
    for hook in ("desired", "actual", "apply"):
        assert getattr(behaviour, hook).__doc__, f"{name}.{hook} says nothing of its state's keys"


def test_no_file_is_called_after_nothing() -> None:
    nameless = {"utils", "util", "base", "common", "helpers", "helper", "manager", "misc"}
    assert not [path for path in PACKAGE.rglob("*.py") if path.stem in nameless]


def test_every_file_says_what_it_is_for() -> None:
    for path in [*controller_files(), *agent_files()]:
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), path


def test_a_class_name_means_one_thing() -> None:
    """But for both halves of a kind, and the dicts of agent/types.py that messages.py validates."""
    twins = ("resources/", "agent/types.py")
    places: dict[str, list[str]] = {}
    for path in [*controller_files(), *agent_files()]:
        name = str(path.relative_to(PACKAGE))
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not name.startswith(twins):
                places.setdefault(node.name, []).append(name)
    assert {name: found for name, found in places.items() if len(found) > 1 and name != "Settings"} == {}


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
