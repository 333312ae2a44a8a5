"""apt in directories of its own: it verifies the indices of a bundle, and says what hosts would install.

The law: nothing of this machine's own apt is read or written: neither its sources nor its state, lists and locks. What
is verified and resolved is the mirror in the bundle itself, so what apt accepts here, it accepts on a host.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from provision.bundle.fetching import explained, refuse_full, run
from provision.errors import Refused


@dataclass(frozen=True)
class Mirrored:
    """A repository as it stands in the bundle."""

    uri: str
    suite: str
    components: tuple[str, ...]
    root: Path
    keys: tuple[Path, ...]

    def line(self, more: str = "") -> str:
        """Its one-line source. `copy:`, since apt before 3 takes no uncompressed list from `file:`."""
        keys = ",".join(map(str, self.keys))
        return f"deb [signed-by={keys}{more}] copy:{self.root} {self.suite} {' '.join(self.components)}".rstrip()


_CONFIGURATION = """\
Dir::State "{0}/state";
Dir::State::lists "{0}/lists";
Dir::State::status "{0}/status";
Dir::State::extended_states "{0}/extended_states";
Dir::Cache "{0}/cache";
Dir::Etc "{0}/etc";
Dir::Etc::sourcelist "{0}/sources.list";
Dir::Etc::sourceparts "/dev/null";
APT::Architecture "{1}";
APT::Architectures {{ "{1}"; }};
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::ForceHash "SHA256";
Acquire::Check-Valid-Until "false";
"""


class OwnApt:
    """apt for one release and architecture, in `folder`."""

    def __init__(self, folder: Path, architecture: str, preferences: Mapping[str, bytes]) -> None:
        self._folder = folder
        for name in ("state", "lists/partial", "cache", "etc/apt.conf.d", "etc/preferences.d"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name, data in preferences.items():
            (folder / "etc" / name).write_bytes(data)
        (folder / "apt.conf").write_text(_CONFIGURATION.format(folder, architecture))
        self._environment = {"APT_CONFIG": str(folder / "apt.conf")}

    def read(self, repositories: Iterable[Mirrored]) -> None:
        """Verify these repositories and read their lists. Raises Refused in apt's words."""
        repositories = list(repositories)
        self._update(repositories, [item.line() for item in repositories])

    def verify(self, repository: Mirrored) -> None:
        """Verify the signature of one, and read no list of it. Raises Refused in apt's words."""
        self._update([repository], [repository.line(" target=none")])

    def _update(self, repositories: Sequence[Mirrored], lines: Sequence[str]) -> None:
        (self._folder / "sources.list").write_text("".join(f"{line}\n" for line in lines))
        (self._folder / "status").touch()
        said = run(["apt-get", "-q", "update"], self._environment)
        refuse_full(said, self._folder)
        if re.search(r"^(E:|W:.*(Failed to fetch|not be downloaded|is not signed|GPG error))", said, re.M):
            places = {str(item.root): item.uri for item in repositories}
            text = explained(said)
            for root, uri in sorted(places.items(), key=lambda pair: -len(pair[0])):
                text = text.replace(f"copy:{root}", uri)
            fix = "look at the repository and at its keys (Signed-By of the hosts' source), then run again"
            raise Refused(f"apt does not accept an index: {text}", fix)

    def resolve(self, names: Sequence[str], status: bytes) -> dict[str, tuple[str, int]]:
        """{sha256: (file name, bytes)} of what `apt-get install NAMES` would fetch on a host with that dpkg status.
        Raises Refused in apt's words."""
        (self._folder / "status").write_bytes(status)
        options = ["-q", "-y", "--no-install-recommends", "--allow-downgrades", "--print-uris"]
        said = run(["apt-get", *options, "install", *names], self._environment)
        if re.search(r"^E: ", said, re.M):
            why = "; ".join(
                line.strip() for line in said.splitlines() if re.match(r"E: (?!status)| .*(Depends|Conflicts)", line)
            )
            raise Refused(f"apt finds no way to install {' '.join(names)}: {why}", "correct the version or the sources")
        found = re.findall(r"^'[^']+' (\S+) (\d+) SHA256:([0-9a-f]{64})$", said, re.M)
        return {digest: (name, int(size)) for name, size, digest in found}


def without(status: bytes, names: Iterable[str]) -> bytes:
    """A dpkg status in which these packages are not there and nothing is held: they are resolved as on a host that
    lost them, so that a bundle can mend, too."""
    gone = {name.encode() for name in names}
    stanzas = [stanza for stanza in status.split(b"\n\n") if _name(stanza) not in gone]
    return re.sub(rb"(?m)^Status: hold ", b"Status: install ", b"\n\n".join(stanzas))


def _name(stanza: bytes) -> bytes:
    match = re.match(rb"\s*Package: (\S+)", stanza)
    return match[1] if match else b""
