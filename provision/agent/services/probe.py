"""A probe: a program of the role's that ends with 0 as long as something works.

The law (15): it changes nothing. Right after a change what it asks may take its time to come up, so `apply` asks again
until it works or the time is over.
"""

import time

from ..engine.resource import Resource
from ..host.errors import Failed

ONE = 20
"""Seconds for one answer."""


class Probe(Resource):
    fields = ("name", "argv", "fix", "timeout")
    probe = True

    def __init__(self, **values):
        Resource.__init__(self, **values)
        self._answer = None

    def identity(self):
        return self.name

    def desired(self):
        return {"works": True}

    def actual(self, system):
        self._answer = system.query(list(self.argv), timeout=ONE)
        return {"works": self._answer.ok}

    def apply(self, system, diff):
        end = time.monotonic() + self.timeout
        while not self.actual(system)["works"]:
            if time.monotonic() > end:
                said = self._answer.tail(1) or "status {}".format(self._answer.status)
                raise Failed("{}: {}".format(self.name, said), self.fix, self._answer.tail())
            time.sleep(0.2)
