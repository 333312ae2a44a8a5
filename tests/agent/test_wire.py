"""The wire, byte by byte."""

import json
import struct

import pytest

from provision.agent import wire


def test_a_message_survives_the_trip():
    message = {"type": "x", "text": "ä\udcff\x00", "list": [1, None, True]}
    assert wire.Decoder().feed(wire.encode(message)) == [message]


def test_a_frame_is_magic_length_and_json():
    data = wire.encode({"type": "x"})
    assert data == b"\x00PV" + struct.pack("!I", 12) + b'{"type":"x"}'


def test_bytes_may_come_one_by_one_and_many_messages_at_once():
    messages = [{"type": "a", "n": n} for n in range(3)]
    stream = b"".join(map(wire.encode, messages))
    decoder, got = wire.Decoder(), []
    for index in range(len(stream)):
        got += decoder.feed(stream[index : index + 1])
    assert got == messages
    assert wire.Decoder().feed(stream) == messages


def test_an_unfinished_frame_waits():
    decoder = wire.Decoder()
    assert decoder.feed(wire.encode({"type": "x"})[:-1]) == []
    assert decoder.rest().startswith(b"\x00PV")
    assert decoder.feed(b"}") == [{"type": "x"}]


@pytest.mark.parametrize(
    "stream, words",
    [
        (b"Traceback (most recent call last):", "Traceback"),
        (wire.HEADER.pack(wire.MAGIC, 2**31), "over the limit"),
        (wire.HEADER.pack(wire.MAGIC, 4) + b"nope", "not JSON"),
        (wire.HEADER.pack(wire.MAGIC, 2) + b"[]", "not a message"),
        (wire.HEADER.pack(wire.MAGIC, 2) + b"{}", "not a message"),
        (wire.HEADER.pack(wire.MAGIC, 2) + b"\xff\xff", "not JSON"),
        (wire.HEADER.pack(wire.MAGIC, 100000) + b"[" * 100000, "not JSON"),
    ],
)
def test_what_is_no_frame_is_an_error_that_shows_it(stream, words):
    with pytest.raises(wire.FrameError) as caught:
        wire.Decoder().feed(stream)
    assert words in str(caught.value)


def test_a_message_over_the_limit_is_not_sent():
    with pytest.raises(wire.FrameError):
        wire.encode({"type": "x" * 100}, limit=50)


def test_no_value_that_is_not_json_is_sent():
    with pytest.raises(ValueError):
        wire.encode({"type": "x", "n": float("nan")})


def test_the_marker_cannot_be_typed_by_a_motd():
    assert b"\x00" in wire.MARKER
    assert json.dumps(wire.MARKER.decode("ascii"))
