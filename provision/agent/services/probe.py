"""A probe: a program of the role's that ends with 0 as long as something works.

The law (15): it changes nothing. Right after a change what it asks may take its time to come up, so `apply` asks again
until it works or the time is over.
"""

import time

from ..engine.resource import Resource
from ..host.errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.results import CommandResult
    from ..host.system import System
    from ..types import Diff, State

ONE = 20
"""Seconds for one answer."""


class Probe(Resource):
    probe = True
    name: str
    argv: "list[str]"
    fix: str
    timeout: int

    def identity(self) -> str:
        return self.name

    def desired(self) -> "State":
        """works: true."""
        return {"works": True}

    def actual(self, system: "System") -> "State":
        """works: did the program end with 0?"""
        return {"works": self._asked(system).ok}

    def apply(self, system: "System", diff: "Diff") -> None:
        """Ask until it works or the time is over: then Failed."""
        end = time.monotonic() + self.timeout
        while True:
            answer = self._asked(system)
            if answer.ok:
                return
            if time.monotonic() > end:
                said = answer.tail(1) or "status {}".format(answer.status)
                raise Failed("{}: {}".format(self.name, said), self.fix, answer.tail())
            time.sleep(0.2)

    def _asked(self, system: "System") -> "CommandResult":
        return system.query(list(self.argv), timeout=ONE)
