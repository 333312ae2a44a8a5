"""Frames: how controller and agent speak. Both ends import this one file.

The law: no I/O here. Messages become bytes, bytes become messages, and whatever is not a frame is an error that
shows the bytes. A message is a JSON object with a "type". A frame is three bytes of magic, four bytes of length
(big-endian), and that many bytes of JSON in ASCII.
"""

import json
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MARKER = b"\x00provision-agent-1\x00"
"""Written by the loader once it runs. All bytes before it are somebody else's: a MOTD, a .bashrc, sudo's lecture."""

MAGIC = b"\x00PV"
PIECE = b"\x00PP"
"""In place of MAGIC: what follows is bytes of a file, from the controller to a host."""
HEADER = struct.Struct("!3sI")
LIMIT = 64 * 1024 * 1024
"""Bytes of JSON in one frame. Git's default for one HTTP buffer is 1 MiB, gRPC's for a message 4 MiB; ours is this
large because a plan may carry a package file."""
LARGEST = sys.float_info.max


class FrameError(Exception):
    """These bytes are no frame of ours."""


def encode(message: "dict[str, Any]", limit: int = LIMIT) -> bytes:
    """One message as the bytes of one frame."""
    payload = json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii")
    if len(payload) > limit:
        raise FrameError("a message of {} bytes is over the limit of {}".format(len(payload), limit))
    return HEADER.pack(MAGIC, len(payload)) + payload


def piece(length: int) -> bytes:
    """What stands before so many bytes of a file."""
    return HEADER.pack(PIECE, length)


class Decoder:
    """Bytes in, as they come; whole messages out, in order."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> "list[dict[str, Any]]":
        """Take `data`; return the list of messages that are now complete."""
        self._buffer += data
        messages = []
        while len(self._buffer) >= HEADER.size:
            magic, length = HEADER.unpack_from(self._buffer)
            if magic not in (MAGIC, PIECE):
                raise FrameError("expected a frame, got {!r}".format(bytes(self._buffer[:2000])))
            if length > self._limit:
                raise FrameError("a frame of {} bytes is over the limit of {}".format(length, self._limit))
            end = HEADER.size + length
            if len(self._buffer) < end:
                break
            content = bytes(self._buffer[HEADER.size : end])
            messages.append(_message(content) if magic == MAGIC else {"type": "piece", "data": content})
            del self._buffer[:end]
        return messages

    def rest(self) -> bytes:
        """The bytes of an unfinished frame, for an error message."""
        return bytes(self._buffer)


def _finite(text: str) -> float:
    """A number that JSON has: Python would read NaN, Infinity and 1e999, and write them into our own output."""
    value = float(text)
    if not -LARGEST <= value <= LARGEST:
        raise ValueError("{} is no number of JSON".format(text))
    return value


def _message(payload: bytes) -> "dict[str, Any]":
    try:
        message = json.loads(payload.decode("ascii"), parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise FrameError("a frame is not JSON: {}".format(error)) from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise FrameError("a frame is not a message: {!r}".format(payload[:200]))
    return message
