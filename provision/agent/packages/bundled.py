"""Packages out of a bundle: apt installs from stanzas that the vendor's own signature vouches for, and reads no list.

The law: apt itself judges each InRelease, with the keys that this host has for its source; the digest of a list is read
out of what apt took, and a package's stanza has to stand in that list, verbatim. So apt compares each .deb with what
its vendor has signed, marks what comes along as automatic, and leaves the host's own lists, caches and sources alone.
This is verified while packages come, and nothing is installed before it is. A bundle is as old as it is: the date until
which a Release holds is not asked. This file travels only where there is a bundle.
"""

import contextlib
import re
import threading

from ..host import lenient
from ..host.errors import Failed
from ..host.parcels import VERIFY, Piece
from . import dpkg, source_list
from .apt_errors import explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

    from ..host.system import System

TRUSTED = "/etc/apt/trusted.gpg.d"
ARCHIVE = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp", "ubuntu-archive-keyring.gpg")
INDEX_LIMIT = 256 << 20
"""Bytes of one list."""
SECONDS = 120
_ALONE = """\
#clear APT::Update;
Dir::Etc::sourcelist "{0}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "{0}/lists";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Sandbox::User "root";
Acquire::Check-Valid-Until "false";
"""
_WITH = 'APT::Sources::With {{ "{0}/Packages"; }};\n'
DIGEST = re.compile(rb"\nSHA256: ([0-9a-f]{64})\n")


@contextlib.contextmanager
def source(system: "System") -> "Iterator[list[str]]":
    """Options with which apt-get and apt-cache know the packages of the bundle, and nothing else. Raises Failed.

    They are for looks alone until `bring` has returned: what the bundle says is verified meanwhile.
    """
    listing = system.bundle.listing
    wanted = [_wanted(repository["release"], repository["release"]["sha256"]) for repository in listing["repositories"]]
    for repository in listing["repositories"]:
        wanted += [_wanted(index, index["sha256"]) for index in repository["indices"].values()]
    system.progress("receiving the bundle's indices")
    system.bundle.receive(system, wanted)
    stanzas = _stanzas(listing)
    places = {_filename(stanza): system.bundle.path(system, digest) for digest, stanza in stanzas.items()}
    if len(places) != len(stanzas):
        names = ", ".join(sorted(listing["packages"][digest]["path"] for digest in stanzas))
        raise Failed("two packages of the bundle would have one name: {}".format(names), VERIFY)
    proof = system.bundle.proof = _Proof(system, stanzas)
    try:
        with _known(system, b"\n\n".join(stanzas.values()), places) as options:
            yield options
    except Failed:
        proof.demand()  # what is wrong with the bundle comes first
        raise
    finally:
        proof.wait()
    proof.demand()


class _Proof:
    """The look at the vendors' signatures, in a thread of its own beside what comes over the wire."""

    def __init__(self, system: "System", offered: "dict[str, bytes]") -> None:
        self._system = system
        self._offered = offered
        self._error: "Exception | None" = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            found = _verified(self._system)
            packages = self._system.bundle.listing["packages"]
            changed = [
                packages[digest]["path"] for digest in packages if self._offered.get(digest) not in found[digest]
            ]
            if changed:
                raise Failed("what the bundle says of {} is not what its vendor has signed".format(changed[0]), VERIFY)
        except Exception as error:  # told by `demand`
            self._error = error

    def wait(self) -> None:
        self._thread.join()

    def demand(self) -> None:
        """Wait for the end, and raise what was found wrong."""
        self.wait()
        self.watch()

    def watch(self) -> None:
        """Raise what was found wrong until now."""
        if self._error is not None:
            raise self._error


@contextlib.contextmanager
def trial(system: "System") -> "Iterator[list[str]]":
    """The same for a look: nothing is received, so nothing is verified, and only what apt says of it is of use."""
    with _known(system, system.bundle.listing["stanzas"].encode("utf-8"), {}) as options:
        yield options


@contextlib.contextmanager
def _known(system: "System", stanzas: bytes, places: "dict[str, str]") -> "Iterator[list[str]]":
    def files(folder: str) -> "dict[str, bytes | str]":
        found: "dict[str, bytes | str]" = {
            "apt.conf": (_ALONE + _WITH).format(folder).encode("ascii"),
            "sources.list": b"",
            "lists/partial/.keep": b"",
            "Packages": stanzas + b"\n\n",
        }
        found.update(places)
        return found

    with system.scratch(files, {}) as folder:
        yield ["-c", folder + "/apt.conf"]


