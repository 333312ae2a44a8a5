"""Before anything that others on this host would feel: who they are, and whether it has to wait for them.

An impact is a dict: `level` (none, reload, restart: of Docker), `why` (keys and files), `systemd` (systemd reads its
configuration anew), `survive` (containers outlive the restart), and from here `containers`, `processes` and `effect`.
The law: what cannot be told counts as running. A window that is closed closes everything that disturbs, whatever the
policy; Docker's first start disturbs nobody.
"""

from ..docker import daemon_socket
from ..engine.impact import RESTART

CONTAINERS = ("container", "containers")
PROCESSES = ("GPU process", "GPU processes")


class Guard:
    """Asked by the engine of change; `disrupt` is {"policy": never | idle | always, "closed": why, or None}."""

    def __init__(self, system, disrupt):
        self._system = system
        self._policy = disrupt["policy"]
        self._closed = disrupt["closed"]

    def may(self, effect):
        """Why this has to wait, as a clause, or None. Fills in who would feel it."""
        restart = effect["level"] == RESTART and daemon_socket.process(self._system) is not None
        if not restart and not effect["systemd"]:
            return None
        from ..docker import in_use  # only where something is about to be disturbed

        found = in_use.look_at(self._system)
        stopped = found["containers"] if restart and not effect["survive"] else []
        cut_off = [item for item in found["containers"] if item["cut_off"]] if effect["systemd"] else []
        effect["containers"] = stopped or cut_off
        effect["processes"] = found["processes"] if restart else []
        kept = bool(stopped) and self._kept(effect["why"])
        effect["effect"] = "" if kept else _told(in_use, stopped, cut_off)
        if not restart and not cut_off:
            return None
        if kept and not self._closed:
            named = in_use.named(stopped, *CONTAINERS)
            return "waits for the end of {}: with live_restore docker0 stays as it is while one runs".format(named)
        return self._waits(in_use, restart, effect)

    def _kept(self, why):
        from ..docker import containers

        return containers.hold_the_network(self._system, why)

    def _waits(self, in_use, restart, effect):
        if self._closed:
            return "waits: {}".format(self._closed)
        if self._policy == "never" and restart:
            return "waits for whoever restarts Docker by hand (docker_daemon.disrupt is never)"
        if self._policy == "always" or not (effect["containers"] or effect["processes"]):
            return None
        running = [in_use.named(effect["containers"], *CONTAINERS)] if effect["containers"] else []
        running += [in_use.named(effect["processes"], *PROCESSES)] if effect["processes"] else []
        return "waits for the end of {} (docker_daemon.disrupt is {})".format(" and ".join(running), self._policy)


def _told(in_use, stopped, cut_off):
    if stopped:
        return "stops {}".format(in_use.named(stopped, *CONTAINERS))
    if cut_off:
        return "takes the GPUs from {}".format(in_use.named(cut_off, *CONTAINERS))
    return ""
