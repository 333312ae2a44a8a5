"""The engine of change: look, compare, change what differs, look again.

The law: a kind has `desired()` (pure), `actual(system)` (reads only) and `apply(system, diff)` (changes exactly what
the diff names). It owns no diff, no check mode, no timing and no outcome: those are here. `None` means absent.
After `apply` the engine looks again, and what still differs is a failure even if every command exited 0.
"""

import json
import time

from ..host.errors import Failed, Unknown, os_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from ..host.system import System
    from ..types import Diff, Difference, Impact, ResourceResult, State, Undo

OK = "ok"
CHANGED = "changed"
WOULD_CHANGE = "would-change"
PENDING = "pending"
FAILED = "failed"
UNKNOWN = "unknown"

SECRET = "differs (secret)"
TEXT_LIMIT = 64 * 1024
"""Characters of one diff; a longer one is cut, and says so."""


class Resource:
    """One thing that a host is asked to have.

    A kind MUST declare its fields (`path: str` in the body of the class, without a value), and define `identity`,
    `desired`, `actual` and `apply`; the docstring of `desired` has the keys of its state. It MAY set `secret_keys`
    (keys of its state that never show), define `note(diff)` (a sentence for the plan), and `when_dropped()` (the
    resource that undoes this one once nobody asks for it any more). A probe (law 15) sets `probe`: what its `apply`
    proves is ok, not changed; its `note` is shown always, and `proof` (plain JSON types, or None) goes with the result.
    """

    fields = ()  # type: tuple[str, ...]
    secret_keys = ()  # type: tuple[str, ...]
    probe = False
    goes_ahead = False
    """A probe that may run while a service, just started, still has to show that it stays up."""
    proof = None  # type: dict[str, Any] | None
    starts = False
    """A service: what must not be there any more goes before it starts, and the way back includes it."""
    is_young = False
    """Of a service: it was started, and whether it stays up is still to be asked (`stays`)."""
    found = None  # type: State | None
    """The part of the actual state that `desired` is about, once the engine has looked."""

    def __init_subclass__(cls) -> None:
        declared = getattr(cls, "__annotations__", ())  # before Python 3.10 a base's, where it has none
        cls.fields = tuple(name for name in dict.fromkeys([*cls.fields, *declared]) if not hasattr(cls, name))

    def __init__(self, **values: "Any") -> None:
        if set(values) != set(self.fields):
            odd = sorted(set(values) ^ set(self.fields))
            raise TypeError("{} takes other fields: {}".format(type(self).__name__, ", ".join(odd)))
        self.__dict__.update(values)

    def identity(self) -> str:
        """What tells this resource from others of its kind: a path, a name."""
        raise NotImplementedError

    def desired(self) -> "State":
        """The asked state: a flat dict, keys as in `actual`. Pure."""
        raise NotImplementedError

    def actual(self, system: "System") -> "State | None":
        """The state found, or None when the thing is not there. Reads only; raises Unknown when it cannot tell."""
        raise NotImplementedError

    def apply(self, system: "System", diff: "Diff") -> None:
        """Change what `diff` names, and nothing else. `diff` is {key: (actual, desired)}."""
        raise NotImplementedError

    def note(self, diff: "Diff") -> str:
        """A sentence that the reader of a plan should see with this change, or ""."""
        return ""

    def foresee(self, system: "System") -> None:
        """Called in check mode instead of `apply`: put what would be written into `system.foreseen`, by path.

        So check sees what follows from it: a service that would run something else than what is on disk.
        """

    def follows(self, system: "System", diff: "Diff") -> "set[str]":
        """In check mode: keys of `diff` that follow from what is foreseen, and were shown with that."""
        return set()

    def unmet(self, left: "Diff") -> "Failed | None":
        """The failure to tell where `left` still differs after `apply`, or None for the engine's own words."""
        return None

    def when_dropped(self) -> "Undo | None":
        """The resource (kind, fields) that removes this one, or None where leaving it is right."""
        return None

    def when_removed(self, role: str) -> "Undo | None":
        """What stays when nobody asks for this any more, and goes only when `role` is removed: the resource that does
        that, or None. Asked of a resource that is as it should be; `found` is how it was before."""
        return None

    def impact(self, system: "System", diff: "Diff") -> "Impact | None":
        """What `apply` does to others on this host (engine/impact.py), or None. Reads only; knows what is foreseen."""
        return None

    def waits(self, diff: "Diff") -> str:
        """Why this difference is for somebody else to end, with what to do, or ""."""
        return ""

    def prove(self, system: "System") -> None:
        """Before a set of changes: raise Failed where this one cannot be made. Leaves nothing behind."""

    def cuts(self, diff: "Diff") -> bool:
        """Can this change cut the connection that we came by?"""
        return False

    def settled(self, system: "System") -> None:
        """Called after ok or changed, never in check mode: record what was proven. Changes nothing else."""

    def announce(self, system: "System") -> None:
        """Called after each outcome of an apply, of its first look too, never in a check: tell others on this host
        what was found. Changes nothing else."""

    def touches(self) -> "tuple[str, ...]":
        """The files that `apply` may change: a transaction can put them back, and their places are looked at first."""
        return ()

    def taints(self, key: str) -> bool:
        return key in self.secret_keys or getattr(self, "sensitive", False) and key == "content"


def compare(actual: "State | None", desired: "State") -> "Diff":
    """{key: (actual, desired)} for each desired key that differs. Keys that nobody asks for are left alone."""
    if actual is None:
        return {key: (None, value) for key, value in desired.items() if value is not None}
    return {key: (actual.get(key), value) for key, value in desired.items() if actual.get(key) != value}


