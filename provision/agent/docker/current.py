"""Do the daemons of Docker that run, run the programs that are on disk? An upgrade that is not live is not done.
`changed` asks the same about files and flags, for `status`.

The law: it changes nothing: a run without the daemon's own role restarts nothing. What differs waits, with the command.
Where Docker is nobody's of ours it is not asked.
"""

from ..engine.resource import Resource
from ..host.errors import Failed
from ..services import staleness, unit_file
from . import command_line, daemon_socket, footing

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
        ours = self.ours or system.state_file.get(SECTION, "docker") is not None
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


def changed(system: "System") -> "list[str]":
    """Files, or flags, that the daemon would start with now, and does not run with."""
    pid = daemon_socket.process(system)
    born = staleness.process(system, pid) if pid is not None else None
    if pid is None or born is None:
        return []
    record = system.state_file.get(SECTION, "docker")
    if record is None or record["process"] != born:
        return command_line.otherwise(system, pid)
    unknown = [path for path in unit_file.drop_ins(system, command_line.UNIT) if path not in record["files"]]
    return unknown + [path for path, taken in record["files"].items() if staleness.digest(system, path) != taken]


def unlike(what: "list[str]") -> str:
    """That the daemon does not run what is on disk, and the commands that finish it."""
    told = "docker does not run what is on disk: {}".format(", ".join(sorted(what)))
    return told + "; systemctl daemon-reload and restart docker finish it, or a run with the daemon's role"


def reason(names: "list[str]") -> str:
    """What is the matter with these, and the command that finishes it."""
    told = "upgraded, and not restarted since: {}".format(" and ".join(names))
    return "{}; systemctl restart {} finishes it, or a run with the daemon's role".format(told, " ".join(names))
