"""OpenPGP public keys, against what gpg says of the same keys."""

import pytest

from provision.agent.packages import openpgp

from .keys import GOOD, GOOD_FINGERPRINT, OLD, OLD_FINGERPRINT


def test_fingerprint_and_expiry_as_gpg_shows_them():
    (good,) = openpgp.keys(GOOD.encode("ascii"))
    (old,) = openpgp.keys(OLD.encode("ascii"))
    assert (good.fingerprint, good.created, good.expires) == (GOOD_FINGERPRINT, 1795437666, None)
    assert (old.fingerprint, old.created, old.expires) == (OLD_FINGERPRINT, 1577836800, 1609372800)


def test_armor_and_bytes_are_the_same_key():
    data = openpgp.unarmored(GOOD.encode("ascii"))
    assert data[0] & 0x80
    (key,) = openpgp.keys(data)
    assert (key.fingerprint, key.data) == (GOOD_FINGERPRINT, data)
    with_headers = GOOD.replace("BLOCK-----\n\n", "BLOCK-----\nVersion: GnuPG v1\nComment: x\n\n").replace("\n", "\r\n")
    assert openpgp.unarmored(with_headers.encode("ascii")) == data


def test_several_keys_come_apart():
    both = openpgp.unarmored(GOOD.encode("ascii")) + openpgp.unarmored(OLD.encode("ascii"))
    first, second = openpgp.keys(both)
    assert (first.fingerprint, second.fingerprint) == (GOOD_FINGERPRINT, OLD_FINGERPRINT)
    assert first.data + second.data == both
    assert [key.fingerprint for key in openpgp.keys((GOOD + OLD).encode("ascii"))] == [
        GOOD_FINGERPRINT,
        OLD_FINGERPRINT,
    ]


@pytest.mark.parametrize(
    "data, problem",
    [
        (b"", "no OpenPGP public key"),
        (b"<html>404</html>", "no OpenPGP public key"),
        (GOOD.replace("mDME", "mDMF", 1).encode("ascii"), "checksum"),
        (GOOD.replace("mDME", "mD!E", 1).encode("ascii"), "damaged"),
        (openpgp.unarmored(GOOD.encode("ascii"))[:-5], "cut off"),
        (b"\xc6\x01\x03", "version 3"),
        (b"\xb4\x01x", "does not begin with a public key"),
        (b"\xff\xff", "cut off"),
    ],
)
def test_what_is_no_key_says_what_it_is(data, problem):
    with pytest.raises(ValueError, match=problem):
        openpgp.keys(data)


def _self_signature(key, created, valid):
    """A certification of the key's own, made at `created`, with which it is good for `valid` seconds."""
    packets = [b"\x02" + created.to_bytes(4, "big"), b"\x09" + valid.to_bytes(4, "big")]
    hashed = b"".join(bytes([len(packet)]) + packet for packet in packets)
    issuer = b"\x09\x10" + bytes.fromhex(key.fingerprint)[-8:]
    return b"\x04\x13\x01\x08" + len(hashed).to_bytes(2, "big") + hashed + len(issuer).to_bytes(2, "big") + issuer


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_newest_signature_says_when_a_key_expires(order):
    key = openpgp.PublicKey(b"\x04" + (1000).to_bytes(4, "big") + b"rest")
    signatures = [_self_signature(key, 2000, 10), _self_signature(key, 3000, 500)]
    for number in order:
        key.take(openpgp.SIGNATURE, signatures[number], b"")
    assert key.expires == 1500
