"""Packages that must not be installed: removed, or purged, in one apt transaction.

The law: a simulation comes first, and what apt would have to remove or install besides is a failure before anything is
touched. A package that somebody holds stays; a hold that we were asked for last time does not count.
"""

from ..engine import impact
from ..engine.resource import Resource
from ..host.errors import Failed
from . import apt, dpkg
from .install import ABSENT, HOLDS, OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from ..types import Diff, Impact, State
    from .apt import AptChange
    from .dpkg import DpkgPackage

ENGINES = ("docker-ce", "docker.io", "docker-engine", "containerd.io", "containerd", "docker-ce-cli", "runc")
"""Packages whose removal stops Docker or its containers, whatever the declaration says."""


class PackageAbsent(Resource):
    names: "list[str]"
    purge: bool
    stops_docker: bool
    lock_timeout: int
    timeout: int

    def identity(self) -> str:
        return " ".join(self.names)

    def desired(self) -> "State":
        """Each package by its name: absent."""
        return dict.fromkeys(self.names, ABSENT)

    def actual(self, system: "System") -> "State | None":
        """Each: absent, its version, or "removed, its configuration left"."""
        found = dpkg.packages(system, self.names)
        return {name: self._state(found.get(name)) for name in self.names}

    def _state(self, package: "DpkgPackage | None") -> str:
        if package is not None and package.present:
            return str(package.version)
        if package is not None and self.purge and package.status == "config-files":
            return "removed, its configuration left"
        return ABSENT

    def impact(self, system: "System", diff: "Diff") -> "Impact | None":
        """The scripts of packages that go stop their services, and have systemd read its units anew."""
        stops = self.stops_docker or any(name in ENGINES for name in diff)
        return impact.impact(impact.RESTART if stops else impact.NONE, diff, systemd=True)

    def apply(self, system: "System", diff: "Diff") -> None:
        """Remove or purge them, holds of ours with them."""
        names = sorted(diff)
        apt.repair(system, self.lock_timeout, {})
        held = self._held(system, names)
        if held:
            apt.change(system, ["apt-mark", "unhold"] + held, 60, self.lock_timeout, {})
        try:
            self._remove(system, names)
        except Failed:
            if held:
                apt.change(system, ["apt-mark", "hold"] + held, 60, self.lock_timeout, {})
            raise
        for name in held:
            system.state_file.put(HOLDS, name, None)

    def _remove(self, system: "System", names: "list[str]") -> None:
        options = OPTIONS + ["purge" if self.purge else "remove"]
        self._refuse_surprises(apt.simulate(system, options + names))
        system.progress("removing {}".format(" ".join(names)))
        apt.change(system, ["apt-get"] + options + names, self.timeout, self.lock_timeout, {})

    def _held(self, system: "System", names: "list[str]") -> "list[str]":
        """Those that are held because we were asked to; Failed where the hold is somebody's."""
        found = dpkg.packages(system, names)
        held = [name for name in names if name in found and found[name].present and found[name].held]
        foreign = [name for name in held if not system.state_file.get(HOLDS, name)]
        if foreign:
            cause = "{} must not be installed, and somebody holds it".format(", ".join(foreign))
            raise Failed(cause, "release it (apt-mark unhold {}), then run again".format(" ".join(foreign)))
        return held

    def _refuse_surprises(self, change: "AptChange") -> None:
        fix = "remove what depends on it yourself, or add it to the names, then run again"
        others = sorted(set(change.removed) - set(self.names))
        if others:
            raise Failed("apt would have to remove {} as well".format(", ".join(others)), fix)
        if change.installed:
            raise Failed("apt would install {} instead".format(", ".join(sorted(change.installed))), fix)
