"""A probe: programs that others rely on (a runtime that daemon.json is about to name) are there and can be executed.

The law: looked for where dockerd looks, on the system's PATH, or at the full path; nothing is started.
"""

import os

from ..engine.resource import Resource
from ..host.errors import Failed


class Programs(Resource):
    fields = ("names", "fix")
    probe = True

    def identity(self):
        return " ".join(self.names)

    def desired(self):
        return {name: "there" for name in self.names}

    def actual(self, system):
        return {name: "there" if _there(system, name) else None for name in self.names}

    def apply(self, system, diff):
        raise Failed("there is no {} on this host".format(" and no ".join(sorted(diff))), self.fix)


def _there(system, name):
    if name.startswith("/"):
        return os.path.isfile(name) and os.access(name, os.X_OK)
    return system.which(name) is not None