def converge(
    resource: Resource, system: "System", check: bool, may: "Callable[[Impact], str | None] | None" = None
) -> "ResourceResult":
    """Bring one resource to its desired state; return its result (plain JSON types).

    `may(impact)` is asked before a change that others would feel: the reason why it has to wait, or None.
    """
    started = time.monotonic()
    result: "ResourceResult" = {
        "outcome": OK,
        "diff": [],
        "note": "",
        "impact": None,
        "error": None,
        "proof": None,
        "seconds": 0,
        "rolled_back": False,
        "waits": "",
        "cuts": False,
    }
    diff: "Diff" = {}
    try:
        _converge(resource, system, check, may, result, diff)
    except Unknown as error:
        _failed(result, UNKNOWN, str(error))
    except Failed as error:
        _failed(result, FAILED, error.cause, error.fix, error.output)
    except OSError as error:
        found = os_error(error)
        _failed(result, FAILED, found["cause"], found["fix"], trace=_trace())
    except Exception as error:  # one resource's bug ends one host's run, with the trace in the result
        _failed(result, FAILED, *_blamed(error), trace=_trace())
    notes = [resource.note(diff) if diff or resource.probe else ""]
    notes.append("proven after the change before it" if result["outcome"] == WOULD_CHANGE and not diff else "")
    notes.append(result["waits"] or (result["impact"]["effect"] if result["impact"] else ""))
    result["diff"] = [_shown(resource, key, pair) for key, pair in sorted(diff.items())]
    result["note"] = "; ".join(note for note in notes if note)
    result["proof"] = resource.proof
    result["seconds"] = round(time.monotonic() - started, 4)
    return result


def _failed(
    result: "ResourceResult", outcome: str, cause: str, fix: str = "", output: str = "", trace: str = ""
) -> None:
    result["outcome"] = outcome
    result["error"] = {"cause": cause, "fix": fix, "output": output, "trace": trace}


def _converge(
    resource: Resource,
    system: "System",
    check: bool,
    may: "Callable[[Impact], str | None] | None",
    result: "ResourceResult",
    diff: "Diff",
) -> None:
    """`result` and `diff` are filled in as far as it goes."""
    for path in resource.touches() if getattr(resource, "owner", "root") == "root" else ():
        system.check_place(path)
    actual, desired = resource.actual(system), resource.desired()
    diff.update(compare(actual, desired))
    resource.found = actual and {key: actual.get(key) for key in desired}
    if not diff:
        return
    for path in resource.touches():
        system.check_unlocked(path)
    impact = result["impact"] = resource.impact(system, diff)
    result["waits"] = resource.waits(diff)
    if may is not None and impact is not None:
        result["waits"] = may(impact) or ""
    result["cuts"] = resource.cuts(diff)
    if check:
        _foresee(resource, system, diff)
        result["outcome"] = WOULD_CHANGE
        return
    if result["waits"]:
        result["outcome"] = PENDING
        return
    resource.apply(system, diff)
    left = compare(resource.actual(system), resource.desired())
    if left:
        told = resource.unmet(left)
        if told is not None:
            raise told
        cause = "written, but not so when read back: {}".format(", ".join(sorted(left)))
        shown = [_shown(resource, key, pair) for key, pair in sorted(left.items())]
        raise Failed(cause, "", "\n".join("{key}: found {before!r}, asked {after!r}".format(**item) for item in shown))
    if resource.probe:
        diff.clear()  # a probe is not a change
    else:
        result["outcome"] = CHANGED


def _blamed(error: Exception) -> "tuple[str, str]":
    """What to tell of an error in code: (cause, fix). In a kind of a site's own, its file and line."""
    from ..host.tracebacks import line_of_site

    where = line_of_site(error)
    return "{}{}: {}".format(where, type(error).__name__, error), "mend the kind" if where else ""


def _foresee(resource: Resource, system: "System", diff: "Diff") -> None:
    resource.foresee(system)
    for key in resource.follows(system, diff):
        del diff[key]


def _trace() -> str:
    from ..host.tracebacks import formatted  # only where something went wrong

    return formatted()


def _shown(resource: Resource, key: str, pair: "tuple[Any, Any]") -> "Difference":
    """One difference as people may see it."""
    before, after = pair
    if resource.taints(key):
        return {"key": key, "before": SECRET, "after": SECRET}
    if _is_text(before) and _is_text(after) and "\n" in (before or "") + (after or ""):
        return {"key": key, "before": None, "after": None, "text": _unified(resource.identity(), before, after)}
    return {"key": key, "before": _plain(before), "after": _plain(after)}


def _is_text(value: "Any") -> bool:
    return value is None or isinstance(value, str)


def _plain(value: "Any") -> "Any":
    if isinstance(value, bytes):
        return "{} bytes".format(len(value))
    if isinstance(value, (str, list, dict)):
        text = value if isinstance(value, str) else json.dumps(value)
        return value if len(text) <= TEXT_LIMIT else _cut(text)
    return value


def _unified(name: str, before: "str | None", after: "str | None") -> str:
    from difflib import unified_diff  # only where there is a difference to show

    lines = unified_diff(
        (before or "").splitlines(True), (after or "").splitlines(True), name + " (found)", name + " (asked)"
    )
    text = "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)
    return text if len(text) <= TEXT_LIMIT else _cut(text)


def _cut(text: str) -> str:
    return text[:TEXT_LIMIT] + "\n[cut: {} characters more]\n".format(len(text) - TEXT_LIMIT)
