"""Ansible's INI inventories: [group] with hosts, [group:children], [group:vars].

The law: read as Ansible reads it. A value is a Python literal, or else text; the variables of a host are split as a
shell would. Each mistake is told with its line, all of them at once.
"""

import ast
import re
import shlex
import warnings
from typing import Any

from provision.errors import Problem, nearest
from provision.inventory.document import Map, Mark, Seq
from provision.inventory.spelling import closest
from provision.inventory.structure import StructureReader
from provision.inventory.tree import UNGROUPED, Tree

SECTION = re.compile(r"\[(?P<name>[^:\]\s]+)(?::(?P<kind>\w+))?\]\s*(?:#.*)?\Z")
_CHILD = re.compile(r"(?P<name>[^:\]\s]+)\s*(?:#.*)?\Z")
_SIMPLE = re.compile(r"[^\s'\"\\#]+([ \t]+[^\s'\"\\#]+)*\Z")
"""Words without quotes, which need no look at each letter."""
_NO_LITERAL = re.compile(r"([A-Za-z_][A-Za-z0-9_.@/-]*|[0-9]+(\.[0-9]+){2,})\Z")
_WORDS = ("True", "False", "None")
_KINDS = ("hosts", "children", "vars")


class IniReader:
    """Reads INI text into the tree. What is wrong is collected in `problems`."""

    def __init__(self, tree: Tree, reader: StructureReader, problems: list[Problem]) -> None:
        self._tree = tree
        self._reader = reader
        self._problems = problems

    def read(self, text: str, file: str) -> None:
        """One file. Groups may be named before they have their section, in this or an earlier file."""
        self._waiting: dict[str, list[tuple[str, Mark]]] = {}
        """Children without a section so far, with their parents."""
        self._vars_only: dict[str, Mark] = {}
        group, kind = UNGROUPED, "hosts"
        for number, written in enumerate(text.splitlines(), 1):
            line = written.strip()
            if not line or line[0] in ";#":
                continue
            at = Mark(file, number, 1)
            if line.startswith("[") and (line.endswith("]") or SECTION.match(line)):
                group, kind = self._section(line, at)
            elif kind == "hosts":
                self._host(group, line, at)
            elif kind == "vars":
                self._variable(group, line, at)
            elif kind == "children":
                self._child(group, line, at)
        for name, at in self._vars_only.items():
            self._note(at, f"[{name}:vars] is for a group that has no section", self._declare(name))
        for name, parents in self._waiting.items():
            parent, at = parents[0]
            self._note(at, f"[{parent}:children] names the group {name}, which has no section", self._declare(name))

    def _declare(self, name: str) -> str:
        close = closest(name, [known for known in self._tree.groups if known not in self._vars_only])
        return f"did you mean {close}?" if close else f"write [{name}] with its hosts"

    def _section(self, line: str, at: Mark) -> tuple[str, str]:
        """The group and the kind of a section; an empty kind for one whose lines are to be passed over."""
        match = SECTION.match(line)
        if match is None:
            self._note(at, f"{line} is no section", "write [GROUP], [GROUP:vars] or [GROUP:children] without spaces")
            return "", ""
        name, kind = match["name"], match["kind"] or "hosts"
        if kind not in _KINDS:
            close = nearest(kind, _KINDS)
            hint = f"did you mean {close}?" if close else "write [GROUP], [GROUP:vars] or [GROUP:children]"
            self._note(at, f"[{name}:{kind}] is no kind of section", hint)
            return "", ""
        if not self._reader.named(name, at, "group"):
            return "", ""
        if kind == "vars":
            if name not in self._tree.groups:
                self._vars_only.setdefault(name, at)
        else:
            self._vars_only.pop(name, None)
        group = self._tree.group(name, at)
        for parent, place in self._waiting.pop(name, ()) if kind != "vars" else ():
            self._tree.link(self._tree.groups[parent], group, place)
        return name, kind

    def _host(self, group: str, line: str, at: Mark) -> None:
        try:
            name, *given = line.split() if _SIMPLE.match(line) else shlex.split(line, comments=True)
        except ValueError as error:
            self._note(at, f"this line cannot be split: {str(error).lower()}", "check the quotes")
            return
        variables = Map()
        for word in given:
            key, equals, value = word.partition("=")
            if not equals:
                self._note(
                    at, f"{word!r} is no NAME=VALUE", "a host has variables after its name, as in web1 NAME=VALUE"
                )
                return
            variables.put(key, _value(value, at), at, at)
        self._reader.hosts(self._tree.groups[group], name, variables, at, at)

    def _variable(self, group: str, line: str, at: Mark) -> None:
        key, equals, value = line.partition("=")
        if not equals:
            self._note(at, f"{line!r} is no NAME=VALUE", "write one variable a line")
            return
        variables = Map()
        variables.put(key.strip(), _value(value.strip(), at), at, at)
        self._tree.groups[group].variables.append(variables)

    def _child(self, parent: str, line: str, at: Mark) -> None:
        match = _CHILD.match(line)
        if match is None:
            self._note(at, f"{line!r} is no name of a group", "write one name of a group a line")
        elif not self._reader.may_hold(parent, match["name"], at):
            return
        elif match["name"] in self._tree.groups:
            self._tree.link(self._tree.groups[parent], self._tree.groups[match["name"]], at)
        else:
            self._waiting.setdefault(match["name"], []).append((parent, at))

    def _note(self, at: Mark, message: str, hint: str) -> None:
        self._problems.append(Problem(message, str(at), hint))


def _value(text: str, at: Mark) -> Any:
    if _NO_LITERAL.match(text) and text not in _WORDS:
        return text
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of text that is nearly Python
            found = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
    return _placed(found, at)


def _placed(value: Any, at: Mark) -> Any:
    """A literal as the inventory's data. What the data has no type for is text."""
    if isinstance(value, dict):
        mapping = Map()
        for key, item in value.items():
            mapping.put(_placed(key, at), _placed(item, at), at, at)
        return mapping
    if isinstance(value, list | tuple | set):
        items = Seq()
        items.extend(_placed(item, at) for item in value)
        items.items_at = [at] * len(items)
        return items
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if value is ...:
        return "..."
    return str(value) if isinstance(value, complex) else value
