"""OpenPGP public keys, as far as an apt source needs them: fingerprint, expiry, and one key out of several.

The law: pure, and no gpg (a minimal host has none). Only version 4 keys (RFC 4880), which is what apt's vendors use;
anything else is a ValueError that says so. Signatures are not verified: the fingerprint is what is trusted.
"""

import base64
import binascii
import hashlib
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

PUBLIC_KEY, SIGNATURE = 6, 2
CERTIFICATIONS = (0x10, 0x11, 0x12, 0x13)
CREATED, EXPIRES, ISSUER, ISSUER_FINGERPRINT = 2, 9, 16, 33  # signature subpackets


class PublicKey:
    """One primary key with all that belongs to it."""

    def __init__(self, body: bytes) -> None:
        if body[:1] != b"\x04":
            raise ValueError("a key of version {}, and only version 4 is known here".format(body[0] if body else "?"))
        self.fingerprint = hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body).hexdigest().upper()
        self.created = int.from_bytes(body[1:5], "big")
        self.expires: "int | None" = None
        """Seconds since the epoch, or None: never. By the newest signature of the key on a name of its own."""
        self.data = b""
        self._signed = -1

    def take(self, tag: int, body: bytes, raw: bytes) -> None:
        self.data += raw
        if tag == SIGNATURE and body[:1] == b"\x04" and body[1] in CERTIFICATIONS:
            self._certification(body)

    def _certification(self, body: bytes) -> None:
        hashed_end = 6 + int.from_bytes(body[4:6], "big")
        open_end = hashed_end + 2 + int.from_bytes(body[hashed_end : hashed_end + 2], "big")
        hashed = _subpackets(body[6:hashed_end])
        issuer = _subpackets(body[hashed_end + 2 : open_end])
        issuer.update(hashed)
        own = bytes.fromhex(self.fingerprint)
        if own[-8:] != issuer.get(ISSUER, issuer.get(ISSUER_FINGERPRINT, b""))[-8:]:
            return  # somebody else's signature on this key
        signed = int.from_bytes(hashed.get(CREATED, b""), "big")
        if signed >= self._signed:
            self._signed = signed
            valid = int.from_bytes(hashed.get(EXPIRES, b""), "big")
            self.expires = self.created + valid if valid else None


def keys(data: bytes) -> "list[PublicKey]":
    """The primary keys in `data` (bytes, armored or not), in order. Raises ValueError when it is no key file."""
    found = []
    for tag, body, raw in _packets(unarmored(data)):
        if tag == PUBLIC_KEY:
            found.append(PublicKey(body))
        if not found:
            raise ValueError("it does not begin with a public key")
        found[-1].take(tag, body, raw)
    if not found:
        raise ValueError("it is empty")
    return found


def unarmored(data: bytes) -> bytes:
    """The packets of a key file: as they are, or out of its ASCII armor, whose checksum is verified."""
    if data[:1] and data[0] & 0x80:
        return data
    text = data.decode("ascii", "replace").replace("\r", "")
    blocks = re.findall(
        r"-----BEGIN PGP PUBLIC KEY BLOCK-----\n(?:[^\n]*: [^\n]*\n)*[ \t]*\n(.*?)\n(?:=(\S{4})\s*\n)?-----END",
        text,
        re.S,
    )
    if not blocks:
        raise ValueError("it is no OpenPGP public key")
    return b"".join(_block(body, checksum) for body, checksum in blocks)


def _block(body: str, checksum: str) -> bytes:
    try:
        data = base64.b64decode("".join(body.split()).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("its ASCII armor is damaged") from None
    if checksum and base64.b64decode(checksum) != _crc24(data).to_bytes(3, "big"):
        raise ValueError("its ASCII armor is damaged (checksum)")
    return data


def _crc24(data: bytes) -> int:
    """RFC 4880, section 6.1."""
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1864CFB
    return crc


def _packets(data: bytes) -> "Iterator[tuple[int, bytes, bytes]]":
    """(tag, body, all bytes) of each packet; RFC 4880, section 4.2."""
    position = 0
    while position < len(data):
        start = position
        first = data[position]
        if not first & 0x80:
            raise ValueError("it is no OpenPGP public key, or is damaged")
        if first & 0x40:
            tag = first & 0x3F
            length, position = _new_length(data, position + 1)
        else:
            tag, size = first >> 2 & 0x0F, 1 << (first & 3)
            if size == 8:
                raise ValueError("a packet of unknown length")
            length, position = int.from_bytes(data[position + 1 : position + 1 + size], "big"), position + 1 + size
        if position + length > len(data):
            raise ValueError("it is cut off")
        yield tag, data[position : position + length], data[start : position + length]
        position += length


def _new_length(data: bytes, position: int) -> "tuple[int, int]":
    first = data[position] if position < len(data) else 0
    if first < 192:
        return first, position + 1
    if first < 224:
        return (first - 192 << 8) + int.from_bytes(data[position + 1 : position + 2], "big") + 192, position + 2
    if first == 255:
        return int.from_bytes(data[position + 1 : position + 5], "big"), position + 5
    raise ValueError("a packet in parts, which no key has")


def _subpackets(data: bytes) -> "dict[int, bytes]":
    found = {}
    position = 0
    while position < len(data):
        length, position = _new_length(data, position)
        if length < 1:
            break
        found[data[position] & 0x7F] = data[position + 1 : position + length]
        position += length
    return found
