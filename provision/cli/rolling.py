"""The verbs that connect: apply, check and facts, from what was asked to the exit status.

The law: nothing is connected to before all input was found right and the one question was answered.
"""

import getpass
import os
import secrets
import socket
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from provision import bundle, report, role
from provision.cli import garbage, hosts, resuming
from provision.cli.interrupt import INTERRUPTED, SAID, Interrupts
from provision.cli.options import Asked
from provision.cli.views import Views
from provision.events import Notice
from provision.report.ending import exit_status
from provision.report.facts import FactsStory
from provision.rollout import Job, Rollout
from provision.secrets import Mask
from provision.session import Limits, Run
from provision.transport import Pool

MANY = 10
"""Hosts; an apply to more asks first, on a terminal."""


def converge(verb: str, asked: Asked) -> int:
    """`apply` or `check`. Raises InputError before anything is connected to."""
    asked, past = resuming.complete(asked)
    selection = hosts.select(asked, past=past)
    if past is not None and not selection.hosts:
        report.warn(f"run {past.run} has finished all of these hosts: nothing is left to do")
        return 0
    if verb == "apply" and not asked.yes:
        _confirm(len(selection.hosts))
    story = report.Story(diff=asked.diff, verbose=asked.verbose)
    return _roll_out(verb, asked, _jobs(selection, asked), selection, story)


def facts(asked: Asked) -> int:
    """What hosts are. Raises InputError before anything is connected to."""
    selection = hosts.select(asked)
    jobs = [Job(host.target, (), {}) for host in selection.hosts]
    return _roll_out("facts", asked, jobs, selection, FactsStory())


def _confirm(count: int) -> None:
    """The one question. Declined: nothing was touched."""
    if count > MANY and sys.stdin.isatty() and sys.stdout.isatty():
        click.confirm(f"apply to {count} hosts?", abort=True, err=True)


def _jobs(selection: hosts.Selection, asked: Asked) -> list[Job]:
    names = dict.fromkeys(name for host in selection.hosts for name in host.roles)
    loaded = {name: role.load(name, selection.role_path) for name in names}
    return [
        Job(host.target, [loaded[name] for name in host.roles], host.settings, asked.roles) for host in selection.hosts
    ]


def _roll_out(verb: str, asked: Asked, jobs: Sequence[Job], selection: hosts.Selection, story: report.Story) -> int:
    output = report.Output(sys.stdout)
    view = report.view(output, story, as_json=asked.as_json)
    limits = Limits(host=asked.timeout)
    run = Run(run_id(), _by(), check=verb != "apply", facts_only=verb == "facts", limits=limits)
    mask = Mask(hosts.secrets_in([(host.target, dict(host.settings)) for host in selection.hosts]))
    told = None
    if verb != "facts":
        told = {"verb": verb, "by": run.by} | resuming.told(asked, selection.hosts, mask, selection.inventory)
    views = Views(view, run.id, asked, told)
    rollout = Rollout(run, verb, jobs, views, mask, asked.forks, selection.policy)
    output.on_closed = rollout.cancel
    pool = Pool(accept_new_host_keys=asked.accept_new_host_keys, on_host_key=lambda text: rollout.sink(Notice(text)))

    def cancel() -> None:
        rollout.cancel()
        view.tell(SAID)

    garbage.begin()
    bundle.prepare(run.options())
    try:
        with Interrupts(cancel, view.abandon) as interrupts:
            summary = rollout.execute(pool)
    finally:
        pool.close()
        complete = views.close()
    if interrupts.happened:
        return INTERRUPTED
    if output.problem:
        report.warn(output.problem)
        return 1
    return INTERRUPTED if output.closed else exit_status(summary) or (0 if complete else 1)


def run_id() -> str:
    """Sorts by time (UTC, to the millisecond), and two runs of one moment differ."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z-{secrets.token_hex(2)}"


def _by() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user that has no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
