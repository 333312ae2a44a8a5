"""YAML 1.2 with places, and nothing but InputError whatever the text is."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.errors import InputError, Problem
from provision.inventory.document import Map, Mark, Tagged, from_plain, locate
from provision.inventory.loader import MAX_DEPTH, load


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("22:30", "22:30"),
        ("2026-11-23", "2026-11-23"),
        ("1_000", "1_000"),
        ("0o644", "0o644"),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("12", 12),
        ("-3", -3),
        ("+3", 3),
        ("0", 0),
        ("-0", 0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("-.5", "-.5"),
        ("1e3", "1e3"),
        ("1.5e3", "1.5e3"),
        ("1.5e+3", 1500.0),
        ("1.", 1.0),
        ("!!float 1e3", 1000.0),
        ("!!int 0o17", 15),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("", None),
        ("nULL", "nULL"),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ('"0644"', "0644"),
        ("'yes'", "yes"),
        ("10.0.0.1", "10.0.0.1"),
        ("::1", "::1"),
        (".", "."),
        ("-", [None]),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("!!str 12", "12"),
        ("!!int 12", 12),
        ("!!float 12", 12.0),
        ("! 12", "12"),
        ("!unsafe '{{ x }}'", Tagged("unsafe", "{{ x }}", Mark("f", 1, 4))),
    ],
)
def test_a_number_is_what_yaml_1_1_and_1_2_both_call_one(text: str, value: Any) -> None:
    found = load(f"a: {text}\n", "f")["a"] if text != "-" else load("-\n", "f")
    assert found == value
    assert isinstance(found, type(value))
    assert isinstance(found, bool) == isinstance(value, bool)


@pytest.mark.parametrize("text", ['{"a": 1e3}', ' \n{"a": 1E+3, "b": [-0.5]}\n'])
def test_json_has_its_own_numbers(text: str) -> None:
    assert load(text, "f")["a"] == 1000.0


def test_yaml_in_braces_is_no_json() -> None:
    assert load("{a: 1e3}", "f") == {"a": "1e3"}


def test_nan() -> None:
    assert math.isnan(load(".nan", "f"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0644: a", "f:1:1: 0644 has a leading zero"),
        ("08: a", 'write "08" for text, 8 for a decimal'),
        ("a: !!int 0644", "f:1:4: 0644 has a leading zero"),
        ("a: 1\nb: 2\na: 3", "f:3:1: duplicate key 'a' (the first is on line 1)"),
        ("a: {b: 1, b: 2}", "f:1:11: duplicate key 'b'"),
        ("a:\n\tb: 1", "f:2:1: a tab; YAML indents with spaces only"),
        ("a:\n  b: 1\n\tc: 2", "f:3:1: a tab"),
        ("a: &x [*x]", "f:1:8: *x holds itself"),
        ("a: *x", "f:1:4: no anchor &x above"),
        ("a: !python/object:os.system x", "f:1:4: unknown tag !python/object:os.system"),
        ("a: !!python/name:os.system x", "unknown tag !!python/name:os.system"),
        ("a: !!set {b}", "the tag !!set does not go with a mapping"),
        ("a: !!timestamp 2001-01-01", "unknown tag !!timestamp"),
        ("a: !!int x", "f:1:4: 'x' is no !!int"),
        ("a: 1\n---\nb: 1", "f:2:1: a second document starts here"),
        ("a: @b", "quote a value that begins with @"),
        ("a: `b`", "quote a value that begins with `"),
        ("a: b: c", "f:1:5: mapping values are not allowed in this context; quote a value that holds ': '"),
        ("a: {{ b }}", "f:1:4: {{ … }} is no text without quotes; quote it"),
        ("? [a]\n: 1", "f:1:3: a key must be a plain value"),
        ("<<: 1", "<< takes a mapping"),
        ("a: 'b", "f:1:"),
        ("a: [1", "f:1:"),
        ("a: \x01", "f:1:4: the control character U+0001"),
        ("[" * 500, f"f:1:{MAX_DEPTH + 1}: nested more than {MAX_DEPTH} deep"),
        ("- " * 500, f"nested more than {MAX_DEPTH} deep"),
        ("%YAML 3.0\n---\na: 1", "found incompatible YAML document"),
        ("a: " + "9" * 5000, "more than 1000 digits"),
        ("\ud800", "lone surrogate"),
        (b"a: \xe9", "f:1:4: is not UTF-8 here; save it as UTF-8"),
        (b"ok: 1\n  \xff", "f:2:3: is not UTF-8 here"),
        ("a: 1".encode("utf-16"), "f: is UTF-16; save it as UTF-8"),
    ],
)
def test_what_is_wrong_names_its_place(text: str | bytes, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        load(text, "f")
    assert problem in str(caught.value)


def test_all_that_is_wrong_at_once() -> None:
    with pytest.raises(InputError) as caught:
        load("0644: a\na: 1\na: !foo x\nc: *no\n", "f")
    assert [problem.where for problem in caught.value.problems] == ["f:1:1", "f:3:4", "f:3:1", "f:4:4"]


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    data = load(b"\xef\xbb\xbfall: 1\n", "f")
    assert data == {"all": 1}
    assert locate(data, ["all"]) == Mark("f", 1, 6)


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "---\n...\n", b"\xef\xbb\xbf"])
def test_an_empty_text_is_none(text: str | bytes) -> None:
    assert load(text, "f") is None


def test_aliases_cannot_laugh_a_billion_times() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    with pytest.raises(InputError, match="aliases stand for more than 1000000 values"):
        load("\n".join(lines), "f")


def test_merging_bombs_are_bounded_too() -> None:
    lines = ["a: &a {" + ", ".join(f"k{i}: 1" for i in range(1000)) + "}"]
    lines += [f"b{i}: {{<<: *a}}" for i in range(2000)]
    with pytest.raises(InputError, match="aliases stand for more than"):
        load("\n".join(lines), "f")


def test_anchors_and_merge_keys_keep_their_places() -> None:
    data = load("base: &base {mtu: 9000, bip: a}\nother: &o {dns: d, mtu: 1}\nx:\n  bip: b\n  <<: [*base, *o]\n", "f")
    assert data["x"] == {"bip": "b", "mtu": 9000, "dns": "d"}
    assert locate(data, ["x", "bip"]) == Mark("f", 4, 8)
    assert locate(data, ["x", "mtu"]) == Mark("f", 1, 19)
    assert locate(data, ["x", "dns"], key=True) == Mark("f", 2, 12)


def test_a_quoted_merge_key_is_a_key() -> None:
    assert load("'<<': 1", "f") == {"<<": 1}


def test_locate_passes_over_what_is_not_there() -> None:
    data = load("a:\n  - b: 1\n  - c\n", "f")
    assert locate(data, ["a", 0, "some-union-tag", "b"]) == Mark("f", 2, 8)
    assert locate(data, ["a", 0, "missing"]) == Mark("f", 2, 5)
    assert locate(data, ["a", 1]) == Mark("f", 3, 5)
    assert locate(data, ["nothing"]) is None


def test_json_of_a_program_becomes_data_without_lines() -> None:
    data = from_plain({"a": [{"__ansible_vault": "$ANSIBLE"}, {"__ansible_unsafe": "{{"}], "b": {"c": 1}}, "dgx.py")
    assert data["a"] == [Tagged("vault", "$ANSIBLE", Mark("dgx.py")), Tagged("unsafe", "{{", Mark("dgx.py"))]
    assert str(locate(data, ["b", "c"])) == "dgx.py"


_BITS = st.sampled_from(
    [
        *"abz019 \n\t:-?,[]{}#&*!|>'\"%@`~.<=\\\x00\x85\u2028\ufeffé",
        *("\n  ", "\n- ", ": ", "<<: ", "&a ", "*a", "!secret ", "!!str ", "---\n", "...\n"),
        *("0644", "{{ x }}", "? ", "| \n", "\r\n"),
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.lists(_BITS, max_size=60).map("".join), st.text(max_size=80), st.binary(max_size=80)))
def test_only_input_errors_with_places_leave_the_loader(text: str | bytes) -> None:
    data, problems = None, tuple[Problem, ...]()
    try:
        data = load(text, "f")
    except InputError as error:
        problems = error.problems
    assert all(problem.where.startswith("f") and problem.message for problem in problems)
    _has_places(data)


def _has_places(data: Any, depth: int = 0) -> None:
    assert depth <= MAX_DEPTH
    if isinstance(data, Map):
        assert data.keys() == data.keys_at.keys() == data.values_at.keys()
        for item in data.values():
            _has_places(item, depth + 1)
    elif isinstance(data, list):
        for item in data:
            _has_places(item, depth + 1)
