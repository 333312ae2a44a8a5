"""Files of a bundle on disk: digests, where a mirrored file belongs, and writing what must be whole.

The law: a file stands under its name only when all of it is there.
"""

import contextlib
import hashlib
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from provision.bundle.manifest import BundleFile, Manifest

HOLDS = ("mirror", "keys", "targets", "images")
"""The folders of a bundle, beside its manifest."""


def sha256(path: Path) -> str:
    """The digest of a file of any size. OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def described(folder: Path, path: Path) -> BundleFile:
    """A file that is there, as the manifest has it."""
    return BundleFile(path=path.relative_to(folder).as_posix(), size=path.stat().st_size, sha256=sha256(path))


def put(path: Path, data: bytes) -> None:
    """Write a file whole; one that has these bytes already is left alone."""
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def mirrored(uri: str) -> str:
    """Where in a bundle a repository is mirrored: mirror/deb.debian.org/debian."""
    parts = urlsplit(uri)
    place = unquote(f"{parts.netloc.rpartition('@')[2] or parts.scheme}{parts.path}")
    names = [re.sub(r"[^A-Za-z0-9._~+-]", "_", name) for name in place.split("/") if name not in ("", ".", "..")]
    return "/".join(["mirror", *names])


def below(name: str) -> str:
    """A name that a repository gives to a file of its own, as a path below it. ValueError where it would leave it."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or "\0" in name:
        raise ValueError(f"{name!r} is no name of a file in a repository")
    return "/".join(parts)


def keep_only(folder: Path, manifest: Manifest) -> None:
    """Remove what a bundle no longer names, and folders that are empty then."""
    named = {folder / file.path for file in manifest.files()}
    for top in HOLDS:
        for path in sorted((folder / top).rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                with contextlib.suppress(OSError):  # something is in it
                    path.rmdir()
            elif path not in named:
                path.unlink()
