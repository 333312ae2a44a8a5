"""Host ranges: `dgx[01:16]`, `rack[a:f]`, `n[1:9:2]`, several in a name; as Ansible expands them.

The law: pure, and bounded (an inventory names at most `MAX_HOSTS` hosts with one range).
"""

import ipaddress
import re
import string
from collections.abc import Sequence
from itertools import product
from math import prod

MAX_HOSTS = 100_000
_RANGE = re.compile(r"\[([^\[\]:]*):([^\[\]:]+)(?::([^\[\]:]*))?\]")


def expand(name: str) -> list[str]:
    """All names that `name` stands for. ValueError, with a sentence, for a range that is none."""
    if ("[" not in name and "]" not in name) or is_address(name):
        return [name]
    parts: list[Sequence[str]] = []
    position = 0
    for match in _RANGE.finditer(name):
        parts += [[name[position : match.start()]], _span(match.group(), *match.groups())]
        position = match.end()
    parts.append([name[position:]])
    if any("[" in word or "]" in word for part in parts for word in part[:1]):
        raise ValueError(f"{name} holds [ or ] but no range like [01:16] or [a:f]")
    if prod(map(len, parts)) > MAX_HOSTS:
        raise ValueError(f"{name} stands for more than {MAX_HOSTS} hosts")
    return ["".join(words) for words in product(*parts)]


def is_range(name: str) -> bool:
    """Does the name hold a range?"""
    return not is_address(name.strip("[]")) and _RANGE.search(name) is not None


def _span(shown: str, first: str, last: str, step: str | None) -> list[str]:
    stride = _stride(shown, step)
    first = first or "0"
    if _digits(first) and _digits(last):
        width = len(first) if len(first) > 1 and first[0] == "0" else 0
        if width and len(last) != width:
            raise ValueError(f"{shown}: both ends need as many digits, as in [01:16]")
        if max(len(first), len(last)) > 9:
            raise ValueError(f"{shown} stands for more than {MAX_HOSTS} hosts")
        numbers = range(int(first), int(last) + 1, stride)
        if len(numbers) > MAX_HOSTS:
            raise ValueError(f"{shown} stands for more than {MAX_HOSTS} hosts")
        found = [str(number).zfill(width) for number in numbers]
    elif len(first) == len(last) == 1 and {first, last} <= set(string.ascii_letters):
        letters = string.ascii_letters
        found = list(letters[letters.index(first) : letters.index(last) + 1 : stride])
    else:
        raise ValueError(f"{shown} is no range: write two numbers [01:16] or two letters [a:f]")
    if not found:
        raise ValueError(f"{shown}: the first end must not be after the last")
    return found


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _stride(shown: str, step: str | None) -> int:
    if step is None:
        return 1
    if not _digits(step) or len(step) > 9 or int(step) == 0:
        raise ValueError(f"{shown}: the step must be a number of at least 1")
    return int(step)


def is_address(name: str) -> bool:
    """Is the name an IP address? Its colons and brackets then mean nothing else."""
    if ":" not in name and not name[:1].isdigit():
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
