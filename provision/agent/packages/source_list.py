"""The package sources that apt reads on this host: every entry of every file, and whether apt could read a changed set.

The law: reads only. Two entries for one URI and suite that name different keys stop all of apt (before 3.0 an entry
without a key does, too): they must be found before, and apt must accept the new set before it is put in place.
"""

import os
import re

from ..host import lenient
from . import apt
from .apt_errors import explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

    from ..host.system import System

LIST = "/etc/apt/sources.list"
PARTS = "/etc/apt/sources.list.d"


class SourceEntry:
    """One URI and suite of one file, and the key that it names ("" for none)."""

    def __init__(self, file: str, uri: str, suite: str, signed_by: str) -> None:
        self.file = file
        self.uri = uri
        self.suite = suite
        self.signed_by = signed_by

    @property
    def source(self) -> "tuple[str, str]":
        """URI and suite in one spelling: two entries with the same must name the same key."""
        return _canonical(self.uri, self.suite)

    def same_source(self, uri: str, suite: str) -> bool:
        return self.source == _canonical(uri, suite)


def _canonical(uri: str, suite: str) -> "tuple[str, str]":
    return uri.rstrip("/"), suite[2:] or "/" if suite.startswith("./") else suite


def entries(system: "System") -> "Iterator[SourceEntry]":
    """All entries that are in force."""
    for path in [LIST] + [os.path.join(PARTS, name) for name in lenient.names(system, PARTS)]:
        content = lenient.text(system, path) or ""
        if path.endswith(".sources"):
            for found in _stanzas(content):
                yield SourceEntry(path, *found)
        elif path.endswith(".list"):
            for found in _lines(content):
                yield SourceEntry(path, *found)


def _lines(content: str) -> "Iterator[tuple[str, str, str]]":
    for line in content.splitlines():
        match = re.match(r"\s*deb(?:-src)?\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)", line)
        if match:
            options, uri, suite = match.groups()
            signed_by = re.search(r"signed-by=(\S+)", options or "", re.I)
            yield uri, suite, signed_by.group(1) if signed_by else ""


def _stanzas(content: str) -> "Iterator[tuple[str, str, str]]":
    lines = [line for line in content.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        fields = {
            name.lower(): value for name, value in re.findall(r"^(\S+?):[ \t]*((?:.*)(?:\n[ \t].*)*)", stanza, re.M)
        }
        if fields.get("enabled", "yes").strip().lower() in ("no", "false", "without", "off", "disable"):
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield uri, suite, fields.get("signed-by", "").strip()


def check(system: "System", name: str, content: str, without: "list[str]") -> None:
    """Let apt parse all sources as they would be with a file `name` of that `content` and without those files."""
    others = [other for other in lenient.names(system, PARTS) if other != name and other not in without]
    files: "dict[str, bytes | str]" = {other: os.path.join(PARTS, other) for other in others}
    files[name] = content.encode("utf-8")
    with system.scratch(lambda folder: files, {}) as folder:
        verb = ["indextargets"] if name.endswith(".sources") else ["--print-uris", "update"]
        words = ["apt-get", "-q=1", "-o", "Dir::Etc::sourceparts=" + folder] + apt.NO_CACHE + verb
        answer = system.query(words, timeout=60)
    if not answer.ok:
        raise explain((answer.out + answer.err).replace(folder, PARTS), "apt does not take the source " + name)