def bring(system: "System", arguments: "list[str]") -> None:
    """Have in the cache what `apt-get ARGUMENTS` would take, and know it to be the vendor's. Raises Failed."""
    answer = system.query(["apt-get", "-o", "Acquire::ForceHash=SHA256", "--print-uris"] + arguments, timeout=SECONDS)
    if not answer.ok:
        raise explain(answer.out + answer.err, "apt cannot do that with what the bundle has")
    packages = system.bundle.listing["packages"]
    digests = re.findall(r"^'[^']+' \S+ \d+ SHA256:([0-9a-f]{64})$", answer.out, re.M)
    proof = system.bundle.proof
    system.bundle.receive(system, [_wanted(packages[digest], digest) for digest in digests], proof.watch)
    proof.demand()
    system.progress("installing {}".format(" ".join(arguments[arguments.index("install") + 1 :])))


def newest(system: "System", names: "list[str]") -> "dict[str, str | None]":
    """{name: the newest version that the bundle has, or None}."""
    found: "dict[str, str | None]" = dict.fromkeys(names)
    for package in system.bundle.listing["packages"].values():
        name, version = package["name"], package["version"]
        known = found.get(name)
        if name in found and (known is None or dpkg.compare(version, known) > 0):
            found[name] = version
    return found


def _wanted(file: "dict[str, Any]", digest: str) -> Piece:
    return Piece(digest, file["size"], file["path"])


def _stanzas(listing: "dict[str, Any]") -> "dict[str, bytes]":
    """{sha256: stanza} of the packages, as the bundle says them."""
    found = {}
    for stanza in listing["stanzas"].encode("utf-8").split(b"\n\n"):
        match = DIGEST.search(b"\n" + stanza.strip(b"\n") + b"\n")
        if match and match.group(1).decode("ascii") in listing["packages"]:
            found[match.group(1).decode("ascii")] = stanza.strip(b"\n")
    return found


def _filename(stanza: bytes) -> str:
    """Where apt looks for the package, below the list."""
    match = re.search(rb"^Filename: (?:\./)*(\S+)$", stanza, re.M)
    name = match.group(1).decode("utf-8", "replace") if match else ""
    if not name or name.startswith("/") or ".." in name.split("/"):
        raise Failed("a package of the bundle has no place in its repository: {!r}".format(name), VERIFY)
    return name


# -- the vendors' signatures


def _verified(system: "System") -> "dict[str, list[bytes]]":
    """{sha256: its stanzas, verbatim} of the bundle's packages, out of lists that their vendors have signed: a package
    may stand in two, of the release and of its security updates, with a path of its own in each."""
    listing = system.bundle.listing
    found: "dict[str, list[bytes]]" = {}
    for number, text in enumerate(_signed(system, listing["repositories"])):
        repository = listing["repositories"][number]
        for name, index in sorted(repository["indices"].items()):
            match = re.search(r"^ ([0-9a-f]{{64}}) +\d+ {}$".format(re.escape(name)), text, re.M)
            if match is None or match.group(1) != index["sha256"]:
                cause = "{} of the bundle is not the list that {} signs".format(
                    index["path"], repository["release"]["path"]
                )
                raise Failed(cause, VERIFY)
            for digest, stanza in _cut(system, index, set(listing["packages"])):
                found.setdefault(digest, []).append(stanza.decode("utf-8", "replace").encode("utf-8"))
    missing = sorted(package["path"] for digest, package in listing["packages"].items() if digest not in found)
    if missing:
        raise Failed("{} of the bundle is in no list that its vendor has signed".format(", ".join(missing)), VERIFY)
    return found


