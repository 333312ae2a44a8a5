"""A systemd unit as systemd would read it from disk: the unit file and its drop-ins, without asking systemd.

The law: reads only, starts no process (`systemctl cat` costs 15 ms and needs a bus). Search order, masks, drop-in
precedence, continuation lines and the reset by an empty assignment are those of systemd.unit(5) and systemd.syntax(7).
"""

import shlex

from ..host import look

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


def load(system, name):
    """A service as `provision.facts.Unit` takes it, or None when there is no such unit."""
    path = _first(system, name)
    if path is None:
        return None
    unit = {
        "path": path,
        "masked": _empty(system, path),
        "exec_start": [],
        "exec_start_from": "",
        "environment_files": [],
    }
    unit["drop_ins"] = [] if unit["masked"] else drop_ins(system, name)
    for file in [path] + [file for file in unit["drop_ins"] if file not in OURS]:
        for key, value in assignments(look.text(system, file) or "", "Service"):
            _assign(unit, key, value, file)
    return unit


def _first(system, name):
    for place in PLACES:
        path = "{}/{}".format(place, name)
        if look.exists(system, path):
            return path
    return None


def _empty(system, path):
    """An empty unit file, or a link to /dev/null, masks the unit (and a drop-in: that drop-in)."""
    if system.link(path) == "/dev/null":
        return True
    return look.text(system, path) == ""


def drop_ins(system, name):
    """The drop-in files of a unit in the order they apply: by file name, of equal names the most important one."""
    stem, _, ending = name.rpartition(".")
    parts = stem.split("-")
    prefixes = ["-".join(parts[:count]) + "-." + ending for count in range(len(parts) - 1, 0, -1)]
    found = {}
    for folder in [name] + prefixes + [ending]:
        for place in PLACES:
            directory = "{}/{}.d".format(place, folder)
            for file in look.names(system, directory):
                if file.endswith(".conf"):
                    found.setdefault(file, "{}/{}".format(directory, file))
    return [path for _, path in sorted(found.items()) if not _empty(system, path)]


def assignments(content, section):
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


def _assign(unit, key, value, file):
    if key == "ExecStart":
        unit["exec_start"] = [look.without_secrets(word) for word in command_words(value)]
        unit["exec_start_from"] = file if value else ""
    elif key == "EnvironmentFile":
        unit["environment_files"] = unit["environment_files"] + [value] if value else []


def command_words(value):
    """A command line as systemd splits it, without the prefixes of its first word; variables stay as they are."""
    try:
        words = shlex.split(value)
    except ValueError:
        words = value.split()
    return [words[0].lstrip("@-:+!|")] + words[1:] if words else []
