"""The Docker daemon as a service: what its restart does to others, when a signal is enough, when it is up.

The law (6): see services/service.py. Beside that, a daemon that we have no record of is judged by what it shows of its
options; the record has the keys of daemon.json, so that it is known when a signal is enough; it is up once it answers.
"""

from ..engine import impact
from ..host.errors import Failed
from ..services.service import Service
from ..services.systemd import Systemd
from . import daemon_socket, footing, live

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from ..host.system import System
    from ..services.service import Manager
    from ..types import Diff, Impact, Process, State, Undo
    from .sysv import DockerSysv


class DockerService(Service):
    kind = "docker_service"
    in_use = []
    platform = None
    may_cut = False
    options: "dict[str, Any]"
    reload: "dict[str, Any] | None"

    _lost = ""
    """What the kernel has in place of its bridge."""
    _unlike: "Sequence[str]" = ()
    """Flags in which a process that we have no record of differs from its unit."""

    def actual(self, system: "System") -> "State | None":
        """enabled, running, stale: as of any service; without its bridge in the kernel it needs a restart, too."""
        state = Service.actual(self, system)
        if state is not None and self.running and self._process and not state["stale"]:
            self._lost = footing.bridge_lost(system, self._process[1], self.options)
            if self._lost:
                state["stale"], self._need = True, (impact.RESTART, [self._lost])
        return state

    def note(self, diff: "Diff") -> str:
        level, why = self._need
        if diff.get("stale", (False,))[0] and why == [self._lost]:
            return "{}s docker: {}".format(level, self._lost)
        if diff.get("stale", (False,))[0] and self._unlike:
            return "{}s docker: it runs with other flags than its unit has: {}".format(level, ", ".join(self._unlike))
        return Service.note(self, diff)

    def prove(self, system: "System") -> None:
        """Before a restart of a daemon that runs: would it come up again, with what it stands on?"""
        pid = daemon_socket.process(system)
        if pid is None or self._need[0] != impact.RESTART:
            return
        away = footing.containerd_answers(system, pid)
        found = Systemd("containerd", []).inspect(system) if away else None
        if found is not None and found["running"]:  # one that does not run is started first
            cause = "Docker would not come up again: containerd runs, and {}".format(away)
            raise Failed(cause, "restart it: systemctl restart containerd")
        footing.refuse_restart(system, daemon_socket.get(system, pid, "/info") or {})

    def impact(self, system: "System", diff: "Diff") -> "Impact | None":
        """Others feel Docker's restart, and systemd's own reload."""
        systemd = self._systemd_reloads(system)
        if "running" in diff:
            return impact.impact(impact.NONE if self.running else impact.RESTART, ["running"], systemd)
        if "stale" not in diff:
            return None
        level, why = self._need
        restart = level == impact.RESTART
        return impact.impact(level, why, systemd and restart, restart and self._outlived(system, why))

    def cuts(self, diff: "Diff") -> bool:
        """The first start makes a bridge; a restart does where bridge, rules or unit change."""
        if "running" in diff:
            return True
        level, why = self._need if "stale" in diff else (impact.NONE, [])
        kept = self.reload["outlived"] if self.reload else ()
        return level == impact.RESTART and not all(key.partition(".")[0] in kept for key in why)

    def _signal(self) -> "dict[str, Any] | None":
        return self.reload

    def when_removed(self, role: str) -> "Undo | None":
        """Docker is no role's own: it stays as it is until its packages go."""
        return None

    def go_back(self, system: "System", running: "bool | None") -> None:
        if running and self._reloaded:
            self._reload_back(system)
        else:
            Service.go_back(self, system, running)

    def _reload_back(self, system: "System") -> None:
        """What a reload added stays live until a restart: the record says so, and the service is stale."""
        tried = self._started_with
        self._reload(system)
        now = self._taken(system)
        if set(tried["keys"]) - set(now["keys"]):
            self._record(system, self._process, dict(tried, keys=dict(tried["keys"], **now["keys"])))

    def _shows_otherwise(self, system: "System", process: "Process") -> bool:
        from . import command_line  # only where the process is none that we know

        self._unlike = command_line.otherwise(system, process[1])
        return bool(self._unlike) or live.differs(system, process[1], self.options)

    # -- starting

    def _renew(self, system: "System", manager: "Manager", log: str) -> None:
        """Reload where that is enough and it takes; where containers can outlive the restart, see to it first."""
        level, why = self._need
        if level == impact.RELOAD:
            if self._reload(system):
                return
            if not self.may_restart():
                cause = "{} did not take its new configuration at a signal, and must not be restarted now"
                raise Failed(cause.format(self.name), "look at its log, and restart it when the host is idle")
        elif "live-restore" in why and self._outlived(system, why):
            self._reload(system)  # makes live-restore live, so that the restart leaves the containers alone
        self._start(system, manager, log, restart=True)

    def _outlived(self, system: "System", why: "list[str]") -> bool:
        from . import containers  # only where something changes

        return containers.outlive(system, self._process[1], why, self.reload)

    def _reload(self, system: "System") -> bool:
        """Make the daemon read its file again; does it say, and show, that it did?"""
        from . import reloading

        self._started_with = self._taken(system)
        self._reloaded = True
        system.progress("reloading {}".format(self.name))
        if not reloading.reload(system, self._process[1], self.options):
            return False
        self._record(system, self._process, self._started_with)
        return True

    def _start(self, system: "System", manager: "Manager", log: str, restart: bool) -> None:
        from . import containers

        back = containers.expected(system) if restart else {}
        Service._start(self, system, manager, log, restart)
        containers.wait_for(system, back)

    def _sysv(self) -> "DockerSysv":
        from .sysv import DockerSysv

        return DockerSysv(self.name)

    def _takes_sockets(self, system: "System") -> bool:
        pid = daemon_socket.process(system)
        return pid is not None and not daemon_socket.is_given(system, pid)

    def _explained(self, words: str) -> "tuple[str, str] | None":
        from .known_errors import explain

        return explain(words)

    def _up(self, system: "System", manager: "Manager") -> bool:
        pid = daemon_socket.process(system)
        return pid is not None and daemon_socket.ping(system, pid)