def _signed(system: "System", repositories: "list[dict[str, Any]]") -> "list[str]":
    """The text of each repository's Release that apt has verified, its SHA256 section alone."""

    def files(folder: str) -> "dict[str, bytes | str]":
        found: "dict[str, bytes | str]" = {
            "lists/partial/.keep": b"",
            "apt.conf": _ALONE.format(folder).encode("ascii"),
        }
        lines = []
        for number, repository in enumerate(repositories):
            place = "{}/{}".format(number, _place(repository)).rstrip("/")
            found[place + "/InRelease"] = system.bundle.path(system, repository["release"]["sha256"])
            key, content = _key(system, repository, "{}/{}.asc".format(folder, number))
            if content:
                found["{}.asc".format(number)] = content
            words = [repository["suite"]] + repository["components"]
            lines.append("deb [target=none{}] copy:{}/{} {}\n".format(key, folder, number, " ".join(words)))
        found["sources.list"] = "".join(lines).encode("utf-8")
        return found

    with system.scratch(files, {}) as folder:
        answer = system.query(["apt-get", "-q=1", "-c", folder + "/apt.conf", "update"], timeout=SECONDS)
        said = answer.out + answer.err
        for number, repository in enumerate(repositories):
            said = said.replace("copy:{}/{}".format(folder, number), repository["uri"])
        if not answer.ok or re.search(r"^W: .*(?:GPG error|Failed to fetch|not signed)", said, re.M):
            paths = ", ".join(repository["release"]["path"] for repository in repositories)
            error = explain(said, "apt does not accept the bundle's indices")
            fix = error.fix or "see the lines below"
            raise Failed("{} (of the bundle's {})".format(error.cause, paths), fix, error.output)
        names = [name for name in system.names(folder + "/lists") if name.endswith("_InRelease")]
        taken = {system.read(folder + "/lists/" + name) for name in names}
    return [_text(system, repository["release"], taken) for repository in repositories]


def _text(system: "System", release: "dict[str, Any]", taken: "set[bytes | None]") -> str:
    """The SHA256 section of a Release; Failed unless apt has verified it, and so put it into its lists."""
    data = system.read(system.bundle.path(system, release["sha256"]))
    if data is None or data not in taken:
        raise Failed("apt has not taken {} of the bundle".format(release["path"]), VERIFY)
    text = data.decode("utf-8", "replace").partition("-----BEGIN PGP SIGNED MESSAGE-----")[2]
    return text.partition("-----BEGIN PGP SIGNATURE-----")[0].partition("\nSHA256:")[2].partition("\nSHA512:")[0]


def _place(repository: "dict[str, Any]") -> str:
    """Where a repository has its InRelease; a flat one has no components."""
    suite = str(repository["suite"])
    return "dists/" + suite if repository["components"] else "/".join(p for p in suite.split("/") if p not in ("", "."))


def _key(system: "System", repository: "dict[str, Any]", path: str) -> "tuple[str, bytes]":
    """The option that names the keys which this host has for a source, and the key itself where it stands in there."""
    for entry in source_list.entries(system):
        if entry.same_source(repository["uri"], repository["suite"]):
            if "-----BEGIN" in entry.signed_by:
                lines = [line.strip() for line in entry.signed_by.splitlines()]
                text = "\n".join("" if line == "." else line for line in lines)
                return " signed-by=" + path, text.strip().encode("ascii", "replace") + b"\n"
            return " signed-by=" + ",".join(entry.signed_by.replace(",", " ").split()) if entry.signed_by else "", b""
    keys = ["/usr/share/keyrings/" + name for name in ARCHIVE if lenient.exists(system, "/usr/share/keyrings/" + name)]
    keys += [TRUSTED + "/" + name for name in lenient.names(system, TRUSTED) if name.endswith((".gpg", ".asc"))]
    return " signed-by=" + ",".join(keys) if keys else "", b""


def _cut(system: "System", index: "dict[str, Any]", wanted: "set[str]") -> "Iterator[tuple[str, bytes]]":
    """The stanzas of these packages, each with its sha256."""
    data = system.read(system.bundle.path(system, index["sha256"]), INDEX_LIMIT) or b""
    try:
        data = b"\n" + _unpacked(index["path"], data)
    except Exception as error:  # zlib's, lzma's, bz2's
        raise Failed("{} of the bundle cannot be unpacked: {}".format(index["path"], error), VERIFY) from None
    for match in DIGEST.finditer(data):
        digest = match.group(1).decode("ascii")
        if digest in wanted:
            end = data.find(b"\n\n", match.start())
            stanza = data[data.rfind(b"\n\n", 0, match.start()) + 1 : end if end >= 0 else None]
            yield digest, stanza.strip(b"\n")


def _unpacked(path: str, data: bytes) -> bytes:
    if path.endswith(".gz"):
        import zlib

        return zlib.decompress(data, 31)
    if path.endswith(".xz"):
        import lzma

        return lzma.decompress(data)
    if path.endswith(".bz2"):
        import bz2

        return bz2.decompress(data)
    return data
