"""A dockerd command line as its flags.

The law: pure; an argument that is not understood is kept. The agent has the same for DOCKER_OPTS
(agent/docker/flags.py); a test holds the two together.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
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


def without(words: Sequence[str], flags: Collection[str]) -> tuple[str, ...]:
    """A command line, program first, less these flags."""
    kept = [flag for flag in parse(words[1:]) if flag.name not in flags]
    return (*words[:1], *(word for flag in kept for word in flag.words))
