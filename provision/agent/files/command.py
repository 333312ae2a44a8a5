"""A command with a guard: it runs when its guard says that it is needed, and the guard must hold afterwards.

The law: the guard only reads. A guard whose program is not there says "needed"; one that hangs says nothing (unknown).
"""

from ..engine.resource import Resource
from ..host.errors import Unknown


class Command(Resource):
    fields = ("name", "argv", "creates", "unless", "timeout")

    def identity(self):
        return self.name

    def desired(self):
        return {"done": True}

    def actual(self, system):
        if self.creates is not None:
            return {"done": system.stat(self.creates) is not None}
        answer = system.query(list(self.unless), timeout=self.timeout)
        if answer.timed_out:
            raise Unknown("the guard {} did not answer within {} s".format(" ".join(self.unless), self.timeout))
        return {"done": answer.ok}

    def apply(self, system, diff):
        system.run(list(self.argv), timeout=self.timeout)
