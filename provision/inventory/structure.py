"""From the data of an inventory to a tree: Ansible's YAML structure, and the JSON of Ansible's executable inventories.

The law: nothing is skipped in silence. A key that means nothing where it stands is a problem, with its place.
"""

import re
from typing import Any

from provision.errors import Problem, nearest
from provision.inventory import ranges
from provision.inventory.document import Map, Mark, Seq
from provision.inventory.scalars import Unquoted
from provision.inventory.tree import ROOT, HostGroup, Tree

GROUP_KEYS = ("hosts", "children", "vars")
_NAME = re.compile(r"[^\s,:!&=\[\]~@*?\x00-\x1f\"'{}-][^\s,:!&=\[\]*?\x00-\x1f\"'{}]*\Z")
_PORT = re.compile(r"(?P<host>[^:]*(?:\[[^\]]*\][^:\[\]]*)*|\[.+\]):(?P<port>[0-9]{1,9})\Z")


class StructureReader:
    """Reads documents into one tree; what is wrong is collected in `problems`."""

    def __init__(self, tree: Tree, problems: list[Problem]) -> None:
        self._tree = tree
        self._problems = problems
        self.rollout: Any = None

    def yaml(self, data: Any, file: str) -> None:
        """A document of Ansible's YAML structure: groups, each with hosts, children and vars."""
        top = Mark(file, 1, 1)
        if data is None:
            self._note(top, "is empty", "begin with all:, and under it hosts:")
        elif not isinstance(data, Map):
            self._note(top, "an inventory is a mapping of groups", "begin with all:, and under it hosts:")
        else:
            for name, body in data.items():
                self._top(name, body, data.keys_at[name], data.values_at[name])

    def _top(self, name: Any, body: Any, at: Mark, body_at: Mark) -> None:
        if name in GROUP_KEYS:
            self._note(at, f"{name}: stands at the top level", "put it under all:")
        elif name == "rollout" and not (isinstance(body, Map) and set(body) & set(GROUP_KEYS)):
            self.rollout = body
        else:
            self._group(name, body, at, body_at, None)

    def _group(self, name: Any, body: Any, at: Mark, body_at: Mark, parent: HostGroup | None) -> None:
        if not self.named(name, at, "group"):
            return
        if parent is not None and not self.may_hold(parent.name, name, at):
            return
        group = self._tree.group(name, at)
        if parent is not None:
            self._tree.link(parent, group, at)
        if body is None:
            return
        if not isinstance(body, Map):
            self._note(body_at, f"group {name} must be a mapping", "its keys are hosts:, children: and vars:")
            return
        for key, value in body.items():
            self._part(group, key, value, body.keys_at[key], body.values_at[key])

    def _part(self, group: HostGroup, key: Any, value: Any, at: Mark, value_at: Mark) -> None:
        if key not in GROUP_KEYS:
            close = nearest(str(key), GROUP_KEYS)
            hint = f"did you mean {close}:?" if close else "variables go under vars:"
            self._note(at, f"group {group.name}: unknown key {key!r}; a group has hosts:, children: and vars:", hint)
            return
        if isinstance(value, str) and key != "vars":
            only, value = value, Map()
            value.put(only, None, value_at, value_at)
        if value is None:
            return
        if not isinstance(value, Map):
            hint = "write each one as a key, as in `web1:`" if key != "vars" else "write NAME: VALUE"
            self._note(value_at, f"group {group.name}: {key}: must be a mapping", hint)
        elif key == "vars":
            group.variables.append(value)
        elif key == "hosts":
            for name, body in value.items():
                self.hosts(group, name, body, value.keys_at[name], value.values_at[name])
        else:
            for name, body in value.items():
                self._group(name, body, value.keys_at[name], value.values_at[name], group)

    def hosts(self, group: HostGroup, pattern: Any, variables: Any, at: Mark, variables_at: Mark) -> None:
        """The hosts of a name, a range, or either with a port, as members of a group."""
        if not isinstance(pattern, str):
            self.named(pattern, at, "host")
            return
        if variables is not None and not isinstance(variables, Map):
            self._note(variables_at, f"host {pattern}: its variables must be a mapping", "write NAME: VALUE under it")
            return
        pattern, port = _split_port(pattern)
        try:
            names = ranges.expand(pattern)
        except ValueError as error:
            self._note(at, f"host range {error}")
            return
        for name in names:
            if not self.named(name, at, "host"):
                return
            first = name not in self._tree.hosts  # a port counts where the host is first named, as in Ansible
            host = self._tree.host(name, at, group)
            if first and port is not None:
                ports = Map()
                ports.put("ansible_port", port, at, at)
                host.variables.append(ports)
            if variables:
                host.variables.append(variables)

    def listing(self, data: Any, file: str) -> None:
        """What an executable inventory answers to `--list`: groups, and the variables of hosts under `_meta`."""
        if not isinstance(data, Map):
            self._note(Mark(file), "--list must print a JSON object of groups")
            return
        for name, body in data.items():
            if name != "_meta" and self.named(name, Mark(file), "group"):
                self._listed(name, body, Mark(file))
        meta = data.get("_meta")
        variables = meta.get("hostvars") if isinstance(meta, Map) else None
        for name, values in variables.items() if isinstance(variables, Map) else ():
            self._listed_host(name, values, Mark(file))

    def _listed_host(self, name: Any, values: Any, at: Mark) -> None:
        if not self.named(name, at, "host"):
            return
        host = self._tree.hosts.get(name) or self._tree.host(name, at, self._tree.groups[ROOT])
        if isinstance(values, Map):
            host.variables.append(values)
        else:
            self._note(at, f"_meta.hostvars: the variables of host {name} must be an object")

    def _listed(self, name: str, body: Any, at: Mark) -> None:
        group = self._tree.group(name, at)
        if isinstance(body, Seq):
            hosts, body = body, Map()
            body.put("hosts", hosts, at, at)
        kinds = {"hosts": Seq, "children": Seq, "vars": Map}
        if not isinstance(body, Map) or any(
            not isinstance(body.get(key) or kind(), kind) for key, kind in kinds.items()
        ):
            self._note(at, f"group {name} must be an object with the lists hosts and children and the object vars")
            return
        for host in body.get("hosts") or ():
            if self.named(host, at, "host"):
                self._tree.host(host, at, group)
        for child in body.get("children") or ():
            if self.may_hold(name, child, at):
                self._tree.link(group, self._tree.group(child, at), at)
        if body.get("vars"):
            group.variables.append(body["vars"])

    def may_hold(self, parent: str, child: Any, at: Mark) -> bool:
        """Can the group `child` stand under `parent`? If not, that is noted."""
        if child == ROOT:
            self._note(
                at, "groups hold one another: all is above every group", f"take all out of the children of {parent}"
            )
            return False
        return self.named(child, at, "group")

    def named(self, name: Any, at: Mark, what: str) -> bool:
        """Can this be the name of a group or host? If not, that is noted."""
        if not isinstance(name, str):
            self._note(at, f"the name of a {what} must be text, and {name!r} is not", "quote it")
        elif isinstance(name, Unquoted):
            self._note(at, f"the name of a {what} must be text, and {str(name)!r} is none in YAML 1.1", "quote it")
        elif "{{" in name:
            self._note(at, f"{what} {name}: a name is no template", "write the name itself")
        elif not _NAME.match(name) and not (what == "host" and ranges.is_address(name)):
            self._note(
                at,
                f"{name!r} cannot be the name of a {what}",
                "use letters, digits, dots, dashes and underscores",
            )
        else:
            return True
        return False

    def _note(self, at: Mark, message: str, hint: str = "") -> None:
        self._problems.append(Problem(message, str(at), hint))


def _split_port(name: str) -> tuple[str, int | None]:
    """`web1:2222` and `[::1]:22` are a name and a port, as Ansible reads them; an IPv6 address is a name."""
    if (":" not in name and "[" not in name) or ranges.is_address(name):
        return name, None
    match = _PORT.match(name)
    host, port = (match["host"], int(match["port"])) if match else (name, None)
    inner = host[1:-1]
    return (inner if host.startswith("[") and _is_whole(inner) else host), port


def _is_whole(inner: str) -> bool:
    """Is what stands in brackets an address, or a range of addresses such as 2001:db8::[1:3]?"""
    try:
        return all(map(ranges.is_address, ranges.expand(inner)))
    except ValueError:
        return False
