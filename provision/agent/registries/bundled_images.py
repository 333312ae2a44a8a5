"""Images out of a bundle: received file by file, each under its digest, and loaded into Docker as one archive.

The law: an image counts as loaded when Docker itself says the digest that was asked for. What a classic image store
calls an image is the digest of its configuration; a store of containerd's keeps the manifest's. This file travels only
where there is a bundle.
"""

import json
import tarfile

from ..docker import stream
from ..docker.engine_api import Engine
from ..host.errors import Failed
from ..host.parcels import Piece

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Iterator, Tuple, Union

    from ..host.system import System

    Entry = Tuple[str, int, Union[bytes, str]]

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BLOCK = 512
AT_ONCE = 1 << 20


def load(system: "System", reference: str, minimum_free: int, timeout: float) -> str:
    """Have an image in Docker; returns its ID there. Raises Failed."""
    image = system.bundle.listing["images"].get(reference)
    if image is None:
        raise Failed("the bundle has no image {}".format(reference), "make the bundle again with this inventory")
    _check_room(system, reference, image, minimum_free)
    files = [Piece(digest, size, "images/blobs/sha256/" + digest) for digest, size in image["files"]]
    system.bundle.receive(system, files)
    entries = list(_entries(system, reference, image))
    length = sum(_padded(BLOCK + size) for _, size, _ in entries) + 2 * BLOCK
    stream.load(system, _archive(entries), length, "loading " + reference, timeout)
    return _proven(system, reference, image, files)


def _check_room(system: "System", reference: str, image: "dict[str, Any]", minimum_free: int) -> None:
    root = Engine(system).get("/info")["DockerRootDir"]
    free, needed = system.free(root), 3 * sum(size for _, size in image["files"]) + minimum_free
    if free < needed:
        cause = "{} wants {} MB free in {}, and there are {} MB".format(reference, needed >> 20, root, free >> 20)
        raise Failed(cause, "free some (docker system df shows what is held), or lower minimum_free")


def _proven(system: "System", reference: str, image: "dict[str, Any]", files: "list[Piece]") -> str:
    digests = ["sha256:" + image[name] for name in ("config", "manifest", "digest")]
    found: str = Engine(system).get("/images/{}/json".format(tag_of(reference)))["Id"]
    if found not in digests:
        raise Failed("{} was loaded as {} and not as {}".format(reference, found, digests[0]), "look at Docker's log")
    system.bundle.forget(system, [item.sha256 for item in files])
    return found


def tag_of(reference: str) -> str:
    """The name under which an image is loaded: an image without one would go with the next `docker image prune`."""
    name, _, digest = reference.partition("@")
    tagged = ":" in name.rpartition("/")[2]
    return name if tagged else "{}:bundled-{}".format(name, digest.partition(":")[2][:12])


def _entries(system: "System", reference: str, image: "dict[str, Any]") -> "Iterator[Entry]":
    """(name, bytes, content or path of a file) of an archive that is an OCI layout, and Docker's own form as well."""
    sizes = dict(image["files"])
    document = json.loads(_text(system, image["manifest"]))
    whole = {
        "mediaType": json.loads(_text(system, image["digest"])).get("mediaType")
        or (MANIFEST if image["digest"] == image["manifest"] else INDEX),
        "digest": "sha256:" + image["digest"],
        "size": sizes[image["digest"]],
        "annotations": {"io.containerd.image.name": _full(tag_of(reference))},
    }
    layers = ["blobs/sha256/" + layer["digest"].partition(":")[2] for layer in document["layers"]]
    config = "blobs/sha256/" + image["config"]
    for name, content in (
        ("oci-layout", {"imageLayoutVersion": "1.0.0"}),
        ("index.json", {"schemaVersion": 2, "manifests": [whole]}),
        ("manifest.json", [{"Config": config, "RepoTags": [tag_of(reference)], "Layers": layers}]),
    ):
        data = json.dumps(content).encode("ascii")
        yield name, len(data), data
    for digest, size in image["files"]:
        yield "blobs/sha256/" + digest, size, system.bundle.path(system, digest)


def _text(system: "System", digest: str) -> str:
    return (system.read(system.bundle.path(system, digest)) or b"{}").decode("utf-8")


def _full(name: str) -> str:
    """As containerd names it: alpine:3 is docker.io/library/alpine:3."""
    host, slash, _ = name.partition("/")
    if slash and ("." in host or ":" in host or host == "localhost"):
        return name
    return "docker.io/" + (name if slash else "library/" + name)


def _archive(entries: "Iterable[Entry]") -> "Iterator[bytes]":
    for name, size, content in entries:
        header = tarfile.TarInfo(name)
        header.size, header.mode = size, 0o644
        yield header.tobuf(tarfile.USTAR_FORMAT)
        if isinstance(content, bytes):
            yield content
        else:
            with open(content, "rb") as file:
                for data in iter(lambda: file.read(AT_ONCE), b""):
                    yield data
        yield b"\0" * (_padded(size) - size)
    yield b"\0" * (2 * BLOCK)


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
