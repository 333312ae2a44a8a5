"""A site's own kinds: kinds/NAME.py beside the inventory, declared and made true in one file.

The law: the file is read here for its fields and never run for what it does; its text is what hosts get. What is wrong
in it is told with its line, before the first connection.
"""

import ast
import importlib.util
import inspect
import sys
import typing
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import Field, create_model

from provision import docstrings, faults
from provision.errors import InputError, Problem, nearest
from provision.resources import Resource
from provision.secrets import Secret

MODULE = "agent.site."
SOURCES: dict[str, str] = {}
"""By the name that travels: the text of each kind that was loaded."""
OLDEST = (3, 6)
NEEDED = ("identity", "desired", "actual", "apply")
ALLOWED = "provision.agent.kind"
BASE = "provision.agent.engine.resource"
_LOADED: dict[Path, tuple[str, type[Resource]]] = {}


class SiteKind(Resource):
    """The base of what such a file declares."""


def load(path: Path) -> type[Resource]:
    """The declaration of kinds/NAME.py: a class with its fields, each required. Raises InputError."""
    text = _read(path)
    kept = _LOADED.get(path)
    if kept is None or kept[0] != text:
        _refuse(path, text)
        _LOADED[path] = kept = (text, _declared(path, _module(path)))
    SOURCES[MODULE + path.stem] = text
    return kept[1]


def files(directories: Iterable[Path]) -> list[Path]:
    """The kinds beside inventories in these directories; of two with one name, the first."""
    found = [path for directory in directories for path in sorted(directory.glob("kinds/*.py"))]
    return list({path.stem: path for path in reversed(found) if not path.stem.startswith("_")}.values())[::-1]


def beside(directories: Iterable[Path]) -> dict[str, type[Resource]]:
    """Their declarations, by the name that a role gives to `role.kind`. Raises InputError with all that is wrong."""
    found, problems = dict[str, type[Resource]](), list[Problem]()
    for path in files(directories):
        try:
            found[path.stem] = load(path)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        near = nearest(path.stem, [file.stem for file in path.parent.glob("*.py")])
        hint = f"did you mean {near!r}?" if near else "a kind of your own lies in kinds/ beside the inventory"
        raise InputError([Problem(f"there is no kind {path.stem!r}", faults.place(path), hint)]) from None


def _refuse(path: Path, text: str) -> None:
    """What a host with Python 3.6 and nothing else could not read."""
    try:
        tree = ast.parse(text, feature_version=OLDEST)
    except SyntaxError as error:
        hint = "hosts may have Python 3.6: write what that understands"
        raise InputError([Problem(error.msg, faults.place(path, error.lineno), hint)]) from None
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or "."] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            if name != ALLOWED and name.partition(".")[0] not in sys.stdlib_module_names:
                what, hint = f"imports {name}, which hosts do not have", f"import the standard library and {ALLOWED}"
                raise InputError([Problem(what, faults.place(path, node.lineno), hint)])  # type: ignore[attr-defined]


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"provision_kind_{path.stem}", path)
    assert spec is not None, path
    assert spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        where = faults.place(path, faults.line_in(path, error))
        raise InputError([Problem(f"the kind does not load: {type(error).__name__}: {error}", where)]) from error
    return module


def _declared(path: Path, module: ModuleType) -> type[Resource]:
    own = [item for item in vars(module).values() if inspect.isclass(item) and item.__module__ == module.__name__]
    kinds = [(item, base) for item in own for base in item.__mro__ if base.__module__ == BASE]
    if len(kinds) != 1:
        what = "has more than one class that makes a kind" if kinds else "has no class that makes a kind"
        hint = f"write one class NAME(Resource), with Resource from {ALLOWED}"
        raise InputError([Problem(what, faults.place(path), hint)])
    kind: Any = kinds[0][0]
    where = faults.place(path, _line_of(path, kind.__name__))
    if missing := [name for name in NEEDED if getattr(kind, name) is getattr(kinds[0][1], name)]:
        raise InputError([Problem(f"{kind.__name__} has no {', '.join(missing)}", where)])
    try:
        hints = typing.get_type_hints(kind, vars(module))
    except Exception as error:
        raise InputError([Problem(f"{kind.__name__}: {error}", where, "correct the type")]) from None
    secret = bool(kind.secret_keys) or "sensitive" in kind.fields
    types = {name: str | Secret if secret and hints[name] is str else hints[name] for name in kind.fields}
    texts = docstrings.under_fields(path.read_text("utf-8"), kind.__name__)
    fields: dict[str, Any] = {name: (given, Field(description=texts.get(name))) for name, given in types.items()}
    model = create_model(kind.__name__, __base__=SiteKind, __doc__=kind.__doc__ or module.__doc__, **fields)
    model.kind = f"site.{path.stem}"
    model.modules = (MODULE + path.stem,)
    return model


def _line_of(path: Path, name: str) -> int | None:
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return next((node.lineno for node in nodes if isinstance(node, ast.ClassDef) and node.name == name), None)
