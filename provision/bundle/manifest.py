"""The manifest of a bundle: every file with its size, digest and origin, and what each release of hosts gets.

The law: the same contents give the same bytes. No time, no name of a machine, everything sorted. A manifest is read as
what a stranger wrote: no path of it leaves the folder.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from provision.errors import InputError, Problem

NAME = "manifest.json"
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A sha256, in hexadecimal."""


def _inside(path: str) -> str:
    if path.startswith("/") or "\0" in path or {"", ".", ".."} & set(path.split("/")):
        raise ValueError("is no path inside of a bundle")
    return path


Inside = Annotated[str, AfterValidator(_inside)]
"""A path below the bundle's folder."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BundleFile(_Model):
    """One file of the bundle."""

    path: Inside
    size: Annotated[int, Field(ge=0)]
    """Bytes."""
    sha256: Digest


class Index(_Model):
    """A list of packages, in the compression in which it is kept."""

    name: str
    """As the signed Release names it: main/binary-amd64/Packages.gz."""
    file: BundleFile


class BundleRepository(_Model):
    """A package source: its signed Release, the lists of packages that this bundle needs of it, and its keys."""

    uri: str
    suite: str
    components: tuple[str, ...]
    release: BundleFile
    """InRelease, as the vendor has signed it."""
    indices: tuple[Index, ...]
    keys: tuple[BundleFile, ...]
    """With which the bundle was made; a host verifies with its own."""

    @property
    def id(self) -> str:
        """What tells it from others."""
        return f"{self.uri} {self.suite}"


class BundlePackage(_Model):
    """One .deb, as it stands in the index of its repository."""

    name: str
    version: str
    architecture: str
    repository: str
    """`id` of its repository."""
    index: str
    """The name of the list that it stands in."""
    uri: str
    """Where it came from."""
    file: BundleFile


class BundleTarget(_Model):
    """What hosts of one release and architecture get."""

    os: str
    """ID of os-release: debian, ubuntu."""
    version: str
    """VERSION_ID of os-release, "" where it has none."""
    codename: str
    architecture: str
    repositories: tuple[str, ...]
    """In the order of the hosts' sources."""
    packages: tuple[Digest, ...]
    """The sha256 of each .deb."""
    stanzas: BundleFile
    """Those of the packages, verbatim, for apt-get's --with-source."""
    python: tuple[Digest, ...] = ()
    """Those that a host without python3 needs before anything else."""

    @property
    def label(self) -> str:
        """debian:bookworm/amd64."""
        return f"{self.os}:{self.codename or self.version}/{self.architecture}"


class BundleImage(_Model):
    """A container image for one architecture: its documents and layers, as the registry has them."""

    reference: str
    """As roles name it."""
    architecture: str
    digest: Digest
    """Of what the reference means in the registry: an index of platforms, or the manifest itself."""
    manifest: Digest
    """Of the manifest for the architecture."""
    config: Digest
    files: tuple[BundleFile, ...]
    """Each under its digest; index, manifest, config and layers."""


class Manifest(_Model):
    """All of a bundle."""

    format: Literal[1] = 1
    targets: tuple[BundleTarget, ...] = ()
    repositories: tuple[BundleRepository, ...] = ()
    packages: tuple[BundlePackage, ...] = ()
    images: tuple[BundleImage, ...] = ()

    def files(self) -> Iterator[BundleFile]:
        """Every file once, in the order in which hosts trust them: indices, packages, images."""
        seen = set[str]()
        for file in self._files():
            if file.path not in seen:
                seen.add(file.path)
                yield file

    def _files(self) -> Iterator[BundleFile]:
        for repository in self.repositories:
            yield repository.release
            yield from (index.file for index in repository.indices)
            yield from repository.keys
        yield from (package.file for package in self.packages)
        yield from (target.stanzas for target in self.targets)
        for image in self.images:
            yield from image.files

    def text(self) -> str:
        """The manifest as it is written."""
        return json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True) + "\n"


def ordered(
    targets: Iterable[BundleTarget],
    repositories: Iterable[BundleRepository],
    packages: Iterable[BundlePackage],
    images: Iterable[BundleImage],
) -> Manifest:
    """A manifest with everything once, sorted."""
    return Manifest(
        targets=tuple(sorted(targets, key=lambda item: item.label)),
        repositories=tuple(sorted({item.id: item for item in repositories}.values(), key=lambda item: item.id)),
        packages=tuple(
            sorted(
                {item.file.sha256: item for item in packages}.values(),
                key=lambda item: (item.name, item.version, item.architecture, item.file.sha256),
            )
        ),
        images=tuple(sorted(images, key=lambda item: (item.reference, item.architecture))),
    )


def read(folder: Path) -> Manifest:
    """The manifest of a bundle. Raises InputError."""
    path = folder / NAME
    try:
        data = path.read_bytes()
    except OSError as error:
        hint = "make one: provision bundle -i INVENTORY --out DIR"
        raise InputError([Problem(f"{folder} is no bundle: {error.strerror or error}", str(path), hint)]) from None
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        hint = "make the bundle again with this version of provision"
        raise InputError([Problem(f"{where}: {first['msg']}".lstrip(": "), str(path), hint)]) from None
