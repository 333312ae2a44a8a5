"""A dockerd command line: its variables put in, some of its flags taken out (agent/docker/flags.py reads them)."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from provision.agent.docker.flags import expand as parts_of
from provision.agent.docker.flags import parse

Variables = Mapping[str, Sequence[str]]


def expand(words: Iterable[str], variables: Variables) -> list[str]:
    """A command line with these variables as systemd puts them in (systemd.service(5)); others stay as they are."""
    return [part for parts in parts_of(words, variables) for part in parts]


def without(words: Sequence[str], flags: Collection[str], variables: Variables | None = None) -> tuple[str, ...]:
    """A command line, program first, less these flags. A variable that holds one of them is written out."""
    pieces: list[list[str]] = parts_of(words[1:], variables or {})
    flat = [part for piece in pieces for part in piece]
    stays = [name not in flags for name, _, its_words in parse(flat) for _ in its_words]
    kept: list[str] = list(words[:1])
    for word, piece in zip(words[1:], pieces, strict=True):
        here, stays = stays[: len(piece)], stays[len(piece) :]
        kept += [word] if all(here) else [_escaped(part) for part, stay in zip(piece, here, strict=True) if stay]
    return tuple(kept)


def _escaped(part: str) -> str:
    """A word of a variable, for a unit file: there is no variable in it."""
    return part.replace("$", "$$")
