"""Runs a verb on hosts: from its jobs to the exit status, with all who listen.

The law: what can be refused was refused before: here the first host is connected to.
"""

import getpass
import os
import secrets
import socket
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provision import journal, loader, report
from provision.cli import executor, gc_tuning, hosts, resume
from provision.cli.interrupt import INTERRUPTED, SAID, Interrupts
from provision.cli.options import Asked
from provision.cli.views import Views
from provision.errors import InputError, Problem
from provision.events import Event, Looked, Notice, Progress, Sink
from provision.report.summary import exit_status
from provision.report.transcript import Transcript
from provision.rollout import Job, Rollout
from provision.run import Run, TimeLimits
from provision.transport import Pool

READING = ("facts", "status", "why", "unlock")
"""Verbs of which no record is kept, and that ask hosts in place of planning them."""
if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.bundle.shelf import Shelf
    from provision.cli.sharing import Share

CHANGE = ("apply", "remove")
"""Verbs that change hosts, unless --check is given."""


def roll_out(  # noqa: PLR0917
    verb: str,
    asked: Asked,
    jobs: Sequence[Job],
    selection: hosts.Selection,
    story: Transcript,
    watch: Sink = lambda event: None,
) -> int:
    """Ask or change these hosts while people or programs watch; `watch` hears of everything, too."""
    limits = TimeLimits(host=asked.timeout)
    only_asks = verb in READING
    check = asked.check or verb not in CHANGE
    shelf = _shelf(asked)
    run = Run(run_id(), _by(), check, only_asks, limits, comment=asked.comment, bundle=shelf)
    ready = executor.opened(asked, selection, run.id)
    output = report.Output(sys.stdout)
    view = report.view(output, story, as_json=asked.as_json)
    mask = hosts.mask(selection.hosts)
    told = None
    if not only_asks:
        told = {"verb": verb, "by": run.by, "comment": run.comment} | resume.told(
            asked, selection.hosts, mask, selection.source
        )
    views = Views(view, run.id, asked, told)

    def sink(event: Event) -> None:
        if not isinstance(event, Looked):
            views(event)
        watch(event)

    share = _share(asked, lambda host, text: rollout.sink(Progress(host, text)))
    rollout = Rollout(run, verb, jobs, sink, mask, asked.forks, selection.policy, share=share)
    output.on_closed = rollout.cancel
    pool = Pool(accept_new_host_keys=asked.accept_new_host_keys, on_host_key=lambda text: rollout.sink(Notice(text)))

    def cancel() -> None:
        rollout.cancel()
        view.tell(SAID)

    gc_tuning.begin()
    if executor.wanted(asked) is None:  # elsewhere each worker packs for itself
        loader.prepare(bundle=shelf is not None)
    try:
        with Interrupts(cancel, view.abandon) as interrupts:
            summary = rollout.execute(pool, ready)
    finally:
        pool.close()
        if share is not None:
            share.close()
        complete = views.close()
    if interrupts.happened:
        return INTERRUPTED
    if output.problem:
        report.warn(output.problem)
        return 1
    return INTERRUPTED if output.closed else exit_status(summary) or (0 if complete else 1)


def _shelf(asked: Asked) -> "Shelf | None":
    """The bundle that hosts are given, if any. Raises InputError."""
    if asked.bundle is None:
        if asked.bandwidth is not None and not asked.share:
            hint = "give --bundle DIR, or leave it out"
            raise InputError([Problem("--bandwidth is that of --bundle or --share", hint=hint)])
        return None
    if executor.wanted(asked) is not None:
        raise InputError([Problem("--bundle and --executor do not go together", hint="leave out one of the two")])
    from provision.bundle.shelf import Shelf

    return Shelf(asked.bundle, asked.bandwidth)


def _share(asked: Asked, say: "Callable[[str, str], None]") -> "Share | None":
    """What makes the hosts' packages come once for all, where that is asked for. Raises InputError."""
    if not asked.share or asked.check:
        return None
    for other, given in (("--bundle", asked.bundle), ("--executor", executor.wanted(asked))):
        if given is not None:
            raise InputError([Problem(f"--share and {other} do not go together", hint="leave out one of the two")])
    from provision.cli import sharing

    return sharing.Share(journal.folder().parent, asked.forks, asked.bandwidth, say)


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
