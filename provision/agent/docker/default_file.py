"""DOCKER_OPTS, and exported variables, in /etc/default/docker.

The law: the value of DOCKER_OPTS is managed flag by flag; a flag of ours takes the place of the same one, others stay
as they stand, and so does every other line, byte for byte. What only a shell could read is refused, not guessed. What a
role of this run asked for last time, and asks for no more, goes.
"""

import re

from ..engine.resource import Resource
from ..files import file
from ..host import lenient
from ..host.errors import Failed
from . import engine_facts, flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Match

    from ..host.system import System
    from ..types import Diff, State

SECTION = "daemon_flags"
OPTIONS = "DOCKER_OPTS"
ASSIGNMENT = r"^[ \t]*(export[ \t]+)?{}=(\"[^\"]*\"|'[^']*'|[^\s\"'#;&|<>()]*)[ \t]*(#.*)?$"
CODE = "DOCKER_OPTS is made by shell code, which we do not edit"
SHELL = "$`\\"


class DaemonFlags(Resource):
    path: str
    flags: "list[dict[str, Any]]"
    absent: "list[str]"
    variables: "dict[str, str]"
    export: bool
    roles: "list[str]"
    sensitive: bool

    def identity(self) -> str:
        return self.path

    def touches(self) -> "tuple[str, ...]":
        return (self.path,)

    def desired(self) -> "State":
        """--FLAG (and its value or name, if repeatable): value; VARIABLE: its line; unwanted: []; private: true."""
        state: "State" = {"--{}".format(_label(item["name"], item["value"])): item["value"] for item in self.flags}
        state.update({name: _line(name, value, self.export) for name, value in self.variables.items()})
        state["unwanted"] = []
        state["private"] = True
        return state

    def actual(self, system: "System") -> "State | None":
        """As `desired`; unwanted: flags and variables that have to go; private: others cannot read secrets."""
        text = system.text(self.path) or ""
        words = self._words(text, system)
        found: "dict[tuple[str, str | None], str]" = {}
        for name, value, _ in flags.parse(words):
            found[flags.slot(name, value)] = value
        state: "State" = {}
        for item in self.flags:
            there = found.get(flags.slot(item["name"], item["value"]))
            same = there is not None and flags.normal(item["name"], there) == flags.normal(item["name"], item["value"])
            state["--{}".format(_label(item["name"], item["value"]))] = item["value"] if same else there
        for name in self.variables:
            state[name] = "\n".join(match.group(0).strip() for match in _assignments(text, name)) or None
        state["unwanted"] = self._unwanted(system, words, text)
        described = file.described(system, self.path)
        state["private"] = not self.sensitive or described is None or described["mode"][2:] == "00"
        return state

    def apply(self, system: "System", diff: "Diff") -> None:
        """Write DOCKER_OPTS and the variables; other words and lines stay."""
        data = self._planned(system)
        # Ours before it is written: if we die in between, the next run knows what to take back.
        self._remember(system)
        if system.stat("/etc/default") is None and self.path.startswith("/etc/default/"):
            system.make_directory("/etc/default", 0o755)
        system.write(self.path, data, *file.rights(system, self.path, 0o600 if self.sensitive else 0o644, 0, 0))
        self._remember_variables(system)

    def foresee(self, system: "System") -> None:
        system.foreseen[self.path] = self._planned(system)

    def _planned(self, system: "System") -> bytes:
        """The whole file as it will be."""
        text = system.text(self.path) or ""
        words = self._words(text, system)
        dropped = self._dropped(system)
        ours = {flags.slot(item["name"], item["value"]): item for item in self.flags}
        kept: "list[str]" = []
        for name, value, raw in flags.parse(words):
            slot = flags.slot(name, value)
            if name in self.absent or (name and slot in dropped and slot not in ours):
                continue
            if slot not in ours:
                kept.extend(raw)
        kept += ["--{}={}".format(item["name"], item["value"]) for item in self.flags]
        if kept != words:
            text = _replaced(text, OPTIONS, '{}="{}"'.format(OPTIONS, " ".join(kept)) if kept else None, self.export)
        for name in sorted(set(self._dropped_variables(system, text)) | set(self.variables)):
            line = _line(name, self.variables[name], self.export) if name in self.variables else None
            text = _replaced(text, name, line, self.export)
        return text.encode("utf-8", "surrogateescape")

    def settled(self, system: "System") -> None:
        self._remember(system)
        self._remember_variables(system)

    def taints(self, key: str) -> bool:
        return key in self.variables

    def _words(self, text: str, system: "System") -> "list[str]":
        """The words of DOCKER_OPTS; Failed where only a shell could tell them, unless nothing is asked of us here."""
        needed = self.flags or self.absent or self.variables or system.state_file.get(SECTION, self.path)
        try:
            return words(text, self.path)
        except Failed:
            if needed:
                raise
            return []

    def _unwanted(self, system: "System", words: "list[str]", text: str) -> "list[str]":
        ours = {flags.slot(item["name"], item["value"]) for item in self.flags}
        dropped = self._dropped(system)
        found = []
        for name, value, _ in flags.parse(words):
            slot = flags.slot(name, value)
            if name in self.absent or (slot in dropped and slot not in ours):
                found.append(lenient.without_secrets("--{}={}".format(name, value)))
        return found + self._dropped_variables(system, text)

    def _dropped(self, system: "System") -> "set[tuple[str, str | None]]":
        """Slots of flags that a role of this run asked for last time."""
        records = (system.state_file.get(SECTION, self.path) or {}).get("flags", [])
        return {flags.slot(name, value) for name, value, role in records if role in self.roles}

    def _dropped_variables(self, system: "System", text: str) -> "list[str]":
        names = (system.state_file.get(SECTION, self.path) or {}).get("variables", [])
        return [name for name in names if name not in self.variables and list(_assignments(text, name))]

    def _remember(self, system: "System") -> None:
        record = dict(system.state_file.get(SECTION, self.path) or {"flags": [], "variables": []})
        others = [item for item in record["flags"] if item[2] not in self.roles]
        record["flags"] = others + [[item["name"], item["value"], item["role"]] for item in self.flags]
        record["variables"] = sorted(set(record["variables"]) | set(self.variables))
        self._put(system, record)

    def _remember_variables(self, system: "System") -> None:
        record = dict(system.state_file.get(SECTION, self.path) or {"flags": [], "variables": []})
        record["variables"] = sorted(self.variables)
        self._put(system, record)

    def _put(self, system: "System", record: "dict[str, Any]") -> None:
        system.state_file.put(SECTION, self.path, record if record["flags"] or record["variables"] else None)


