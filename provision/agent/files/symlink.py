"""A symbolic link.

The law: a link is replaced in one step (a rename); a file or a directory that stands in its place is never replaced.
"""

import stat

from ..engine.resource import Resource
from ..host.errors import Failed


class Symlink(Resource):
    fields = ("path", "target", "absent")

    def identity(self):
        return self.path

    def touches(self):
        return (self.path,)

    def desired(self):
        return {"target": None if self.absent else self.target}

    def actual(self, system):
        status = system.stat(self.path)
        if status is None:
            return None
        if not stat.S_ISLNK(status.st_mode):
            if self.absent:
                return None
            raise Failed("{} is to be a symbolic link, and is none".format(self.path), "move away what stands there")
        found = system.link(self.path)
        return {"target": None if self.absent and found != self.target else found}

    def apply(self, system, diff):
        if self.absent:
            system.remove(self.path)
        else:
            system.make_link(self.target, self.path)

    def when_dropped(self):
        return None if self.absent else ("symlink", {"path": self.path, "target": self.target, "absent": True})
