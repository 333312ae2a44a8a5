"""The fingerprint of an OpenPGP public key, worked out here: nobody on the host is asked whose key that is."""

import base64
import hashlib
import re


def fingerprints(data: bytes) -> list[str]:
    """Of the primary keys (version 4) in a keyring, binary or armoured: RFC 4880, 4.2 and 12.2."""
    if data.lstrip().startswith(b"-----BEGIN"):
        body = re.split(rb"\r?\n[ \t]*\r?\n", data, maxsplit=1)[1].partition(b"-----END")[0]
        data = base64.b64decode(b"".join(line for line in body.splitlines() if not line.startswith(b"=")))
    found, at = [], 0
    while at < len(data):
        tag, start, end = _packet(data, at)
        if tag == 6 and data[start] == 4:
            body = data[start:end]
            found.append(
                hashlib.sha1(  # noqa: S324 - it is what a fingerprint is
                    b"\x99" + len(body).to_bytes(2, "big") + body
                )
                .hexdigest()
                .upper()
            )
        at = end
    return found


def _packet(data: bytes, at: int) -> tuple[int, int, int]:
    """(tag, where its body begins, where it ends)."""
    head = data[at]
    if head & 0x40:
        first = data[at + 1]
        if first < 192:
            return head & 0x3F, at + 2, at + 2 + first
        if first < 224:
            return head & 0x3F, at + 3, at + 3 + ((first - 192) << 8) + data[at + 2] + 192
        return head & 0x3F, at + 6, at + 6 + int.from_bytes(data[at + 2 : at + 6], "big")
    size = (1, 2, 4)[head & 3]
    return head >> 2 & 0xF, at + 1 + size, at + 1 + size + int.from_bytes(data[at + 1 : at + 1 + size], "big")
