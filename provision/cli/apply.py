"""The verbs apply and check: from what was asked to the exit status.

The law: nothing is connected to before all input was found right and the one question was answered.
"""

import sys

import click

from provision import report
from provision.cli import executor, hosts, resume, saved_plan
from provision.cli.interrupt import INTERRUPTED
from provision.cli.lines import show
from provision.cli.options import Asked
from provision.cli.run_verb import roll_out
from provision.report.text import Line
from provision.report.transcript import Transcript
from provision.rollout import order

MANY = 10
"""Hosts; an apply to more asks first, on a terminal."""


def converge(verb: str, asked: Asked) -> int:
    """`apply` or `check`. Raises InputError before anything is connected to."""
    asked, plan = saved_plan.complete(asked)
    asked, past = resume.complete(asked)
    # Workers elsewhere look up secrets themselves: this process has none then.
    here = executor.wanted(asked) is None
    selection = hosts.select(asked, secrets=here and not asked.list_hosts, past=past, hooks=verb == "apply", plan=plan)
    if asked.list_hosts:
        return show(Line(host.name) for host in selection.hosts)
    if past is not None and not selection.hosts:
        report.warn(f"run {past.run} has finished all of these hosts: nothing is left to do")
        return 0
    if verb == "apply" and not asked.yes:
        _confirm(len(selection.hosts))
    story = Transcript(diff=asked.diff, verbose=asked.verbose, quiet=asked.quiet)
    jobs = order.jobs(selection.hosts, selection.role_path, asked.roles)
    if plan is not None:
        jobs = saved_plan.bound(plan, jobs, selection)
    jobs, recorder = saved_plan.recorded(asked, jobs, selection)
    if recorder is None:
        return roll_out(verb, asked, jobs, selection, story)
    status = roll_out(verb, asked, jobs, selection, story, recorder)
    if status == INTERRUPTED:
        return status
    return status if saved_plan.save(recorder, asked, selection) else 1


def _confirm(count: int) -> None:
    """The one question. Declined: nothing was touched."""
    if count > MANY and sys.stdin.isatty() and sys.stdout.isatty():
        click.confirm(f"apply to {count} hosts?", abort=True, err=True)
