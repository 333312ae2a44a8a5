"""What is still to be done or known on this host: pending changes, an unfinished one, the last run, the last proof,
roles that nobody asks for any more, and the lock.

The law: reads only, takes no lock. Every record may be of another version: what is missing or odd in it is left out,
and only a damaged state file is a failure. Of an unfinished change only its head is told: the rest may be secret.
"""

import json
import os

from ..gpu.proof.receipt import RECEIPT
from ..host import lock, look, times
from . import unmanaged

REBOOT = ("/run/reboot-required", "/var/run/reboot-required")
UNFINISHED = "undo/journal.json"
LISTED = 100
TEXT = 500


def answer(system, arguments):
    memory = system.memory
    interrupted = memory.get("runs", "interrupted")
    return {
        "time": times.now(),
        "pending": [_pending(role, record) for role, record in _records(memory, "pending")],
        "unfinished": _unfinished(system),
        "last_run": _last_run(system),
        "proof": _proof(system),
        "unmanaged": _unmanaged(system, arguments["roles"]),
        "lock": lock_of(*lock.look(system)),
        "reboot": next((_packages(system, path) for path in REBOOT if look.exists(system, path)), None),
        "interrupted": _interrupted(interrupted) if isinstance(interrupted, dict) else None,
    }


def _pending(role, record):
    found = dict(_head(record), role=_text(role), reason=_text(record.get("reason")))
    found.update({name: _texts(record.get(name)) for name in ("resources", "staged")})
    return found


def _head(record):
    """Whose it is, and since when; `run` is an ID, or an object with `id` and `by`."""
    run = record.get("run")
    told = run if isinstance(run, dict) else {"id": run, "by": record.get("by")}
    return {
        "run": _text(told.get("id")),
        "by": _text(told.get("by")),
        "since": _text(record.get("since")),
        "age": times.age(record.get("since")),
    }


def _unfinished(system):
    """The head of a change that was begun and not yet found good, or None."""
    path = os.path.join(system.state, UNFINISHED)
    if system.stat(path) is None:
        return None
    record = _json(look.text(system, path))
    return dict(_head(record), deadline=_text(record.get("deadline")))


def _last_run(system):
    """The last run that changed anything or failed: only those are in the host's history."""
    lines = (look.text(system, os.path.join(system.state, "history.jsonl")) or "").splitlines()
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
    }


def _proof(system):
    """The last proof of the GPUs, as it was: whether it still holds, only a run that asks for one can tell."""
    receipt = _json(look.text(system, os.path.join(system.state, RECEIPT)))
    if not receipt:
        return None
    gpus, levels = receipt.get("gpus"), receipt.get("levels")
    levels = levels if isinstance(levels, dict) else {}
    return {
        "verdict": _text(receipt.get("verdict")),
        "time": _text(receipt.get("time")),
        "age": times.age(receipt.get("time")),
        "gpus": len(gpus) if isinstance(gpus, list) else 0,
        "levels": sorted(_text(level) for level in levels),
        "failed": _texts(receipt.get("failed_checks")),
    }


def _unmanaged(system, roles):
    found = unmanaged.look(system, roles)
    return [{"role": _text(item["role"]), "left": _texts(item["left"])} for item in found]


def _records(memory, section):
    return [(key, record) for key, record in sorted(memory.section(section).items()) if isinstance(record, dict)]


def lock_of(owner, pid):
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


def _packages(system, path):
    """The packages that want a reboot, as Debian and Ubuntu note them."""
    return _texts(sorted(set((look.text(system, path + ".pkgs") or "").split())))


def _interrupted(record):
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


def _json(text):
    """The object in a text, or {}."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(value):
    return "" if value is None else str(value)[:TEXT]


def _texts(values):
    return [_text(value) for value in values[:LISTED]] if isinstance(values, list) else []


def _number(value):
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else 0
