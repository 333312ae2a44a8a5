"""Do the daemons of Docker that run, run the programs that are on disk? An upgrade that is not live is not done.

The law: it changes nothing: a run without the daemon's own role restarts nothing. What differs waits, with the command.
Where Docker is nobody's of ours it is not asked.
"""

from ..engine.resource import Resource
from ..host.errors import Failed
from ..services import staleness
from . import daemon_socket, footing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from ..types import Diff, State

SECTION = "services"


class DockerCurrent(Resource):
    ours: bool

    def identity(self) -> str:
        return "docker"

    def desired(self) -> "State":
        """upgraded: the daemons whose program was replaced on disk since they were started."""
        return {"upgraded": []}

    def actual(self, system: "System") -> "State":
        """As `desired`; of a Docker that is not ours to restart, nothing."""
        ours = self.ours or system.memory.get(SECTION, "docker") is not None
        return {"upgraded": upgraded(system) if ours else []}

    def waits(self, diff: "Diff") -> str:
        return reason(diff["upgraded"][0])

    def apply(self, system: "System", diff: "Diff") -> None:
        """Never called: it waits for whoever restarts them."""
        raise Failed(reason(diff["upgraded"][0]))


def upgraded(system: "System") -> "list[str]":
    """The names of the daemons that run on with a program that is not on disk any more."""
    pid = daemon_socket.process(system)
    if pid is None:
        return []
    path = footing.containerd(system, pid)
    under = system.unix_peer(path) if path is not None else None
    found = {"docker": pid, "containerd": under}
    return [name for name, its in sorted(found.items()) if its is not None and _replaced(system, its)]


def _replaced(system: "System", pid: int) -> bool:
    born = staleness.process(system, pid)
    return born is not None and staleness.replaced(system, born)


def reason(names: "list[str]") -> str:
    """What is the matter with these, and the command that finishes it."""
    told = "upgraded, and not restarted since: {}".format(" and ".join(names))
    return "{}; systemctl restart {} finishes it, or a run with the daemon's role".format(told, " ".join(names))
