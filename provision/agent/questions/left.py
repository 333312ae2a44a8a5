"""What roles that are not the host's any more have left there.

The law: reads only. What is remembered is looked for on the host, and what is gone is not told; where that cannot be
told it is.
"""

import json

from ..engine import kinds
from ..engine.resource import compare
from ..files import json_object
from ..host.errors import Failed, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Collection

    from ..host.system import System

WORDS = {
    "account_left": "account",
    "directory_gone": "directory",
    "empty_object": "file",
    "proof_left": "proof of GPUs:",
}
"""Kinds that only this host knows, in words for people."""


def by_role(system: "System", roles: "Collection[str]") -> "dict[str, list[str]]":
    """{role: [what it left]} of roles that are not among `roles`."""
    found: "dict[str, list[str]]" = {}
    for role, things in _of_resources(system, roles) + _of_keys(system, roles) + _of_flags(system, roles):
        if role and role not in roles and things:  # "": a flag of somebody else's that had to move
            found.setdefault(role, []).extend(things)
    return found


def _of_resources(system: "System", roles: "Collection[str]") -> "list[tuple[str, list[str]]]":
    return [
        (role, [text for key, item in sorted(record.items()) for text in _of_record(system, key, item)])
        for role, record in sorted(system.state_file.section("asked").items())
        if role not in roles and isinstance(record, dict)
    ]


def _of_record(system: "System", key: str, record: "dict[str, Any]") -> "list[str]":
    """What is left of one resource; nothing of what was so before us. `key` is told where the host cannot tell."""
    if isinstance(record, dict) and record.get("found"):
        return []
    try:
        resource = kinds.make(record["kind"], record["fields"])
        diff = compare(resource.actual(system), resource.desired())
    except (Failed, Unknown, OSError, ValueError, TypeError, KeyError):
        return [key]
    if not diff:
        return []
    if record["kind"] == "packages_removal":
        words = (("installed", "package"), ("held", "hold of"))
        return ["{} {}".format(word, name) for state, word in words for name in diff.get(state, ([],))[0]]
    return ["{} {}".format(WORDS.get(record["kind"], record["kind"]), resource.identity())]


def _of_keys(system: "System", roles: "Collection[str]") -> "list[tuple[str, list[str]]]":
    found = []
    for path in sorted(system.state_file.section("json_keys")):
        by_role: "dict[str, list[str]]" = {}
        for name, item in sorted(system.state_file.get("json_keys", path).items()):
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
    for path in sorted(system.state_file.section("daemon_flags")):
        by_role: "dict[str, list[str]]" = {}
        for name, _, role in system.state_file.get("daemon_flags", path)["flags"]:
            if role not in roles:
                by_role.setdefault(role, []).append("--" + name)
        found += [(role, ["{} in {}".format(", ".join(names), path)]) for role, names in sorted(by_role.items())]
    return found
