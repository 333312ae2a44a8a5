"""The verb runs as click sees it: the filters of the list, and `show`.

The law: as in verbs.py.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from provision.cli import options, shell_completion
from provision.cli.options import Asked

UNITS = {"min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class Moment(click.ParamType):  # type: ignore[type-arg] # not generic in each version of click
    """A time that has been: an age, or a date with or without a time of day."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        age = re.fullmatch(r"(\d{1,6})\s*(min|h|d|w)", value)
        try:
            if age:
                return datetime.now(UTC) - timedelta(seconds=int(age[1]) * UNITS[age[2]])
            return datetime.fromisoformat(value).astimezone()
        except (ValueError, OverflowError):
            what = "write an age, as in 12h or 3d, or a date, as in 2026-11-25 or 2026-11-25T14:30"
            self.fail(f"{value!r} is no time: {what}", param, ctx)


def _filter(*names: str, **settings: Any) -> click.Option:
    return click.Option(list(names), **settings)


@click.group(
    params=[
        _filter("--by", metavar="WHO", help="Only this user's, as in alice, alice@ctl or @ctl."),
        _filter(
            "-i", "--inventory", metavar="NAME", shell_complete=shell_completion.inventories, help="Only of this one."
        ),
        _filter("--host", metavar="NAME", help="Only those in which this host was."),
        _filter("-l", "--limit", metavar="TEXT", help="Only with this in their --limit."),
        _filter("--comment", metavar="TEXT", help="Only with this in their comment."),
        _filter("--verb", metavar="VERB", help="Only of this verb."),
        _filter("--outcome", metavar="OUTCOME", help="Only that ended so: ok, changed, failed, killed, …"),
        _filter("--since", metavar="TIME", type=Moment(), help="Only from then on: 12h, 3d, 2026-11-25."),
        _filter("-n", "--newest", metavar="N", type=options.Count(), help="Only so many, the newest."),
        options.JSON,
    ],
    invoke_without_command=True,
    subcommand_metavar="[show RUN]",
    short_help="List runs, or show one again.",
)  # fmt: skip
@click.pass_context
def runs(context: click.Context, /, as_json: bool, **wanted: Any) -> int:
    """List the runs that are recorded: when, what, whose, and how they ended.

    * and ? stand for any text and any character; case does not count.

    \b
    Example: provision.py runs --by alice --since 3d --outcome failed
    """
    from provision.cli.runs import Wanted, listed

    if context.invoked_subcommand:
        if any(value is not None for value in wanted.values()):
            raise click.UsageError("what is given before `show` chooses from the list: leave it out, or leave out show")
        return 0
    return listed(Wanted(**wanted), as_json)


@runs.command(
    params=[
        click.Argument(["run"], default="last", shell_complete=shell_completion.runs),
        options.DIFF, options.VERBOSE, options.JSON, options.REPORT,
        options.JUNIT,
    ],
    short_help="Show a run again: an ID, its beginning, or last.",
)  # fmt: skip
def show(run: str, **given: Any) -> int:
    """Show a run again as it was shown, or write its reports. RUN is an ID, its beginning, last, or a file of
    check --out.

    Example: provision.py runs show last --diff
    """
    from provision.cli.runs import show

    return show(run, Asked(**given))
