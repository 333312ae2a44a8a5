"""Questions about packages: is dpkg whole, who holds its locks, what may not change, and can apt read its sources?

The law: reads only, takes no lock and asks no network.
"""

import re
import time

from ..host import lenient
from ..packages import apt, apt_key, apt_locks, dpkg, openpgp, source_list
from ..packages.install import HOLDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

    from ..host.system import System
    from .change import Change, Judgement

SOON = 14 * 24 * 3600
"""Seconds; a key that expires sooner is worth a word."""
TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer")
DUE = 600
"""Seconds; a timer of apt's that comes sooner may meet us."""
UNTOUCHED = ("n/a", "no package is changed here", "")


def dpkg_state(system: "System", change: "Change") -> "Judgement":
    """Packages that an interrupted dpkg left half-way are repaired first, which may take its time."""
    if not change.apt:
        return UNTOUCHED
    broken = dpkg.broken(system)
    if broken:
        named = ", ".join(broken[:5]) + (" and {} more".format(len(broken) - 5) if len(broken) > 5 else "")
        return "warn", "dpkg was interrupted and left {} half-way; that is repaired first".format(named), "dpkg --audit"
    return "pass", "dpkg is whole", ""


def locks(system: "System", change: "Change") -> "Judgement":
    """We wait for who holds a lock; a person should know for whom."""
    if not change.apt:
        return UNTOUCHED
    for path in apt_locks.FILES:
        pid = apt_locks.holder(path)
        if pid is not None:
            cause = "{} is held by {}, for which we would wait".format(path, apt_locks.named(system, pid))
            return "warn", cause, "let that program end (do not remove the lock), or run again later"
    if lenient.exists(system, "/run/systemd/system"):
        for name in TIMERS:
            due = _due(system, name)
            if due is not None and 0 <= due - time.time() < DUE:
                cause = "{} starts in {:.0f} min and takes apt's locks".format(name, (due - time.time()) / 60)
                return "warn", cause, "wait for it, or stop it for now: systemctl stop {}".format(name)
    return "pass", "nobody holds a lock of apt or dpkg", ""


def _due(system: "System", name: str) -> "float | None":
    answer = system.query(["systemctl", "show", "-p", "NextElapseUSecRealtime", name], timeout=10)
    match = re.search(r"=\w+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", answer.out)
    return time.mktime(time.strptime(match.group(1), "%Y-%m-%d %H:%M:%S")) if match else None


def holds(system: "System", change: "Change") -> "Judgement":
    """A package that somebody else holds is not taken from under the hold."""
    packages = change.packages
    if not packages:
        return UNTOUCHED
    found = dpkg.packages(system, sorted(packages))
    ours = system.state_file.section(HOLDS)
    held = [name for name in sorted(found) if found[name].present and found[name].held and name not in ours]
    if held:
        changes = ", ".join("{} (from {} to {})".format(name, found[name].version, packages[name][1]) for name in held)
        fix = "release it (apt-mark unhold {}), or ask for the version that is there".format(" ".join(held))
        return "fail", "somebody holds what would have to change: {}".format(changes), fix
    return "pass", "no hold of anybody's is in the way", ""


def repositories(system: "System", change: "Change") -> "Judgement":
    """Two keys for one source stop all of apt; a source whose key is gone or has expired is not read."""
    if not change.apt:
        return UNTOUCHED
    entries = list(source_list.entries(system))
    coming = _coming(change)
    conflict = _conflict(system, [entry for entry in entries if entry.file.rpartition("/")[2] not in coming])
    if conflict is not None:
        return conflict
    problems = []
    for path in sorted({path for entry in entries for path in re.findall(r"/[^\s,]+", _one_line(entry.signed_by))}):
        files = sorted({entry.file for entry in entries if path in entry.signed_by})
        problem = _problem(system, path) if not all(file.rpartition("/")[2] in coming for file in files) else None
        if problem is not None:
            problems.append("{} of {} {}".format(path, ", ".join(files), problem))
    if problems:
        more = " (and {} more)".format(len(problems) - 1) if len(problems) > 1 else ""
        return (
            "warn",
            problems[0] + more,
            "get the vendor's new key, or remove that source; its packages cannot be updated",
        )
    return "pass", "the keys of all package sources are there and valid", ""


def _coming(change: "Change") -> "set[str]":
    """Files in sources.list.d that this run writes or removes: they are looked at by their own resource."""
    names = set()
    for fields, _ in change.of("apt_source"):
        names |= {fields["name"] + ".sources", fields["name"] + ".list"} | set(fields["replaces"])
    return names


def _conflict(system: "System", entries: "list[source_list.SourceEntry]") -> "Judgement | None":
    """Two entries for one source that stop all of apt, or None."""
    for entry, other in _twins(entries):
        if entry.signed_by and other.signed_by:
            told = "name different keys"
        elif not system.query(["apt-get", "-q=1"] + apt.NO_CACHE + ["indextargets"], timeout=15).ok:
            told = "do not both name the key"
        else:
            continue  # apt 3.0 takes an entry without a key beside one with it
        files = " and ".join(dict.fromkeys([other.file, entry.file]))
        cause = "{} {} for {} {}, and that stops all of apt"
        cause = cause.format(files, told, lenient.without_secrets(entry.uri), entry.suite)
        return "fail", cause, "remove one of the two entries"
    return None


def _twins(
    entries: "list[source_list.SourceEntry]",
) -> "Iterator[tuple[source_list.SourceEntry, source_list.SourceEntry]]":
    """Entries for one URI and suite that differ in their keys."""
    known: "dict[tuple[str, str], source_list.SourceEntry]" = {}
    for entry in entries:
        other = known.setdefault(entry.source, entry)
        if _one_line(other.signed_by) != _one_line(entry.signed_by):
            yield entry, other


def _one_line(text: str) -> str:
    """Signed-By, which may be a whole key in its armor: that is no path."""
    return "" if "-----BEGIN" in text else " ".join(text.split())


def _problem(system: "System", path: str) -> "str | None":
    """What is the matter with a keyring, or None."""
    data = system.read(path, apt_key.LIMIT)
    if data is None:
        return "is not there"
    status = system.stat(system.place(path))
    if status is not None and not status.st_mode & 0o004:
        return "cannot be read by apt's own user, _apt (chmod 644 {})".format(path)
    try:
        keys = openpgp.keys(data)
    except ValueError:
        return None  # of a kind that we do not know; apt may
    ends = [key.expires for key in keys if key.expires is not None]
    if len(ends) < len(keys):
        return None
    last = max(ends)
    if last < time.time():
        return "has expired on {}".format(apt_key.day(last))
    return "expires on {}".format(apt_key.day(last)) if last < time.time() + SOON else None
