"""Kinds of a site's own: sources that came with a plan, made into classes. Loaded only where a plan has some.

The law: a traceback names the site's file, as its author knows it.
"""

import inspect
import sys

from ..host.errors import Failed
from .resource import Resource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Type

PREFIX = "agent.site."
AGENT = __name__.rpartition(".")[0].rpartition(".")[0]
SOURCES: "dict[str, str]" = {}
"""By name: the text of kinds/NAME.py."""
_CLASSES: "dict[str, Type[Resource]]" = {}


def add(name: str, text: str) -> None:
    """One that has come with a plan."""
    SOURCES[name] = text


def load(name: str) -> "Type[Resource]":
    """The class of kinds/NAME.py. ValueError where it has not come; Failed where it does not load on this host."""
    if name not in SOURCES:
        raise ValueError("no kind of the site's is called {!r}".format(name))
    if name not in _CLASSES:
        _CLASSES[name] = _made(name, SOURCES[name].replace("from provision.agent.kind ", "from {}.kind ".format(AGENT)))
    return _CLASSES[name]


def _made(name: str, text: str) -> "Type[Resource]":
    module = type(sys)("{}site.{}".format(AGENT + ".", name))
    file = "kinds/{}.py".format(name)
    module.__file__ = file
    try:
        exec(compile(text, file, "exec", dont_inherit=True), module.__dict__)
    except Exception as error:  # whatever the site's code raises: a Python that is older than its author's, mostly
        line = error.lineno if isinstance(error, SyntaxError) else None
        where = "{}:{}".format(file, line) if line else file
        cause = "{}: {}: {}".format(where, type(error).__name__, error)
        raise Failed(cause, "mend the kind: this host has Python {}.{}".format(*sys.version_info[:2])) from None
    made: "Type[Resource]" = next(found for found in vars(module).values() if _is_kind(found, module.__name__))
    made.kind = "site." + name  # type: ignore[attr-defined]
    return made


def _is_kind(found: object, module: str) -> bool:
    return inspect.isclass(found) and issubclass(found, Resource) and found.__module__ == module
