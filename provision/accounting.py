"""What an agent tells of its plan, held against that plan: a host is ok only where it has told of all of it.

The law: a result names a stage and a place that were planned, once. A stage is told of as a whole, unless something of
it failed, which ends the run, or has to wait. What a role asked for earlier and asks for no more comes with results of
its own, before the service of its stage; only the host knows those.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from provision.errors import ProtocolError
from provision.messages import ResultMessage
from provision.plan import Stage
from provision.resources import Resource

BAD = ("failed", "unknown")
WAITS = "pending"
DROPPED = 1000
"""Resources that a stage may undo because nobody asks for them any more."""


@dataclass(frozen=True)
class Told:
    """What stays of a result."""

    kind: str
    name: str
    outcome: str


class Accounting:
    """The results of one conversation, by stage."""

    def __init__(self) -> None:
        self._told: defaultdict[int, dict[int, Told]] = defaultdict(dict)

    def add(self, result: ResultMessage, stages: Sequence[Stage]) -> None:
        """One more result. ProtocolError where it is about something else than what was planned."""
        told = self._told[result.stage]
        known = 0 <= result.stage < len(stages) and stages[result.stage].role == result.role
        known = known and len(told) < len(stages[result.stage].resources) + DROPPED
        if not known or result.position in told or not _may_be(result, stages[result.stage]):
            what = f"{result.role}: {result.kind} {result.name}"
            raise ProtocolError(f"the agent told of {what!r:.200} (stage {result.stage}), which was not planned")
        told[result.position] = Told(result.kind, result.name, result.outcome)

    def close(self, stages: Sequence[Stage]) -> None:
        """The agent has said bye. ProtocolError where it has not told of all that was planned."""
        for number, stage in enumerate(stages):
            told = list(self._told[number].values())
            outcomes = {result.outcome for result in told}
            if outcomes & set(BAD):
                return
            if WAITS in outcomes:
                continue
            missing = ["its resources"] if stage.deferred is not None else _missing(stage, told)
            if missing:
                what = f"{stage.role}: {missing[0]}"
                raise ProtocolError(f"the agent left without a word of {what!r:.200}, and of {len(missing) - 1} more")


def _may_be(result: ResultMessage, stage: Stage) -> bool:
    """Can this result be about a resource of that stage?"""
    if result.kind == "role":
        return (result.name, result.outcome) == (stage.role, WAITS)
    resources = stage.resources
    first = next((place for place, item in enumerate(resources) if item.starts), len(resources))
    if 0 <= result.position < first:
        return _is(result, resources[result.position])
    return result.position >= first


def _missing(stage: Stage, told: list[Told]) -> list[str]:
    """The resources of a stage that no result is about."""
    left, missing = list(told), []
    for item in stage.resources:
        found = next((result for result in left if _is(result, item)), None)
        if found is None:
            missing.append(f"{item.kind} {_name(item) or ''}")
        else:
            left.remove(found)
    return missing


def _is(result: ResultMessage | Told, resource: Resource) -> bool:
    """A host may say more than the name ("LINE in PATH"), and takes - and _ of a kernel module for one."""
    name = _name(resource)
    return result.kind == resource.kind and (name is None or _spelled(name) in _spelled(result.name))


def _spelled(name: str) -> str:
    """Between blanks, so that /x is found in "a in /x" and not in "/xy"."""
    return f" {name.replace('-', '_')} "


def _name(resource: Resource) -> str | None:
    """How the host names it; None where only the host knows, as of a kind of the site's own."""
    if resource.kind.startswith("site."):
        return None
    name = getattr(resource, "path", None) or getattr(resource, "name", None)
    return name if isinstance(name, str) else None
