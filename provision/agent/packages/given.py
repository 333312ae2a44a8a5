"""What our package transactions have brought to this host: the record that lets `remove` take it away again."""

from . import dpkg

INSTALLED = "installed"
"""Section of the memory: packages that a transaction of ours has installed, each with the set that it came with."""
KIND = "packages_removal"
"""The kind of resource that takes a set away: removal.py."""


class Noted:
    """Around a transaction: what is there afterwards, and was not before, came with this set. What was asked for is
    noted first, for the run may die in the middle."""

    def __init__(self, system, identity, names):
        self._system = system
        self._identity = identity
        self._names = names

    def __enter__(self):
        self._before = dpkg.present(self._system)
        self._note(set(self._names))

    def __exit__(self, *error):
        self._note(dpkg.present(self._system))

    def _note(self, names):
        for name in sorted(names - self._before):
            self._system.memory.put(INSTALLED, name, {"with": self._identity})


def undo(resource, role, names):
    """What `remove` makes of a set of packages: (kind, fields)."""
    fields = {"role": role, "with": resource.identity(), "names": sorted(names)}
    return KIND, dict(fields, timeout=resource.timeout, lock_timeout=resource.lock_timeout)
