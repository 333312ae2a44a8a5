"""Faults in a role's own code: which file and line, and what is wrong there, as one sentence.

The law: whatever a role's hook raises that is not one of its answers (Skip, Deferred, Refuse) is the role's fault, and
never called a bug of provision. No value is in a sentence that is told before the first connection: it might be secret.
"""

import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from provision import resources
from provision.errors import RoleFault, nearest
from provision.resources import Resource
from provision.sentences import sentence

Answers = tuple[type[Exception], ...]


def called(path: Path, hook: Callable[..., Any] | None, answers: Answers) -> Callable[..., Any] | None:
    """A role's hook, with what goes wrong in it raised as RoleFault. `answers` pass through."""
    if hook is None:
        return None

    @functools.wraps(hook)
    def call(*given: Any) -> Any:
        try:
            return hook(*given)
        except answers:
            raise
        except Exception as error:
            raise _fault(path, hook, error) from error

    return call


def yielding(path: Path, hook: Callable[..., Any], answers: Answers) -> Callable[..., Iterator[Resource]]:
    """The hook `resources` of a role: each item is a resource, or it is a fault of the line that yields it."""

    @functools.wraps(hook)
    def call(*given: Any) -> Iterator[Resource]:
        try:
            items = hook(*given)
            if not isinstance(items, Iterable):
                raise _odd(place(path, _first_line(hook)), items)
            for item in items:
                if not isinstance(item, Resource):
                    frame = getattr(items, "gi_frame", None)
                    raise _odd(place(path, frame.f_lineno if frame else _first_line(hook)), item)
                yield item
        except answers:
            raise
        except RoleFault:
            raise
        except Exception as error:
            raise _fault(path, hook, error) from error

    return call


def place(path: Path, line: int | None = None) -> str:
    """FILE:LINE, or FILE, as short as it can be said from here."""
    near = os.path.relpath(path)
    shown = str(path) if near.startswith("..") else near
    return f"{shown}:{line}" if line else shown


def import_failed(error: Exception) -> tuple[str, str]:
    """Why a role's file does not load, and what was probably meant."""
    wanted = re.search(r"cannot import name '(\w+)' from 'provision\.resources'", str(error))
    if isinstance(error, ImportError) and wanted:
        kinds = sorted(name for name in resources.__all__ if name[0].isupper())
        close = nearest(wanted[1], kinds)
        hint = f"did you mean {close!r}?" if close else f"there are: {', '.join(kinds)}"
        return f"provision.resources has no {wanted[1]!r}", hint
    return f"{type(error).__name__}: {error}", ""


def line_in(path: Path, error: BaseException) -> int | None:
    """The line of this file in which an error arose; the innermost one."""
    file = os.path.abspath(path)  # as Python names it in code objects
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno
    found, trace = None, error.__traceback__
    while isinstance(trace, TracebackType):
        if trace.tb_frame.f_code.co_filename == file:
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def _first_line(hook: Callable[..., Any]) -> int | None:
    code = getattr(hook, "__code__", None)
    return code.co_firstlineno if code else None


def _odd(where: str, item: Any) -> RoleFault:
    cause = f"resources() gives a {type(item).__name__}, which is no resource"
    return RoleFault(where, cause, "yield a File(…), a Service(…) or another of provision.resources", always=True)


def _fault(path: Path, hook: Callable[..., Any], error: Exception) -> RoleFault:
    line = line_in(path, error)
    where = place(path, line or _first_line(hook))
    if isinstance(error, ValidationError):
        details = error.errors(include_url=False)
        return RoleFault(where, _wrong_fields(error.title, details), always=any(map(_always, details)))
    if isinstance(error, AttributeError) and isinstance(error.obj, BaseModel):
        return RoleFault(where, *_no_attribute(error.obj, str(error.name)), always=True)
    cause = f"{type(error).__name__}: {error}"
    return RoleFault(where, cause, "mend the role", always=line is None or isinstance(error, NameError))


def _no_attribute(model: BaseModel, name: str) -> tuple[str, str]:
    known = [word for word in dir(type(model)) if not word.startswith(("_", "model_"))] + list(type(model).model_fields)
    close = nearest(name, known)
    hint = f"did you mean {close!r}?" if close else f"there are: {', '.join(type(model).model_fields) or 'none'}"
    return f"{type(model).__name__} has no {name!r}", hint


def _always(detail: ErrorDetails) -> bool:
    """Is this wrong whatever a host's facts are? A value that is None or of a wrong form may come from them."""
    kind = detail["type"]
    return kind in ("extra_forbidden", "missing") or (kind.endswith("_type") and detail["input"] is not None)


def _wrong_fields(title: str, details: Sequence[ErrorDetails]) -> str:
    kind = getattr(resources, title, None) or _of_site(title)
    fields = list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []
    close = {str(item["loc"][-1]): nearest(str(item["loc"][-1]), fields) for item in details if _unknown(item)}
    told = []
    for detail in sorted(details, key=lambda item: not _unknown(item)):
        name = ".".join(map(str, detail["loc"]))
        if _unknown(detail):
            meant_name = close.get(name)
            there = f"there are: {', '.join(fields)}" if fields else "leave it out"
            told.append(f"{title} has no {name!r}; " + (f"did you mean {meant_name!r}?" if meant_name else there))
        elif detail["type"] != "missing":
            told.append(f"{title}: {name or 'its fields'}: {sentence(detail)}")
        elif name not in close.values():
            told.append(f"{title} needs {name!r}")
    return "; ".join(dict.fromkeys(told))


def _of_site(title: str) -> type[BaseModel] | None:
    """A kind of the site's own by the name of its class."""
    own = (kind for base in Resource.__subclasses__() for kind in base.__subclasses__())
    return next((kind for kind in own if kind.__name__ == title), None)


def _unknown(detail: ErrorDetails) -> bool:
    return detail["type"] == "extra_forbidden"
