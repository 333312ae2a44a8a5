"""A probe: the programs that the engine's packages brought are there, as dpkg knows them.

The law: reads only; that a package is installed says nothing of its files.
"""

from ..engine.resource import Resource
from ..host.errors import Failed
from . import footing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from ..types import Diff, State


class DockerPrograms(Resource):
    probe = True

    def identity(self) -> str:
        return "docker"

    def desired(self) -> "State":
        """missing: paths of programs that are not there, or that nobody could execute."""
        return {"missing": []}

    def actual(self, system: "System") -> "State":
        """As `desired`."""
        return {"missing": footing.missing(system, footing.programs(system))}

    def apply(self, system: "System", diff: "Diff") -> None:
        """Always Failed: a program is only looked for."""
        away = diff["missing"][0]
        cause = "Docker's packages are installed, and {} is not there, or cannot be executed".format(", ".join(away))
        fix = "install its package anew: apt-get install --reinstall PACKAGE (dpkg -S {} names it)".format(away[0])
        raise Failed(cause, fix)
