"""apt, as the kinds of this folder use it: lists, candidates, a simulation, one transaction, and what its errors mean.

The law: what only looks writes nothing (apt's caches are kept off the disk), never waits for the network, and takes no
lock. What changes the host writes its output to a log in the state directory, not to us: dpkg must survive our death.
apt is as quiet as `-q=1` says, whatever its configuration: at level 2 it does not tell which dependency it cannot meet.
"""

import os
import re
import time

from ..host.errors import Failed, TimedOut
from . import apt_locks, dpkg
from .apt_errors import explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

    from ..host.results import CommandResult
    from ..host.system import System

NO_CACHE = ["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="]
NETWORK = []
for _option in (
    "Retries=2",
    "Retries::Delay=false",  # a retry that is put off may be forgotten: apt 2.6 then waits for nothing, without end
    "http::Timeout=20",
    "https::Timeout=20",
    "http::ConnectionAttemptDelayMsec=250",
):
    NETWORK += ["-o", "Acquire::" + _option]
QUIET = {"NEEDRESTART_SUSPEND": "1", "NEEDRESTART_MODE": "l", "APT_LISTCHANGES_FRONTEND": "none"}
"""No dialogs, and no restarts of services behind our back."""
UPDATE_LIMITS = (100, 100, 300)
"""Seconds for each attempt to update the lists: apt has been seen to stand still where its own time limits (which do
end a silent connection) did not help. The last limit is for a slow line."""
FRESH = 24 * 3600
"""Seconds for which lists that we updated are believed when the newest version is asked for."""
BUSY = r"Could not get lock|Unable to (?:acquire|lock)|lock was locked|is another process using it"


def version(system: "System") -> "str | None":
    """apt's own version, or None where there is no apt."""
    found = dpkg.packages(system, ["apt"])
    return found["apt"].version if "apt" in found and found["apt"].present else None


# -- lists


def updated(system: "System", since: "int | None" = FRESH) -> bool:
    """Have we updated the lists within `since` seconds, with the sources that there are now? None: in this very run."""
    record = system.state_file.get("apt", "updated")
    if record is None:
        return False
    if since is None:
        return bool(record["run"] == _run(system))
    return bool(0 <= time.time() - record["time"] < since)


def sources_changed(system: "System", come: str = "") -> None:
    """The lists no longer fit the sources: the next transaction updates them. `come`: the file of a new source."""
    system.state_file.put("apt", "updated", None)
    if system.lists is not None:
        system.lists = (system.lists[0], system.lists[1] + [come]) if come else None


def update(system: "System", limit: int) -> "Failed | None":
    """Update the lists; where all of them were in this run, only that of the source that has come since.

    Returns None, or the Failed that says why some could not be: other sources may be enough.
    """
    before, come = system.lists or (None, [])
    error = _update_attempts(system, limit, _alone(come[0]) if len(come) == 1 else [])
    if error is None:
        text = _log(system, "apt-get")
        if re.search(r"^(?:W|Err).*(?:Failed to fetch|Some index files failed)|^E: ", text, re.M):
            error = explain(text, "apt-get update did not get all lists")
    error = error or (before if len(come) == 1 else None)
    system.lists = (error, [])
    if error is None:
        system.state_file.put("apt", "updated", {"time": time.time(), "run": _run(system)})
    return error


def _alone(source: str) -> "list[str]":
    """Options that make apt look at this file of sources alone, and keep the lists of all others."""
    return ["-o", "Dir::Etc::sourcelist=" + source, "-o", "Dir::Etc::sourceparts=-", "-o", "APT::Get::List-Cleanup=0"]


def _update_attempts(system: "System", limit: int, options: "list[str]") -> "Failed | None":
    """None, or why it failed. Only an attempt that did not end is followed by another."""
    doing = "updating apt's lists"
    for number, seconds in enumerate(UPDATE_LIMITS, 1):
        system.progress(doing)
        error = _attempt(system, ["apt-get", "-q=1"] + NETWORK + options + ["update"], seconds, limit, {})
        if not isinstance(error, TimedOut):
            return error
        doing = "updating apt's lists, which did not end within {} s: attempt {} of {}".format(
            seconds, number + 1, len(UPDATE_LIMITS)
        )
    cause = "apt-get update did not end within {} s, nor in {} attempts before that".format(seconds, number - 1)
    error = explain(_log(system, "apt-get"), cause)
    error.fix = (
        error.fix or "look at the mirror or proxy that it waits for (apt-get update on the host), then run again"
    )
    return error


def _run(system: "System") -> str:
    """This very process, whatever PIDs were used before."""
    fields = (system.text("/proc/self/stat") or "").rpartition(")")[2].split()
    return "{} {} {}".format(system.boot_id(), os.getpid(), fields[19] if len(fields) > 19 else "")


# -- looking


