"""Groups, hosts and how they hang together; the variables that each was given, unmerged.

The law: `all` is the root and every group hangs from it; no group is its own ancestor; a host of no other group is in
`ungrouped`. Knows nothing of files or roles.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeGuard

from provision.errors import Problem
from provision.inventory.document import Map, Mark

ROOT = "all"
UNGROUPED = "ungrouped"
PRIORITY = "ansible_group_priority"


def is_whole(value: object) -> TypeGuard[int | str]:
    """Is it a whole number, or text that is one?"""
    return type(value) is int or (isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]{1,9}", value) is not None)


@dataclass(eq=False)
class HostGroup:
    """One group. `variables` stand in the inventory itself, `files` in group_vars/ beside an inventory of that number,
    both in order of appearance: the later one wins. `depth` is the longest way from `all`."""

    name: str
    at: Mark
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, Mark] = field(default_factory=dict)
    parents: dict[str, None] = field(default_factory=dict)
    variables: list[Map] = field(default_factory=list)
    files: list[tuple[int, Map]] = field(default_factory=list)
    depth: int = 0

    @property
    def priority(self) -> int:
        """`ansible_group_priority`: between groups of one depth the higher number wins. Default 1."""
        for variables in reversed(self.variables):
            value = variables.get(PRIORITY)
            if is_whole(value):
                return int(value)
        return 1


@dataclass
class HostEntry:
    """One host, the groups that name it, and its own variables in order of appearance."""

    name: str
    at: Mark
    groups: dict[str, None] = field(default_factory=dict)
    variables: list[Map] = field(default_factory=list)


class Tree:
    """All groups and hosts, in the order in which they are first named."""

    def __init__(self) -> None:
        self.groups: dict[str, HostGroup] = {name: HostGroup(name, Mark("inventory")) for name in (ROOT, UNGROUPED)}
        self.hosts: dict[str, HostEntry] = {}
        self._ancestors: dict[frozenset[str], tuple[HostGroup, ...]] = {}
        self.link(self.groups[ROOT], self.groups[UNGROUPED], Mark("inventory"))

    def group(self, name: str, at: Mark) -> HostGroup:
        """The group of that name, made when it is new."""
        return self.groups.setdefault(name, HostGroup(name, at))

    def host(self, name: str, at: Mark, group: HostGroup) -> HostEntry:
        """The host of that name, made when it is new, as a member of `group`."""
        entry = self.hosts.get(name)
        if entry is None:
            entry = self.hosts[name] = HostEntry(name, at)
        entry.groups[group.name] = None
        group.hosts[name] = None
        return entry

    def link(self, parent: HostGroup, child: HostGroup, at: Mark) -> None:
        """`child` is a child group of `parent`."""
        parent.children.setdefault(child.name, at)
        child.parents[parent.name] = None

    def finish(self) -> list[Problem]:
        """Hangs what hangs nowhere from `all`, hosts of no group from `ungrouped`, and measures the depths. Returns
        what is wrong: the cycles."""
        root = self.groups[ROOT]
        self._gather_ungrouped()
        for group in list(self.groups.values()):
            if not group.parents and group is not root:
                self.link(root, group, group.at)
        waiting = {name: len(group.parents) for name, group in self.groups.items()}
        ready = [root] if not root.parents else []
        while ready:
            group = ready.pop()
            del waiting[group.name]
            for name in group.children:
                child = self.groups[name]
                child.depth = max(child.depth, group.depth + 1)
                waiting[name] -= 1
                if waiting[name] == 0:
                    ready.append(child)
        return [self._cycle(waiting)] if waiting else []

    def _gather_ungrouped(self) -> None:
        ungrouped = self.groups[UNGROUPED]
        for host in self.hosts.values():
            if host.groups.keys() <= {ROOT, UNGROUPED}:
                host.groups[UNGROUPED] = ungrouped.hosts[host.name] = None
            elif UNGROUPED in host.groups:
                del host.groups[UNGROUPED], ungrouped.hosts[host.name]

    def _cycle(self, waiting: Iterable[str]) -> Problem:
        """One cycle among groups whose turn never came: each has a parent among them, so going up must come round."""
        stuck = set(waiting)
        way = [min(stuck)]
        while True:
            parent = next(name for name in self.groups[way[-1]].parents if name in stuck)
            if parent in way:
                cycle = [parent, *reversed(way[way.index(parent) :])]
                at = self.groups[cycle[0]].children[cycle[1]]
                return Problem(f"groups hold one another: {' > '.join(cycle)}", str(at), "take one of them out")
            way.append(parent)

    def lineage(self, host: HostEntry) -> tuple[HostGroup, ...]:
        """All groups of a host, in the order in which their variables apply: depth, priority, name. Hosts of the same
        groups get the same tuple."""
        direct = frozenset(host.groups)
        found = self._ancestors.get(direct)
        if found is None:
            names, todo = {ROOT}, list(direct)
            while todo:
                name = todo.pop()
                if name not in names:
                    names.add(name)
                    todo += self.groups[name].parents
            groups = (self.groups[name] for name in names)
            found = tuple(sorted(groups, key=lambda group: (group.depth, group.priority, group.name)))
            self._ancestors[direct] = found
        return found

    def members(self, name: str) -> dict[str, None]:
        """The hosts of a group and of the groups below it, by level of the tree: its own first, as in Ansible."""
        found, seen, todo = dict[str, None](), {name}, [name]
        for current in todo:  # grows while it is walked
            found |= self.groups[current].hosts
            new = [child for child in self.groups[current].children if child not in seen]
            todo += new
            seen.update(new)
        return found
