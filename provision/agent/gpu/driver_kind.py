"""The NVIDIA driver as a resource, which is only looked at. A probe."""

from ..engine.resource import Resource
from ..host.errors import Failed
from . import driver
from .proof import gate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from ..types import Diff, State, Undo


class NvidiaDriver(Resource):
    """A probe: the driver is whole."""

    expect_gpus: "int | None"
    probe = True

    def identity(self) -> str:
        return "nvidia"

    def desired(self) -> "State":
        """whole: true."""
        return {"whole": True}

    def actual(self, system: "System") -> "State | None":
        """As `desired`; what is wrong is Failed."""
        self._found = driver.inspect(system)
        wrong = self._wrong = driver.problems(self._found, self.expect_gpus)
        if wrong:
            raise Failed(wrong[0][0], wrong[0][1], "\n".join("{}; {}".format(*problem) for problem in wrong))
        return {"whole": True}

    def apply(self, system: "System", diff: "Diff") -> None:
        """Never called: a driver is asserted."""
        raise AssertionError("a driver is asserted, never changed")

    def announce(self, system: "System") -> None:
        """Withdraw the last proof from others: this failure ends the run before the next one."""
        if getattr(self, "_wrong", ()):
            gate.withdraw(system, self._wrong[0][0], self._found["loaded"])

    def when_removed(self, role: str) -> "Undo":
        """Without what this role brings, no container gets a GPU."""
        return "proof_left", {"gate_only": True}

    def note(self, diff: "Diff") -> str:
        found = getattr(self, "_found", None)
        return "driver {}, {}".format(found["loaded"], driver.counted(len(found["gpus"]), "GPU")) if found else ""
