"""Is a bundle whole and what its vendors have signed? Every file's digest, every signature, every package's entry.

The law: reads only, and needs no network. A finding names the file.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from provision.bundle import files, release_file
from provision.bundle.fetching import Told
from provision.bundle.manifest import BundleRepository, Manifest
from provision.bundle.packages_file import stanzas
from provision.bundle.resolving import Mirrored, OwnApt
from provision.errors import Refused


def findings(folder: Path, manifest: Manifest, say: Told) -> list[str]:
    """What is wrong with a bundle, each as a sentence; [] for one that is good."""
    folder = folder.absolute()
    found, size = list[str](), 0
    for file in manifest.files():
        problem = _problem(folder / file.path, file.size, file.sha256)
        if problem is not None:
            found.append(f"{file.path} {problem}")
        size += file.size
    count = sum(1 for _ in manifest.files())
    say(f"{count} files, {size / 1e6:.1f} MB: {'all as the manifest says' if not found else f'{len(found)} are not'}")
    return found or [text for repository in manifest.repositories for text in _chain(folder, manifest, repository)]


def _problem(path: Path, size: int, sha256: str) -> str | None:
    try:
        if path.stat().st_size != size:
            return f"has {path.stat().st_size} bytes, and the manifest says {size}"
        return None if files.sha256(path) == sha256 else "is not what the manifest says: its sha256 is another"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"


def _chain(folder: Path, manifest: Manifest, repository: BundleRepository) -> Iterator[str]:
    """Signature, then lists, then packages."""
    release = folder / repository.release.path
    root = folder / files.mirrored(repository.uri)
    keys = tuple(folder / key.path for key in repository.keys)
    with tempfile.TemporaryDirectory(prefix="provision-bundle-") as work:
        apt = OwnApt(Path(work), "amd64", {})
        try:
            apt.verify(Mirrored(repository.uri, repository.suite, repository.components, root, keys))
        except Refused as error:
            yield f"{repository.release.path}: {error.cause}"
            return
    listed = release_file.digests(release_file.signed(release.read_bytes()))
    for index in repository.indices:
        if listed.get(index.name, ("", 0))[0] != index.file.sha256:
            yield f"{index.file.path} is not the list that {repository.release.path} signs"
            continue
        wanted = {
            package.file.sha256: package
            for package in manifest.packages
            if (package.repository, package.index) == (repository.id, index.name)
        }
        there = {stanza.field("SHA256") for stanza in stanzas(folder / index.file.path, wanted)}
        for digest in sorted(set(wanted) - there):
            yield f"{wanted[digest].file.path} is no package of {index.file.path}"
