"""What roles that are not the host's any more have left there.

The law: reads only. What is remembered is looked for on the host, and what is gone is not told; where that cannot be
told it is.
"""

import json

from ..engine import kinds
from ..engine.resource import compare
from ..files import json_object
from ..host import look
from ..host.errors import Failed, Unknown
from ..packages import dpkg

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Collection

    from ..host.system import System
    from ..types import Item

UNITS = ("/etc/systemd/system/{}.service", "/usr/lib/systemd/system/{}.service", "/lib/systemd/system/{}.service")
SCRIPT = "/etc/init.d/{}"


def by_role(system: "System", roles: "Collection[str]") -> "dict[str, list[str]]":
    """{role: [what it left]} of roles that are not among `roles`."""
    found: "dict[str, list[str]]" = {}
    for role, things in _of_resources(system, roles) + _of_keys(system, roles) + _of_flags(system, roles):
        if role and role not in roles and things:  # "": a flag of somebody else's that had to move
            found.setdefault(role, []).extend(things)
    return found


def _of_resources(system: "System", roles: "Collection[str]") -> "list[tuple[str, list[str]]]":
    memory = system.memory
    asked = [
        (role, [name for name, undo in sorted(record.items()) if not _undone(system, undo)])
        for role, record in sorted(memory.section("asked").items())
        if role not in roles and isinstance(record, dict)
    ]
    stays = [(role, _there(system, things)) for role, things in sorted(memory.section("stays").items())]
    return asked + stays


def _undone(system: "System", record: "Item") -> bool:
    """Is the host already as the resource that undoes this one would make it?"""
    try:
        resource = kinds.make(record["kind"], record["fields"])
        return not compare(resource.actual(system), resource.desired())
    except (Failed, Unknown, OSError, ValueError, TypeError, KeyError):
        return False


def _there(system: "System", things: "list[tuple[str, str]]") -> "list[str]":
    names = [name for what, name in things if what == "package"]
    packages = dpkg.packages(system, names) if names else {}
    told = [_thing(system, packages, what, name) for what, name in things]
    return [text for text in told if text]


def _thing(system: "System", packages: "dict[str, dpkg.Package]", what: str, name: str) -> "str | None":
    """`package docker.io (held)`, or None for what is not there."""
    if what == "package":
        package = packages.get(name)
        if package is None or not package.present:
            return None
        return "package {}{}".format(name, " (held)" if package.held else "")
    if what == "user" and system.uid(name) is None or what == "group" and system.gid(name) is None:
        return None
    if what == "service" and not any(look.exists(system, path.format(name)) for path in UNITS + (SCRIPT,)):
        return None
    return "{} {}".format(what, name)


def _of_keys(system: "System", roles: "Collection[str]") -> "list[tuple[str, list[str]]]":
    found = []
    for path in sorted(system.memory.section("json_keys")):
        by_role: "dict[str, list[str]]" = {}
        for name, item in sorted(system.memory.get("json_keys", path).items()):
            if item["role"] not in roles and _stands(system, path, json.loads(name)):
                by_role.setdefault(item["role"], []).append(".".join(json.loads(name)))
        found += [(role, ["{} in {}".format(", ".join(keys), path)]) for role, keys in sorted(by_role.items())]
    return found


def _stands(system: "System", path: str, key: "list[str]") -> bool:
    """Is the key in the file? A file that cannot be read may have it."""
    try:
        data = system.read(path)
        document: "Any" = {} if data is None else json_object.parse(data, path)
    except (Failed, OSError):
        return True
    for part in key:
        if not isinstance(document, dict) or part not in document:
            return False
        document = document[part]
    return True


def _of_flags(system: "System", roles: "Collection[str]") -> "list[tuple[str, list[str]]]":
    found = []
    for path in sorted(system.memory.section("daemon_flags")):
        by_role: "dict[str, list[str]]" = {}
        for name, _, role in system.memory.get("daemon_flags", path)["flags"]:
            if role not in roles:
                by_role.setdefault(role, []).append("--" + name)
        found += [(role, ["{} in {}".format(", ".join(names), path)]) for role, names in sorted(by_role.items())]
    return found
