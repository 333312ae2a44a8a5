"""InRelease, as far as a mirror needs it: which lists of packages it signs, and their digests.

The law: pure; verifies nothing. apt does that, with the vendor's key, before anything of it is used.
"""

import re
from collections.abc import Mapping

ENDINGS = (".gz", ".xz", ".bz2", "")
"""Compressions of a list, the best first: gzip takes a host a third of the time of xz, for a third more bytes."""


def signed(data: bytes) -> str:
    """The signed part of a clearsigned file, dashes unescaped; "" where there is none."""
    match = re.search(
        rb"^-----BEGIN PGP SIGNED MESSAGE-----\r?\n.*?\r?\n\r?\n(.*?)\r?\n-----BEGIN PGP SIGNATURE-----",
        data,
        re.M | re.S,
    )
    return re.sub(r"(?m)^- ", "", match[1].decode("utf-8", "replace")) if match else ""


def digests(text: str) -> Mapping[str, tuple[str, int]]:
    """{name: (sha256, bytes)} of what a Release lists."""
    section = re.search(r"^SHA256:[ \t]*\n((?:[ \t]+.*(?:\n|$))*)", text, re.M)
    rows = re.findall(r"^\s*([0-9a-f]{64})\s+(\d+)\s+(\S+)", section[1] if section else "", re.M)
    return {name: (digest, int(size)) for digest, size, name in rows}


def lists(text: str, components: tuple[str, ...], architecture: str) -> list[str]:
    """The names of the package lists that a Release has for an architecture, in the best compression that there is;
    those of `Architecture: all` apart where it keeps them so. A flat repository (no components) has one list."""
    listed = digests(text)
    apart = re.search(r"^Architectures:.*\ball\b", text, re.M) is not None
    apart = apart and re.search(r"^No-Support-for-Architecture-all:.*\bPackages\b", text, re.M) is None
    if not components:
        bases = ["Packages"]
    else:
        bases = [f"{part}/binary-{arch}/Packages" for part in components for arch in (architecture, "all")[: 1 + apart]]
    found = (next((base + ending for ending in ENDINGS if base + ending in listed), None) for base in bases)
    return [name for name in found if name is not None]


def is_for(name: str, architecture: str) -> bool:
    """Has a list packages for that architecture?"""
    return "/" not in name or f"binary-{architecture}/" in name or "binary-all/" in name
