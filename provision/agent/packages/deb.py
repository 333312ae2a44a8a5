"""One package from a single .deb, by path on the host or by URL: checked against its sha256, then installed by apt.

The law: nothing is given to apt whose digest is not the asked one; apt resolves what it depends on, removes nothing
for it, and keeps configuration files that are there. The download stands in the state directory and is removed
afterwards.
"""

import hashlib
import os
import urllib.request

from ..engine import impact
from ..engine.resource import Resource
from ..host.errors import Failed
from . import apt, dpkg, given, policy_rc
from .install import OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from ..types import Diff, Impact, State, Undo

LIMIT = 256 * 1024 * 1024


class Deb(Resource):
    name: str
    version: str
    source: str
    sha256: str
    conflicts: "list[str]"
    no_start: "list[str]"
    lock_timeout: int
    timeout: int

    def identity(self) -> str:
        return self.name

    def desired(self) -> "State":
        """version, and sound: true."""
        return {"version": self.version, "sound": True}

    def actual(self, system: "System") -> "State | None":
        """As `desired`; sound is whether dpkg has it whole. None: it is not there."""
        found = dpkg.packages(system, (self.name,) + tuple(self.conflicts))
        there = [name for name in self.conflicts if name in found and found[name].present]
        if there:
            raise Failed(
                "{} cannot be installed beside {}".format(self.name, ", ".join(there)),
                "remove that first (apt-get remove, not purge)",
            )
        package = found.get(self.name)
        if package is None or not package.present:
            return None
        return {"version": package.version, "sound": package.installed}

    def impact(self, system: "System", diff: "Diff") -> "Impact | None":
        """A package brings units, so systemd reads its configuration anew."""
        return impact.impact(impact.NONE, [self.name], systemd=True)

    def apply(self, system: "System", diff: "Diff") -> None:
        """Fetch the file, check its sum, install it."""
        folder = system.state_file.directory()
        path = os.path.join(folder, "{}.deb".format(self.name))
        system.keep(path, self._content(system))
        try:
            noted = given.Noted(system, self.identity(), [self.name])
            with noted, policy_rc.forbidden(system, self.no_start) as env:
                options = [word for word in OPTIONS if word != "--no-install-recommends"] + [
                    "--no-install-recommends",
                    "--no-remove",
                ]
                argv = ["apt-get"] + apt.NETWORK + options + ["install", path]
                apt.change(system, argv, self.timeout, self.lock_timeout, env)
        finally:
            system.remove(path)

    def when_removed(self, role: str) -> "Undo":
        return given.undo(role, self.name, [self.name], self.timeout, self.lock_timeout)

    def _content(self, system: "System") -> bytes:
        system.progress("fetching {}".format(self.source))
        data = system.read(self.source, LIMIT) if self.source.startswith("/") else _fetched(self.source)
        if data is None:
            raise Failed(
                "there is no {} on this host".format(self.source), "put it there, or correct nvidia_docker.deb"
            )
        digest = hashlib.sha256(data).hexdigest()
        if digest != self.sha256:
            cause = "{} has the sha256 {} and not {}".format(self.source, digest, self.sha256)
            raise Failed(cause, "it is another file than the one you meant: correct the sum, or the source")
        return data


def _fetched(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            data: bytes = answer.read(LIMIT + 1)
    except (OSError, ValueError) as error:
        raise Failed(
            "{} cannot be fetched: {}".format(url, error), "look at the address, the proxy and the route from this host"
        ) from None
    if len(data) > LIMIT:
        raise Failed("{} is larger than {} bytes".format(url, LIMIT), "this is no package of NVIDIA's")
    return data
