"""The verbs that only read: inventory, kinds, roles and schema. They connect to nothing and resolve no secret."""

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from provision.cli import hosts
from provision.cli.options import Asked
from provision.errors import InputError, Problem, nearest
from provision.report import listing
from provision.report.output import Output, warn
from provision.report.text import Line

if TYPE_CHECKING:
    from provision.role import Role


def inventory(asked: Asked, graph: bool, host: str | None) -> int:
    """The hosts, or the tree of groups, or one host's values."""
    if host is None and not graph:
        found = hosts.listed(asked)
        return show(listing.hosts_json(found) if asked.as_json else listing.hosts(found))
    source = hosts.read(asked)
    if host is None:
        node = source.graph()
        return show([listing.graph_json(node)] if asked.as_json else listing.graph(node))
    rows = source.explain(host, role_path=hosts.role_path(asked), overrides=asked.overrides)
    return show(listing.values_json(host, rows) if asked.as_json else listing.values(rows))


def roles(asked: Asked, names: Iterable[str]) -> int:
    """What roles there are, or all settings of some."""
    from provision.report import settings

    known = _known(asked, names)
    if asked.as_json:
        return show(settings.as_json(known))
    return show(settings.described(known) if names else settings.listed(known))


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


def schema(asked: Asked, variables: bool) -> int:
    """The JSON Schema of inventories, or of files of variables."""
    from provision.inventory.schema import schema as schema_of

    text = json.dumps(schema_of(_known(asked, ()), variables=variables), indent=2)
    return show(map(Line, text.splitlines()))


def _known(asked: Asked, names: Iterable[str]) -> "list[Role]":
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


def show(lines: Iterable[Line]) -> int:
    """Write lines to standard output; 1 if that was not possible."""
    output = Output(sys.stdout)
    output.write("".join(f"{found.text}\n" for found in lines))
    output.flush()
    if output.problem:
        warn(output.problem)
    return 1 if output.problem else 0
