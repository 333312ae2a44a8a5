"""Making a bundle: for each release and architecture, what apt says its hosts would install, fetched and written down.

The law: the manifest is written last, and names only what is there whole; so a cut leaves what was fetched for the next
run, and a bundle that was good stays so.
"""

import contextlib
import fcntl
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from provision.bundle import files, release_file
from provision.bundle.fetching import PARTS, Fetcher, ToFetch, Told
from provision.bundle.images import ImageReader
from provision.bundle.manifest import (
    NAME,
    BundleFile,
    BundleImage,
    BundlePackage,
    BundleRepository,
    BundleTarget,
    Index,
    Manifest,
    ordered,
)
from provision.bundle.mirroring import WORK, Mirrors
from provision.bundle.needs import Member, Needs, needs, with_engine
from provision.bundle.packages_file import Stanza, stanzas
from provision.bundle.programs import ProgramRunner
from provision.bundle.resolving import OwnApt, without
from provision.bundle.sources import HostSource, sources
from provision.errors import Refused

ROUNDS = 3
"""Plans at most: the engine's version decides the toolkit's generation, and nothing after that."""
PREFERENCES = "etc/apt/preferences"


@dataclass
class Made:
    """A bundle that was made."""

    manifest: Manifest
    fetched: int
    """Files that came over the network this time, without images."""
    bytes: int
    """Of all that came."""
    elsewhere: tuple[str, ...]
    """URLs of single files that roles fetch by themselves, and that the bundle lacks."""


@dataclass
class _Found:
    """What a target's hosts would install."""

    packages: dict[str, tuple[str, int]] = field(default_factory=dict)
    """{sha256: (file name, bytes)}"""
    python: set[str] = field(default_factory=set)
    sources: dict[str, HostSource] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)


