"""Repositories as a bundle mirrors them: the signed Release, the lists of packages that are needed, and the keys.

The law: all of it stays as the vendor has it; whether it is signed by the vendor is for apt to say.
"""

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from provision.bundle import files, release_file
from provision.bundle.fetching import Fetcher, ToFetch, Told
from provision.bundle.manifest import BundleFile, BundleRepository, Index
from provision.bundle.resolving import Mirrored
from provision.bundle.sources import HostSource
from provision.errors import Refused
from provision.resources import AptSource

WORK = ".work"
"""Folder in the bundle for what is thrown away at the end."""


class Mirrors:
    """The repositories of one bundle. `made`: by their `id`."""

    def __init__(self, folder: Path, fetcher: Fetcher, say: Told) -> None:
        self._folder = folder
        self._fetcher = fetcher
        self._say = say
        self._keys = dict[str, bytes]()
        self.made = dict[str, BundleRepository]()

    def key(self, source: AptSource) -> bytes:
        """The key of a role's source; whether it is the asked one, each host decides by its fingerprint."""
        if source.key not in self._keys:
            self._keys[source.key] = self._key(source)
        return self._keys[source.key]

    def _key(self, source: AptSource) -> bytes:
        if source.key.startswith("-----BEGIN"):
            return source.key.encode("ascii", "replace")
        if "://" not in source.key:
            raise Refused(
                f"the key of {source.uri} is a file on the hosts ({source.key}), and a bundle cannot read it",
                "give the key as text or as a URL",
            )
        path = self._folder / WORK / "key"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fetcher.one(source.key, path)
        return path.read_bytes()

    def take(self, wanted: Sequence[HostSource], architecture: str) -> list[Mirrored]:
        made = []
        for source in wanted:
            if not re.match(r"https?://", source.uri):
                continue
            try:
                repository = self._repository(source, architecture)
            except Refused as error:
                self._say(f"left out: {source.id}: {error.cause}")
                continue
            self.made[source.id] = repository
            keys = tuple(self._folder / key.path for key in repository.keys)
            root = self._folder / files.mirrored(source.uri)
            made.append(Mirrored(source.uri, source.suite, source.components, root, keys))
        return made

    def _repository(self, source: HostSource, architecture: str) -> BundleRepository:
        known = self.made.get(source.id)
        if known is not None and any(f"binary-{architecture}/" in index.name for index in known.indices):
            return known
        root = self._folder / files.mirrored(source.uri)
        place = _place(source)
        base, folder = f"{source.uri}/{place}".rstrip("/"), root / place
        if known is None:
            self._fetcher.one(f"{base}/InRelease", folder / "InRelease")
        text = release_file.signed((folder / "InRelease").read_bytes())
        listed = release_file.digests(text)
        names = release_file.lists(text, source.components, architecture)
        if not names:
            raise Refused(f"its InRelease lists no packages for {architecture}")
        by_hash = re.search(r"^Acquire-By-Hash: yes", text, re.M) is not None
        indices = list(known.indices) if known else []
        wanted = []
        for name in names:
            digest, size = listed[name]
            path = folder / files.below(name)
            hashed = f"{name.rpartition('/')[0]}/by-hash/SHA256/{digest}".lstrip("/") if by_hash else name
            wanted.append(ToFetch(f"{base}/{hashed}", path, digest, size))
            file = BundleFile(path=path.relative_to(self._folder).as_posix(), size=size, sha256=digest)
            indices = [index for index in indices if index.name != name] + [Index(name=name, file=file)]
        self._fetcher.all(wanted)
        keys = tuple(self._written_key(name, data) for name, data in source.keys)
        return BundleRepository(
            uri=source.uri,
            suite=source.suite,
            components=source.components,
            release=files.described(self._folder, folder / "InRelease"),
            indices=tuple(sorted(indices, key=lambda index: index.name)),
            keys=keys,
        )

    def _written_key(self, name: str, data: bytes) -> BundleFile:
        digest = sha256(data).hexdigest()
        ending = ".asc" if data.lstrip().startswith(b"-----BEGIN") else ".gpg"
        stem = re.sub(r"[^A-Za-z0-9.-]", "_", name.rpartition("/")[2]).rpartition(".")[0] or "key"
        path = self._folder / "keys" / f"{stem}-{digest[:12]}{ending}"
        files.put(path, data)
        return files.described(self._folder, path)


def _place(source: HostSource) -> str:
    """Where below its URI a repository has its InRelease; a flat one (no components) has it in the suite itself."""
    if source.components:
        return f"dists/{source.suite}"
    return files.below(source.suite) if source.suite.strip("./") else ""
