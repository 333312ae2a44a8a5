"""The verbs that only read: inventory, roles and schema. None of them connects to anything or resolves a secret."""

import json
import sys
from collections.abc import Iterable

from provision import report, role
from provision.cli import hosts
from provision.cli.options import Asked
from provision.errors import InputError, Problem
from provision.inventory import schema as schema_of
from provision.report import listing, settings
from provision.report.text import Line
from provision.role import Role


def inventory(asked: Asked, graph: bool, host: str | None) -> int:
    """The hosts, or the tree of groups, or one host's values."""
    if host is None and not graph:
        found = hosts.select(asked, secrets=False).hosts
        return show(listing.hosts_json(found) if asked.as_json else listing.hosts(found))
    source = hosts.read(asked)
    if host is None:
        node = source.graph()
        return show([listing.graph_json(node)] if asked.as_json else listing.graph(node))
    rows = source.explain(host, role_path=hosts.role_path(asked), overrides=asked.overrides)
    return show(listing.values_json(host, rows) if asked.as_json else listing.values(rows))


def roles(asked: Asked, names: Iterable[str]) -> int:
    """What roles there are, or all settings of some."""
    known = _known(asked, names)
    if asked.as_json:
        return show(settings.as_json(known))
    return show(settings.described(known) if names else settings.listed(known))


def schema(asked: Asked) -> int:
    """The JSON Schema of inventories."""
    text = json.dumps(schema_of(_known(asked, ())), indent=2)
    return show(map(Line, text.splitlines()))


def _known(asked: Asked, names: Iterable[str]) -> list[Role]:
    """These roles, or all. Raises InputError with every name that is none."""
    path = hosts.role_path(asked)
    found, problems = list[Role](), list[Problem]()
    for name in names or role.available(path):
        try:
            found.append(role.load(name, path))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return found


def show(lines: Iterable[Line]) -> int:
    """Write lines to standard output; 1 if that was not possible."""
    output = report.Output(sys.stdout)
    for found in lines:
        output.line(found.text)
    if output.problem:
        report.warn(output.problem)
    return 1 if output.problem else 0
