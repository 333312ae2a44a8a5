"""Whatever bytes come, in whatever pieces: messages, or one error that says so, and no more memory than a frame."""

import json
import math
import tracemalloc
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision import messages
from provision.agent import wire
from provision.allowance import Allowance
from provision.errors import ProtocolError

FUZZ = settings(max_examples=300, deadline=None)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)
MESSAGES = st.dictionaries(st.text(max_size=5), VALUES, max_size=5).flatmap(
    lambda found: st.text(max_size=8).map(lambda kind: found | {"type": kind})
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(places)]


@FUZZ
@given(found=st.lists(MESSAGES, max_size=5), cuts=st.lists(st.integers(0, 10**6), max_size=20))
def test_messages_survive_any_chunking(found: list[dict[str, Any]], cuts: list[int]) -> None:
    decoder, got = wire.Decoder(), []
    for piece in pieces(b"".join(map(wire.encode, found)), cuts):
        got += decoder.feed(piece)
    assert got == found
    assert decoder.rest() == b""


FRAMES = st.one_of(
    MESSAGES.map(wire.encode),
    st.binary(max_size=30),
    st.binary(max_size=30).map(lambda data: wire.HEADER.pack(wire.MAGIC, len(data)) + data),
    VALUES.map(lambda value: json.dumps(value).encode()).map(
        lambda data: wire.HEADER.pack(wire.MAGIC, len(data)) + data
    ),
    st.integers(0, 2**32 - 1).map(lambda length: wire.HEADER.pack(wire.MAGIC, length)),
)


@FUZZ
@given(stream=st.lists(FRAMES, max_size=6).map(b"".join), cuts=st.lists(st.integers(0, 10**6), max_size=10))
def test_junk_is_a_wire_error_however_it_comes(stream: bytes, cuts: list[int]) -> None:
    def outcome(parts: list[bytes]) -> tuple[list[Any], bool]:
        decoder, got = wire.Decoder(), list[Any]()
        try:
            for part in parts:
                got += decoder.feed(part)
        except wire.FrameError:
            return got, True
        return got, False

    whole, failed = outcome([stream])
    cut, cut_failed = outcome(pieces(stream, cuts))
    assert failed == cut_failed
    assert failed or cut == whole
    assert all(isinstance(message["type"], str) for message in cut)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "[1e400]", '{"x": NaN}'])
def test_what_json_cannot_say_is_no_message(number: str) -> None:
    """Python reads it, and would write it again: then our own output were no JSON any more."""
    data = b'{"type":"beat","seconds":' + number.encode() + b"}"
    with pytest.raises(wire.FrameError, match="not JSON"):
        wire.Decoder().feed(wire.HEADER.pack(wire.MAGIC, len(data)) + data)


def test_a_header_that_promises_too_much_takes_no_memory() -> None:
    decoder = wire.Decoder(limit=1000)
    with pytest.raises(wire.FrameError, match="over the limit of 1000"):
        decoder.feed(wire.HEADER.pack(wire.MAGIC, 1001))


def test_a_frame_of_which_the_end_never_comes_takes_no_more_than_it_is() -> None:
    decoder = wire.Decoder(limit=4 * 1024 * 1024)
    tracemalloc.start()
    try:
        decoder.feed(wire.HEADER.pack(wire.MAGIC, 4 * 1024 * 1024))
        for _ in range(63):
            decoder.feed(b" " * 65536)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


# -- messages

ANY: st.SearchStrategy[Any] = VALUES | st.just(math.pi)
FIELDS = sorted({name for kind in messages._KINDS.values() for name in kind.model_fields} - {"type"})
SHAPED = st.fixed_dictionaries(
    {"type": st.sampled_from([*messages._KINDS, "other"])}, optional=dict.fromkeys(FIELDS, ANY)
)
WHOLE: dict[str, dict[str, Any]] = {
    "hello": {"protocol": 1, "facts": {}, "interrupted": None},
    "beat": {"step": "s", "seconds": 1.0, "text": ""},
    "started": {"role": "r", "kind": "file", "name": "/x", "stage": 0, "position": 0},
    "result": {
        "role": "r", "kind": "file", "name": "/x", "stage": 0, "position": 0, "outcome": "ok", "diff": [], "note": "",
        "error": None, "seconds": 0.1,
    },
    "replan": {"stage": 0, "facts": {}},
    "answer": {"answer": {}},
    "refused": {"cause": "c", "fix": "f"},
    "crash": {"trace": "t"},
    "bye": {},
}  # fmt: skip


@FUZZ
@given(raw=SHAPED | MESSAGES)
def test_any_message_is_one_of_ours_or_a_protocol_error(raw: dict[str, Any]) -> None:
    try:
        messages.parse(raw)
    except ProtocolError:
        return
    assert raw["type"] in messages._KINDS


@pytest.mark.parametrize("kind", sorted(WHOLE))
def test_each_message_with_anything_in_one_place(kind: str) -> None:
    assert messages.parse({"type": kind} | WHOLE[kind]).type == kind

    @settings(max_examples=50, deadline=None)
    @given(name=st.sampled_from([*WHOLE[kind], "more"]), value=ANY)
    def spoiled(name: str, value: Any) -> None:
        try:
            messages.parse({"type": kind} | WHOLE[kind] | {name: value})
        except ProtocolError as error:
            assert kind in str(error)  # noqa: PT017

    spoiled()


@FUZZ
@given(raw=st.dictionaries(st.sampled_from(["os", "docker", "nvidia", "init", "routes", "resolvers"]), VALUES))
def test_any_facts_are_facts_or_a_protocol_error(raw: dict[str, Any]) -> None:
    whole = {"os": {"id": "debian"}, "architecture": "amd64", "init": "systemd"}
    try:
        messages.facts(whole | raw)
    except ProtocolError as error:
        assert "malformed" in str(error)  # noqa: PT017


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [100, 500, 900])
def test_what_is_nested_without_end_is_no_message(depth: int) -> None:
    """Everything that walks through a value later, to mask or to show it, would run out of stack in it."""
    difference = {"key": "k", "before": nested(depth), "after": None}
    for name, value in (("diff", [difference]), ("proof", {"x": nested(depth)})):
        with pytest.raises(ProtocolError, match="nested too deeply"):
            Allowance(lambda: "step").heard({"type": "result"} | WHOLE["result"] | {name: value})
