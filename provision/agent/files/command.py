"""A command with a guard: it runs when its guard says that it is needed, and the guard must hold afterwards.

The law: the guard only reads. A guard whose program is not there says "needed"; one that hangs says nothing (unknown).
"""

from ..engine.resource import Resource
from ..host.errors import Failed, Unknown


class Command(Resource):
    fields = ("name", "argv", "creates", "unless", "timeout")
    answer = None
    """Of the guard, when it was asked last."""

    def identity(self):
        return self.name

    def desired(self):
        return {"done": True}

    def actual(self, system):
        if self.creates is not None:
            return {"done": system.stat(self.creates) is not None}
        answer = self.answer = system.query(list(self.unless), timeout=self.timeout)
        if answer.timed_out:
            raise Unknown("the guard {} did not answer within {} s".format(" ".join(self.unless), self.timeout))
        return {"done": answer.ok}

    def apply(self, system, diff):
        system.run(list(self.argv), timeout=self.timeout)

    def unmet(self, left):
        if self.creates is not None:
            cause = "{} succeeded, but {} is not there".format(" ".join(self.argv), self.creates)
            return Failed(cause, "give the path that the command makes as creates, or mend the command")
        guard = " ".join(self.unless)
        said = self.answer.tail(1) or "no output"
        cause = "{} succeeded, but its guard still fails: {}: status {}: {}".format(
            self.name, guard, self.answer.status, said
        )
        return Failed(
            cause, "mend the command or its guard (unless): the guard must succeed after it", self.answer.tail()
        )
