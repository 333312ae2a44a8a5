"""YAML text to plain data that remembers where each part was written.

The law: scalars are those of scalars.py (`yes`, `22:30` and `1e3` are text, but `1e3` is a number in JSON), nothing is
guessed (a duplicate key, a leading-zero integer that is used, an unknown tag is an error with line and column), the
work is bounded whatever the text is (depth, aliases, size), and the only exception that leaves this file is InputError.
PyYAML's C parser makes the events; the data is built here.
"""

import json
import re
from typing import Any

import yaml

from provision.errors import InputError, Problem
from provision.inventory.document import Map, Mark, Seq, Tagged
from provision.inventory.scalars import doubt, scalar
from provision.secrets import HIDDEN

MAX_CHARACTERS = 32 * 1024 * 1024
MAX_DEPTH = 100
MAX_ALIASED = 1_000_000
"""Nodes that aliases may stand for in one document. A "billion laughs" has 10^9; a fleet's anchors, some thousands."""

_LOCAL_TAGS = {"!secret": "secret", "!vault": "vault", "!vault-encrypted": "vault", "!unsafe": "unsafe"}
_CORE = "tag:yaml.org,2002:"


def load(text: str | bytes, name: str, *, hidden: bool = False) -> Any:
    """The data of one YAML document, `None` when the text holds none. `name` is the file's name in messages; `hidden`:
    no message may hold a value."""
    try:
        return _Builder(decoded(text, name), name, hidden).document()
    except RecursionError:
        raise InputError([Problem("nested too deeply", name)]) from None


def decoded(text: str | bytes, name: str) -> str:
    """The text of a file, without a byte order mark. Raises InputError."""
    if len(text) > MAX_CHARACTERS:
        raise InputError([Problem(f"is larger than {MAX_CHARACTERS // 2**20} MiB, which no inventory is", name)])
    if isinstance(text, bytes):
        text = _from_utf8(text, name)
    return text.removeprefix("\ufeff")


def _from_utf8(content: bytes, name: str) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError([Problem("is UTF-16", name, "save it as UTF-8")])
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise InputError([Problem("is not UTF-8 here", f"{name}:{line}:{column}", "save it as UTF-8")]) from None


