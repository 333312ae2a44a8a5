"""Plain scalars by the core schema of YAML 1.2, but for numbers that Ansible reads as text.

The law: nothing is guessed; an integer that begins with zero is no integer, and a number is what YAML 1.1 and 1.2 both
call one. `1e3`, `-.5` and `0o17` are text, as in Ansible.
"""

import re
from typing import Any

from provision.secrets import HIDDEN


class Unquoted(str):
    """Text that YAML 1.1, and so Ansible, reads as something else: as `meant`; None for a number or a date."""

    __slots__ = ("meant",)
    meant: bool | None

    @classmethod
    def of(cls, text: str, meant: bool | None) -> "Unquoted":
        found = cls(text)
        found.meant = meant
        return found


_WORDS: dict[str, Any] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
_WORDS |= {word: Unquoted.of(word, True) for word in ("yes", "Yes", "YES", "on", "On", "ON")}
_WORDS |= {word: Unquoted.of(word, False) for word in ("no", "No", "NO", "off", "Off", "OFF")}
_NUMBER_START = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_PREFIXED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_TO_BOTH = re.compile(r"(0x[0-9a-fA-F]+|([-+]?[0-9]+\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?)\Z")
"""Those of `_PREFIXED` and `_FLOAT` that are numbers in YAML 1.1 too: with a dot, and a sign after the e."""
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")


_TEMPLATE = re.compile(r"\{\{(?!-?\s*\.)|\{%|\{#.*#\}", re.DOTALL)
"""Go's `{{.Name}}`, which Docker has, is text."""
_OTHERS = re.compile(
    r"[-+]?([1-9][0-9_]*(:[0-5]?[0-9])+|[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*|0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)\Z"
    r"|([-+]?[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+][0-9]+)?\Z"
    r"|[0-9]{4}-([0-9]{2}-[0-9]{2}|[0-9]{1,2}-[0-9]{1,2}[Tt \t].*)\Z"
)
"""Numbers and dates of YAML 1.1 alone: 22:30, 1_000, 0b1, 2026-01-31."""


def scalar(text: str, *, core: bool = False) -> Any:
    """The value of a plain scalar; `core`: with all numbers of YAML 1.2's core schema, as in JSON and under a tag.
    ValueError (with a sentence) for a leading-zero integer."""
    if text in _WORDS:
        return _WORDS[text]
    return _number(text, core) if text[0] in _NUMBER_START else text


def _number(text: str, core: bool) -> Any:
    """A number, or text that begins like one."""
    if _INTEGER.match(text):
        return _integer(text)
    if not core and not _TO_BOTH.match(text) and (_PREFIXED.match(text) or _FLOAT.match(text)):
        return text
    if _PREFIXED.match(text):
        return int(text, 0)
    if _FLOAT.match(text):
        return float(text)
    if _SPECIAL.match(text):
        return float(text.replace(".", "", 1))
    return Unquoted.of(text, None) if _OTHERS.match(text) else text


def _integer(text: str) -> int:
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0":
        raise ValueError(doubt(text))
    if len(digits) > 1000:
        raise ValueError("a number of more than 1000 digits: quote it if it is text")
    return int(text)


def doubt(text: str) -> str:
    """What is wrong with an integer that begins with zero, such as one that is tagged "doubtful": a sentence."""
    if text == HIDDEN:
        return "a number has a leading zero: quote it for text, or write it without the zero"
    plain = text.lstrip("+-0") or "0"
    return f'{text} has a leading zero: write "{text}" for text, {plain} for a decimal number'


def is_template(value: Any) -> bool:
    """Is this text with a template in it?"""
    return isinstance(value, str) and "{" in value and _TEMPLATE.search(value) is not None
