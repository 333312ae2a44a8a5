r"""Host patterns, as Ansible writes them: `web:db`, `web,db`, `dgx:&rack1`, `all:!dgx07`, `*.example.com`, `~web\d+`,
ranges `dgx[01:08]`, subscripts `dgx[0]` and `dgx[0:2]` of a group, and `@failed:RUN`.

The law: a word that means no host is an error, in an exclusion too: a typo there selects what was to be left out.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from provision.errors import InputError, Problem
from provision.inventory import ranges
from provision.inventory.spelling import closest
from provision.inventory.tree import ROOT, UNGROUPED, Tree

Names = dict[str, None]
"""An ordered set: the positions of a subscript count in the group's own order."""
Failed = Callable[[str], Iterable[str]]
"""The hosts that failed in a run. Raises InputError for a run that is not known."""
_WORD = re.compile(r"[!&]?@[^,]*|(?:[^\s,:\[\]]|\[[^\]]*\])+|[\[\]]")
_SUBSCRIPT = re.compile(r"(?P<name>[^~].*)\[(?:(?P<one>-?[0-9]+)|(?P<first>[0-9]+)[:-](?P<last>[0-9]*))\]\Z")


@dataclass(frozen=True)
class _Wrong(Exception):
    message: str
    hint: str = ""


def select(tree: Tree, pattern: str | None, failed: Failed | None = None) -> list[str]:
    """The hosts that a pattern means, in the order of the inventory; all of them without one. Raises InputError."""
    if pattern is None:
        return list(tree.hosts)
    chosen, problems = _Selection(tree, failed).of(_split(pattern))
    if problems:
        raise InputError([Problem(f"--limit {pattern}: {wrong.message}", hint=wrong.hint) for wrong in problems])
    if not chosen:
        raise InputError([Problem(f"--limit {pattern}: matches no host", hint="see inventory --graph")])
    return [name for name in tree.hosts if name in chosen]


def _split(pattern: str) -> list[str]:
    """The words: plain ones first, then intersections, then exclusions, as Ansible orders them."""
    if "," in pattern:
        words = [word.strip() for word in pattern.split(",")]
    elif pattern.lstrip("!&").startswith("~") or ranges.is_address(pattern):
        words = [pattern]
    else:
        words = _WORD.findall(pattern)
    words = [word for word in words if word]
    return sorted(words, key=lambda word: "&!".find(word[0]) + 1)


class _Selection:
    def __init__(self, tree: Tree, failed: Failed | None) -> None:
        self._tree = tree
        self._failed = failed

    def of(self, words: Sequence[str]) -> tuple[set[str], list[_Wrong]]:
        chosen = set[str]() if words and words[0][0] not in "&!" else set(self._tree.hosts)
        if not words:
            return set(), []
        problems = []
        for word in words:
            try:
                found = self._word(word.lstrip("&!") if word[0] in "&!" else word, excluded=word[0] == "!")
            except _Wrong as wrong:
                problems.append(wrong)
                continue
            if word[0] == "!":
                chosen -= found.keys()
            elif word[0] == "&":
                chosen &= found.keys()
            else:
                chosen |= found.keys()
        return chosen, problems

    def _word(self, word: str, *, excluded: bool) -> Names:
        if word.startswith("@"):
            return self._at(word)
        if word.startswith("~"):
            found = self._regex(word[1:])
        elif (spread := self._range(word)) is not None:
            return spread
        elif (match := _SUBSCRIPT.match(word)) is not None:
            return self._subscript(word, match)
        else:
            found = self._name(word)
        if not found and not excluded:
            raise _Wrong(f"{word!r} matches no host", "see inventory --graph")
        return found

    def _at(self, word: str) -> Names:
        run = word.removeprefix("@failed:")
        if run == word or not run or self._failed is None:
            raise _Wrong(f"{word!r} is no pattern", "write @failed:RUN for the hosts that failed in a run")
        found = {name: None for name in self._failed(run) if name in self._tree.hosts}
        if not found:
            raise _Wrong(f"no host of this inventory failed in the run {run}")
        return found

    def _regex(self, text: str) -> Names:
        try:
            expression = re.compile(text)
        except re.error as error:
            raise _Wrong(f"~{text} is no regular expression: {error}") from None
        return self._matching(lambda name: expression.match(name) is not None)

    def _matching(self, fits: Callable[[str], bool]) -> Names:
        groups = (name for name in (*self._tree.groups, UNGROUPED) if fits(name))
        found = {host: None for name in groups for host in self._tree.members(name)}
        return found | {name: None for name in self._tree.hosts if fits(name)}

    def _range(self, word: str) -> Names | None:
        """The hosts of a range such as dgx[01:08]; None where it is none, or means positions in a group."""
        if ":" not in word or "[" not in word or any(letter in word for letter in "*?"):
            return None
        try:
            names = ranges.expand(word)
        except ValueError as error:
            if _SUBSCRIPT.match(word):
                return None
            raise _Wrong(str(error)) from None
        unknown = [name for name in names if name not in self._tree.hosts]
        if not unknown:
            return dict.fromkeys(names)
        match = _SUBSCRIPT.match(word)
        if match is None or len(unknown) < len(names):
            raise _Wrong(f"{word!r} holds {unknown[0]!r}, which is no host", self._meant(unknown[0]))
        if re.match(r"0[0-9]", match["first"] or ""):
            raise _Wrong(f"{word!r} holds {unknown[0]!r}, which is no host", "write positions in a group without zeros")
        return None

    def _subscript(self, word: str, match: "re.Match[str]") -> Names:
        ordered = list(self._name(match["name"]))
        if match["one"] is not None:
            position = int(match["one"])
            found = ordered[position:][:1] if position >= -len(ordered) else []
        else:
            last = int(match["last"]) if match["last"] else len(ordered) - 1
            found = ordered[int(match["first"]) : last + 1]
        if not found:
            raise _Wrong(f"{word!r}: {match['name']} has {len(ordered)} hosts, numbered from 0")
        return dict.fromkeys(found)

    def _name(self, word: str) -> Names:
        if word in (ROOT, "*"):
            return dict.fromkeys(self._tree.hosts)
        if any(letter in word for letter in "*?["):
            return self._matching(lambda name: fnmatchcase(name, word))
        if word in self._tree.groups or word == UNGROUPED:
            return self._tree.members(word) | ({word: None} if word in self._tree.hosts else {})
        if word in self._tree.hosts:
            return {word: None}
        raise _Wrong(f"there is no host or group {word!r}", self._meant(word))

    def _meant(self, word: str) -> str:
        close = closest(word, [*self._tree.groups, *self._tree.hosts])
        return f"did you mean {close!r}?" if close else "see inventory --graph"
