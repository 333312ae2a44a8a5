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


RECORDS = {
    "accounts": dict,
    "apt": {"time": NUMBER, "run": object},
    "asked": {ANY: {"kind": str, "fields": dict}},
    "daemon_flags": {"flags": [_flag], "variables": LIST},
    "holds": object,
    "images": {"id": str},
    "installed": {"with": str},
    "json_keys": {ANY: {"role": str, "digest": str}},
    "pending": {"staged": [str]},
    "proofs": {"digest": str, "at": NUMBER},
    "runs": dict,
    "services": {"process": LIST, "files": dict},
    "written": {"digest": str, "boot": str, "uptime": NUMBER + (type(None),)},
}
"""One record of each section of state.json (state.py)."""
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
