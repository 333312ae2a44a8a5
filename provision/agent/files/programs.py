"""A probe: programs that others rely on (a runtime that daemon.json is about to name) are there and can be executed.

The law: looked for where dockerd looks, on the system's PATH, or at the full path; nothing is started.
"""

import os

from ..engine.resource import Resource
from ..host.errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..host.system import System
    from ..types import Diff, State


class Programs(Resource):
    names: "list[str]"
    fix: str
    probe = True

    def identity(self) -> str:
        return " ".join(self.names)

    def desired(self) -> "State":
        """Each program by its name or path: "there"."""
        return {name: "there" for name in self.names}

    def actual(self, system: "System") -> "State | None":
        """As `desired`; None for one that is missing."""
        return {name: "there" if _there(system, name) else None for name in self.names}

    def apply(self, system: "System", diff: "Diff") -> None:
        """Always Failed: a program is only looked for."""
        raise Failed("there is no {} on this host".format(" and no ".join(sorted(diff))), self.fix)


def _there(system: "System", name: str) -> "Any":
    if name.startswith("/"):
        return os.path.isfile(name) and os.access(name, os.X_OK)
    return system.which(name) is not None
