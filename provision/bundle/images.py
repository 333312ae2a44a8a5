"""Container images for a bundle, read from their registries by skopeo: its logins, certificates and proxies.

The law: documents and layers are kept as the registry has them, each under its digest, so that an image keeps the
digest that was asked for. What is there already is not fetched again; each file is compared with its digest.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from provision.bundle import files
from provision.bundle.fetching import PARTS, Told
from provision.bundle.manifest import BundleFile, BundleImage
from provision.bundle.programs import MISSING, Here, ProgramRunner
from provision.errors import Refused

BLOBS = "images/blobs/sha256"
SHARED, LAYOUT = "image-blobs", "image"
SKOPEO = """\
policy=--insecure-policy
for file in /etc/containers/policy.json "$HOME/.config/containers/policy.json"; do [ -e "$file" ] && policy=; done
exec skopeo $policy "$@"
"""
"""With the site's own policy, where it has one."""
VARIANTS = {"arm64": ("", "v8")}


class ImageReader:
    """Reads images into the bundle at `folder`."""

    def __init__(self, folder: Path, say: Told) -> None:
        self.programs: ProgramRunner = Here()
        self._folder = folder
        self._blobs = folder / BLOBS
        self._say = say
        self.bytes = 0
        """Fetched."""

    def image(self, reference: str, architecture: str) -> BundleImage:
        """One image for one architecture, all of it in the bundle. Raises Refused."""
        name = _repository(reference)
        whole = self._raw(reference)
        digest = hashlib.sha256(whole).hexdigest()
        if "@" in reference and not reference.endswith(f"@sha256:{digest}"):
            raise Refused(f"{reference}: the registry answers with sha256:{digest}", "look at the registry")
        document = _document(reference, whole)
        one, manifest = whole, digest
        if "manifests" in document:
            manifest = _of_architecture(reference, document["manifests"], architecture)
            one = self._raw(f"{name}@sha256:{manifest}")
            if hashlib.sha256(one).hexdigest() != manifest:
                raise Refused(f"{name}@sha256:{manifest}: the registry answers with another manifest")
            document = _document(reference, one)
        config, layers = _hex(document["config"]), [_hex(layer) for layer in document["layers"]]
        sizes = {_hex(item): int(item["size"]) for item in (document["config"], *document["layers"])}
        missing = [blob for blob in dict.fromkeys((config, *layers)) if not self._there(blob, sizes[blob])]
        if missing:
            self._say(f"image {reference} for {architecture}: {sum(sizes[blob] for blob in missing) / 1e6:.1f} MB")
            self._copy(f"{name}@sha256:{manifest}", missing)
            self.bytes += sum(sizes[blob] for blob in missing)
        for data in (whole, one):
            files.put(self._blobs / hashlib.sha256(data).hexdigest(), data)
        blobs = dict.fromkeys((digest, manifest, config, *layers))
        kept = tuple(self._file(blob) for blob in blobs)
        return BundleImage(
            reference=reference, architecture=architecture, digest=digest, manifest=manifest, config=config, files=kept
        )

    def _file(self, digest: str) -> BundleFile:
        return BundleFile(path=f"{BLOBS}/{digest}", size=(self._blobs / digest).stat().st_size, sha256=digest)

    def _there(self, digest: str, size: int) -> bool:
        path = self._blobs / digest
        return path.is_file() and path.stat().st_size == size and files.sha256(path) == digest

    def _raw(self, reference: str) -> bytes:
        return self._skopeo(["inspect", "--raw", f"docker://{reference}"], reference)

    def _copy(self, reference: str, missing: Sequence[str]) -> None:
        """skopeo leaves out layers that lie in the shared folder already, so a cut costs one layer."""
        parts = self._folder / PARTS
        shutil.rmtree(parts / LAYOUT, ignore_errors=True)
        (parts / SHARED).mkdir(parents=True, exist_ok=True)
        words = ["copy", "-q", "--dest-shared-blob-dir", SHARED, f"docker://{reference}", f"oci:{LAYOUT}:bundled"]
        names = {digest: f"{SHARED}/sha256/{digest}" for digest in missing}
        self._skopeo(words, reference, list(names.values()))
        self._blobs.mkdir(parents=True, exist_ok=True)
        for digest, name in names.items():
            if not (parts / name).is_file() or files.sha256(parts / name) != digest:
                raise Refused(f"{reference}: sha256:{digest} did not come whole", "run again")
            (parts / name).replace(self._blobs / digest)
        shutil.rmtree(parts / LAYOUT, ignore_errors=True)

    def _skopeo(self, words: Sequence[str], reference: str, names: Sequence[str] = ()) -> bytes:
        done = self.programs.run(["sh", "-c", SKOPEO, "skopeo", *words], self._folder / PARTS, names)
        if done.status == MISSING:
            cause = f"there is no skopeo {self.programs.place}, which reads images"
            raise Refused(cause, "install it: apt-get install skopeo")
        if done.status:
            last = done.err.strip().splitlines() or ["no output"]
            raise Refused(f"image {reference}: {last[-1][-400:]}", "correct its name, or log in: skopeo login HOST")
        return done.out


def _document(reference: str, data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if isinstance(found, dict) and ("manifests" in found or {"config", "layers"} <= found.keys()):
        return found
    raise Refused(f"{reference}: its manifest is of a kind that is not known here", "push it anew with today's Docker")


def _of_architecture(reference: str, entries: Sequence[Mapping[str, Any]], architecture: str) -> str:
    fitting = [
        entry
        for entry in entries
        if (entry.get("platform") or {}).get("os") == "linux" and entry["platform"].get("architecture") == architecture
    ]
    if not fitting:
        raise Refused(f"{reference} is not there for {architecture}", "take another image, or other hosts")
    variants = VARIANTS.get(architecture, ("",))
    return _hex(next((entry for entry in fitting if entry["platform"].get("variant", "") in variants), fitting[0]))


def _hex(entry: Mapping[str, Any]) -> str:
    algorithm, _, digest = str(entry["digest"]).partition(":")
    if algorithm != "sha256" or len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise Refused(f"a digest of the kind {algorithm} is not known here", "push the image anew with today's Docker")
    return digest


def _repository(reference: str) -> str:
    """host/name of host/name:tag@digest."""
    name = reference.partition("@")[0]
    head, slash, tail = name.rpartition("/")
    return head + slash + tail.partition(":")[0]
