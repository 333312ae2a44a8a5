"""A dockerd command line as its flags.

The law: pure; an argument that is not understood is kept. The agent has the same for DOCKER_OPTS
(agent/docker/flags.py); a test holds the two together.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

SHORT = {
    "s": "storage-driver",
    "g": "graph",
    "H": "host",
    "b": "bridge",
    "G": "group",
    "l": "log-level",
    "p": "pidfile",
    "D": "debug",
}


@dataclass(frozen=True)
class Given:
    """One flag as it stands on a command line; `name` is "" for a word that is no flag."""

    name: str
    value: str
    words: tuple[str, ...]


def parse(words: Iterable[str]) -> Iterator[Given]:
    """The flags of a command line (without its program), in order. dockerd takes no other arguments.

    A flag without `=` takes the next word, unless that is a flag or a variable; without one it is true.
    """
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not word.startswith("-") or word in ("-", "--"):
            yield Given("", "", (word,))
            continue
        name, equals, value = _name(word)
        if equals:
            yield Given(name, value, (word,))
        elif queue and queue[0][:1] not in ("-", "$"):
            yield Given(name, queue[0], (word, queue.pop(0)))
        else:
            yield Given(name, "true", (word,))


def _name(word: str) -> tuple[str, bool, str]:
    """A flag's long name, whether its value is attached, and that value."""
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        return name, bool(equals), value
    letter, attached = word[1], word[2:]
    return SHORT.get(letter, letter), bool(attached), attached.removeprefix("=")


def values(given: Iterable[Given]) -> dict[str, list[str]]:
    """Flag to all of its values, in order."""
    found: dict[str, list[str]] = {}
    for flag in given:
        if flag.name:
            found.setdefault(flag.name, []).append(flag.value)
    return found


Variables = Mapping[str, Sequence[str]]


def expand(words: Iterable[str], variables: Variables) -> list[str]:
    """A command line with these variables as systemd puts them in (systemd.service(5)); others stay as they are."""
    return [part for word in words for part in _parts(word, variables)]


def _parts(word: str, variables: Variables) -> list[str]:
    """`$X` alone becomes the words of X, none or many; `${X}` its text."""
    if word[:1] == "$" and word[1:] in variables:
        return list(variables[word[1:]])
    names = "|".join(map(re.escape, variables))
    found = re.sub(rf"(?<!\$)\$\{{({names})\}}", lambda match: " ".join(variables[match[1]]), word) if names else word
    return [found]


def without(words: Sequence[str], flags: Collection[str], variables: Variables | None = None) -> tuple[str, ...]:
    """A command line, program first, less these flags. A variable that holds one of them is written out."""
    pieces = [_parts(word, variables or {}) for word in words[1:]]
    stays = [flag.name not in flags for flag in parse(part for piece in pieces for part in piece) for _ in flag.words]
    kept: list[str] = list(words[:1])
    for word, piece in zip(words[1:], pieces, strict=True):
        here, stays = stays[: len(piece)], stays[len(piece) :]
        kept += [word] if all(here) else [_escaped(part) for part, stay in zip(piece, here, strict=True) if stay]
    return tuple(kept)


def _escaped(part: str) -> str:
    """A word of a variable, for a unit file: there is no variable in it."""
    return part.replace("$", "$$")
