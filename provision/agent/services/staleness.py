"""What a service's process was started with: who it is, and digests of the files that it read, which hold no secret.

The law: nothing here trusts a file's time where it knows better (law 6). A digest tells whether a file differs; when we
wrote it stands in a clock that nobody sets. Of a JSON file that a signal makes the process read again each key has its
digest, so that it is known when the signal is enough.
"""

import json
import os

from ..engine.impact import RELOAD, RESTART
from ..host import lenient

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..host.system import System
    from ..types import Process

TICKS = os.sysconf("SC_CLK_TCK")


def process(system: "System", pid: int) -> "Process | None":
    """[boot id, PID, start ticks]: no other process of any time has the same."""
    text = lenient.text(system, "/proc/{}/stat".format(pid))
    if text is None:
        return None
    return [system.boot_id(), pid, int(text.rpartition(")")[2].split()[19])]


def replaced(system: "System", born: "Process") -> bool:
    """Was its program replaced on disk, by an upgrade? In check mode: will it be?"""
    program = system.link("/proc/{}/exe".format(born[1])) or ""
    return program.endswith(" (deleted)") or system.foreseen.get(program, b"") is None


def taken(system: "System", files: "list[str]", reload: "dict[str, Any] | None") -> "dict[str, Any]":
    """What a process that starts now reads: {"files": {path: digest}, "keys": {key: digest} or None}."""
    return {
        "files": {path: digest(system, path) for path in files},
        "keys": _keys(system, reload["file"]) if reload else None,
    }


def differs(system: "System", files: "list[str]", recorded: "dict[str, str]") -> bool:
    """Do the files differ from those of a record?"""
    now = {path: digest(system, path) for path in files}
    for path in sorted(set(now) | set(recorded)):
        before = recorded.get(path)
        if before is None:
            # Not looked at when the process began: a drop-in is new, any other file is new to us only.
            if os.path.dirname(path).endswith(".d") and now[path] != "absent":
                return True
        elif (now[path] if path in now else digest(system, path)) != before:
            return True
    return False


def needed(
    system: "System",
    record: "dict[str, Any] | None",
    born: "Process",
    files: "list[str]",
    reload: "dict[str, Any] | None",
) -> "tuple[str, list[str]]":
    """(level, what differs) for a process that does not run what is on disk: reload, where a signal is enough."""
    if replaced(system, born):
        return RESTART, ["its program was upgraded"]
    if record is None or record["process"] != born:
        return RESTART, ["what it was started with is not known"]
    known = sorted(set(files) | set(record["files"]))
    changed = [path for path in known if digest(system, path) != record["files"].get(path, "absent")]
    if not reload or reload["file"] not in changed or record.get("keys") is None:
        return RESTART, changed
    before, after = record["keys"], _keys(system, reload["file"]) or {}
    keys = [key for key in sorted(set(before) | set(after)) if before.get(key) != after.get(key)]
    why = keys + [path for path in changed if path != reload["file"]]
    enough = bool(keys) and all(key in after and key.partition(".")[0] in reload["keys"] for key in why)
    return (RELOAD if enough else RESTART), why


def planned(system: "System", path: str) -> "dict[str, Any]":
    """A JSON object as it will be; {} where there is none."""
    return _object(system.foreseen[path] if path in system.foreseen else system.read(path))


def changing(system: "System", path: str) -> "set[str]":
    """The keys of a JSON object that will not be what they are."""
    now, then = _object(system.read(path)), planned(system, path)
    return {key for key in set(now) | set(then) if now.get(key) != then.get(key)}


def _object(data: "bytes | None") -> "dict[str, Any]":
    try:
        document = json.loads(data.decode("utf-8")) if data and data.strip() else {}
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _keys(system: "System", path: str) -> "dict[str, str]":
    """Digests one level into the object: runtimes.nvidia is a key of its own."""
    flat = {}
    for key, value in planned(system, path).items():
        inner = value.items() if isinstance(value, dict) and value else [("", value)]
        flat.update({"{}.{}".format(key, name).rstrip("."): item for name, item in inner})
    return {
        key: system.state_file.digest(json.dumps(item, sort_keys=True).encode("ascii")) for key, item in flat.items()
    }


def digest(system: "System", path: str) -> str:
    """A file's digest, or "absent". JSON counts by its meaning: another tool's indentation is no reason to restart."""
    data = system.foreseen[path] if path in system.foreseen else system.read(path)
    if path.endswith(".json"):
        try:
            document = json.loads(data.decode("utf-8")) if data and data.strip() else {}
            data = json.dumps(document, sort_keys=True).encode("ascii")
        except (ValueError, RecursionError):
            pass  # what is no JSON counts byte by byte
    return system.state_file.digest(data)


def written_since(system: "System", path: str, born: "Process") -> bool:
    """Was this file of ours written after the process began: by us, in a clock that nobody sets, or by anybody else?

    The second is told by the file's own time, which a set clock can spoil, and so only where we know no better: a file
    that was another one when somebody restarted the service by hand, and was put back since, has our contents again.
    """
    record = system.state_file.get("written", path)
    if record is None:
        return False
    changed = system.changed_at(path)
    if changed is not None and changed > (born[2]) / TICKS + 1:
        return True
    if record["boot"] != born[0]:
        return False
    if record["uptime"] is None:  # we died in the write: it counts when it came about
        return bool(record["digest"] == system.state_file.digest(system.read(path)))
    return bool(record["uptime"] > born[2] / TICKS)
