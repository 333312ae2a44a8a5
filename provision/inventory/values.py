"""From the inventory's data to plain values: references become secrets. Templates were evaluated before.

The law: a key is no template.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from provision.errors import InputError, Problem
from provision.inventory.document import Map, Mark, Seq, Tagged
from provision.inventory.references import References
from provision.inventory.scalars import Unquoted, doubt, is_template

QUOTED = re.compile(r"\s*(!secret|!vault)(\s|$)")
"""A tag that quotes have made a text."""


@dataclass
class PlainValues:
    """Makes plain values; `note` is told of each problem and of its path. None stands for what has one."""

    references: References
    note: Callable[[tuple[Any, ...], Problem], None]

    def value(self, value: Any, at: Mark, path: tuple[Any, ...]) -> Any:
        """`value` as dicts, lists, scalars and Secrets."""
        if isinstance(value, Map):
            return {
                self._key(key, value.keys_at[key], path): self.value(item, value.values_at[key], (*path, key))
                for key, item in value.items()
            }
        if isinstance(value, Seq):
            return [self.value(item, value.items_at[index], (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, Tagged):
            return self._tagged(value, path)
        return self._text(value, at, path)

    def _key(self, key: Any, at: Mark, path: tuple[Any, ...]) -> Any:
        if is_template(key):
            what = f"{dotted(path)} holds {{{{ … }}}} in a key, and only values are templates"
            self.note(path, Problem(what, str(at), "write the key itself"))
        return key

    def _text(self, value: Any, at: Mark, path: tuple[Any, ...]) -> Any:
        if isinstance(value, str) and (quoted := QUOTED.match(value)):
            what = f"{dotted(path)}: {quoted[1]} in quotes is text and no tag"
            self.note(path, Problem(what, str(at), f"drop the quotes: {value.strip().splitlines()[0]}"))
            return None
        return str(value) if isinstance(value, Unquoted) else value

    def _tagged(self, value: Tagged, path: tuple[Any, ...]) -> Any:
        if value.tag == "unsafe":
            return value.text
        if value.tag == "doubtful":
            self.note(path, Problem(f"{dotted(path)}: {doubt(value.text)}", str(value.at)))
            return None
        try:
            return self.references.lookup(value, dotted(path))
        except InputError as error:
            for problem in error.problems:
                self.note(path, problem)
        return None


def holds(value: Any) -> bool:
    """Is there a template anywhere in the value?"""
    if isinstance(value, Map):
        return any(map(holds, value.values()))
    return any(map(holds, value)) if isinstance(value, Seq) else is_template(value)


def undoubted(value: Any) -> Any:
    """A value that is used as it stands. Raises InputError for a number with a leading zero in it."""
    problems = _doubts(value)
    if problems:
        raise InputError(problems)
    return value


def _doubts(value: Any) -> list[Problem]:
    if isinstance(value, Tagged) and value.tag == "doubtful":
        return [Problem(doubt(value.text), str(value.at))]
    inner = value.values() if isinstance(value, Map) else value if isinstance(value, Seq) else ()
    return [problem for item in inner for problem in _doubts(item)]


def dotted(path: tuple[Any, ...]) -> str:
    """A path as it is written on the command line and in messages: docker_daemon.default_ulimits.memlock."""
    return ".".join(f'"{part}"' if isinstance(part, str) and "." in part else str(part) for part in path)
