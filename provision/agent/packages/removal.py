"""What a role has brought to a host with a set of packages, taken away: what our transactions installed, with what came
along and nobody needs any more; and our holds.

The law: what was there before us stays, and so does what another role asks for. Docker's own data stays: a package that
would remove it when it is purged does not get to. Somebody else's package is never removed with ours: that is a failure
which names it.
"""

from ..engine import impact
from ..engine.resource import Resource
from ..host.errors import Failed
from . import apt, dpkg
from .given import INSTALLED, KIND
from .install import HOLDS, OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from ..types import Diff, Impact, State

NUKE = "/var/lib/docker/nuke-graph-directory.sh"
"""Left by Debian's docker.io when it is removed: its purge runs it, and with that all images and volumes are gone."""


class PackagesRemoval(Resource):
    """Made on the host itself, for when `role` is removed: `names` were asked for, and others came with that set."""

    role: str
    came_with: str
    names: "list[str]"
    timeout: int
    lock_timeout: int

    def identity(self) -> str:
        return " ".join(self.names)

    def desired(self) -> "State":
        return {"installed": [], "held": []}

    def actual(self, system: "System") -> "State":
        """`installed`: packages that are there through us; `held`: those that are held through us."""
        wanted = self._of_other_roles(system)
        ours = [name for name in self._came(system) if name not in wanted]
        found = dpkg.packages(system, ours + list(self.names))
        held = [name for name in self.names if name not in wanted and system.state_file.get(HOLDS, name)]
        return {
            "installed": sorted(name for name in ours if name in found and found[name].present),
            "held": sorted(name for name in held if name in found and found[name].present and found[name].held),
        }

    def _came(self, system: "System") -> "list[str]":
        known = system.state_file.section(INSTALLED)
        return sorted(name for name, record in known.items() if record["with"] == self.came_with)

    def _of_other_roles(self, system: "System") -> "set[str]":
        asked = system.state_file.section("asked")
        records = [record for role, items in asked.items() if role != self.role for record in items.values()]
        return {name for record in records if record["kind"] == KIND for name in record["fields"]["names"]}

    def impact(self, system: "System", diff: "Diff") -> "Impact | None":
        going = _found(diff, "installed")
        if not going:
            return None
        from .absent import ENGINES

        level = impact.RESTART if any(name in ENGINES for name in going) else impact.NONE
        return impact.impact(level, going, systemd=True)

    def note(self, diff: "Diff") -> str:
        data = "docker.io" in _found(diff, "installed")
        return "what is in /var/lib/docker stays" if data else ""

    def apply(self, system: "System", diff: "Diff") -> None:
        apt.repair(system, self.lock_timeout, {})
        held, installed = _found(diff, "held"), _found(diff, "installed")
        self._mark(system, "unhold", held)
        try:
            self._remove(system, installed)
        except Failed:
            self._mark(system, "hold", held)
            raise
        self.settled(system)

    def _mark(self, system: "System", verb: str, names: "list[str]") -> None:
        if names:
            apt.change(system, ["apt-mark", verb] + names, 60, self.lock_timeout, {})

    def _remove(self, system: "System", installed: "list[str]") -> None:
        going = self._unneeded(system, installed)
        if going:
            system.progress("removing {}".format(" ".join(going)))
            self._apt(system, "remove", going)
            system.remove(NUKE)
            found = dpkg.packages(system, going)
            left = [name for name in going if name in found and found[name].status == "config-files"]
            if left:  # one that is gone altogether apt knows only while a source has it
                self._apt(system, "purge", left)

    def _apt(self, system: "System", verb: str, names: "list[str]") -> None:
        apt.change(system, ["apt-get"] + OPTIONS + [verb] + names, self.timeout, self.lock_timeout, {})

    def _unneeded(self, system: "System", installed: "list[str]") -> "list[str]":
        """Those of ours that nobody else needs. Raises Failed where somebody needs what was asked for."""
        asked = [name for name in self.names if name in installed]
        with_them = set(apt.simulate(system, OPTIONS + ["autoremove"] + asked).removed) if asked else set()
        going = [name for name in installed if name in with_them]
        others = sorted(set(apt.simulate(system, OPTIONS + ["remove"] + going).removed) - set(going)) if going else []
        if others:
            fix = "remove what depends on it yourself, then run again"
            raise Failed("apt would have to remove {} as well".format(", ".join(others)), fix)
        return going

    def settled(self, system: "System") -> None:
        """What is left of ours is needed by others: it is theirs now."""
        for name in self._came(system):
            system.state_file.put(INSTALLED, name, None)
        for name in set(self.names) - self._of_other_roles(system):
            system.state_file.put(HOLDS, name, None)


def _found(diff: "Diff", key: str) -> "list[str]":
    return list(diff[key][0]) if key in diff else []
