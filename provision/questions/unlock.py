"""The question `unlock`: who holds a host, and the end of that run where it is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from provision.events import Outcome
from provision.facts import Facts
from provision.questions import Answer, Question
from provision.questions.status import LockHolder

LEFT = ("stale", "held")
"""States in which there is something to end or to clear."""


class Unlock(Answer):
    """`stale`: a run died and left its name; `ended`: after its step in hand; `killed`: it did not end by itself."""

    state: Literal["free", "stale", "held", "cleared", "ended", "killed"]
    lock: LockHolder | None


@dataclass(frozen=True)
class AskUnlock(Question):
    """Without `end` it is only told who holds the host; with `run`, no other run is ended."""

    name: ClassVar[str] = "unlock"
    end: bool
    force: bool = False
    run: str | None = None

    def arguments(self, facts: Facts) -> Mapping[str, Any]:
        return {"end": self.end, "force": self.force, "run": self.run}

    def read(self, facts: Facts, raw: Mapping[str, Any]) -> tuple[Outcome, dict[str, Any]]:
        found = Unlock.model_validate(raw)
        done = Outcome.CHANGED if self.end else Outcome.WOULD_CHANGE
        return Outcome.OK if found.state == "free" else done, found.model_dump(mode="json")
