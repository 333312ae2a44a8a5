"""What keeps a package out that the sources have: a preference of apt (apt_preferences(5)), or a hold on a dependency.

The law: reads only; apt itself says that it has no candidate, or which dependency it cannot meet, and here is only
found which file or hold may be why.
"""

import re
from fnmatch import fnmatchcase

from ..host import lenient
from ..host.errors import Failed
from . import dpkg

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

    from ..host.system import System

FILE = "/etc/apt/preferences"
PARTS = "/etc/apt/preferences.d"
UNMET = r"(\S+ : (?:Pre-?Depends|Depends|Conflicts|Breaks): ([^\s:]+).*)"


class Kept(Failed):
    """Somebody on this host keeps a package as it is, or out: newer lists change nothing about that."""


def refusal(system: "System", name: str) -> Kept:
    """The failure for a package that sources have, and that apt has no candidate of."""
    return _preference(files(system, name), name)


def held(names: "list[str]", told: str = "", output: str = "") -> Kept:
    """The failure for packages that would have to change, and are held."""
    cause = "apt would have to change {}, which somebody holds{}".format(", ".join(names), told)
    fix = "release it (apt-mark unhold {}) or ask for versions that fit it".format(" ".join(names))
    return Kept(cause, fix, output)


def unmet(system: "System", error: Failed) -> "Kept | None":
    """The failure for dependencies that apt says it cannot meet, where a hold or a preference of this host is why."""
    found = {name: told for told, name in re.findall(UNMET, error.cause + "\n" + error.output)}
    packages = dpkg.packages(system, list(found))
    for name, told in found.items():
        told = " ({})".format(told)
        if name in packages and packages[name].present and packages[name].held:
            return held([name], told, error.output)
        pinned = files(system, name, any_priority=True)
        if pinned:
            return _preference(pinned, name, told, error.output)
    return None


def _preference(found: "list[str]", name: str, told: str = "", output: str = "") -> Kept:
    cause = "a preference of apt keeps {} out{}{}".format(name, ": " + ", ".join(found) if found else "", told)
    return Kept(cause, "change that preference (apt-cache policy {} shows it), then run again".format(name), output)


def files(system: "System", name: str, any_priority: bool = False) -> "list[str]":
    """Files with a pin below zero for this package; of any priority, with one that names it."""
    names = [FILE] + ["{}/{}".format(PARTS, part) for part in lenient.names(system, PARTS)]
    return [path for path in names if any(_keeps_out(part, name, any_priority) for part in _stanzas(system, path))]


def _stanzas(system: "System", path: str) -> "Iterator[dict[str, str]]":
    lines = [line for line in (lenient.text(system, path) or "").splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        yield {key.lower(): value.strip() for key, value in re.findall(r"^(\S+?):[ \t]*(.*)", stanza, re.M)}


def _keeps_out(stanza: "dict[str, str]", name: str, any_priority: bool) -> bool:
    fitting = [pattern for pattern in stanza.get("package", "").split() if _fits(pattern, name)]
    below = stanza.get("pin-priority", "").startswith("-")
    return any(below or (any_priority and pattern != "*") for pattern in fitting)


def _fits(pattern: str, name: str) -> bool:
    if len(pattern) > 2 and pattern[0] == pattern[-1] == "/":
        return re.search(pattern[1:-1], name) is not None
    return fnmatchcase(name, pattern)
