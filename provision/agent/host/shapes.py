"""What records in the state directory have to look like, where this version reads them.

The law: pure, and no more is asked of a record than we use of it: one of another version may hold more.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ANY = None
"""As the only key of a shape: whatever the keys are."""
NUMBER = (int, float)
LIST = (list, tuple)


def fits(value: object, shape: "Any") -> bool:
    """`shape` is a type (or several), [shape of each item], {key: shape}, or a function that says so."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return False
        if ANY in shape:
            return all(fits(item, shape[ANY]) for item in value.values())
        return all(key in value and fits(value[key], inner) for key, inner in shape.items())
    if isinstance(shape, list):
        return isinstance(value, LIST) and all(fits(item, shape[0]) for item in value)
    if isinstance(shape, (type, tuple)):
        return isinstance(value, shape)
    return bool(shape(value))


def _flag(value: object) -> bool:
    return isinstance(value, LIST) and len(value) == 3


SCHEMA = 1
"""Of state.json. It grows where an older version would misread what a newer one writes."""
SECTIONS = {
    "accounts": ("accounts/users.py", "user", dict),
    "apt": ("packages/apt.py", '"updated"', {"time": NUMBER, "run": object}),
    "asked": ("run/run.py", "role", {ANY: {"kind": str, "fields": dict}}),
    "daemon_flags": ("docker/default_file.py", "path", {"flags": [_flag], "variables": LIST}),
    "holds": ("packages/install.py", "package", object),
    "images": ("registries/images.py", "reference", {"id": str}),
    "installed": ("packages/given.py", "package", {"with": str}),
    "json_keys": ("docker/daemon_json.py", "path", {ANY: {"role": str, "digest": str}}),
    "pending": ("run/pending.py", "role", {"staged": [str]}),
    "proofs": ("registries/login_proof.py", "registry", {"digest": str, "at": NUMBER}),
    "runs": ("main.py", '"interrupted" or "undone"', dict),
    "services": ("services/service.py", "service", {"process": LIST, "files": dict}),
    "written": ("host/system.py", "path", {"digest": str, "boot": str, "uptime": NUMBER + (type(None),)}),
}  # type: dict[str, tuple[str, str, Any]]
"""The sections of state.json: the file that owns each, what its records are kept by, and what each record holds."""
RECORDS = {name: record for name, (_, _, record) in SECTIONS.items()}
FILE = {
    "path": str,
    "data": (str, type(None)),
    "mode": (int, type(None)),
    "uid": (int, type(None)),
    "gid": (int, type(None)),
}
JOURNAL = {
    "run": object,
    "service": (dict, type(None)),
    "files": [FILE],
    "ran": (bool, type(None)),
    "touched": bool,
    "memory": (dict, type(None)),
    "deadline": NUMBER + (type(None),),
}
"""The way back of a change (rollback/transaction.py)."""
