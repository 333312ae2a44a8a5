r"""Host patterns, as Ansible writes them: `web:db`, `web,db`, `dgx:&rack1`, `all:!dgx07`, `*.example.com`, `~web\d+`,
subscripts `dgx[0]` and `dgx[0:2]` of a group, and `@FILE` with one pattern a line. Ours alone are ranges of hosts,
`dgx[01:08]` where no group is called dgx, and `@failed:RUN`.

The law: a word that means no host is an error, in an exclusion too: a typo there selects what was to be left out.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from provision.errors import InputError, Problem
from provision.inventory import ranges
from provision.inventory.spelling import closest
from provision.inventory.tree import ROOT, Tree

Failed = Callable[[str], Iterable[str]]
"""The hosts that failed in a run. Raises InputError for a run that is not known."""
Note = Callable[[str], None]
"""Told of a word that could mean something else."""
_WORD = re.compile(r"[!&]?@failed:[^,:]*|(?:[^\s,:\[\]]|\[[^\]]*\])+|[\[\]]")
_NAME_AND_PORT = re.compile(r"[!&]?[\w.-]+:[0-9]+")
_SUBSCRIPT = re.compile(r"(?P<name>[^~].*)\[(?:(?P<one>-?[0-9]+)|(?P<first>[0-9]+)[:-](?P<last>[0-9]*))\]\Z")
_GLOB = "*?["
_RUN = "@failed:"


@dataclass(frozen=True)
class _Wrong(Exception):
    message: str
    hint: str = ""


def select(tree: Tree, pattern: str | None, failed: Failed | None = None, note: Note = lambda _: None) -> list[str]:
    """The hosts that a pattern means, in the order of the group `all`; all of them without one. Raises InputError."""
    every = tree.members(ROOT)
    if pattern is None:
        return list(every)
    problems: list[_Wrong] = []
    words = _ordered(word for given in _split(pattern) for word in _from_file(given, problems))
    chosen = _Selection(tree, failed, lambda text: note(f"--limit {pattern}: {text}")).of(words, problems)
    if problems:
        raise InputError([Problem(f"--limit {pattern}: {wrong.message}", hint=wrong.hint) for wrong in problems])
    if not chosen:
        raise InputError([Problem(f"--limit {pattern}: matches no host", hint="see inventory --graph")])
    return [name for name in every if name in chosen]


def _split(pattern: str) -> list[str]:
    """The words, by commas where there is one, else by colons that are not part of an address or of brackets."""
    if "," in pattern:
        words = [word.strip() for word in pattern.split(",")]
    elif ranges.is_address(pattern.lstrip("!&")) or _NAME_AND_PORT.fullmatch(pattern):
        words = [pattern]
    else:
        words = _WORD.findall(pattern)
    return [word for word in words if word]


def _ordered(words: Iterable[str]) -> list[str]:
    """Plain words first, then intersections, then exclusions, as Ansible orders them."""
    return sorted(words, key=lambda word: "&!".find(word[0]) + 1)


def _from_file(word: str, problems: list[_Wrong]) -> list[str]:
    """The lines of the file that `@FILE` names, one word each; any other word as it is."""
    if not word.startswith("@") or word.startswith(_RUN):
        return [word]
    try:
        lines = Path(word[1:]).expanduser().read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        hint = "write @FILE for a file with one pattern a line, or @failed:RUN for the hosts that failed in a run"
        problems.append(_Wrong(f"{word!r} cannot be read: {why}", hint))
        return []
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        problems.append(_Wrong(f"the file of {word!r} is empty", "write one pattern a line"))
    return found


class _Selection:
    def __init__(self, tree: Tree, failed: Failed | None, note: Note) -> None:
        self._tree = tree
        self._failed = failed
        self._note = note

    def of(self, words: Sequence[str], problems: list[_Wrong]) -> set[str]:
        """The hosts that the words mean together; what is wrong goes to `problems`."""
        if not words:
            return set()
        chosen = set[str]() if words[0][0] not in "&!" else set(self._tree.hosts)
        for word in words:
            sign = word[0] if word[0] in "!&" else ""
            try:
                found = set(self._word(word.removeprefix(sign), plain=not sign, excluded=sign == "!"))
            except _Wrong as wrong:
                problems.append(wrong)
                continue
            if sign == "!":
                chosen -= found
            elif sign == "&":
                chosen &= found
            else:
                chosen |= found
        return chosen

    def _word(self, word: str, *, plain: bool, excluded: bool) -> Sequence[str]:
        if word[:1] in ("!", "&"):
            raise _Wrong(f"{word!r} has more than one sign before it", "write ! or & once, directly before the pattern")
        if plain and word in self._tree.hosts:
            return [word]  # also where a group has the same name
        if word.startswith("@"):
            return self._at(word)
        if word.startswith("~"):
            found = self._regex(word)
        elif (spread := self._range(word)) is not None:
            return spread
        elif (match := _SUBSCRIPT.match(word)) is not None:
            return self._subscript(word, match)
        else:
            found = self._name(word)
        if not found and not excluded:
            raise _Wrong(f"{word!r} matches no host", "see inventory --graph")
        return found

    def _at(self, word: str) -> Sequence[str]:
        run = word.removeprefix(_RUN)
        if run == word or not run or self._failed is None:
            raise _Wrong(f"{word!r} is no pattern", "write @failed:RUN for the hosts that failed in a run")
        found = [name for name in self._failed(run) if name in self._tree.hosts]
        if not found:
            raise _Wrong(f"no host of this inventory failed in the run {run}")
        return found

    def _regex(self, word: str) -> Sequence[str]:
        try:
            expression = re.compile(word[1:])
        except re.error as error:
            raise _Wrong(f"{word} is no regular expression: {error}") from None
        return self._matching(word, lambda name: expression.match(name) is not None)

    def _matching(self, word: str, fits: Callable[[str], bool]) -> Sequence[str]:
        """The hosts of the groups that fit, then the hosts that fit. Positions count a host as often as it is found."""
        groups = [name for name in self._tree.groups if fits(name)]
        hosts = [name for name in self._tree.hosts if fits(name)]
        if not groups and not hosts:
            raise _Wrong(f"{word!r} matches no host", "see inventory --graph")
        return [host for name in groups for host in self._tree.members(name)] + hosts

    def _range(self, word: str) -> Sequence[str] | None:
        """The hosts of a range such as dgx[01:08]; None where it is none, or means positions in a group."""
        if ":" not in word or "[" not in word or any(letter in word for letter in "*?"):
            return None
        match = _SUBSCRIPT.match(word)
        try:
            names = ranges.expand(word)
        except ValueError as error:
            if match is not None:
                return None
            raise _Wrong(str(error)) from None
        known = set(names) <= self._tree.hosts.keys()
        if match is not None and match["name"] in self._tree.groups:
            self._note_positions(word, match, names if known else ())
            return None
        if not known:
            unknown = next(name for name in names if name not in self._tree.hosts)
            raise _Wrong(f"{word!r} holds {unknown!r}, which is no host", self._meant(unknown))
        globbed = [name for name in self._tree.hosts if match is None and fnmatchcase(name, word)]
        if globbed and globbed != names:
            raise _Wrong(f"{word!r} means {', '.join(globbed)} to Ansible", "list the hosts, separated by commas")
        return names

    def _note_positions(self, word: str, match: "re.Match[str]", names: Sequence[str]) -> None:
        """Tells of a subscript that may have been meant as a range of hosts."""
        found = self._subscript(word, match)
        if (names and set(names) != set(found)) or re.match("0[0-9]", match["first"]):
            shown = ", ".join(found[:3]) + (", …" if len(found) > 3 else "")
            self._note(f"{match['name']} is a group, so {word} counts positions in it from 0: {shown}")

    def _subscript(self, word: str, match: "re.Match[str]") -> Sequence[str]:
        ordered = self._name(match["name"])
        if match["one"] is not None:
            position = int(match["one"])
            found = ordered[position:][:1] if position >= -len(ordered) else []
        else:
            last = int(match["last"]) if match["last"] else len(ordered) - 1
            found = ordered[int(match["first"]) : last + 1]
        if not found:
            raise _Wrong(f"{word!r}: {match['name']} has {len(ordered)} hosts, numbered from 0")
        return found

    def _name(self, word: str) -> Sequence[str]:
        if any(letter in word for letter in _GLOB):
            return self._matching(word, lambda name: fnmatchcase(name, word))
        if word in self._tree.groups:
            alike = [word] if "." in word and word in self._tree.hosts else []
            return [*self._tree.members(word), *alike]
        if word in self._tree.hosts:
            return [word]
        raise _Wrong(f"there is no host or group {word!r}", self._meant(word))

    def _meant(self, word: str) -> str:
        close = closest(word, [*self._tree.groups, *self._tree.hosts])
        return f"did you mean {close!r}?" if close else "see inventory --graph"
