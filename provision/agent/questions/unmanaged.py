"""What roles that nobody asks for any more have left on this host: each record is held against the host itself.

The law: reads only. What is not there any more is not told, whoever took it away; what cannot be looked at counts as
left.
"""

from ..engine import kinds
from ..engine.resource import compare
from ..host.errors import Failed, Unknown

SHARED = {"json_keys": "json_keys", "daemon_flags": "daemon_flags"}
"""Sections of the memory, by path: files that others write to as well, with what is ours in them."""


def look(system, roles):
    """[{"role", "left": [texts]}] of the roles that are not in `roles`."""
    left = {}
    for role, records in system.memory.section("asked").items():
        if role not in roles and isinstance(records, dict):
            left[role] = [text for key, record in sorted(records.items()) for text in _of_record(system, key, record)]
    for section in SHARED:
        for path in sorted(system.memory.section(section)):
            for role in sorted(_owners(system, section, path) - set(roles)):
                left.setdefault(role, []).extend(_in_file(system, section, path, role))
    return [{"role": role, "left": texts} for role, texts in sorted(left.items()) if texts]


def _of_record(system, key, record):
    """What is left of one resource; nothing of what was so before us."""
    if not isinstance(record, dict) or record.get("found"):
        return []
    if not kinds.known(record):
        return [key]
    resource = kinds.make(record["kind"], record["fields"])
    try:
        diff = compare(resource.actual(system), resource.desired())
    except (Failed, Unknown, OSError):
        return [key]
    if not diff:
        return []
    if record["kind"] == "packages_removal":
        words = (("installed", "package"), ("held", "hold of"))
        return ["{} {}".format(word, name) for state, word in words for name in diff.get(state, ([],))[0]]
    return [key.replace("account_left", "account").replace("directory_gone", "directory")]


def _owners(system, section, path):
    """ "" is nobody: a key or flag of somebody else's that had to move."""
    record = system.memory.get(section, path) or {}
    if section == "json_keys":
        return {item["role"] for item in record.values() if item["role"]}
    return {role for _, _, role in record["flags"] if role}


def _in_file(system, section, path, role):
    fields = {"path": path, "roles": [role], "sensitive": False, "absent": []}
    if section == "json_keys":
        fields.update(keys=[], mode="0644", owner="root", group="root", validate_with=None)
    else:
        fields.update(flags=[], variables={}, export=False)
    try:
        unwanted = kinds.make(SHARED[section], fields).actual(system)["unwanted"]
    except (Failed, Unknown, OSError):
        unwanted = ["settings"]
    return ["{} in {}".format(", ".join(unwanted), path)] if unwanted else []
