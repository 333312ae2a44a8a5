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
