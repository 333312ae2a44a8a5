"""What `-i` names: an inventory of ours by its name, a file or directory by its path, or hosts, separated by commas.

The law: a name is looked for in the user's own ./inventories first, and a message says where it was looked for.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from provision import shipped
from provision.errors import InputError, Problem, nearest
from provision.inventory.document import Mark
from provision.inventory.varfiles import ENDINGS


class HostList(str):
    """Hosts that the command line names itself, as in `web1,web2` or `web1,`."""


Place = Path | HostList


@dataclass(frozen=True)
class Places:
    """All that `-i` named, in order."""

    all: tuple[Place, ...]

    @cached_property
    def directories(self) -> tuple[Path, ...]:
        """Where each inventory lies; without any, where the user stands."""
        paths = [place for place in self.all if isinstance(place, Path)]
        return tuple(path if path.is_dir() else path.parent for path in paths) or (Path(),)

    def beside(self, at: Mark) -> Path:
        """The directory that a relative path counts from that is written at this place: the one of its inventory."""
        if len(self.directories) == 1:
            return self.directories[0]
        file = _absolute(Path(at.file))
        holding = [folder for folder in self.directories if file.is_relative_to(_absolute(folder))]
        return max(holding, key=lambda folder: len(_absolute(folder).parts), default=self.directories[0])

    def absolute(self) -> tuple[str, ...]:
        """The same, for a process that stands elsewhere."""
        return tuple(place if isinstance(place, HostList) else str(place.absolute()) for place in self.all)

    def __str__(self) -> str:
        return ", ".join(map(str, self.all))


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # links stay: they are part of what the user wrote


def folders() -> tuple[Path, ...]:
    """Where `--inventory NAME` is looked for: the user's own ./inventories, then the program's."""
    return tuple(dict.fromkeys((Path.cwd() / "inventories", shipped.INVENTORIES)))


def named(name: str, places: Sequence[Path]) -> Path | None:
    """The inventory of that name in the first of these folders that has it."""
    files = (place / (name + ending) for place in places for ending in (".yml", ".yaml", ""))
    return next((file for file in files if file.exists()), None)


def find_all(sources: Iterable[str]) -> Places:
    """What each of these means. Raises InputError with all that mean nothing."""
    found, problems = list[Place](), list[Problem]()
    for source in sources:
        try:
            found.append(find(source))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return Places(tuple(found))


def find(source: str, *places: Path) -> Place:
    """The file, directory or hosts that `--inventory` means: a bare name is looked for in `places` (none given:
    `folders()`), a path is taken as it is. Raises InputError."""
    places = places or folders()
    bare = source not in ("", ".", "..") and "/" not in source and not source.endswith(ENDINGS)
    if bare and (found := named(source, places)):
        return found
    path = Path(source).expanduser()
    if source and path.exists():
        return path
    if "," in source:
        return HostList(source)
    if not bare:
        raise InputError([Problem(f"the inventory {source!r} does not exist", hint="give a name or a path")])
    known = sorted({entry.stem for place in places if place.is_dir() for entry in place.iterdir()})
    close = nearest(source, known)
    hint = f"did you mean {close!r}?" if close else f"there are: {', '.join(known) or 'none'}; or give a path"
    where = " or ".join(map(str, places))
    what = f"no inventory is called {source!r} in {where}"
    raise InputError([Problem(what, hint=f"{hint}; one host is written with a comma: {source},")])
