"""What dpkg says is installed, read from its own files: no process, about a millisecond.

The law: reads only. `Status` decides what is installed, never that there is a stanza: a package may be known and absent
("un"), removed with its configuration left ("rc"), or half there. dpkg keeps the newest states in `updates/` until it
folds them into `status`; both are read, the former first, so that a fold between the two reads loses nothing.
"""

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Iterator

    from ..host.system import System

STATUS = "/var/lib/dpkg/status"
UPDATES = "/var/lib/dpkg/updates"
LISTS = "/var/lib/dpkg/info"
PROGRAMS = ("/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/")
LIMIT = 256 * 1024 * 1024
_BROKEN = rb"\nPackage: (\S+)\nStatus: \S+ (?:\S+ (?!installed|config-files|not-installed)\S+|reinstreq \S+)\n"


class DpkgPackage:
    """One package: `want` (install, hold, …), `flag` (ok, reinstreq), `status` (installed, unpacked, …), `version`."""

    def __init__(self, name: str, stanza: str) -> None:
        fields = dict(re.findall(r"^(Status|Version|Architecture): (.*?)\s*$", stanza, re.M))
        self.name = name
        self.want, self.flag, self.status = (fields.get("Status", "").split() + ["", "", ""])[:3]
        self.version = fields.get("Version", "")
        self.architecture = fields.get("Architecture", "")

    @property
    def installed(self) -> bool:
        """Is it unpacked and configured? One that waits for a trigger is."""
        return self.flag == "ok" and self.status in ("installed", "triggers-pending", "triggers-awaited")

    @property
    def present(self) -> bool:
        """Is any of it unpacked? (Half-installed counts.)"""
        return self.status not in ("", "config-files", "not-installed")

    @property
    def held(self) -> bool:
        return bool(self.want == "hold")


def packages(system: "System", names: "Iterable[str]") -> "dict[str, DpkgPackage]":
    """{name: Package} for those of `names` that dpkg knows. Of several architectures the present one is meant."""
    recent = _updates(system)
    found = {}
    status = system.read(STATUS, LIMIT)
    for package in _among(names, status or b""):
        if package.name not in found or package.present:
            found[package.name] = package
    for package in _among(names, recent):
        found[package.name] = package
    return found


def present(system: "System") -> "set[str]":
    """The names of all packages of which anything is unpacked."""
    data = b"\n\n".join([system.read(STATUS, LIMIT) or b"", _updates(system)])
    names = {name.decode() for name in re.findall(rb"^Package: (\S+)$", data, re.M)}
    return {name for name, package in packages(system, names).items() if package.present}


def programs(system: "System", name: str) -> "list[str]":
    """The programs of a package, as dpkg knows them."""
    text = system.text("{}/{}.list".format(LISTS, name)) or ""
    return [line for line in text.splitlines() if line.startswith(PROGRAMS)]


def broken(system: "System") -> "list[str]":
    """Names of packages that an interrupted dpkg left half-way, sorted; [] on a sound system."""
    journal = _updates(system)
    names = {name.decode() for name in re.findall(_BROKEN, b"\n" + (system.read(STATUS, LIMIT) or b""))}
    names |= {name.decode() for name in re.findall(rb"\nPackage: (\S+)\n", b"\n" + journal)}
    return sorted(names)


def _updates(system: "System") -> bytes:
    names = [name for name in system.names(UPDATES) if name.isdigit()]
    return b"\n".join(system.read(UPDATES + "/" + name) or b"" for name in names)


def _among(names: "Iterable[str]", data: bytes) -> "Iterator[DpkgPackage]":
    """The stanzas of these packages; dpkg writes the name first."""
    wanted = {name.encode() for name in names}
    for stanza in data.split(b"\n\n"):
        stanza = stanza.lstrip(b"\n")
        name = stanza[len(b"Package: ") : stanza.find(b"\n")]
        if name in wanted and stanza.startswith(b"Package: "):
            yield DpkgPackage(name.decode(), stanza.decode("utf-8", "replace"))


def compare(one: str, other: str) -> int:
    """Two versions by dpkg's rules (deb-version(7)): negative, 0 or positive, as `one` is older, equal or newer."""
    (epoch, upstream, revision), (its_epoch, its_upstream, its_revision) = _parts(one), _parts(other)
    return epoch - its_epoch or _order(upstream, its_upstream) or _order(revision, its_revision)


def _parts(version: str) -> "tuple[int, str, str]":
    epoch, colon, rest = version.partition(":")
    if not colon or not epoch.isdigit():
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return int(epoch), upstream, revision


def _order(one: str, other: str) -> int:
    left, right = _runs(one), _runs(other)
    for index in range(max(len(left), len(right))):
        text, number = left[index] if index < len(left) else ("", 0)
        its_text, its_number = right[index] if index < len(right) else ("", 0)
        order = _text_order(text, its_text) or number - its_number
        if order:
            return order
    return 0


def _runs(text: str) -> "list[tuple[str, int]]":
    """The text "1.2~rc3" as [("", 1), (".", 2), ("~rc", 3)]."""
    return [(run, int(number or 0)) for run, number in re.findall(r"(\D*)(\d*)", text) if run or number]


def _text_order(one: str, other: str) -> int:
    for index in range(max(len(one), len(other))):
        order = _weight(one, index) - _weight(other, index)
        if order:
            return order
    return 0


def _weight(text: str, index: int) -> int:
    """~ sorts before the end, the end before letters, letters before all else."""
    if index >= len(text):
        return 0
    character = text[index]
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256
