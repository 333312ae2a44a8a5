"""Questions about where packages come from: does apt take the sources that this run writes, and can it install then?

The law: nothing of the host's own lists, caches and locks is touched, and only a source that this run writes is asked
over the network. Lists may be old, and `apply` updates them: what only they say is a warning.
"""

import contextlib
import time

from ..host import lenient
from ..host.errors import Failed, TimedOut
from ..packages import apt, apt_pins, apt_trial, dpkg
from ..packages.install import Packages
from ..packages.source import AptSource
from .change import Offers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from .change import Change, Judgement

KEY_LIMIT, LIMIT = 6, 12
"""Seconds for each answer of a key's server, and for what apt fetches of a source."""
LOOK = 15
"""Seconds for what apt is asked of its lists: a host that is busy is not kept out for that."""
BRING = ("apt_conf", "file", "download", "command", "mount", "symlink", "line_in_file")
"""Kinds that may make a source reachable, where somebody else's role of this run changes one."""
UNTOUCHED = ("n/a", "no package is changed here", "")


def sources(system: "System", change: "Change") -> "Judgement":
    """The key of a source can be had, and apt takes what its server signs."""
    written = [(AptSource(**fields), result) for fields, result in change.of("apt_source") if fields["present"]]
    coming, end = [], time.monotonic() + LOOK
    try:
        for source, result in written:
            differs = {item["key"] for item in result["diff"]}
            if differs & {"source", "key"}:
                coming.append(source.coming(system, differs, KEY_LIMIT))
    except Failed as error:
        return _not_to_be_had(change, "fail", error)
    coming = [source for source in coming if source.name.endswith(".sources")]  # older apts refuse nothing
    if not coming:
        return "n/a", "no package source is written here", ""
    with apt_trial.tried(system, coming, LIMIT) as trial:
        if trial.refused is not None:
            return _not_to_be_had(change, "fail", trial.refused)
        if trial.unread is not None:
            return _not_to_be_had(change, "warn", trial.unread)
        with contextlib.suppress(TimedOut):  # then `versions` says that it does not know
            uris = {source.uri.rstrip("/") for source, _ in written}
            change.offers = _offers(system, change, trial.options, uris, end)
    return "pass", "apt takes {}".format(" and ".join(source.name for source in coming)), ""


def _not_to_be_had(change: "Change", verdict: str, error: Failed) -> "Judgement":
    if change.brings(BRING):
        return "n/a", "{}; another role of this run may change that".format(error.cause), ""
    return verdict, error.cause, error.fix


def versions(system: "System", change: "Change") -> "Judgement":
    """What apt could not install with the lists that are there: no source has it, a pin keeps it out, it conflicts."""
    asked = _asked(change)
    if not asked:
        return UNTOUCHED
    if change.offers is None and (change.of("apt_source") or not _listed(system)):
        return "n/a", "which versions there are is known once apt has read the package sources", ""
    if change.offers is None:
        try:
            with apt_trial.tried(system) as here:
                change.offers = _offers(system, change, here.options, set(), time.monotonic() + LOOK)
        except TimedOut as error:
            return "n/a", "what apt could install is not known: {}".format(error.cause), ""
    offers = change.offers
    if offers is None:
        return UNTOUCHED
    for name in sorted(asked):
        if offers.known[name] and asked[name] is None and offers.newest[name] is None:
            refused = apt_pins.refusal(system, name)
            return "fail", refused.cause, refused.fix
    known = _listed(system) or not any(offers.known.values())  # without lists, a new source need not have all
    judged = [name for name in sorted(asked) if known or offers.known[name]]
    for answer in filter(None, (_missing(name, asked[name], offers) for name in judged)):
        return answer
    if offers.refused is not None:
        certain = isinstance(offers.refused, apt_pins.Kept)
        until = "" if certain else ", as far as apt's lists tell now"
        return "fail" if certain else "warn", offers.refused.cause + until, offers.refused.fix
    return "pass", "apt knows a version to install of each package", ""


def _asked(change: "Change") -> "dict[str, str | None]":
    """{name: version or None} of packages that would come or change."""
    return {
        package["name"]: package["version"]
        for fields, _ in change.of("packages")
        for package in fields["packages"]
        if package["name"] in change.packages
    }


def _listed(system: "System") -> bool:
    return any("_Packages" in name for name in lenient.names(system, apt_trial.LISTS))


def _offers(system: "System", change: "Change", options: "list[str]", new: "set[str]", end: float) -> "Offers | None":
    """What there is, `new` being the URIs of sources that were read just now; None where no package changes."""
    asked = _asked(change)
    names = sorted(asked)
    if not names:
        return None
    found = apt.offers(system, names, options, _left(end))
    known = {name: list(dict.fromkeys(version for version, _ in found[name])) for name in names}
    fresh = {name for name in names if any(uri.rstrip("/") in new for _, uri in found[name])}
    offers = Offers(known, apt.candidates(system, names, options, _left(end)), fresh)
    if _listed(system) and all(offers.newest[name] and not _missing(name, asked[name], offers) for name in names):
        offers.refused = _rehearsed(system, change, options, end)
    return offers


def _left(end: float) -> float:
    return max(0.1, end - time.monotonic())


def _rehearsed(system: "System", change: "Change", options: "list[str]", end: float) -> "Failed | None":
    """Why apt would not do what `apply` will ask of it; None also where it does not say so in time."""
    for fields, result in change.of("packages"):
        diff = {item["key"]: (item["before"], item["after"]) for item in result["diff"]}
        try:
            Packages(**fields).rehearse(system, diff, options, _left(end))
        except TimedOut:
            return None
        except Failed as error:
            return error
    return None


def _missing(name: str, version: "str | None", offers: Offers) -> "Judgement | None":
    """The answer for what no source has, or None; `apply` updates the lists, so that this may be no failure."""
    known = offers.known[name]
    if not known:
        cause = "no source of this host has a package {}, as far as apt's lists tell now".format(name)
        return "warn", cause, "add the source that has it, or correct the name; `apply` updates the lists first"
    if version is None or any(dpkg.compare(version, other) == 0 for other in known):
        return None
    verdict, until = ("fail", "") if name in offers.fresh else ("warn", ", as far as apt's lists tell now")
    cause = "{} has no version {} in the sources of this host{}".format(name, version, until)
    return verdict, cause, "ask for one that there is: {}".format(", ".join(known[:10]))
