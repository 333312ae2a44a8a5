"""A level of the proof that is a resource of its own, with a receipt of its own: 4 (survival), 5 (speed) and 6 (DCGM).

The law: as for the others: due where it was never proven, where what it is good for has changed, where it did not pass,
and after `max_age`, where the level has one. Its verdict counts for the gate.
"""

import time

from ...engine.resource import Resource
from . import gate, receipt
from .host_checks import PASSED, raise_bad, verdict_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from ...host.system import System
    from ...types import Diff


class OwnLevel(Resource):
    """A class for a level MUST set `level` and `file` (of the receipt), and define `good_for` and `sentence`."""

    probe = True
    level = ""
    file = ""
    gate: "list[int]"

    def __init__(self, **values: "Any") -> None:
        Resource.__init__(self, **values)
        self._ran = False
        self._receipt: "dict[str, Any] | None" = None
        self._due: "str | None" = "not looked at"

    def good_for(self, system: "System") -> "dict[str, Any]":
        """What a proof is good for: none of these may differ."""
        raise NotImplementedError

    def told(self, kept: "dict[str, Any]") -> "dict[str, Any]":
        """The receipt as it travels."""
        return dict(kept, ran=self._ran)

    def identity(self) -> str:
        return "gpu"

    def desired(self) -> "dict[str, Any]":
        """level N: passed."""
        return {"level " + self.level: PASSED}

    def actual(self, system: "System") -> "dict[str, Any]":
        """level N: passed, or "due: " and why."""
        self._receipt = receipt.read(system, self.file)
        self._due = self.due(system)
        if self._receipt is not None:
            self.proof = self.told(self._receipt)
        return {"level " + self.level: PASSED if self._due is None else "due: {}".format(self._due)}

    def note(self, diff: "Diff") -> str:
        return "" if self._receipt is None or self._due is not None else self.sentence(self._receipt)

    def sentence(self, kept: "dict[str, Any]") -> str:
        """A receipt that holds, in one line."""
        raise NotImplementedError

    def due(self, system: "System") -> "str | None":
        """Why a proof is due, or None."""
        why = receipt.due(self._receipt, self.good_for(system))
        longest = getattr(self, "max_age", None)
        if self._receipt is None or why is not None or self._ran or longest is None:
            return why
        age = time.time() - self._receipt["key_time"]
        return None if 0 <= age <= longest else "the last proof is {} s old".format(int(age))

    def conclude(
        self,
        system: "System",
        started: float,
        checks: "list[dict[str, Any]]",
        key: "dict[str, Any]",
        warnings: "Sequence[str]" = (),
        **more: "Any",
    ) -> None:
        """Keep what was found since `started` (time.monotonic); raise Failed or Unknown where it is not well."""
        level = {"verdict": verdict_of(checks), "checks": checks, "seconds": round(time.monotonic() - started, 3)}
        made: "dict[str, Any]" = {"schema": 1, "time": receipt.now(), "warnings": list(warnings), "key": key}
        made.update(verdict=level["verdict"], levels={self.level: level})
        made["failed_checks"] = [item["cause"] for item in checks if item["verdict"] != PASSED]
        made.update(more)
        receipt.keep(system, made, self.file)
        self._ran = True
        self.proof = self.told(made)
        raise_bad(self.level, level)

    def announce(self, system: "System") -> None:
        now = gate.publish(system, self.gate)
        if self.proof is not None:
            self.proof["gate"] = now