def _label(name: str, value: str) -> str:
    """One key of the state for each flag: a repeatable one appears once for each of its values or names."""
    kind, which = flags.slot(name, value)
    return kind if which is None else "{} {}".format(kind, which)


def _assignments(text: str, name: str) -> "Iterator[Match[str]]":
    return re.finditer(ASSIGNMENT.format(re.escape(name)), text, re.M)


def words(text: str, path: str) -> "list[str]":
    """DOCKER_OPTS as words: the last assignment counts, as in a shell. Failed where only a shell could tell them."""
    fix = "make {} one plain quoted line".format(OPTIONS)
    _, problem = engine_facts.default_file(text)
    if problem:
        raise Failed(problem, fix)
    found = None
    rest = text
    for match in reversed(list(_assignments(text, OPTIONS))):
        rest = rest[: match.start()] + rest[match.end() :]
        value = match.group(2).strip("\"'").replace("\\\n", " ")
        if set(SHELL) & set(value):
            raise Failed("{}:{}: {}".format(path, _number(text, match.start()), CODE), fix)
        found = value.split() if found is None else found
    for match in re.finditer(r"^[^#\n]*\b{}\b".format(OPTIONS), rest, re.M):
        raise Failed("{}: {} in {!r}".format(path, CODE, match.group(0)), fix)
    return found or []


def _number(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _line(name: str, value: str, export: bool) -> str:
    """An assignment in the form that the file's reader takes: systemd ignores a line with `export`."""
    quoted = re.sub(r"([\"\\$`])", r"\\\1", value)
    return '{}{}="{}"'.format("export " if export else "", name, quoted)


def _replaced(text: str, name: str, line: "str | None", export: bool) -> str:
    """The text with the one assignment of `name` as `line` (None: without it), where the last one stood."""
    if line is not None and name == OPTIONS:
        exported = [match for match in _assignments(text, name) if match.group(1)]
        line = "export " + line if exported and export else line
    matches = list(_assignments(text, name))
    for index, match in reversed(list(enumerate(matches))):
        last = index == len(matches) - 1
        if last and line is not None:
            text = text[: match.start()] + line + text[match.end() :]
        else:
            end = match.end() + 1 if text[match.end() : match.end() + 1] == "\n" else match.end()
            text = text[: match.start()] + text[end:]
    if not matches and line is not None:
        text += ("" if not text or text.endswith("\n") else "\n") + line + "\n"
    return text
