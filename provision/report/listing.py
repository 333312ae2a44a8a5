"""What an inventory holds, as text and as JSON lines: hosts, the tree of groups, and one host's values."""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from provision.report.text import Line, line, table, value

if TYPE_CHECKING:
    from provision.inventory import Host
    from provision.inventory.explain import Node, Row


def hosts(found: "Iterable[Host]") -> Iterator[Line]:
    """One row a host: how it is reached, its groups (all is everybody's), its roles in order."""
    rows = [
        (host.name, _reached(host), ",".join(name for name in host.groups if name != "all") or "-",
         ",".join(host.roles) or "-")
        for host in found
    ]  # fmt: skip
    yield from table(("HOST", "REACHED AS", "GROUPS", "ROLES"), rows)


def _reached(host: "Host") -> str:
    target = host.target
    if target.connection == "local":
        return "local"
    user = f"{target.user}@" if target.user else ""
    return user + target.address + (f":{target.port}" if target.port else "")


def hosts_json(found: "Iterable[Host]") -> Iterator[Line]:
    """One object a host. What hosts have in common, all but name and address, is encoded once."""
    encoded: dict[Any, tuple[str, str]] = {}
    for host in found:
        target = host.target
        common = host.groups, host.roles, target.connection, target.port, target.user, target.become
        if common not in encoded:
            given = {"groups": host.groups, "roles": host.roles, "connection": target.connection}
            reached = {"port": target.port, "user": target.user, "become": target.become}
            encoded[common] = json.dumps(given)[1:-1], json.dumps(reached)[1:-1]
        before, after = encoded[common]
        name, address = json.dumps(host.name), json.dumps(target.address)
        yield Line(f'{{"type": "host", "host": {name}, {before}, "address": {address}, {after}}}')


def graph(node: "Node") -> Iterator[Line]:
    """The tree as `ansible-inventory --graph` draws it."""
    yield line(f"@{node.name}:")
    yield from _below(node, 1)


def _below(node: "Node", depth: int) -> Iterator[Line]:
    bars = "  |" * depth + "--"
    for child in node.children:
        yield line(f"{bars}@{child.name}:")
        yield from _below(child, depth + 1)
    for host in node.hosts:
        yield line(f"{bars}{host}")


def graph_json(node: "Node") -> Line:
    return _json({"type": "group"} | _tree(node))


def _tree(node: "Node") -> dict[str, Any]:
    return {"group": node.name, "children": [_tree(child) for child in node.children], "hosts": node.hosts}


def values(rows: "Iterable[Row]") -> Iterator[Line]:
    """One row a value: what it is, who says so, and where."""
    cells = [(row.variable, value(row.value), row.level, row.origin) for row in rows]
    yield from table(("VARIABLE", "VALUE", "FROM", "WHERE"), cells)


def values_json(host: str, rows: "Iterable[Row]") -> Iterator[Line]:
    for row in rows:
        told = {"variable": row.variable, "value": row.value, "level": row.level, "origin": row.origin}
        yield _json({"type": "value", "host": host} | told)


def _json(found: dict[str, Any]) -> Line:
    return Line(json.dumps(found, default=str))
