"""A symbolic link.

The law: a link is replaced in one step (a rename); a file or a directory that stands in its place is never replaced.
"""

import stat

from ..engine.resource import Resource
from ..host.errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from ..types import Diff, State, Undo


class Symlink(Resource):
    path: str
    target: str
    absent: bool

    def identity(self) -> str:
        return self.path

    def touches(self) -> "tuple[str, ...]":
        return (self.path,)

    def desired(self) -> "State":
        """target: where it points, or None: absent."""
        return {"target": None if self.absent else self.target}

    def actual(self, system: "System") -> "State | None":
        """As `desired`. Failed where something else than a link is there."""
        status = system.stat(self.path)
        if status is None:
            return None
        if not stat.S_ISLNK(status.st_mode):
            if self.absent:
                return None
            raise Failed("{} is to be a symbolic link, and is none".format(self.path), "move away what stands there")
        found = system.link(self.path)
        return {"target": None if self.absent and found != self.target else found}

    def apply(self, system: "System", diff: "Diff") -> None:
        """Put it in the place of another link, or remove it."""
        if self.absent:
            system.remove(self.path)
        else:
            system.make_link(self.target, self.path)

    def when_dropped(self) -> "Undo | None":
        return None if self.absent else ("symlink", {"path": self.path, "target": self.target, "absent": True})
