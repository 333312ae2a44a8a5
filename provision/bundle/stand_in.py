"""The sources of a release that no host was asked about: this machine's own where it is of the same distribution, with
the other release's name; else the distribution's public archive.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from provision.bundle.sources import ARCHIVE_KEYRINGS, HostSource, sources
from provision.errors import InputError, Problem
from provision.facts import Facts

_OWN = (
    "etc/apt/sources.list",
    "etc/apt/sources.list.d",
    "etc/apt/trusted.gpg.d",
    "etc/apt/keyrings",
    "usr/share/keyrings",
)


def files_of(facts: Facts, root: Path = Path("/")) -> Mapping[str, bytes]:
    """The files of /etc/apt that a bare host of that release has: {path without the first slash: contents}.
    Raises InputError where this machine lacks the distribution's keys."""
    own = _own_files(root)
    system = _os_release(root)
    found = list[HostSource]()
    if system.get("ID") == facts.os.id and (codename := system.get("VERSION_CODENAME")):
        for source in sources(own, facts.architecture):
            if re.fullmatch(rf"{codename}(-.+)?", source.suite):
                suite = source.suite.replace(codename, facts.os.codename, 1)
                found.append(HostSource(source.uri, suite, source.components, source.keys))
    return _written(found or list(_public(facts, own)))


def _public(facts: Facts, own: Mapping[str, bytes]) -> Iterable[HostSource]:
    names = [path for path in own if ARCHIVE_KEYRINGS.match(path) and f"/{facts.os.id}-" in path]
    if not names:
        cause = f"--for {facts.os.id}: this machine has no keyring of that distribution's archive"
        raise InputError([Problem(cause, hint=f"apt-get install {facts.os.id}-{KEYRING_PACKAGES[facts.os.id]}")])
    keys = ((names[0], own[names[0]]),)
    name = facts.os.codename
    if facts.os.id == "debian":
        yield HostSource("http://deb.debian.org/debian", name, ("main",), keys)
        yield HostSource("http://deb.debian.org/debian", f"{name}-updates", ("main",), keys)
        yield HostSource("http://deb.debian.org/debian-security", f"{name}-security", ("main",), keys)
        return
    main = facts.architecture in ("amd64", "i386")
    archive = "http://archive.ubuntu.com/ubuntu" if main else "http://ports.ubuntu.com/ubuntu-ports"
    security = "http://security.ubuntu.com/ubuntu" if main else archive
    for uri, suite in ((archive, name), (archive, f"{name}-updates"), (security, f"{name}-security")):
        yield HostSource(uri, suite, ("main", "universe"), keys)


KEYRING_PACKAGES = {"debian": "archive-keyring", "ubuntu": "keyring"}


def _written(found: Iterable[HostSource]) -> Mapping[str, bytes]:
    files, lines = dict[str, bytes](), list[str]()
    for source in found:
        paths = [path if "/" in path else f"etc/apt/keyrings/{path}" for path, _ in source.keys]
        files |= {path: data for path, (_, data) in zip(paths, source.keys, strict=True)}
        signed_by = ",".join(f"/{path}" for path in paths)
        lines.append(f"deb [signed-by={signed_by}] {source.uri} {source.suite} {' '.join(source.components)}\n")
    return files | {"etc/apt/sources.list": "".join(lines).encode()}


def _own_files(root: Path) -> Mapping[str, bytes]:
    paths = [path for name in _OWN for path in ([root / name] if (root / name).is_file() else (root / name).glob("*"))]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths if path.is_file()}


def _os_release(root: Path) -> Mapping[str, str]:
    path = root / "etc/os-release"
    lines = path.read_text().splitlines() if path.is_file() else []
    pairs = (line.partition("=") for line in lines)
    return {key: value.strip("\"'") for key, _, value in pairs}
