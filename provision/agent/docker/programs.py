"""A probe: the programs that the engine's packages brought are there, as dpkg knows them, and so is Docker's client.

The law: reads only; that a package is installed says nothing of its files.
"""

from ..engine.resource import Resource
from ..host.errors import Failed
from . import footing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from ..types import Diff, State


CLIENT = "docker"


class DockerPrograms(Resource):
    probe = True

    def identity(self) -> str:
        return "docker"

    def desired(self) -> "State":
        """missing: paths of programs that are not there, or that nobody could execute."""
        return {"missing": []}

    def actual(self, system: "System") -> "State":
        """As `desired`."""
        programs = footing.programs(system)
        missing = footing.missing(system, programs)
        # Packages of another release than the host's (a mirror) may have the client apart, as Debian has it from 13 on.
        apart = any(path.endswith("/dockerd") for path in programs) and system.which(CLIENT) is None
        return {"missing": missing or ([CLIENT] if apart else [])}

    def apply(self, system: "System", diff: "Diff") -> None:
        """Always Failed: a program is only looked for."""
        away = diff["missing"][0]
        if away == [CLIENT]:
            raise Failed("Docker is installed, and its client is not there", "apt-get install docker-cli")
        cause = "Docker's packages are installed, and {} is not there, or cannot be executed".format(", ".join(away))
        fix = "install its package anew: apt-get install --reinstall PACKAGE (dpkg -S {} names it)".format(away[0])
        raise Failed(cause, fix)
