"""Plain scalars by the core schema of YAML 1.2.

The law: nothing is guessed; an integer that begins with zero is no integer.
"""

import re
from typing import Any

_WORDS: dict[str, Any] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
_NUMBER_START = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_PREFIXED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")


def scalar(text: str) -> Any:
    """A plain scalar by the core schema of YAML 1.2. ValueError (with a sentence) for a leading-zero integer."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _NUMBER_START:
        if _INTEGER.match(text):
            return _integer(text)
        if _PREFIXED.match(text):
            return int(text, 0)
        if _FLOAT.match(text):
            return float(text)
        if _SPECIAL.match(text):
            return float(text.replace(".", "", 1))
    return text


def _integer(text: str) -> int:
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0":
        raise ValueError(doubt(text))
    if len(digits) > 1000:
        raise ValueError("a number of more than 1000 digits: quote it if it is text")
    return int(text)


def doubt(text: str) -> str:
    """What is wrong with an integer that begins with zero, such as one that is tagged "doubtful": a sentence."""
    plain = text.lstrip("+-0") or "0"
    return f'{text} has a leading zero: write "{text}" for text, {plain} for a decimal number, or 0o…'
