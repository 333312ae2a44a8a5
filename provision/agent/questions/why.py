"""Who owns an option of the Docker daemon: what stands in daemon.json and on the command line and from which file, what
is live, and what we remember of having written it.

The law: reads only; starts nothing. No value that may be secret leaves: of proxies only that they are set. What the
daemon does not tell is None, never guessed from a file.
"""

import json
import os
import re

from ..docker import daemon_json, daemon_socket, default_file, engine_facts, flags, live
from ..files import json_object
from ..host import lenient
from ..host.errors import Failed, Unknown
from ..services import service, unit_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..host.system import System
    from ..types import Record

CONFIG = "/etc/docker/daemon.json"
DPKG = "/var/lib/dpkg/info"
HIDDEN = "********"
PROXIES = re.compile(r"\b(https?|no)_proxy=", re.I)


def answer(system: "System", arguments: "dict[str, Any]") -> "dict[str, Any]":
    """`path`: the key, or a map's key and one entry; `map`: are its entries asked about one by one?

    `entries`: those that the inventory asks for, of a map that is asked about as a whole. `flags`: those that set it.
    """
    pid = daemon_socket.process(system)
    unit = _unit(system)
    running = lenient.arguments(system, pid) or () if pid is not None else ()
    given = flags.values(running or [word for words, _ in unit for word in words])
    config = given.get("config-file", [CONFIG])[-1]
    document, problem = _document(system, config)
    host = _Host(system, pid, running, unit, config, document)
    paths = _paths(arguments, host)
    return {
        "running": pid is not None,
        "config": config,
        "problem": problem,
        "entries": [host.entry(path, arguments["flags"]) for path in paths],
    }


def _document(system: "System", path: str) -> "tuple[Any, ...]":
    """(daemon.json, why it cannot be read)."""
    try:
        return json_object.parse(system.read(path) or b"", path), ""
    except Failed as error:
        return {}, error.cause


def _paths(arguments: "dict[str, Any]", host: "_Host") -> "list[list[str]]":
    path = arguments["path"]
    if not arguments["map"] or len(path) > 1:
        return [path]
    found = host.document.get(path[0])
    names = set(arguments["entries"]) | set(found if isinstance(found, dict) else ())
    names |= {name[1] for name in host.recorded() if name[0] == path[0] and len(name) > 1}
    names |= {value.partition("=")[0] for _, _, value in host.flags_of(arguments["flags"])}
    return [[path[0], name] for name in sorted(names)]


