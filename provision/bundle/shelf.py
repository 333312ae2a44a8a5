"""A bundle as a run hands it out: what a host's agent asks for, and nothing that the manifest does not name.

The law: reads only. What hosts get is not verified here: each verifies for itself, and names the file that is wrong.
"""

import os
import tarfile
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from provision.bundle import files
from provision.bundle import manifest as manifests
from provision.bundle.manifest import BundleFile, BundleTarget
from provision.errors import Refused
from provision.facts import Facts, Os
from provision.plan import Stage
from provision.resources import AptSource, Resource

PIECE = 1 << 20
SLICE = 64 * 1024
"""Bytes that are sent at once; a limit of bandwidth waits between two."""
ARMOR = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{}\n-----END PGP PUBLIC KEY BLOCK-----\n"


class Bandwidth:
    """So many bytes a second for all hosts together; None: as many as the line takes."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._free = 0.0
        self._lock = threading.Lock()

    def take(self, count: int) -> None:
        """Wait until it is the turn of so many bytes."""
        if self._rate is None:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._free)
            self._free = turn + count / self._rate
        time.sleep(max(0.0, turn - now))


class Shelf:
    """An opened bundle; any thread may take from it."""

    def __init__(self, folder: Path, rate: float | None = None, *, images: bool = True) -> None:
        """`rate`: bytes a second for all hosts; `images`: hosts take images from it, too, and from nowhere else. Raises
        InputError where there is no bundle."""
        self._images = images
        self.folder = folder
        self.manifest = manifests.read(folder)
        self._bandwidth = Bandwidth(rate)
        self._listings = dict[str, dict[str, Any]]()
        self._lock = threading.Lock()

    def target(self, facts: Facts) -> BundleTarget | None:
        """What is in it for a host; None where that is nothing."""
        system = facts.os
        for target in self.manifest.targets:
            same = target.codename == system.codename if system.codename else target.version == system.version_id
            if target.os == system.id and target.architecture == facts.architecture and same:
                return target
        return None

    def told(self, facts: Facts) -> dict[str, Any]:
        """What a host's plan says of the bundle."""
        if self.target(facts) is not None:
            return {"problem": None, "images": self._images}
        host = f"{facts.os.id}:{facts.os.codename or facts.os.version_id}/{facts.architecture}"
        has = ", ".join(target.label for target in self.manifest.targets) or "no release"
        return {"problem": f"the bundle has nothing for {host}, only for {has}", "images": self._images}

    def listing(self, facts: Facts) -> dict[str, Any]:
        """All that is in it for hosts like this one, as it travels: `repositories`: each with uri, suite, components,
        release and indices, {name: file}; `packages`: {sha256: name, version, path, size}; `stanzas`: those of the
        packages; `images`: {reference: digest, manifest, config, files: [[sha256, bytes]]}."""
        target = self.target(facts)
        if target is None:
            return {"type": "listing", "repositories": [], "packages": {}, "stanzas": "", "images": {}}
        with self._lock:
            if target.label not in self._listings:
                self._listings[target.label] = self._listing(target)
            return self._listings[target.label]

    def _listing(self, target: BundleTarget) -> dict[str, Any]:
        wanted = set(target.packages)
        packages = {item.file.sha256: item for item in self.manifest.packages if item.file.sha256 in wanted}
        indices = {(item.repository, item.index) for item in packages.values()}
        repositories = [
            {
                "uri": repository.uri,
                "suite": repository.suite,
                "components": list(repository.components),
                "release": repository.release.model_dump(),
                "indices": {
                    index.name: index.file.model_dump()
                    for index in repository.indices
                    if (repository.id, index.name) in indices
                },
            }
            for repository in self.manifest.repositories
            if any(name == repository.id for name, _ in indices)
        ]
        return {
            "type": "listing",
            "repositories": repositories,
            "packages": {
                digest: {"name": item.name, "version": item.version} | item.file.model_dump()
                for digest, item in packages.items()
            },
            "stanzas": self._text(target.stanzas),
            "images": {
                image.reference: {
                    "digest": image.digest,
                    "manifest": image.manifest,
                    "config": image.config,
                    "files": [[file.sha256, file.size] for file in image.files],
                }
                for image in self.manifest.images
                if image.architecture == target.architecture
            },
        }

    def _text(self, file: BundleFile) -> str:
        try:
            return (self.folder / file.path).read_text("utf-8")
        except OSError as error:
            raise Refused(f"{file.path} of the bundle cannot be read: {error.strerror}", "verify the bundle") from None

    @cached_property
    def _files(self) -> dict[str, BundleFile]:
        return {file.sha256: file for file in self.manifest.files()}

    @cached_property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self._files.values())

    def piece(self, sha256: str, offset: int, length: int) -> Iterator[bytes]:
        """Some bytes of a file, in slices, at the pace of the bandwidth. Raises Refused, before the first of them."""
        file = self._files.get(sha256)
        if file is None or not 0 <= offset <= offset + length <= file.size:
            raise Refused(f"the bundle has no {length} bytes at {offset} of {sha256}", "verify the bundle")
        try:
            with (self.folder / file.path).open("rb") as opened:
                data = os.pread(opened.fileno(), length, offset)
        except OSError as error:
            raise Refused(f"{file.path} of the bundle cannot be read: {error.strerror}", "verify the bundle") from None
        if len(data) != length:
            raise Refused(f"{file.path} of the bundle is shorter than its manifest says", "verify the bundle")
        return self._paced(data)

    def _paced(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), SLICE):
            part = data[start : start + SLICE]
            self._bandwidth.take(len(part))
            yield part

    def python(self, os_id: str, version: str, codename: str, architecture: str) -> Iterator[bytes]:
        """python3 for a host that has none: a tar of partial mirrors, and a file `sources` with a line for each, its
        folder, suite and components. Raises Refused where the bundle has nothing for such a host."""
        system = Os(id=os_id, version_id=version, codename=codename)
        facts = Facts(os=system, architecture=architecture, init="systemd")
        target = self.target(facts)
        if target is None or not target.python:
            problem = self.told(facts)["problem"] or f"the bundle has no python3 for {target.label if target else ''}"
            raise Refused(problem, "make it again while these hosts can be asked, or with --for")
        return self._tar(list(self._python(set(target.python))))

    def _python(self, wanted: set[str]) -> Iterator[tuple[str, bytes | BundleFile]]:
        debs = [item for item in self.manifest.packages if item.file.sha256 in wanted]
        lines = []
        for number, repository in enumerate(self.manifest.repositories):
            mine = [item for item in debs if item.repository == repository.id]
            if not mine:
                continue
            root = files.mirrored(repository.uri) + "/"
            listed = {item.index for item in mine}
            indices = [index.file for index in repository.indices if index.name in listed]
            for file in (repository.release, *indices, *(item.file for item in mine)):
                yield f"{number}/{file.path.removeprefix(root)}", file
            lines.append(f"{number} {repository.suite} {' '.join(repository.components)}\n")
        yield "sources", "".join(lines).encode()

    def _tar(self, entries: Sequence[tuple[str, bytes | BundleFile]]) -> Iterator[bytes]:
        for name, content in entries:
            header = tarfile.TarInfo(name)
            header.size, header.mode = len(content) if isinstance(content, bytes) else content.size, 0o644
            yield header.tobuf(tarfile.GNU_FORMAT)
            if isinstance(content, bytes):
                yield content
            else:
                for offset in range(0, content.size, PIECE):
                    yield from self.piece(content.sha256, offset, min(PIECE, content.size - offset))
            yield b"\0" * (-header.size % tarfile.BLOCKSIZE)
        yield b"\0" * (2 * tarfile.BLOCKSIZE)

    def with_keys(self, stages: Sequence[Stage]) -> list[Stage]:
        """Stages whose package sources have their keys in them, where a host would fetch them from a server."""
        return [replace(stage, resources=tuple(map(self._with_key, stage.resources))) for stage in stages]

    def _with_key(self, resource: Resource) -> Resource:
        if not isinstance(resource, AptSource) or not resource.key.startswith(("http:", "https:")):
            return resource
        name = f"{resource.uri.rstrip('/')} {resource.suite}"
        found = next((item for item in self.manifest.repositories if item.id == name), None)
        if found is None or not found.keys:
            return resource
        data = (self.folder / found.keys[0].path).read_bytes()
        return resource.model_copy(update={"key": armored(data)})


def armored(data: bytes) -> str:
    """A key as text, whatever it was (RFC 4880, 6.2; the checksum may be left out)."""
    if data.lstrip().startswith(b"-----BEGIN"):
        return data.decode("ascii", "replace")
    text = b64encode(data).decode("ascii")
    return ARMOR.format("\n".join(text[start : start + 64] for start in range(0, len(text), 64)))
