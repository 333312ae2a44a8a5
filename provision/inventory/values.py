"""From the inventory's data to plain values: references become secrets, templates are refused.

The law: a value that we use holds no `{{ … }}`. Text under `!unsafe`, and Go's `{{.Name}}` (Docker's own), is taken
as it is.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from provision.errors import InputError, Problem
from provision.inventory.document import Map, Mark, Seq, Tagged
from provision.inventory.references import References

_TEMPLATE = re.compile(r"\{\{(?!-?\s*\.)|\{%|\{#.*#\}")
TEMPLATED = "holds {{ … }}: inventories are not templated here"
TEMPLATED_HINT = "write the value itself, or tag text that is meant so with !unsafe"
QUOTED = re.compile(r"\s*(!secret|!vault)(\s|$)")
"""A tag that quotes have made a text."""


@dataclass
class Plain:
    """Makes plain values; `note` is told of each problem and of its path. None stands for what has one."""

    references: References
    note: Callable[[tuple[Any, ...], Problem], None]

    def value(self, value: Any, at: Mark, path: tuple[Any, ...]) -> Any:
        """`value` as dicts, lists, scalars and Secrets."""
        if isinstance(value, Map):
            return {
                self._text(key, value.keys_at[key], path): self.value(item, value.values_at[key], (*path, key))
                for key, item in value.items()
            }
        if isinstance(value, Seq):
            return [self.value(item, value.items_at[index], (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, Tagged):
            return self._tagged(value, path)
        return self._text(value, at, path)

    def _text(self, value: Any, at: Mark, path: tuple[Any, ...]) -> Any:
        if isinstance(value, str) and _TEMPLATE.search(value):
            self.note(path, Problem(f"{dotted(path)} {TEMPLATED}", str(at), TEMPLATED_HINT))
            return None
        if isinstance(value, str) and (quoted := QUOTED.match(value)):
            what = f"{dotted(path)}: {quoted[1]} in quotes is text and no tag"
            self.note(path, Problem(what, str(at), f"drop the quotes: {value.strip().splitlines()[0]}"))
            return None
        return value

    def _tagged(self, value: Tagged, path: tuple[Any, ...]) -> Any:
        if value.tag == "unsafe":
            return value.text
        try:
            return self.references.lookup(value, dotted(path))
        except InputError as error:
            for problem in error.problems:
                self.note(path, problem)
        return None


def dotted(path: tuple[Any, ...]) -> str:
    """A path as it is written on the command line and in messages: docker_daemon.default_ulimits.memlock."""
    return ".".join(f'"{part}"' if isinstance(part, str) and "." in part else str(part) for part in path)
