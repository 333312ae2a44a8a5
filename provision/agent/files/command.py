"""A command with a guard: it runs when its guard says that it is needed, and the guard must hold afterwards.

The law: the guard only reads. A guard whose program is not there says "needed"; one that hangs says nothing (unknown).
"""

from ..engine.resource import Resource
from ..host.errors import Failed, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.results import CommandResult
    from ..host.system import System
    from ..types import Diff, State


class Command(Resource):
    name: str
    argv: "list[str]"
    creates: "str | None"
    unless: "list[str] | None"
    timeout: int
    answer: "CommandResult | None" = None
    """Of the guard, when it was asked last."""

    def identity(self) -> str:
        return self.name

    def desired(self) -> "State":
        """done: true."""
        return {"done": True}

    def actual(self, system: "System") -> "State | None":
        """done: what the guard says, or whether what it creates is there."""
        if self.creates is not None:
            return {"done": system.stat(self.creates) is not None}
        guard = self.unless or []
        answer = self.answer = system.query(guard, timeout=self.timeout)
        if answer.timed_out:
            raise Unknown("the guard {} did not answer within {} s".format(" ".join(guard), self.timeout))
        return {"done": answer.ok}

    def apply(self, system: "System", diff: "Diff") -> None:
        """Run the command."""
        system.run(list(self.argv), timeout=self.timeout)

    def unmet(self, left: "Diff") -> "Failed | None":
        if self.creates is not None or self.answer is None:
            cause = "{} succeeded, but {} is not there".format(" ".join(self.argv), self.creates)
            return Failed(cause, "give the path that the command makes as creates, or mend the command")
        guard = " ".join(self.unless or [])
        said = self.answer.tail(1) or "no output"
        cause = "{} succeeded, but its guard still fails: {}: status {}: {}".format(
            self.name, guard, self.answer.status, said
        )
        return Failed(
            cause, "mend the command or its guard (unless): the guard must succeed after it", self.answer.tail()
        )
