"""What a role is: a module with `Settings` and `resources(facts, settings)`, found by its name.

The law: a role is a pure function. It reads facts and settings, yields resources in the order of work, raises `Skip`
where it has nothing to do on this host and `Refuse` where it must not go on. It does no I/O and keeps no state.
It may have `provides(facts, settings) -> Facts`: the facts once its resources are in place, as far as that can
be known beforehand; a field that cannot be known is `None`. And `apt_configuration(settings) -> Secret | None`: lines
of apt.conf that must hold already when python3 is installed on a host that has none (a proxy). A role that yields
DaemonOption or DaemonEnvironment says so with `DAEMON = True`; one that makes no sense before another's change is live
names that one in `NEEDS`; one whose resources stand or fall together says `TRANSACTION = True`; one whose setting
`disrupt` decides whether others may be disturbed names the service that they use in `DISRUPTS`; one that brings the
packages of a service says `INSTALLS`.
"""

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict

from provision import docstrings, faults, shipped, site_kinds
from provision.errors import InputError, Problem, nearest
from provision.facts import Facts
from provision.resources import Resource
from provision.secrets import Secret
from provision.sentences import Spelled
from provision.site_kinds import SiteKind

__all__ = [
    "Deferred",
    "Facts",
    "Refuse",
    "Role",
    "Settings",
    "Skip",
    "Spelled",
    "document",
    "kind",
    "load",
]


class Settings(BaseModel):
    """What a user may set for a role. Frozen; an unknown key is an error; a docstring under a field documents it."""

    # Not use_attribute_docstrings: pydantic looks for the source of each class, 5 ms, in every run. See `document`.

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Skip(Exception):
    """The role has nothing to do on this host: the reason, as a clause."""


class Refuse(Exception):
    """The role must not go on with this host: the cause as one sentence, and what to do."""

    def __init__(self, cause: str, fix: str = "") -> None:
        super().__init__(cause, fix)
        self.cause = cause
        self.fix = fix


class Deferred(Exception):
    """What this needs is not known before something else is in place: the name of that (`after`), for the plan."""

    def __init__(self, after: str) -> None:
        super().__init__(after)
        self.after = after


@dataclass(frozen=True)
class Role:
    """A role, loaded."""

    name: str
    doc: str
    path: Path
    settings: type[Settings]
    resources: Callable[[Facts, Settings], Iterable[Resource]]
    provides: Callable[[Facts, Settings], Facts] | None
    apt_configuration: Callable[[Settings], Secret | None] | None = None
    daemon: bool = False
    """Has it a say in the Docker daemon? Then its options are folded in whenever another such role runs."""
    modules: tuple[str, ...] = ()
    """Sources of the site's own kinds that it uses: each of its hosts gets them."""
    needs: tuple[str, ...] = ()
    """Roles whose changes must not be waiting on a host for this one to make sense there."""
    transaction: bool = False
    """Its resources stand or fall together. Of a role with a say in the Docker daemon: it is the daemon's own."""
    disrupts: str = ""
    """The service whose users its setting `disrupt` (never, idle, always) is about."""
    installs: str = ""
    """The service whose packages it brings."""


def kind(file: str, name: str) -> type[Resource]:
    """A kind of the site's own, for a role: `role.kind(__file__, "hosts_entry")` is kinds/hosts_entry.py, beside the
    folder of the role. Raises InputError."""
    return site_kinds.load(Path(file).absolute().parents[1] / "kinds" / f"{name}.py")


def load(name: str, search_path: Sequence[Path]) -> Role:
    """The role of that name; the first folder that has it wins. Raises InputError with what was probably meant."""
    for folder in search_path:
        path = folder / f"{name}.py"
        if path.is_file():
            return _role(name, path)
    known = shipped.role_names(search_path)
    close = nearest(name, known)
    hint = f"did you mean {close!r}?" if close else f"there are: {', '.join(known)}"
    raise InputError([Problem(f"no role is called {name!r}", hint=hint)])


def document(model: type[BaseModel]) -> None:
    """Give each field of a model, and of the models in it, the docstring under it as its description."""
    documented: list[type[BaseModel]] = []
    _document(model, documented)


def _document(model: type[BaseModel], documented: list[type[BaseModel]]) -> None:
    documented.append(model)
    texts: dict[str, str] = {}
    for owner in reversed(model.__mro__[: model.__mro__.index(BaseModel)]):
        texts |= _docstrings(owner)
    for name, info in model.model_fields.items():
        for inner in _models(info.annotation):
            if inner not in documented:
                _document(inner, documented)
        info.description = info.description or texts.get(name)
    model.model_rebuild(force=True)  # or its JSON Schema would not have them


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _docstrings(owner: type) -> dict[str, str]:
    """{field: the text under it} of one class."""
    return docstrings.under_fields(
        Path(sys.modules[owner.__module__].__file__ or "").read_text("utf-8"), owner.__name__
    )


def _role(name: str, path: Path) -> Role:
    module = _module(f"provision_role_{name}", path)
    settings, resources = getattr(module, "Settings", None), getattr(module, "resources", None)
    if not (inspect.isclass(settings) and issubclass(settings, Settings) and callable(resources)):
        raise InputError(
            [Problem("a role needs a class Settings(role.Settings) and resources(facts, settings)", str(path))]
        )
    answers = (Skip, Refuse, Deferred)
    optional: dict[str, Any] = {
        hook: faults.called(path, getattr(module, hook, None), answers) for hook in ("provides", "apt_configuration")
    }
    resources = faults.yielding(path, resources, answers)
    daemon = bool(getattr(module, "DAEMON", False))
    needs = tuple(getattr(module, "NEEDS", ()))
    optional |= {name: str(getattr(module, name.upper(), "")) for name in ("disrupts", "installs")}
    transaction = bool(getattr(module, "TRANSACTION", False))
    doc = inspect.getdoc(module) or ""
    kinds = [item for item in vars(module).values() if inspect.isclass(item) and issubclass(item, SiteKind)]
    optional["modules"] = tuple(name for item in kinds for name in item.modules)
    return Role(name, doc, path, settings, resources, daemon=daemon, needs=needs, transaction=transaction, **optional)


DOCKER = "docker"


def of_daemon(roles: Iterable[Role]) -> Role | None:
    """The role that the Docker daemon's configuration belongs to, or None where a host has no such role."""
    return next((role for role in roles if role.daemon and role.transaction), None)


def installing(roles: Iterable[Role], service: str = DOCKER) -> Role | None:
    """The role that brings the packages of a service, or None."""
    return next((role for role in roles if role.installs == service), None)


def _module(name: str, path: Path) -> ModuleType:
    loaded, state = sys.modules.get(name), path.stat()
    version = (str(path), state.st_mtime_ns, state.st_size)
    if loaded is not None and getattr(loaded, "__version_loaded__", None) == version:
        return loaded  # as it is on disk: a worker outlives the roles that it has loaded
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, path
    assert spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    vars(module)["__version_loaded__"] = version
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except InputError:  # of a kind of the site's own
        del sys.modules[name]
        raise
    except Exception as error:
        del sys.modules[name]
        where = faults.place(path, faults.line_in(path, error))
        cause, hint = faults.import_failed(error)
        raise InputError([Problem(f"the role does not load: {cause}", where, hint)]) from error
    return module
