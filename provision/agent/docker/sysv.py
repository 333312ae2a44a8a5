"""Docker where systemd is not PID 1: its process is found as the daemon's own, or as who listens on its socket."""

from ..services.sysv import Sysv
from . import daemon_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System


class DockerSysv(Sysv):
    """Docker's init script, or upstart job."""

    def _pid(self, system: "System") -> "int | None":
        return daemon_socket.process(system) or self._listener(system)

    def _listener(self, system: "System") -> "int | None":
        """Who listens on Docker's socket: nothing is activated by connecting to it here, as there is no systemd."""
        if system.stat(daemon_socket.SOCKET) is None:
            return None
        return system.unix_peer(daemon_socket.SOCKET)
