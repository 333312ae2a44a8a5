"""Some values of a TOML file that others write to as well (the toolkit's config.toml): ours are as asked, all else
stays.

The law: what is written is the file as it was with these values changed, comments and order kept; it replaces the old
one in one rename. Other people's values may have any form. Ours are plain ones: true, numbers, "text", and lists of
them; a file that has a key of ours in another form, or that cannot be read as TOML, is refused, not guessed at.
"""

import json
import re

from ..engine.resource import Resource
from ..host.errors import Failed
from . import file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

    from ..host.system import System
    from ..types import Diff, State

PART = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
NAME = r"(?:{0})(?:[ \t]*\.[ \t]*(?:{0}))*".format(PART.pattern)
SPACE = re.compile(r"[ \t\r]*(?:#[^\n]*)?(?:\n|\Z)")
HEADER = re.compile(r"[ \t]*(?:\[\[[ \t]*({0})[ \t]*\]\]|\[[ \t]*({0})[ \t]*\])".format(NAME) + SPACE.pattern)
PAIR = re.compile(r"[ \t]*({})[ \t]*=[ \t]*".format(NAME))
TOKEN = re.compile(
    r'''"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[\[{]|[\]}]|#[^\n]*|\n|[^"'\[\]{}#\n]+''',
    re.DOTALL,
)


class TomlValues(Resource):
    path: str
    values: "dict[str, Any]"

    def identity(self) -> str:
        return self.path

    def touches(self) -> "tuple[str, ...]":
        return (self.path,)

    def desired(self) -> "State":
        """Each key by its dotted path: its value."""
        return dict(self.values)

    def actual(self, system: "System") -> "State | None":
        """As `desired`; None for a key that is not there. None: there is no file."""
        text = system.text(system.place(self.path))
        if text is None:
            return None
        try:
            known = list(statements(text))
            found = {key: find(known, names(key)) for key in self.values}
        except Odd as odd:
            raise Failed(
                "{} has {}, which cannot be kept while our values change".format(self.path, odd),
                "mend or rewrite that line, or take {} out of what the roles ask for".format(
                    " and ".join(sorted(self.values))
                ),
            ) from None
        return {key: item and _value(text[item.start : item.end], key, self.path) for key, item in found.items()}

    def apply(self, system: "System", diff: "Diff") -> None:
        """Set each value that differs, in its place; all else stays as it is."""
        text = system.text(self.path) or ""
        for key in sorted(diff):
            text = changed(text, key, self.values[key])
        rights = file.rights(system, self.path, 0o644, 0, 0)
        system.write(self.path, text.encode("utf-8", "surrogateescape"), *rights)


class Odd(ValueError):
    """What this file has and nobody could keep; the text says it, and in which line."""


class Statement:
    """A header ("[" or "[["), or a pair ("="; `start` and `end` are its value's)."""

    def __init__(
        self, kind: str, path: "tuple[str, ...]", line: int, start: int, end: int, dotted: bool = False
    ) -> None:
        self.kind, self.path, self.line, self.start, self.end, self.dotted = kind, path, line, start, end, dotted


def names(text: str) -> "tuple[str, ...]":
    """`a."b.c".d` as ("a", "b.c", "d")."""
    parts = PART.findall(text)
    return tuple(json.loads(part) if part[0] == '"' else part.strip("'") for part in parts)


def statements(text: str) -> "Iterator[Statement]":
    """Every header and pair of a TOML text. Raises Odd for a line that is neither."""
    at = 0
    table: "tuple[str, ...]" = ()
    while at < len(text):
        line = text.count("\n", 0, at) + 1
        header, pair, space = HEADER.match(text, at), PAIR.match(text, at), SPACE.match(text, at)
        if space:
            at = space.end()
        elif header:
            kind, table = ("[[", names(header.group(1))) if header.group(1) else ("[", names(header.group(2)))
            at = header.end()
            yield Statement(kind, table, line, header.start(), at)
        elif pair:
            end, at = _value_end(text, pair.end(), line)
            own = names(pair.group(1))
            yield Statement("=", table + own, line, pair.end(), end, dotted=len(own) > 1)
        else:
            raise Odd("a line that is no TOML in line {}".format(line))


def _value_end(text: str, start: int, line: int) -> "tuple[int, int]":
    """(where a value ends, where the next line begins): strings and lists may go over several lines."""
    at, depth, end = start, 0, start
    while at < len(text):
        token = TOKEN.match(text, at)
        word = token.group() if token else "]"
        if token and word == "\n" and not depth:
            return end, token.end()
        depth += (word in ("[", "{")) - (word in ("]", "}"))
        if depth < 0 or not token:
            break
        at = token.end()
        end = end if word[0] == "#" or not word.strip() else start + len(text[start:at].rstrip())
    if depth or at < len(text):
        raise Odd("a value without an end in line {}".format(line))
    return end, at


def find(known: "list[Statement]", path: "tuple[str, ...]") -> "Statement | None":
    """The pair of this key, or None. Raises Odd where the file has it, or its section, in a form that is not ours."""
    for item in known:
        inside = path[: len(item.path)] == item.path
        if item.kind == "[[" and inside:
            raise Odd("{} as an array of tables in line {}".format(".".join(item.path), item.line))
        if item.kind == "=" and inside and item.path != path:
            raise Odd("{} as a value in line {}".format(".".join(item.path), item.line))
        if item.path[: len(path)] == path and (item.kind != "=" or item.path != path):
            raise Odd("{} as a table in line {}".format(".".join(path), item.line))
    pair = next((item for item in known if item.kind == "=" and item.path == path), None)
    dotted = next((item for item in known if item.dotted and item.path[: len(path) - 1] == path[:-1]), None)
    if pair is None and dotted is not None and len(path) > 1 and _head(known, path[:-1]) is None:
        raise Odd("{} as keys with dots in line {}".format(".".join(path[:-1]), dotted.line))
    return pair


def _value(written: str, key: str, path: str) -> "Any":
    try:
        return json.loads(written)
    except ValueError:
        raise Failed(
            "{}: {} is {}, which is no plain value".format(path, key, written), "write it on one line, in double quotes"
        ) from None


def changed(text: str, key: str, value: "Any") -> str:
    """The text with one value set: in its place, or put after its section's head, or in a new section."""
    known, path = list(statements(text)), names(key)
    pair, head = find(known, path), _head(known, path[:-1])
    if pair is not None:
        return text[: pair.start] + json.dumps(value) + text[pair.end :]
    parts = PART.findall(key)
    line = "{} = {}\n".format(parts[-1], json.dumps(value))
    if len(path) == 1:
        return line + text
    if text and not text.endswith("\n"):
        text += "\n"
    if head is None:
        return text + ("\n" if text else "") + "[{}]\n".format(".".join(parts[:-1])) + line
    at = max(head.end, text.find("\n", head.start) + 1)
    return text[:at] + line + text[at:]


def _head(known: "list[Statement]", section: "tuple[str, ...]") -> "Statement | None":
    return next((item for item in known if item.kind == "[" and item.path == section), None)
