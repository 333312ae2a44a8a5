"""Before anything that others on this host would feel: who they are, and whether it has to wait for them.

An impact is a dict: `service` (the one that others use), `level` (none, reload, restart of it), `why` (keys and files),
`systemd` (systemd reads its configuration anew), `survive` (containers outlive the restart), `users` (of a service that
is not Docker), and from here `containers`, `processes` and `effect`.
The law: what cannot be told counts as running. A window that is closed closes everything that disturbs, whatever the
policy; Docker's first start disturbs nobody.
"""

from ..docker import daemon_socket
from ..engine.impact import DOCKER, RESTART

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from ..host.system import System
    from ..types import Disrupt, Impact

CONTAINERS = ("container", "containers")
PROCESSES = ("GPU process", "GPU processes")
USERS = ("user", "users")
UNSAID = ("idle", "disrupt")
"""Where no role of the host says what may be disturbed."""


class DisruptionPolicy:
    """Asked by the engine of change; `disrupt` is {"policies": {service: (never | idle | always, the setting that says
    so)}, "closed": why nothing may be disturbed now, or None}."""

    def __init__(self, system: "System", disrupt: "Disrupt") -> None:
        self._system = system
        self._policies = disrupt["policies"]
        self._closed = disrupt["closed"]

    def may(self, effect: "Impact") -> "str | None":
        """Why this has to wait, as a clause, or None. Fills in who would feel it."""
        other = effect["service"] != DOCKER and effect["level"] == RESTART
        waits = self._may_stop(effect) if other else None
        restart = not other and effect["level"] == RESTART and daemon_socket.process(self._system) is not None
        if waits or not (restart or effect["systemd"]):
            return waits
        from ..docker import in_use  # only where something is about to be disturbed

        found = in_use.users(self._system)
        stopped = found["containers"] if restart and not effect["survive"] else []
        cut_off = [item for item in found["containers"] if item["cut_off"]] if effect["systemd"] else []
        effect["containers"] = stopped or cut_off
        effect["processes"] = found["processes"] if restart else []
        kept = bool(stopped) and self._kept(effect["why"])
        effect["effect"] = "" if kept else effect["effect"] or _told(in_use, stopped, cut_off)
        if not restart and not cut_off:
            return None
        if kept and not self._closed:
            named = in_use.named(stopped, *CONTAINERS)
            return "waits for the end of {}: with live_restore docker0 stays as it is while one runs".format(named)
        running = [in_use.named(effect["containers"], *CONTAINERS)] if effect["containers"] else []
        running += [in_use.named(effect["processes"], *PROCESSES)] if effect["processes"] else []
        return self._waits(DOCKER, restart, running)

    def _kept(self, why: "list[str]") -> bool:
        from ..docker import containers

        return containers.hold_the_network(self._system, why)

    def _may_stop(self, effect: "Impact") -> "str | None":
        """The restart of a service that is not Docker."""
        from ..docker import in_use

        users = [in_use.named([{"name": name, "user": None} for name in effect["users"]], *USERS)]
        users = users if effect["users"] else []
        effect["effect"] = "disturbs {}".format(users[0]) if users else ""
        return self._waits(effect["service"], True, users)

    def _waits(self, service: str, restart: bool, running: "list[str]") -> "str | None":
        """`running`: those who are in the way, as clauses."""
        policy, setting = self._policies.get(service, UNSAID)
        if self._closed:
            return "waits: {}".format(self._closed)
        if policy == "never" and restart:
            return "waits for whoever restarts {} by hand ({} is never)".format(service.capitalize(), setting)
        if policy == "always" or not running:
            return None
        return "waits for the end of {} ({} is {})".format(" and ".join(running), setting, policy)


def _told(in_use: "ModuleType", stopped: "list[dict[str, Any]]", cut_off: "list[dict[str, Any]]") -> str:
    if stopped:
        return "stops {}".format(in_use.named(stopped, *CONTAINERS))
    if cut_off:
        return "takes the GPUs from {}".format(in_use.named(cut_off, *CONTAINERS))
    return ""
