"""Data that remembers where each part of it was written.

The law: a mapping is a dict and a list is a list; the places are beside the values and never in them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class Mark(NamedTuple):
    """A place: 1-based line and column, or line 0 where only the file (or program) is known."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Map(dict[Any, Any]):
    """A mapping with the places of its keys and of their values."""

    __slots__ = ("keys_at", "values_at")

    def __init__(self) -> None:
        super().__init__()
        self.keys_at: dict[Any, Mark] = {}
        self.values_at: dict[Any, Mark] = {}

    def put(self, key: Any, value: Any, key_at: Mark, value_at: Mark) -> None:
        self[key] = value
        self.keys_at[key] = key_at
        self.values_at[key] = value_at

    def take(self, key: Any, source: "Map") -> None:
        """The entry `key` of `source`, with its places."""
        self.put(key, source[key], source.keys_at[key], source.values_at[key])


class Seq(list[Any]):
    """A list with the places of its items."""

    __slots__ = ("items_at",)

    def __init__(self) -> None:
        super().__init__()
        self.items_at: list[Mark] = []


@dataclass(frozen=True)
class Tagged:
    """A scalar under a tag of ours or Ansible's, not looked into here: "secret", "vault" or "unsafe"; or a plain
    scalar that is "doubtful", a number with a leading zero."""

    tag: str
    text: str
    at: Mark


class Placed(NamedTuple):
    """One key of a mapping or one item of a list; an item's key stands where the item stands."""

    value: Any
    key_at: Mark
    value_at: Mark


def entry(data: Any, part: Any) -> Placed | None:
    """What stands at a key or index of `data`; None where nothing does."""
    if isinstance(data, Map) and part in data:
        return Placed(data[part], data.keys_at[part], data.values_at[part])
    if isinstance(data, Seq) and isinstance(part, int) and 0 <= part < len(data):
        return Placed(data[part], data.items_at[part], data.items_at[part])
    return None


def locate(data: Any, path: Sequence[Any], *, key: bool = False) -> Mark | None:
    """Where `path` of `data` is written: its value, or with `key` its last key.

    A part that is not in the data (a field that is missing, a union's tag) is passed over, so that the answer is
    the nearest place that does exist. None when nothing of the path is there.
    """
    place: Mark | None = None
    for part in path:
        found = entry(data, part)
        if found is not None:
            data, place = found.value, found.key_at if key else found.value_at
    return place


def from_plain(value: Any, file: str) -> Any:
    """Data that has no places of its own (a program's JSON), as if all of it stood in `file`."""
    at = Mark(file)
    if isinstance(value, dict):
        if set(value) == {"__ansible_vault"}:
            return Tagged("vault", str(value["__ansible_vault"]), at)
        if set(value) == {"__ansible_unsafe"}:
            return Tagged("unsafe", str(value["__ansible_unsafe"]), at)
        mapping = Map()
        for key, item in value.items():
            mapping.put(key, from_plain(item, file), at, at)
        return mapping
    if isinstance(value, list):
        items = Seq()
        items.extend(from_plain(item, file) for item in value)
        items.items_at = [at] * len(items)
        return items
    return value