def candidates(
    system: "System", names: "list[str]", options: "list[str]" = NO_CACHE, timeout: float = 120
) -> "dict[str, str | None]":
    """{name: the version that apt would install, or None}. `options`: where apt looks, as those of apt_trial.Trial."""
    answer = _in_time(system.query(["apt-cache", "policy"] + options + list(names), timeout=timeout))
    if not answer.ok:
        raise explain(answer.out + answer.err, "apt-cache policy failed")
    found = dict.fromkeys(names)
    for name, candidate in re.findall(r"^(\S+):\n(?:  Installed: .*\n)?  Candidate: (\S+)", answer.out, re.M):
        found[name.partition(":")[0]] = None if candidate == "(none)" else candidate
    return found


def available(system: "System", name: str, options: "list[str]" = NO_CACHE) -> "list[str]":
    """All versions of a package that apt knows where to get, the newest first."""
    return list(dict.fromkeys(version for version, _ in offers(system, [name], options)[name]))


def offers(
    system: "System", names: "list[str]", options: "list[str]" = NO_CACHE, timeout: float = 120
) -> "dict[str, list[tuple[str, str]]]":
    """{name: [(version, URI of the source that has it)]} of all that apt knows where to get, the newest first."""
    answer = _in_time(system.query(["apt-cache", "madison"] + options + names, timeout=timeout))
    found: "dict[str, list[tuple[str, str]]]" = {name: [] for name in names}
    for line in answer.out.splitlines():
        words = [word.strip() for word in line.split("|")]
        if len(words) >= 3 and words[0] in found:
            found[words[0]].append((words[1], words[2].partition(" ")[0]))
    return found


def rehearse(system: "System", arguments: "list[str]", timeout: float) -> None:
    """Raise Failed where apt would refuse `apt-get install ARGUMENTS`. Takes no lock, and a third of a simulation."""
    answer = _in_time(system.query(["apt-get", "--print-uris"] + arguments, timeout=timeout))
    if not answer.ok:
        raise explain(answer.out + answer.err, "apt cannot do that")


def _in_time(answer: "CommandResult") -> "CommandResult":
    if answer.timed_out:
        raise TimedOut("{} did not end in time".format(" ".join(answer.argv[:2])), "see whether the host is overloaded")
    return answer


class AptChange:
    """What apt would do: {name: (version now or None, version then)}, and the names that it would remove."""

    def __init__(self, installed: "dict[str, tuple[str | None, str]]", removed: "list[str]") -> None:
        self.installed = installed
        self.removed = removed


def simulate(system: "System", arguments: "list[str]", timeout: float = 300) -> "AptChange":
    """What `apt-get install ARGUMENTS` would do, as a Change. Raises Failed with what apt says against it.

    By itself only for `apply`: apt may write its cache, and the transaction that follows is the faster for it.
    """
    argv = ["apt-get", "-s"] + arguments
    answer = _in_time(system.query(argv, timeout=timeout))
    if not answer.ok:
        raise explain(answer.out + answer.err, "apt cannot do that")
    installed = {}
    for name, now, then in re.findall(r"^Inst (\S+?)(?::\S+)? (?:\[(\S+)\] )?\((\S+) ", answer.out, re.M):
        installed[name] = (now or None, then)
    removed = re.findall(r"^(?:Remv|Purg) ([^\s:]+)", answer.out, re.M)
    return AptChange(installed, removed)


# -- changing


def repair(system: "System", limit: int, env: "dict[str, str]") -> None:
    """End what an interrupted dpkg left half-way."""
    broken = dpkg.broken(system)
    if broken:
        system.progress("dpkg was interrupted: configuring {}".format(", ".join(broken[:5])))
        options = ["--force-confdef", "--force-confold"]
        error = _attempt(system, ["dpkg"] + options + ["--configure", "-a"], 900, limit, env)
        if error is not None:
            raise error


def change(system: "System", argv: "Sequence[str]", timeout: int, limit: int, env: "dict[str, str]") -> None:
    """Run one command of apt's family that changes the host; raises Failed with the cause in words."""
    error = _attempt(system, argv, timeout, limit, env)
    if error is not None:
        raise error


def _attempt(
    system: "System", argv: "Sequence[str]", timeout: int, limit: int, env: "dict[str, str]"
) -> "Failed | None":
    """None, or why it failed. A lock that another program takes between our look and theirs is waited for again."""
    deadline = time.monotonic() + limit
    system.state_file.directory()
    log = _log_file(system, argv[0])
    while True:
        apt_locks.wait(system, max(0, int(deadline - time.monotonic())))
        system.remove(log)
        try:
            system.run(argv, timeout=timeout, env=dict(QUIET, **env), log=log)
            return None
        except Failed as error:
            text = _log(system, argv[0])
            if re.search(BUSY, text) and time.monotonic() < deadline:
                time.sleep(1)
                continue
            return explain(text, error.cause, type(error))


def _log_file(system: "System", program: str) -> str:
    return os.path.join(system.state, program + ".log")


def _log(system: "System", program: str) -> str:
    return system.text(_log_file(system, program)) or ""
