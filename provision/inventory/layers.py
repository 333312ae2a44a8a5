"""Which value holds: the levels of a host's variables, and how they merge.

The law is Ansible's: the defaults of ansible.cfg < those of the environment < the variables of the inventory itself
(all < parent group < child group) < those of group_vars/ in the same order (of several inventories: `all` of each, then
the other groups of each) < host < host_vars/ < --set. The settings of a role merge deep in mappings; lists and all else
replace. A merge makes new mappings, and keeps every value's place.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from provision.errors import InputError, Problem, nearest
from provision.inventory import loader
from provision.inventory.connection import VARIABLES
from provision.inventory.document import Map, Mark, Seq, Tagged, entry
from provision.inventory.tree import ROOT, HostEntry, HostGroup, Tree

SET = "--set"


@dataclass(frozen=True, eq=False)
class Level:
    """The variables that one group, one host or the command line gives: `owner` is "all", "group dgx", "host dgx01"
    or "--set"."""

    owner: str
    variables: Map


class Layers:
    """The levels of each host of a tree, lowest first, and their merge. Hosts of the same groups share the objects."""

    def __init__(
        self, tree: Tree, roles: Collection[str], overrides: Sequence[Level] = (), defaults: Sequence[Level] = ()
    ) -> None:
        self._tree = tree
        self._defaults = tuple(defaults)
        self._roles = frozenset(roles)
        self._overrides = tuple(overrides)
        self._shared: dict[tuple[HostGroup, ...], tuple[tuple[Level, ...], Map, Map]] = {}

    def of(self, host: HostEntry) -> tuple[tuple[Level, ...], Map]:
        """The levels of a host, and the merged variables."""
        levels, base, complete = self._of_groups(self._tree.lineage(host))
        if not host.variables:
            return levels + self._overrides, complete
        own = tuple(Level(f"host {host.name}", variables) for variables in host.variables) + self._overrides
        return levels + own, self._defaulted(self._merge(own, base))

    def _of_groups(self, lineage: tuple[HostGroup, ...]) -> tuple[tuple[Level, ...], Map, Map]:
        """The levels of these groups, merged, and merged with the overrides on top."""
        if lineage not in self._shared:
            inline = [(group.name, variables) for group in lineage for variables in group.variables]
            files = [(found[0], group.name, found[1]) for group in lineage for found in group.files]
            files.sort(key=lambda file: (file[1] != ROOT, file[0]))  # a later inventory's beat those of deeper groups
            given = inline + [(name, variables) for _, name, variables in files]
            levels = tuple(Level(ROOT if name == ROOT else f"group {name}", variables) for name, variables in given)
            base = self._merge(levels, Map())
            self._shared[lineage] = (
                self._defaults + levels,
                base,
                self._defaulted(self._merge(self._overrides, base)),
            )
        return self._shared[lineage]

    def _defaulted(self, merged: Map) -> Map:
        """The defaults where neither a variable nor its older name is set."""
        for level in reversed(self._defaults):
            for name in level.variables:
                if not any(known in merged for known in (name, *VARIABLES[name])):
                    merged.take(name, level.variables)
        return merged

    def _merge(self, levels: Iterable[Level], base: Map) -> Map:
        merged = copied(base)
        for level in levels:
            for name in level.variables:
                self._put(merged, name, level.variables)
        return merged

    def _put(self, merged: Map, name: Any, over: Map) -> None:
        if name not in self._roles or name not in merged:
            merged.take(name, over)
        elif over[name] is not None:  # an empty `role:` asks nothing
            merge_entry(merged, name, over)


def merge_entry(merged: Map, key: Any, over: Map) -> None:
    """Lays `over[key]` over `merged[key]`: deep where both are mappings."""
    below, above = merged.get(key), over[key]
    if isinstance(below, Map) and isinstance(above, Map):
        deep = copied(below)
        for inner in above:
            merge_entry(deep, inner, above)
        merged.put(key, deep, over.keys_at[key], over.values_at[key])
    else:
        merged.take(key, over)


def copied(source: Map) -> Map:
    """Another mapping with the same entries and places."""
    copied = Map()
    copied.update(source)
    copied.keys_at.update(source.keys_at)
    copied.values_at.update(source.values_at)
    return copied


def owner_of(levels: Sequence[Level], path: Sequence[Any]) -> str:
    """The highest level that says something at `path`, or at the nearest place above it."""
    best, owner = 0, levels[-1].owner if levels else ROOT
    for level in levels:
        depth = _depth(level.variables, path)
        if depth and depth >= best:
            best, owner = depth, level.owner
    return owner


def _depth(data: Any, path: Sequence[Any]) -> int:
    for count, part in enumerate(path):
        found = entry(data, part)
        if found is None:
            return count
        data = found.value
    return len(path)


_KEY_PART = re.compile(r'"([^"]+)"|([^."]+)')
_DOTTED = re.compile(r'[^."]+(\.("[^"]+"|[^."]+))+\Z')


def overrides(settings: Iterable[str], roles: Collection[str]) -> tuple[Level, ...]:
    """The levels of `--set ROLE.KEY=VALUE`: dotted deep keys (quote one that has dots: `"nvcr.io"`), the value YAML.
    Raises InputError with everything that is wrong."""
    levels, problems = [], list[Problem]()
    for setting in settings:
        try:
            levels.append(Level(SET, _override(setting, roles)))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return tuple(levels)


def _override(setting: str, roles: Collection[str]) -> Map:
    dotted, equals, text = setting.partition("=")
    parts = [quoted or bare for quoted, bare in _KEY_PART.findall(dotted)]
    if not equals or not _DOTTED.match(dotted):
        hint = "as in --set docker_daemon.mtu=9000; other variables stand in the inventory"
        raise InputError([Problem(f"--set {dotted}: not ROLE.KEY=VALUE", hint=hint)])
    if parts[0] not in roles:
        close = nearest(parts[0], roles)
        hint = f"did you mean {close!r}?" if close else f"there are: {', '.join(sorted(roles))}"
        raise InputError([Problem(f"--set {dotted}: no role is called {parts[0]!r}", hint=hint)])
    at = Mark(f"--set {dotted}")
    value = _placed(loader.load(text, at.file), at)
    for part in reversed(parts):
        mapping = Map()
        mapping.put(part, value, at, at)
        value = mapping
    return mapping


def _placed(value: Any, at: Mark) -> Any:
    """`value` as if all of it stood at `at`: lines mean nothing on a command line."""
    if isinstance(value, Tagged):
        return Tagged(value.tag, value.text, at)
    if isinstance(value, Map):
        mapping = Map()
        for key, item in value.items():
            mapping.put(key, _placed(item, at), at, at)
        return mapping
    if isinstance(value, Seq):
        items = Seq()
        items.extend(_placed(item, at) for item in value)
        items.items_at = [at] * len(items)
        return items
    return value
