"""Where each value of a host comes from, and the tree of groups: what `inventory --host` and `--graph` show.

The law: no secret is resolved, and none is shown: a reference shows itself, a vault or a plain secret is hidden.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from provision import role
from provision.inventory import annotations, connection
from provision.inventory.document import Map, Mark, Seq, Tagged, entry
from provision.inventory.layers import Level, owner_of
from provision.inventory.tree import ROOT, Tree
from provision.inventory.values import dotted
from provision.secrets import HIDDEN, Secret

SECRETIVE = re.compile(r"passw|secret|token|credential|private_key(?!_file)", re.IGNORECASE)
"""What names of secrets have in them."""


@dataclass(frozen=True)
class Row:
    """One value of a host."""

    variable: str
    """Dotted: docker_daemon.default_ulimits.memlock."""
    value: Any
    """A scalar, or an empty mapping or list; hidden where it is secret."""
    origin: str
    """file:line:column; empty for a default."""
    level: str
    """all, group NAME, host NAME, --set or default."""


@dataclass(frozen=True)
class Node:
    """A group in the tree of groups. One that has several parents is the same object under each."""

    name: str
    children: tuple["Node", ...]
    hosts: tuple[str, ...]
    """Its own, without those of its children."""


def graph(tree: Tree) -> Node:
    """The tree of groups from `all` down; hosts of no group stand under `ungrouped`."""
    nodes: dict[str, Node] = {}
    for group in sorted(tree.groups.values(), key=lambda found: -found.depth):
        if group.name != ROOT:
            children = tuple(nodes[name] for name in group.children)
            nodes[group.name] = Node(group.name, children, tuple(group.hosts))
    return Node(ROOT, tuple(nodes[name] for name in tree.groups[ROOT].children), ())


def rows(levels: tuple[Level, ...], merged: Map, roles: dict[str, role.Role], vaulted: set[str]) -> list[Row]:
    """Every value of one host, with the place and level that it comes from, then the defaults of its `roles`."""
    found = []
    given = merged.get("roles")
    listed = given if isinstance(given, list) else []
    for name in merged:
        types: annotations.Types = (roles[name].settings,) if name in roles else ()
        for path, value, at in _values(merged[name], merged.values_at[name], (name,)):
            secret = at.file in vaulted or _is_secret(path, types)
            found.append(Row(dotted(path), _shown(value, secret), str(at), owner_of(levels, path)))
    for name, known in roles.items():
        if name in listed:
            found += [
                Row(dotted((name, *path)), value, "", "default") for path, value in _defaults(known, merged.get(name))
            ]
    return found


def _values(value: Any, at: Mark, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any, Mark]]:
    if isinstance(value, Map) and value:
        for key in value:
            yield from _values(value[key], value.values_at[key], (*path, key))
    elif isinstance(value, Seq) and any(isinstance(item, Map | Seq | Tagged) for item in value):
        for index, item in enumerate(value):
            yield from _values(item, value.items_at[index], (*path, index))
    else:
        yield path, value, at


def _is_secret(path: tuple[Any, ...], types: annotations.Types) -> bool:
    if path[0] in connection.SECRET_NAMES or any(SECRETIVE.search(str(part)) for part in path):
        return True
    return bool(types) and any(annotations.holds_secrets(found) for found in annotations.at(types[0], path[1:]))


def _shown(value: Any, secret: bool) -> Any:
    if isinstance(value, Tagged):
        return (
            f"!secret {value.text.strip()}" if value.tag == "secret" else HIDDEN if value.tag == "vault" else value.text
        )
    if isinstance(value, Secret):
        return HIDDEN
    if value is None or (isinstance(value, dict | list) and not value):
        return value
    return HIDDEN if secret else value


def _defaults(known: role.Role, given: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, info in annotations.fields(known.settings).items():
        if entry(given, name) is None and not info.is_required():
            value = info.get_default(call_default_factory=True)
            yield (name,), _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return HIDDEN if isinstance(value, Secret) else value