class Maker:
    """Makes or renews the bundle in `folder`."""

    def __init__(
        self,
        folder: Path,
        say: Told,
        programs: Callable[[Sequence[Member]], ProgramRunner] | None = None,
        *,
        mends: bool = True,
    ) -> None:
        """`programs`: where those of a target run that fetch for it; None: here. `mends`: it has what hosts are asked
        to have, whether they have it or not, and images; else what they lack now, and no images."""
        self._mends = mends
        self._folder = folder.absolute()
        self._say = say
        self._programs = programs
        self._fetcher = Fetcher(self._folder, say)
        self._registry = ImageReader(self._folder, say)
        self._mirrors = Mirrors(self._folder, self._fetcher, say)

    def make(self, members: Sequence[Member]) -> Made:
        """Raises Refused: one target that cannot be resolved is a bundle that would fail there."""
        try:
            return self._alone(members)
        except OSError as error:
            cause = f"{error.filename or self._folder}: {error.strerror or error}"
            raise Refused(cause, "free some space there, or take another folder; what was fetched is kept") from None

    def _alone(self, members: Sequence[Member]) -> Made:
        self._folder.mkdir(parents=True, exist_ok=True)
        with _locked(self._folder):
            made = self._make(members)
            files.keep_only(self._folder, made.manifest)
            for name in (WORK, PARTS):
                shutil.rmtree(self._folder / name, ignore_errors=True)
        return made

    def _make(self, members: Sequence[Member]) -> Made:
        labels = sorted({member.label for member in members})
        targets, packages, images = list[BundleTarget](), list[BundlePackage](), dict[tuple[str, str], BundleImage]()
        elsewhere = set[str]()
        for label in labels:
            of_label = [member for member in members if member.label == label]
            found, target, debs = self._target(label, of_label)
            targets.append(target)
            packages += debs
            elsewhere |= found.elsewhere
            for reference in sorted(found.images) if self._mends else ():
                key = reference, target.architecture
                images[key] = images.get(key) or self._registry.image(*key)
        used = {package.repository for package in packages}
        repositories = [item for item in self._mirrors.made.values() if item.id in used]
        manifest = ordered(targets, repositories, packages, images.values())
        files.put(self._folder / NAME, manifest.text().encode("ascii"))
        count, size = self._fetcher.fetched, self._fetcher.bytes + self._registry.bytes
        return Made(manifest, count, size, tuple(sorted(elsewhere)))

    # -- one target

    def _target(self, label: str, members: Sequence[Member]) -> tuple[_Found, BundleTarget, list[BundlePackage]]:
        facts = members[0].facts
        if self._programs is not None:
            self._fetcher.programs = self._registry.programs = self._programs(members)
        self._say(f"{label}: {len(members)} {'host' if len(members) == 1 else 'hosts'}")
        found = _Found()
        for member in members:
            for source in sources(member.files, facts.architecture):
                found.sources.setdefault(source.id, source)
        work = self._folder / WORK / label.replace(":", "-").replace("/", "-")
        preferences = {
            path.removeprefix("etc/apt/"): data
            for path, data in members[0].files.items()
            if path.startswith(PREFERENCES)
        }
        apt = OwnApt(work, facts.architecture, preferences)
        versions, planned = dict[str, str](), list[Needs]()
        for _ in range(ROUNDS):
            asked = [(member, needs(member.plan(with_engine(member.facts, versions)))) for member in members]
            if [need for _, need in asked] == planned:
                break
            planned = [need for _, need in asked]
            self._take_sources(found, [need for _, need in asked])
            apt.read(self._mirrors.take(list(found.sources.values()), facts.architecture))
            self._resolve(found, apt, asked)
            versions = _versions(found.packages.values())
        debs, texts = self._packages(found, facts.architecture)
        self._fetch(debs)
        target = BundleTarget(
            os=facts.os.id,
            version=facts.os.version_id,
            codename=facts.os.codename,
            architecture=facts.architecture,
            repositories=tuple(dict.fromkeys(deb.repository for deb in debs)),
            packages=tuple(sorted(deb.file.sha256 for deb in debs)),
            stanzas=self._stanzas(label, texts),
            python=tuple(sorted(found.python)),
        )
        return found, target, debs

    def _take_sources(self, found: _Found, asked: Iterable[Needs]) -> None:
        for need in asked:
            found.images |= set(need.images)
            found.elsewhere |= set(need.elsewhere)
            for source in need.sources:
                uri = source.uri.rstrip("/")
                keys = ((f"{source.name}.asc", self._mirrors.key(source)),)
                made = HostSource(uri, source.suite, source.components, keys)
                found.sources[made.id] = made

    def _resolve(self, found: _Found, apt: OwnApt, asked: Sequence[tuple[Member, Needs]]) -> None:
        found.packages.clear()
        done = set[tuple[str, ...]]()
        for member, need in asked:
            again = [name.partition("=")[0] for name in need.packages] if self._mends else []
            status = without(member.status, again)
            key = (*need.packages, sha256(status).hexdigest(), str(member.has_python))
            if key in done:
                continue
            done.add(key)
            try:
                if need.packages:
                    found.packages |= apt.resolve(need.packages, status)
                if not member.has_python:
                    python = apt.resolve(["python3"], status)
                    found.packages |= python
                    found.python |= set(python)
            except Refused as error:
                raise Refused(f"{member.name}: {error.cause}", error.fix) from None

    # -- packages

    def _packages(self, found: _Found, architecture: str) -> tuple[list[BundlePackage], list[str]]:
        left, made, texts = set(found.packages), list[BundlePackage](), dict[str, str]()
        for source in found.sources:
            repository = self._mirrors.made.get(source)
            for index in repository.indices if repository is not None and left else ():
                if not release_file.is_for(index.name, architecture):
                    continue
                for stanza in stanzas(self._folder / index.file.path, left):
                    made.append(_package(stanza, repository, index))
                    texts[made[-1].file.sha256] = stanza.text
                    left.discard(made[-1].file.sha256)
        if left:
            names = ", ".join(found.packages[digest][0] for digest in sorted(left))
            raise Refused(f"no index that was fetched lists {names}", "run again: a repository has changed meanwhile")
        return made, [text for _, text in sorted(texts.items())]

    def _stanzas(self, label: str, texts: Sequence[str]) -> BundleFile:
        path = self._folder / "targets" / label.replace(":", "-").replace("/", "-") / "Packages"
        files.put(path, "\n\n".join(texts).encode("utf-8") + b"\n")
        return files.described(self._folder, path)

    def _fetch(self, packages: Sequence[BundlePackage]) -> None:
        self._fetcher.all(
            [ToFetch(item.uri, self._folder / item.file.path, item.file.sha256, item.file.size) for item in packages]
        )


def _package(stanza: Stanza, repository: BundleRepository | None, index: Index) -> BundlePackage:
    assert repository is not None
    name = files.below(stanza.field("Filename"))
    file = BundleFile(
        path=f"{files.mirrored(repository.uri)}/{name}", size=int(stanza.field("Size")), sha256=stanza.field("SHA256")
    )
    return BundlePackage(
        name=stanza.field("Package"),
        version=stanza.field("Version"),
        architecture=stanza.field("Architecture"),
        repository=repository.id,
        index=index.name,
        uri=f"{repository.uri}/{stanza.field('Filename')}",
        file=file,
    )


def _versions(found: Iterable[tuple[str, int]]) -> dict[str, str]:
    """{name: version} of file names as apt writes them: containerd_1.6.20~ds1-1_amd64.deb; %3a is a colon."""
    matches = (re.match(r"([^_]+)_([^_]+)_", name) for name, _ in found)
    return {match[1]: match[2].replace("%3a", ":") for match in matches if match}


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"another run is at work on {folder}", "wait for it to end") from None
        yield