class _Host:
    """What the daemon of this host has been told, and by what."""

    def __init__(
        self,
        system: "System",
        pid: "int | None",
        running: "list[str] | tuple[Any, ...]",
        unit: "list[Any]",
        config: str,
        document: "dict[str, Any]",
    ) -> None:
        self.system = system
        self.pid = pid
        self.running = running
        self.unit = unit
        self.config = config
        self.document = document
        self._said: "dict[str, Any]" = {}

    def recorded(self) -> "dict[tuple[str, ...], Record]":
        """{path as a tuple: record} of the keys that we wrote."""
        records = self.system.state_file.get(daemon_json.SECTION, self.config) or {}
        return {tuple(json.loads(name)): record for name, record in records.items()}

    def flags_of(self, names: "list[str]") -> "list[tuple[str, str, str]]":
        """[(file, flag, value)] of these flags on the command line as it stands on disk."""
        return [
            (file, name, value) for words, file in self.unit for name, value, _ in flags.parse(words) if name in names
        ]

    def entry(self, path: "list[str]", names: "list[str]") -> "dict[str, Any]":
        value = self._value(path)
        wide = path[:1] == ["proxies"]
        agrees = self._agrees(path, value) if value is not None else None
        given = [value for name, value, _ in flags.parse(self.running[1:]) if name in names and _of(path, value)]
        return {
            "path": path,
            "in_file": value is not None,
            "value": HIDDEN if wide and value is not None else engine_facts.bare(path[-1], value),
            "elsewhere": self._elsewhere(path, names) + (self._environment() if wide else []),
            "process": [lenient.without_secrets(item) for item in given],
            "live": self._live(path),
            "agrees": agrees,
            "started_with": self.pid is not None and service.started_with(self.system, "docker", self.pid, self.config),
            "record": self._record(path),
        }

    def _value(self, path: "list[str]") -> "Any":
        found: "Any" = self.document
        for part in path:
            found = found.get(part) if isinstance(found, dict) else None
        return found

    def _elsewhere(self, path: "list[str]", names: "list[str]") -> "list[dict[str, str]]":
        return [
            self._stands(file, lenient.without_secrets(value), self._role(file, name, value))
            for file, name, value in self.flags_of(names)
            if _of(path, value)
        ]

    def _role(self, file: str, name: str, value: str) -> str:
        """The role for which we wrote this flag, or ""."""
        records = (self.system.state_file.get(default_file.SECTION, file) or {}).get("flags", ())
        slot = flags.slot(name, value)
        return next((role for flag, ours, role in records if flags.slot(flag, ours) == slot), "")

    def _stands(self, file: str, value: str, role: str = "") -> "dict[str, str]":
        return {"value": value, "file": file, "package": _package(self.system, file), "role": role}

    def _environment(self) -> "list[dict[str, str]]":
        """Files that set the daemon's proxies in its environment."""
        unit = unit_file.load(self.system, "docker.service") or {"path": "", "drop_ins": [], "environment_files": []}
        files = [unit["path"]] + unit["drop_ins"] + [path.lstrip("-") for path in unit["environment_files"]]
        files += [] if engine_facts.FILE in files else [engine_facts.FILE]
        found = [path for path in files if PROXIES.search(_code(lenient.text(self.system, path) or ""))]
        return [self._stands(path, HIDDEN) for path in found]

    def _record(self, path: "list[str]") -> "dict[str, Any] | None":
        record = self.recorded().get(tuple(path))
        if record is None:
            return None
        return {
            "role": record.get("role") or "",
            "unchanged": daemon_json.as_written(self.system, path, self.document, record),
        }

    def _live(self, path: "list[str]") -> "Any":
        """What the daemon says is in effect; None where it does not run or does not tell."""
        top, entry = path[0], ".".join(path[1:])
        try:
            if self.pid is None:
                return None
            if top in live.INFO:
                value = live.INFO[top](self._get("/info"), entry)
            elif top in live.BRIDGE:
                value = live.BRIDGE[top](self._get("/networks/bridge"))
            else:
                return None
        except Unknown:
            return None
        if top == "proxies":
            return HIDDEN if value else None
        return engine_facts.bare(path[-1], value)

    def _get(self, target: str) -> "dict[str, Any]":
        if target not in self._said:
            self._said[target] = daemon_socket.get(self.system, self.pid or 0, target) or {}
        said: "dict[str, Any]" = self._said[target]
        return said

    def _agrees(self, path: "list[str]", value: "Any") -> "bool | None":
        """Is what stands in the file in effect? None where that cannot be told."""
        if self.pid is None:
            return None
        options = {path[0]: {path[1]: value} if len(path) > 1 else value}
        try:
            found, unseen = live.seen(self.system, self.pid, options)
            return None if unseen else found == live.flat(options)
        except (Unknown, TypeError, AttributeError, KeyError):  # or the file holds another form than Docker takes
            return None


def _of(path: "list[str]", value: str) -> bool:
    """Is this value of a flag about the entry that `path` names?"""
    return len(path) == 1 or value.partition("=")[0] == path[1]


def _unit(system: "System") -> "list[tuple[list[str], str]]":
    """[(words, file)] of the daemon's command line on disk: that of its unit, and DOCKER_OPTS."""
    found = []
    path = unit_file.load(system, "docker.service")
    for file in [path["path"]] + path["drop_ins"] if path and not path["masked"] else []:
        for key, value in unit_file.assignments(lenient.text(system, file) or "", "Service"):
            if key == "ExecStart" and path:
                found = _words(unit_file.command_words(value)[1:], file, path)
    try:
        words = default_file.words(lenient.text(system, engine_facts.FILE) or "", engine_facts.FILE)
    except Failed:  # only a shell could tell them
        words = []
    return found + [(words, engine_facts.FILE)]


def _words(words: "list[str]", file: str, unit: "dict[str, Any]") -> "list[tuple[list[str], str]]":
    """[(words, file)] of a command line: flags in a variable stand where that has its value."""
    found, rest = [], []
    for word in words:
        values = unit["variables"].get(word[1:], []) if word[:1] == "$" else []
        if values and values[0].startswith("-"):
            found.append((values, unit["variables_from"][word[1:]]))
        else:
            rest += flags.expand([word], unit["variables"])[0]
    return [(rest, file)] + found


def _code(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if line.strip()[:1] not in ("#", ";"))


def _package(system: "System", path: str) -> str:
    """The package that a file came with, from dpkg's own lists; "" for a file of nobody."""
    names = {path, os.path.realpath(path)} | ({path[len("/usr") :]} if path.startswith("/usr/lib/") else set())
    wanted = [b"\n" + name.encode("utf-8", "surrogateescape") + b"\n" for name in sorted(names)]
    for name in lenient.names(system, DPKG):
        if name.endswith(".list"):
            data = b"\n" + (system.read(os.path.join(DPKG, name)) or b"") + b"\n"
            if any(line in data for line in wanted):
                return name[: -len(".list")].partition(":")[0]
    return ""
