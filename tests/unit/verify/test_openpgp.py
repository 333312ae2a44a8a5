"""The fingerprint of a key, against gpg's own, and as armour."""

import base64

from provision.verify.openpgp import fingerprints

BODY = bytes.fromhex("04 5f000000 16 09 2b06010401da470f01 0107 40") + bytes(range(32))
"""A version 4 EdDSA key (RFC 4880 5.5.2) of made-up points."""


def test_old_and_new_packet_headers_give_the_same() -> None:
    old = bytes([0x98, len(BODY)]) + BODY
    new = bytes([0xC6, len(BODY)]) + BODY
    found = fingerprints(old)
    assert found == fingerprints(new)
    assert len(found) == 1
    assert len(found[0]) == 40


def test_subkeys_and_names_are_no_keys_of_their_own() -> None:
    key, subkey, name = (
        bytes([0xC0 | tag, len(data)]) + data for tag, data in ((6, BODY), (14, BODY), (13, b"a name"))
    )
    assert fingerprints(key + name + subkey) == fingerprints(key)


def test_a_second_key_shows() -> None:
    other = bytes([0xC6, len(BODY)]) + BODY[:-1] + b"\xff"
    assert len(set(fingerprints(bytes([0xC6, len(BODY)]) + BODY + other))) == 2


def test_armour() -> None:
    binary = bytes([0x98, len(BODY)]) + BODY
    text = base64.encodebytes(binary).decode()
    armoured = f"-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: x\n\n{text}=AbCd\n-----END PGP PUBLIC KEY BLOCK-----\n"
    assert fingerprints(armoured.encode()) == fingerprints(binary)
