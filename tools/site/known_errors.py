"""The tables of known errors, for people: a regular expression as the words that it is looked for by.

The law: nothing is written here that the tables do not say.
"""

import re
import re._constants as kinds  # the parser's own names: there is no public door to them
import re._parser as parser
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any

from provision import login
from provision.agent.docker import known_errors as docker
from provision.agent.docker import stream
from provision.agent.gpu import known_errors as gpu
from provision.agent.host.known_errors import KnownError
from provision.agent.packages import apt_errors

GAP = "…"
MOST = 6
"""Spellings of one pattern that are shown."""
TABLES: tuple[tuple[str, Sequence[KnownError]], ...] = (
    ("sudo", login._SUDO),
    ("apt and dpkg", apt_errors.KNOWN),
    ("The Docker daemon", docker.KNOWN),
    ("Images and registries", stream.KNOWN),
    ("GPUs in containers", gpu.KNOWN),
)


def spellings(pattern: str) -> list[str]:
    """What a text may look like that the pattern matches, on one line; … is for anything."""
    found = (_tidy(text) for text in texts(pattern))
    return list(dict.fromkeys(text for text in found if text.strip(f" {GAP}")))[:MOST]


def texts(pattern: str) -> Iterator[str]:
    """The same as it would stand there."""
    return _texts(parser.parse(pattern))


def _tidy(text: str) -> str:
    while GAP + GAP in text:
        text = text.replace(GAP + GAP, GAP)
    return " ".join(text.split())


def _texts(tree: Iterable[tuple[Any, Any]]) -> Iterator[str]:
    for parts in product(*([*_of(kind, value)] for kind, value in tree)):
        yield "".join(parts)


def _of(kind: Any, value: Any) -> Iterable[str]:
    """The texts of one part of a pattern."""
    if kind is kinds.LITERAL:
        found: Iterable[str] = (chr(value),)
    elif kind is kinds.SUBPATTERN:
        found = _texts(value[-1])
    elif kind is kinds.BRANCH:
        found = [text for tree in value[1] for text in _texts(tree)]
    elif kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT):
        found = _repeated(*value)
    elif kind in (kinds.AT, kinds.ASSERT, kinds.ASSERT_NOT):
        found = ("",)
    else:
        found = (_mark(value if kind is kinds.IN else ()),)
    return found


def _repeated(least: int, most: Any, tree: Any) -> Iterable[str]:
    """What may be left out is, but for a gap."""
    if least or [*_texts(tree)] == [" "]:
        return _texts(tree)
    return ("",) if most == 1 else (GAP,)


def _mark(choice: Iterable[tuple[Any, Any]]) -> str:
    """One of several marks: a blank, one letter in both cases, or a gap."""
    members = [*choice]
    if members == [(kinds.CATEGORY, kinds.CATEGORY_SPACE)]:
        return " "
    letters = [chr(value) for kind, value in members if kind is kinds.LITERAL]
    same = len(letters) == len(members) and len({letter.lower() for letter in letters}) == 1
    return letters[0] if same else GAP


def rows(table: Sequence[KnownError]) -> list[tuple[list[str], str, str]]:
    """(spellings, cause, fix), with what has the same cause and fix in one row."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in table:
        cause, fix = (_words(part) for part in (row.cause, row.fix))
        said = found.setdefault((cause, fix), [])
        said += [text for text in spellings(row.pattern) if text not in said]
    return [(said, cause, fix) for (cause, fix), said in found.items()]


def _words(sentence: str) -> str:
    """A sentence with … where it repeats what was said."""
    filled = re.sub(r"\{\w+\}", GAP, sentence.replace("{user}", "the login user"))
    return _tidy(filled.replace("{{", "{").replace("}}", "}"))
