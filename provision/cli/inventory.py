"""The verb inventory: hosts, the tree of groups, or one host's values. No secret is resolved."""

from provision import report
from provision.cli import hosts
from provision.cli.lines import show
from provision.cli.options import Asked
from provision.report import listing


def inventory(asked: Asked, graph: bool, host: str | None) -> int:
    """The hosts, or the tree of groups, or one host's values."""
    if host is None and not graph:
        found = hosts.listed(asked)
        return show(listing.hosts_json(found) if asked.as_json else listing.hosts(found))
    source = hosts.read(asked)
    report.warn(*(f"warning: {text}" for text in source.warnings))
    if host is None:
        node = source.graph()
        return show([listing.graph_json(node)] if asked.as_json else listing.graph(node))
    rows = source.explain(host, role_path=hosts.role_path(asked), overrides=asked.overrides)
    return show(listing.values_json(host, rows) if asked.as_json else listing.values(rows))
