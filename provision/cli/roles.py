"""The verbs roles and kinds: what there is, made from the code."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from provision.cli import hosts
from provision.cli.lines import show
from provision.cli.options import Asked
from provision.errors import InputError, Problem, nearest

if TYPE_CHECKING:
    from provision.role import Role


def roles(asked: Asked, names: Iterable[str]) -> int:
    """What roles there are, or all settings of some."""
    from provision.report import settings

    found = known(asked, names)
    if asked.as_json:
        return show(settings.as_json(found))
    return show(settings.described(found) if names else settings.listed(found))


def kinds(asked: Asked, names: Iterable[str]) -> int:
    """What kinds of resource a role may yield, or all fields of some."""
    from provision import site_kinds
    from provision.report import settings

    names = list(names)
    known = settings.KINDS | site_kinds.beside(hosts.directories(asked))
    if unknown := [name for name in names if name not in known]:
        hints = ((name, nearest(name, known)) for name in unknown)
        hinted = ((name, f"did you mean {close!r}?" if close else "`kinds` lists them") for name, close in hints)
        raise InputError([Problem(f"no kind is called {name!r}", hint=hint) for name, hint in hinted])
    chosen = {name: known[name] for name in names} if names else known
    if asked.as_json:
        return show(settings.kinds_json(chosen))
    return show(settings.kinds_described(chosen) if names else settings.kinds_listed(chosen))


def known(asked: Asked, names: Iterable[str]) -> "list[Role]":
    """These roles, or all. Raises InputError with every name that is none."""
    from provision import role, shipped

    path = hosts.role_path(asked)
    found, problems = list[role.Role](), list[Problem]()
    for name in names or shipped.role_names(path):
        try:
            found.append(role.load(name, path))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return found