def _is_json(text: str) -> bool:
    """Is all of the text JSON? Ansible reads it as such, whatever the file is called."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


class _Builder:
    """Builds the data of one document from the parser's events."""

    def __init__(self, text: str, name: str, hidden: bool = False) -> None:
        self._hidden = hidden
        self._text = text
        self._name = name
        self._core = _is_json(text)
        self._bare_values: dict[str, Any] = {}
        """Those that were seen: of 10,000 hosts most say the same."""
        self._anchors: dict[str, tuple[Any, int] | None] = {}
        self._aliased = 0
        self._depth = 0
        self._problems: list[Problem] = []

    def document(self) -> Any:
        value = None
        try:
            self._next = yaml.CLoader(self._text).get_event
            self._next()  # stream start
            if not isinstance(self._next(), yaml.StreamEndEvent):
                value, _ = self._node(self._next())
                self._next()  # document end
                if not isinstance(after := self._next(), yaml.StreamEndEvent):
                    self._note(self._mark(after), "a second document starts here", "put one document in a file")
        except yaml.YAMLError as error:
            self._syntax(error)
        except UnicodeEncodeError:
            self._note(Mark(self._name), "holds half a character (a lone surrogate)")
        except _Hopeless:
            pass  # noted
        if self._problems:
            raise InputError(self._problems)
        return value

    def _mark(self, event: Any) -> Mark:
        start = event.start_mark
        return Mark(self._name, start.line + 1, start.column + 1)

    def _note(self, at: Mark, message: str, hint: str = "") -> None:
        self._problems.append(Problem(message, str(at), hint))

    def _hopeless(self, at: Mark, message: str) -> "_Hopeless":
        self._note(at, message)
        return _Hopeless()

    def _node(self, event: Any) -> tuple[Any, int]:
        """The value that starts with `event`, and its weight: how many nodes it stands for, aliases followed."""
        if isinstance(event, yaml.ScalarEvent):
            text, weight = event.value, 1
            bare = event.tag is None and event.implicit[0]
            value = self._bare_values[text] if bare and text in self._bare_values else self._scalar(event, bare=bare)
        elif isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        else:
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise self._hopeless(self._mark(event), f"nested more than {MAX_DEPTH} deep")
            if event.anchor:
                self._anchors[event.anchor] = None
            value, weight = self._mapping(event) if isinstance(event, yaml.MappingStartEvent) else self._sequence(event)
            self._depth -= 1
        if event.anchor:
            self._anchors[event.anchor] = (value, weight)
        return value, weight

    def _alias(self, event: Any) -> tuple[Any, int]:
        if event.anchor not in self._anchors:
            raise self._hopeless(self._mark(event), f"no anchor &{event.anchor} above this alias")
        held = self._anchors[event.anchor]
        if held is None:
            raise self._hopeless(self._mark(event), f"*{event.anchor} holds itself")
        self._aliased += held[1]
        if self._aliased > MAX_ALIASED:
            raise self._hopeless(self._mark(event), f"aliases stand for more than {MAX_ALIASED} values")
        return held

    def _scalar(self, event: Any, *, bare: bool) -> Any:
        text: str = event.value
        if bare:
            return self._bare(event, text)
        if event.tag is None or event.tag == "!":
            return text
        if event.tag in _LOCAL_TAGS:
            return Tagged(_LOCAL_TAGS[event.tag], text, self._mark(event))
        return self._core_tagged(event, text)

    def _bare(self, event: Any, text: str) -> Any:
        """Without a tag: a number that YAML 1.1 and 1.2 read differently is an error only where it is used."""
        try:
            value = self._bare_values[text] = scalar(text, core=self._core)
            return value
        except ValueError as error:
            if text.lstrip("+-").startswith("0"):
                return Tagged("doubtful", HIDDEN if self._hidden else text, self._mark(event))
            self._note(self._mark(event), str(error))
            return text

    def _plain(self, event: Any, text: str) -> Any:
        try:
            return scalar(text, core=True)
        except ValueError as error:
            self._note(self._mark(event), str(error))
            return text

    def _core_tagged(self, event: Any, text: str) -> Any:
        kinds = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,), "null": (type(None),)}
        short = event.tag.removeprefix(_CORE)
        if event.tag == short or short not in kinds:
            shown = event.tag if event.tag == short else "!!" + short
            self._note(self._mark(event), f"unknown tag {shown}", "tags known here: !secret, !vault, !unsafe")
            return text
        if short == "str":
            return text
        value = self._plain(event, text)
        if not isinstance(value, kinds[short]) or (isinstance(value, bool) and short != "bool"):
            self._note(self._mark(event), f"{text!r} is no !!{short}")
        return float(value) if short == "float" and isinstance(value, int) else value

    def _collection_tag(self, event: Any, core: str, called: str) -> None:
        if event.tag not in (None, "!", _CORE + core):
            core_tag = event.tag.startswith(_CORE)
            shown = "!!" + event.tag.removeprefix(_CORE) if core_tag else event.tag
            self._note(self._mark(event), f"the tag {shown} does not go with a {called}")

    def _sequence(self, start: Any) -> tuple[Seq, int]:
        self._collection_tag(start, "seq", "list")
        items, weight = Seq(), 1
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            value, more = self._node(event)
            items.append(value)
            items.items_at.append(self._mark(event))
            weight += more
        return items, weight

    def _mapping(self, start: Any) -> tuple[Map, int]:
        self._collection_tag(start, "map", "mapping")
        mapping, merged, weight = Map(), list[Map](), 1
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            merge = isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]
            key_at = self._mark(event)
            key, _ = self._node(event)
            event = self._next()
            value, more = self._node(event)
            weight += more
            if merge:
                merged += self._to_merge(value, self._mark(event))
            elif (isinstance(key, str) and key not in mapping) or self._usable(key, key_at, mapping, start):
                mapping.put(key, value, key_at, self._mark(event))
        for source in merged:
            for key in source:
                if key not in mapping:
                    mapping.take(key, source)
        return mapping, weight

    def _usable(self, key: Any, at: Mark, mapping: Map, start: Any) -> bool:
        if isinstance(key, Map) and at == self._mark(start)._replace(column=start.start_mark.column + 2):
            self._note(self._mark(start), "{{ … }} is no text without quotes", 'quote it: "{{ … }}"')
        elif isinstance(key, Tagged) and key.tag == "doubtful":
            self._note(at, doubt(key.text))
        elif isinstance(key, Map | Seq | Tagged):
            self._note(at, "a key must be a plain value", "quote text that begins with {, [ or !")
        elif key in mapping:
            self._note(at, f"duplicate key {key!r} (the first is on line {mapping.keys_at[key].line})")
        else:
            return True
        return False

    def _to_merge(self, value: Any, at: Mark) -> list[Map]:
        sources = value if isinstance(value, Seq) else [value]
        good = [source for source in sources if isinstance(source, Map)]
        if len(good) != len(sources):
            self._note(at, "<< takes a mapping, or a list of mappings")
        return good

    def _syntax(self, error: yaml.YAMLError) -> None:
        if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
            self._unreadable(error)
            return
        mark = error.problem_mark
        if error.context_mark and not self._text[mark.index :].strip():
            mark = error.context_mark  # at the end of the text: what was never closed
        lines = self._text.splitlines()
        line = lines[mark.line] if mark.line < len(lines) else ""
        indent = line[: len(line) - len(line.lstrip())]
        here = line[mark.column : mark.column + 1]
        if "\t" in indent or here == "\t":
            tab = Mark(self._name, mark.line + 1, line.index("\t") + 1)
            self._note(tab, "a tab", "YAML indents with spaces only")
            return
        hint = ""
        if here and here in "@`%":
            hint = f"quote a value that begins with {here}"
        elif error.problem == "mapping values are not allowed in this context":
            hint = "quote a value that holds ': ', or check the indentation"
        what = f"{error.context}: {error.problem}" if error.context else str(error.problem)
        self._note(Mark(self._name, mark.line + 1, mark.column + 1), what, hint)

    def _unreadable(self, error: yaml.YAMLError) -> None:
        """A character that YAML does not allow at all: the parser does not say where it stands."""
        found = _FORBIDDEN.search(self._text)
        if found is None:
            self._note(Mark(self._name), " ".join(str(error).split()))
            return
        line = self._text.count("\n", 0, found.start()) + 1
        column = found.start() - self._text.rfind("\n", 0, found.start())
        self._note(
            Mark(self._name, line, column),
            f"the control character U+{ord(found.group()):04X}",
            "is this YAML?",
        )


class _Hopeless(Exception):
    """Reading on makes no sense; what is wrong is noted."""


_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufffe\uffff]")
