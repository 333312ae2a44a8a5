"""What our package transactions have brought to this host: the record that lets `remove` take it away again."""

from . import dpkg

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Collection

    from ..host.system import System
    from ..types import Undo

INSTALLED = "installed"
"""Section of state.json: packages that a transaction of ours has installed, each with the set that it came with."""
KIND = "packages_removal"
"""The kind of resource that takes a set away: removal.py."""


class Noted:
    """Around a transaction: what is there afterwards, and was not before, came with this set. What was asked for is
    noted first, for the run may die in the middle."""

    def __init__(self, system: "System", identity: str, names: "Collection[str]") -> None:
        self._system = system
        self._identity = identity
        self._names = names

    def __enter__(self) -> None:
        self._before = dpkg.present(self._system)
        self._note(set(self._names))

    def __exit__(self, *error: object) -> None:
        self._note(dpkg.present(self._system))

    def _note(self, names: "set[str]") -> None:
        for name in sorted(names - self._before):
            self._system.state_file.put(INSTALLED, name, {"with": self._identity})


def undo(role: str, identity: str, names: "Collection[str]", timeout: int, lock_timeout: int) -> "Undo":
    """What `remove` makes of a set of packages: (kind, fields)."""
    fields = {"role": role, "came_with": identity, "names": sorted(names)}
    return KIND, dict(fields, timeout=timeout, lock_timeout=lock_timeout)
