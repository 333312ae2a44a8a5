"""The package sources of hosts, from the files of /etc/apt that they have, as a bundle is to mirror them.

The law: pure. What a host's apt would not read (a file with another ending, a stanza that is not enabled, a source of
source packages) is left out here, too.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

LIST = "etc/apt/sources.list"
PARTS = "etc/apt/sources.list.d/"
TRUSTED = ("etc/apt/trusted.gpg.d/", "etc/apt/trusted.gpg")
ARCHIVE_KEYRINGS = re.compile(r"usr/share/keyrings/(?:debian|ubuntu)-archive-keyring\.(?:gpg|pgp)$")
OFF = ("no", "false", "without", "off", "disable")


@dataclass(frozen=True)
class HostSource:
    """One URI and suite, with the keys that it is verified with: {name: a keyring, binary or armoured}."""

    uri: str
    suite: str
    components: tuple[str, ...]
    keys: tuple[tuple[str, bytes], ...]

    @property
    def id(self) -> str:
        """What tells it from others."""
        return f"{self.uri} {self.suite}"


@dataclass(frozen=True)
class _Entry:
    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str
    architectures: tuple[str, ...]


def sources(files: Mapping[str, bytes], architecture: str) -> list[HostSource]:
    """The sources of a host for its architecture, in apt's order. `files`: {path without the first slash: contents}."""
    found = dict[tuple[str, str], HostSource]()
    for entry in _entries(files):
        if entry.architectures and architecture not in entry.architectures:
            continue
        known = found.get((entry.uri, entry.suite))
        components = tuple(dict.fromkeys((*(known.components if known else ()), *entry.components)))
        keys = tuple(_keys(files, entry.signed_by))
        found[entry.uri, entry.suite] = HostSource(entry.uri, entry.suite, components, keys)
    return list(found.values())


def trusted(files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """The keyrings for a source that names none."""
    for path, data in sorted(files.items()):
        if path.startswith(TRUSTED) or ARCHIVE_KEYRINGS.match(path):
            yield path, data


def _keys(files: Mapping[str, bytes], signed_by: str) -> Iterator[tuple[str, bytes]]:
    if "-----BEGIN" in signed_by:  # the key itself stands in the source, indented, a dot for an empty line
        lines = [re.sub(r"^ ?\.?$", "", line).strip() for line in signed_by.splitlines()]
        yield "signed-by.asc", "\n".join(lines).strip().encode() + b"\n"
        return
    named = [path.lstrip("/") for path in re.findall(r"/[^\s,]+", signed_by)]
    if not named:
        yield from trusted(files)
    yield from ((path, files[path]) for path in named if path in files)


def _entries(files: Mapping[str, bytes]) -> Iterator[_Entry]:
    for path in [LIST, *sorted(path for path in files if path.startswith(PARTS))]:
        text = files.get(path, b"").decode("utf-8", "replace")
        if path.endswith(".sources"):
            yield from _stanzas(text)
        elif path.endswith(".list"):
            yield from _lines(text)


def _lines(text: str) -> Iterator[_Entry]:
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)([^#]*)", line)
        if match:
            options = dict(re.findall(r"(\S+?)\+?=(\S+)", match[1] or ""))
            arches = tuple(options.get("arch", "").split(",")) if options.get("arch") else ()
            yield _Entry(_plain(match[2]), match[3], tuple(match[4].split()), options.get("signed-by", ""), arches)


def _stanzas(text: str) -> Iterator[_Entry]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        pairs = re.findall(r"^(\S+?):[ \t]*((?:.*)(?:\n[ \t].*)*)", stanza, re.M)
        fields = {name.lower(): value for name, value in pairs}
        if fields.get("enabled", "yes").strip().lower() in OFF or "deb" not in fields.get("types", "").split():
            continue
        components, arches = (tuple(fields.get(name, "").split()) for name in ("components", "architectures"))
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield _Entry(_plain(uri), suite, components, fields.get("signed-by", ""), arches)


def _plain(uri: str) -> str:
    """Without a login and a slash at its end."""
    return re.sub(r"(://)[^/@]*@", r"\1", uri).rstrip("/")
