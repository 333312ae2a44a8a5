"""What is still to be done or known on this host: pending changes, an unfinished one, the last run, the last proof,
roles that nobody asks for any more, and the lock.

The law: reads only, takes no lock. Every record may be of another version: what is missing or odd in it is left out,
and only a damaged state file is a failure. Of an unfinished change only its head is told: the rest may be secret.
"""

import json
import os

from ..docker import current
from ..gpu.proof import gate
from ..gpu.proof.receipt import DCGM, RECEIPT, SPEED, SURVIVAL
from ..host import lenient, lock, times
from . import left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..host.state import StateFile
    from ..host.system import System

REBOOT = ("/run/reboot-required", "/var/run/reboot-required")
UNFINISHED = "undo/journal.json"
LISTED = 100
UPGRADED = "docker"
"""The stage that asks whether an upgrade is live (provision/plan.py)."""
TEXT = 500


def answer(system: "System", arguments: "dict[str, list[str]]") -> "dict[str, Any]":
    memory = system.state_file
    interrupted = memory.get("runs", "interrupted")
    return {
        "time": times.now(),
        "pending": _waiting(system),
        "unfinished": _unfinished(system),
        "last_run": _last_run(system),
        "proof": _proof(system),
        "unmanaged": _unmanaged(system, arguments["roles"]),
        "lock": lock_of(*lock.inspect(system)),
        "reboot": next((_packages(system, path) for path in REBOOT if lenient.exists(system, path)), None),
        "interrupted": _interrupted(interrupted) if isinstance(interrupted, dict) else None,
    }


def _waiting(system: "System") -> "list[dict[str, Any]]":
    """What runs have put off; and of Docker, whose program and files may be replaced by anybody, how it is now."""
    records = [(role, record) for role, record in _records(system.state_file, "pending") if role != UPGRADED]
    ours = system.state_file.get("services", "docker") or system.state_file.section("holds")
    upgraded = current.upgraded(system) if ours else []
    daemon = any("docker_service docker" in (record.get("resources") or ()) for _, record in records)
    changed = current.changed(system) if ours and not upgraded else []
    if (upgraded or changed) and not daemon:
        before = system.state_file.get("pending", UPGRADED) if upgraded else None
        reason = current.reason(upgraded) if upgraded else current.unlike(changed)
        records.append((UPGRADED, dict(before if isinstance(before, dict) else {}, reason=reason)))
    return [_pending(role, record) for role, record in records]


def _pending(role: str, record: "dict[str, Any]") -> "dict[str, Any]":
    found = dict(_head(record), role=_text(role), reason=_text(record.get("reason")))
    found.update({name: _texts(record.get(name)) for name in ("resources", "staged")})
    return found


def _head(record: "dict[str, Any]") -> "dict[str, Any]":
    """Whose it is, and since when; `run` is an ID, or an object with `id` and `by`."""
    run = record.get("run")
    told = run if isinstance(run, dict) else {"id": run, "by": record.get("by")}
    return {
        "run": _text(told.get("id")),
        "by": _text(told.get("by")),
        "since": _text(record.get("since")),
        "age": times.age(record.get("since")),
    }


def _unfinished(system: "System") -> "dict[str, Any] | None":
    """The head of a change that was begun and not yet found good, or None."""
    path = os.path.join(system.state, UNFINISHED)
    if system.stat(path) is None:
        return None
    record = _json(lenient.text(system, path))
    return dict(_head(record), deadline=_text(record.get("deadline")))


def _last_run(system: "System") -> "dict[str, Any] | None":
    """The last run that changed anything, failed or had to wait: only those are in the host's history."""
    lines = (lenient.text(system, os.path.join(system.state, "history.jsonl")) or "").splitlines()
    record = _json(lines[-1]) if lines else {}
    if not record:
        return None
    changed, more = record.get("changed"), record.get("more")
    return {
        "run": _text(record.get("run")),
        "by": _text(record.get("by")),
        "comment": _text(record.get("comment")),
        "time": _text(record.get("time")),
        "age": times.age(record.get("time")),
        "seconds": _number(record.get("seconds")),
        "changed": (len(changed) if isinstance(changed, list) else 0) + int(_number(more)),
        "failed": _texts(record.get("failed")),
        "waits": _texts(record.get("waits")),
    }


def _proof(system: "System") -> "dict[str, Any] | None":
    """The last proof of the GPUs, as it was: whether it still holds, only a run that asks for one can tell."""
    receipt = _json(lenient.text(system, os.path.join(system.state, RECEIPT)))
    if not receipt:
        return None
    others = [_json(lenient.text(system, os.path.join(system.state, name))) for name in (SURVIVAL, SPEED, DCGM)]
    gpus = receipt.get("gpus")
    levels: "list[str]" = []
    failed, verdicts = [], []
    for item in [receipt, *filter(None, others)]:
        levels += item["levels"] if isinstance(item.get("levels"), dict) else ()
        failed += _texts(item.get("failed_checks"))
        verdicts.append(_text(item.get("verdict")))
    return {
        "verdict": next((verdict for verdict in verdicts if verdict != "passed"), "passed"),
        "time": _text(receipt.get("time")),
        "age": times.age(receipt.get("time")),
        "gpus": len(gpus) if isinstance(gpus, list) else 0,
        "levels": sorted(_text(level) for level in levels),
        "failed": failed,
        "gate": _gate(system),
    }


def _gate(system: "System") -> "dict[str, Any] | None":
    """What others on the host are told of the proof; None where nothing was proven since the boot."""
    found = gate.last(system)
    return found and {"verdict": _text(found["verdict"]), "open": found["open"], "age": times.age(found["time"])}


def _unmanaged(system: "System", roles: "list[str]") -> "list[dict[str, Any]]":
    """Roles that wrote something here and are not the host's any more, with what is left of each."""
    return [{"role": role, "left": _texts(things)} for role, things in sorted(left.by_role(system, roles).items())]


def _records(memory: "StateFile", section: str) -> "list[tuple[str, dict[str, Any]]]":
    return [(key, record) for key, record in sorted(memory.section(section).items()) if isinstance(record, dict)]


def lock_of(owner: "dict[str, Any]", pid: "int | None") -> "dict[str, Any] | None":
    """Who holds the host, or has died holding it (`held` false); None where nobody does."""
    if not owner and pid is None:
        return None
    return {
        "held": pid is not None,
        "pid": pid,
        "run": _text(owner.get("id")),
        "by": _text(owner.get("by")),
        "comment": _text(owner.get("comment")),
        "since": _text(owner.get("since")),
        "age": times.age(owner.get("since")),
        "orphan": bool(owner.get("orphan")),
    }


def _packages(system: "System", path: str) -> "list[str]":
    """The packages that want a reboot, as Debian and Ubuntu note them."""
    return _texts(sorted(set((lenient.text(system, path + ".pkgs") or "").split())))


def _interrupted(record: "Any") -> "dict[str, Any] | None":
    run = record.get("run")
    run = run if isinstance(run, dict) else {}
    error = record.get("error")
    cause = error.get("cause") if isinstance(error, dict) else ""
    return {
        "run": _text(run.get("id")),
        "by": _text(run.get("by")),
        "step": _text(record.get("step")),
        "cause": _text(cause),
    }


def _json(text: "str | None") -> "dict[str, Any]":
    """The object in a text, or {}."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: "Any") -> str:
    return "" if value is None else str(value)[:TEXT]


def _texts(values: "list[str] | None") -> "list[str]":
    return [_text(value) for value in values[:LISTED]] if isinstance(values, list) else []


def _number(value: None) -> int:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else 0
