"""Preferences of apt that keep a package out: a pin below zero, whatever the sources have.

The law: reads only; apt itself says that it has no candidate, and here is only found which file may be why.
"""

import re
from fnmatch import fnmatchcase

from ..host import look
from ..host.errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

    from ..host.system import System

FILE = "/etc/apt/preferences"
PARTS = "/etc/apt/preferences.d"


def refusal(system: "System", name: str) -> Failed:
    """The Failed for a package that sources have, and that apt has no candidate of."""
    found = files(system, name)
    cause = "a preference of apt keeps {} out{}".format(name, ": " + ", ".join(found) if found else "")
    return Failed(cause, "change that preference (apt-cache policy {} shows it), then run again".format(name))


def files(system: "System", name: str) -> "list[str]":
    """Files with a pin below zero for this package."""
    names = [FILE] + ["{}/{}".format(PARTS, part) for part in look.names(system, PARTS)]
    return [path for path in names if any(_keeps_out(part, name) for part in _stanzas(look.text(system, path) or ""))]


def _stanzas(content: str) -> "Iterator[dict[str, str]]":
    lines = [line for line in content.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        yield {key.lower(): value.strip() for key, value in re.findall(r"^(\S+?):[ \t]*(.*)", stanza, re.M)}


def _keeps_out(stanza: "dict[str, str]", name: str) -> bool:
    packages = stanza.get("package", "").split()
    return stanza.get("pin-priority", "").startswith("-") and any(_fits(pattern, name) for pattern in packages)


def _fits(pattern: str, name: str) -> bool:
    if len(pattern) > 2 and pattern[0] == pattern[-1] == "/":
        return re.search(pattern[1:-1], name) is not None
    return fnmatchcase(name, pattern)
