"""The verb remove: takes from hosts what roles have put there.

The law: what goes is what each host remembers of a role, so a role may be gone from the inventory, or from disk; of the
inventory it needs how hosts are reached, and what the roles that stay want of the Docker daemon.
"""

import sys
from collections.abc import Sequence

import click

from provision import report, role, shipped
from provision.cli import hosts
from provision.cli.lines import show
from provision.cli.options import Asked
from provision.cli.run_verb import roll_out
from provision.errors import InputError, Problem, nearest
from provision.inventory import Host
from provision.plan import Removal
from provision.report.text import Line, names
from provision.report.transcript import Transcript
from provision.rollout import Job
from provision.rollout.order import templates


def remove(wanted: Sequence[str], asked: Asked) -> int:
    """Take these roles from hosts. Raises InputError before anything is connected to."""
    path = hosts.role_path(asked)
    there = shipped.role_names(path)
    _refuse_misspelt([name for name in wanted if name not in there], there)
    touches_daemon = any(name not in there or role.load(name, path).daemon for name in wanted)

    def of_the_daemon(present: set[str]) -> tuple[str, ...]:
        """Those whose settings count: of what these roles write for the daemon, the others' part stays."""
        return tuple(sorted(name for name in present if name in there and role.load(name, path).daemon))

    selection = hosts.select(asked, hooks=not asked.check, choose=of_the_daemon if touches_daemon else _none)
    if asked.list_hosts:
        return show(Line(host.name) for host in selection.hosts)
    in_inventory = selection.source.by_host("roles")
    _warn(wanted, {host.name: in_inventory.get(host.name) or [] for host in selection.hosts})
    _confirm(wanted, len(selection.hosts), asked)
    loaded = {name: role.load(name, path) for name in wanted if name in there}
    removals = [
        Removal(order, touches_daemon, tuple(loaded[name] for name in order if name in loaded))
        for order in (_in_order(wanted, in_inventory.get(host.name) or []) for host in selection.hosts)
    ]
    jobs = [_job(host, removal, selection) for host, removal in zip(selection.hosts, removals, strict=True)]
    story = Transcript(diff=asked.diff, verbose=asked.verbose, quiet=asked.quiet)
    return roll_out("remove", asked, jobs, selection, story)


def _none(present: set[str]) -> tuple[str, ...]:
    """No role's settings count, and nobody's secrets are looked up."""
    return ()


def _refuse_misspelt(unknown: Sequence[str], there: Sequence[str]) -> None:
    """A name that no role has may be of one that is gone; one that is almost that of a role is a mistake."""
    close = ((name, nearest(name, there)) for name in unknown)
    problems = [
        Problem(f"no role is called {name!r}", hint=f"did you mean {meant!r}?") for name, meant in close if meant
    ]
    if problems:
        raise InputError(problems)


def _in_order(wanted: Sequence[str], roles: Sequence[object]) -> tuple[str, ...]:
    """As the inventory has them: a plan takes the last first. Those that it does not have go last of all."""
    listed = [str(name) for name in roles if name in wanted]
    return (*(name for name in dict.fromkeys(wanted) if name not in listed), *listed)


def _job(host: Host, removal: Removal, selection: hosts.Selection) -> Job:
    staying = [role.load(name, selection.role_path) for name in host.roles if name not in removal.roles]
    folders = templates(selection.role_path)
    return Job(host.target, staying, host.settings, removed=removal, templates=folders)


def _warn(wanted: Sequence[str], asked_for: dict[str, list[object]]) -> None:
    for name in dict.fromkeys(wanted):
        still = [host for host, roles in asked_for.items() if name in roles]
        if still:
            text = f"the inventory still asks for {name} on {names(still)}: the next apply would put it back"
            report.warn(f"warning: {text}")


def _confirm(wanted: Sequence[str], count: int, asked: Asked) -> None:
    if not (asked.yes or asked.check) and sys.stdin.isatty() and sys.stdout.isatty():
        hosts_ = f"{count} host{'' if count == 1 else 's'}"
        click.confirm(f"remove {', '.join(wanted)} from {hosts_}?", abort=True, err=True)
