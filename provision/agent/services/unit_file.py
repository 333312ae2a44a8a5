"""A systemd unit as systemd would read it from disk: the unit file and its drop-ins, without asking systemd.

The law: reads only, starts no process (`systemctl cat` costs 15 ms and needs a bus). Search order, masks, drop-in
precedence, continuation lines and the reset by an empty assignment are those of systemd.unit(5) and systemd.syntax(7).
"""

import re
import shlex

from ..host import lenient

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

    from ..host.system import System

PLACES = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
)
"""Where systemd looks for a unit, the most important first (systemd.unit(5), system unit search path)."""
OURS = tuple("/etc/systemd/system/docker.service.d/" + name for name in ("50-provision.conf", "zz-provision.conf"))
"""Drop-ins that we wrote (provision/daemon/layout.py): what they are to say is decided by the unit without them."""
DEFAULT_FILE = "/etc/default/docker"
VARIABLE = r"(?<!\$)\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))"


def load(system: "System", name: str, without: "Sequence[str]" = OURS) -> "dict[str, Any] | None":
    """A service as `provision.facts.Unit` takes it, `without` these drop-ins; None when there is no such unit."""
    path = _first(system, name)
    if path is None:
        return None
    unit: "dict[str, Any]" = {
        "path": path,
        "masked": _empty(system, path),
        "exec_start": [],
        "exec_start_from": "",
        "environment_files": [],
    }
    environment: "dict[str, tuple[str, str]]" = {}
    unit["drop_ins"] = [] if unit["masked"] else drop_ins(system, name)
    for file in [path] + [file for file in unit["drop_ins"] if file not in without]:
        for key, value in assignments(lenient.text(system, file) or "", "Service"):
            _assign(unit, key, value, file)
            _set(environment, key, value, file)
    _add_variables(system, unit, environment)
    return unit


def last(system: "System", name: str, key: str) -> str:
    """The last value of a setting of a service that takes one; "" where there is none."""
    path = _first(system, name)
    files = [path] + drop_ins(system, name) if path is not None and not _empty(system, path) else []
    found = [assignments(lenient.text(system, file) or "", "Service") for file in files]
    return next(iter([value for texts in found for its, value in texts if its == key][::-1]), "")


def _set(environment: "dict[str, tuple[str, str]]", key: str, value: str, file: str) -> None:
    """Environment= of systemd.exec(5): {name: (value, the file that it stands in)}; an empty one takes all back."""
    if key == "Environment":
        if not value:
            environment.clear()
        for word in _split(value):
            name, equals, text = word.partition("=")
            if equals:
                environment[name] = (text, file)


def _add_variables(system: "System", unit: "dict[str, Any]", environment: "dict[str, tuple[str, str]]") -> None:
    """`variables`: {name: the words of its value} of those on the command line; `variables_from`: {name: file}.

    DOCKER_OPTS of /etc/default/docker is none: its words are edited there.
    """
    for path in unit["environment_files"]:  # these win over Environment=
        path = path.lstrip("-")
        for name, value in _file(lenient.text(system, path) or ""):
            environment[name] = (value, path)
    if environment.get("DOCKER_OPTS", ("", ""))[1] == DEFAULT_FILE:
        del environment["DOCKER_OPTS"]
    found = [
        name
        for word in unit["exec_start"]
        if "$" in word
        for pair in re.findall(VARIABLE, word)
        for name in pair
        if name
    ]
    used = {name: environment[name] for name in found if name in environment}
    unit["variables"] = {
        name: [lenient.without_secrets(word) for word in _split(value)] for name, (value, _) in used.items()
    }
    unit["variables_from"] = {name: file for name, (_, file) in used.items()}


def _file(content: str) -> "Iterator[tuple[str, str]]":
    """(name, value) of each assignment in an EnvironmentFile."""
    for line in content.replace("\\\n", " ").splitlines():
        name, equals, value = line.strip().partition("=")
        value = value.strip()
        if value[:1] in ("'", '"') and value[-1:] == value[:1]:
            value = value[1:-1]
        if equals and name[:1] not in ("#", ";"):
            # A % is one here, and would be a specifier where the value is written out.
            yield name.strip(), value.replace("%", "%%")


def _first(system: "System", name: str) -> "str | None":
    for place in PLACES:
        path = "{}/{}".format(place, name)
        if lenient.exists(system, path):
            return path
    return None


def _empty(system: "System", path: str) -> bool:
    """An empty unit file, or a link to /dev/null, masks the unit (and a drop-in: that drop-in)."""
    if system.link(path) == "/dev/null":
        return True
    return lenient.text(system, path) == ""


def drop_ins(system: "System", name: str) -> "list[str]":
    """The drop-in files of a unit in the order they apply: by file name, of equal names the most important one."""
    stem, _, ending = name.rpartition(".")
    parts = stem.split("-")
    prefixes = ["-".join(parts[:count]) + "-." + ending for count in range(len(parts) - 1, 0, -1)]
    found: "dict[str, str]" = {}
    for folder in [name] + prefixes + [ending]:
        for place in PLACES:
            directory = "{}/{}.d".format(place, folder)
            for file in lenient.names(system, directory):
                if file.endswith(".conf"):
                    found.setdefault(file, "{}/{}".format(directory, file))
    return [path for _, path in sorted(found.items()) if not _empty(system, path)]


def assignments(content: str, section: str) -> "Iterator[tuple[str, str]]":
    """(key, value) of each assignment in a section; continuation lines joined, comments skipped even between them."""
    current, pending = None, ""
    for line in content.splitlines():
        stripped = line.strip()
        if stripped[:1] in ("#", ";") or not (stripped or pending):
            continue
        joined = pending + stripped
        if joined.endswith("\\"):
            pending = joined[:-1] + " "
            continue
        pending = ""
        if joined.startswith("[") and joined.endswith("]"):
            current = joined[1:-1]
        elif current == section and "=" in joined:
            key, _, value = joined.partition("=")
            yield key.strip(), value.strip()


def _assign(unit: "dict[str, Any]", key: str, value: str, file: str) -> None:
    if key == "ExecStart":
        unit["exec_start"] = [lenient.without_secrets(word) for word in command_words(value)]
        unit["exec_start_from"] = file if value else ""
    elif key == "EnvironmentFile":
        unit["environment_files"] = unit["environment_files"] + [value] if value else []


def command_words(value: str) -> "list[str]":
    """A command line as systemd splits it, without the prefixes of its first word; variables stay as they are."""
    words = _split(value)
    return [words[0].lstrip("@-:+!|")] + words[1:] if words else []


def _split(value: str) -> "list[str]":
    """Words as systemd splits them, quotes taken off."""
    try:
        return shlex.split(value)
    except ValueError:
        return value.split()
