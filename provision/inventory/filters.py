"""The filters of Ansible's that templates have here beside jinja2's own: those that inventories are written with.

The law: pure functions, with Ansible's results.
"""

import base64
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, pass_environment

_TRUE = ("yes", "on", "1", "true")


def _bool(value: Any) -> bool:
    return str(value).lower() in _TRUE if isinstance(value, str | int) else value == 1


def _ternary(value: Any, yes: Any, no: Any, none: Any = None) -> Any:
    if value is None and none is not None:
        return none
    return yes if value else no


def _mandatory(value: Any, message: str = "") -> Any:
    str(value)  # what is not defined fails here
    return value


@pass_environment
def _extract(environment: Environment, item: Any, container: Any, more: Any = None) -> Any:
    keys = [item] + (more if isinstance(more, list) else [] if more is None else [more])
    for key in keys:
        container = environment.getitem(container, key)
    return container


def _combine(*given: Mapping[Any, Any]) -> dict[Any, Any]:
    if not all(isinstance(one, Mapping) for one in given):
        raise TypeError("combine takes mappings")
    return {key: one[key] for one in given for key in one}


def _replace(value: Any, pattern: str = "", replacement: str = "", ignorecase: bool = False) -> str:
    return re.sub(pattern, replacement, str(value), flags=re.IGNORECASE if ignorecase else 0)


def _split(value: str, separator: str | None = None, most: int = -1) -> list[str]:
    return value.split(separator, most)


def _union(first: list[Any], second: list[Any]) -> list[Any]:
    return _once([*first, *second])


def _once(items: list[Any]) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


FILTERS: dict[str, Callable[..., Any]] = {
    "b64decode": lambda value: base64.b64decode(value).decode(),
    "b64encode": lambda value: base64.b64encode(value.encode()).decode(),
    "basename": os.path.basename,
    "bool": _bool,
    "combine": _combine,
    "difference": lambda first, second: _once([item for item in first if item not in second]),
    "dirname": os.path.dirname,
    "extract": _extract,
    "intersect": lambda first, second: _once([item for item in first if item in second]),
    "mandatory": _mandatory,
    "regex_replace": _replace,
    "split": _split,
    "ternary": _ternary,
    "union": _union,
}
