"""The command line: verbs and options, with click; the only package that imports it.

The law: a verb reads its options, wires the parts together and ends with an exit status; what it says goes through
`report`. Nothing heavy is imported before a verb runs, so that `--help` answers at once. Exit status, the first that
holds: 130 interrupted, 2 bad input (nothing was touched), 1 a host failed, 3 something is left to change, 0.
"""

import contextlib
import os
import signal
import sys
from typing import Any, NoReturn

import click

from provision.cli import gc_tuning
from provision.cli.verbs import SELDOM, VERBS

INTERRUPTED = 130

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for plugins costs each start 25 ms


class _Verbs(click.Group):
    """Ends with the status that a verb returns; what is wrong with the input becomes lines on standard error."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            what = f"No such option {error.option_name!r} before the verb: as in provision.py check -i dgx"
            raise click.UsageError(what, ctx) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write("\nOptions: --version; -h or --help, of a verb, too.\n")
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Verbs for every day with a line each; the others are named, or all this would be longer than a screen."""
        rows = [(verb.name or "", verb.get_short_help_str(78)) for verb in VERBS if verb not in SELDOM]
        with formatter.section("Commands"):
            formatter.write_dl([*rows, ("more", ", ".join(str(verb.name) for verb in SELDOM))])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            ctx.exit(super().invoke(ctx) or 0)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            from provision.errors import InputError
            from provision.report.output import warn

            if not isinstance(error, InputError):
                raise
            warn(*map(str, error.problems))
            ctx.exit(2)


def _versions(ctx: click.Context, option: click.Parameter, wanted: bool) -> None:
    if wanted:
        from provision.cli import versions

        click.echo("\n".join(versions.lines()))
        ctx.exit()


@click.group(
    cls=_Verbs,
    commands=VERBS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_versions, help="Show versions.")
def provision() -> None:
    """\b
    Take GPU hosts from a bare OS to proven GPU containers, over SSH.
    Example: provision.py check --inventory dgx --diff, then apply.
    Exit status: 0 as asked, 1 a host failed, 2 bad input, 3 not all done, 130 ^C.
    """


def main() -> NoReturn:
    """The entry of the program: runs the verb that the command line names, and exits."""
    gc_tuning.wait()
    with contextlib.suppress(ValueError):  # not the main thread: a test
        signal.signal(signal.SIGTERM, _terminated)
    try:
        status = provision.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        status = INTERRUPTED
    except BrokenPipeError:
        # Nobody reads on: not worth a word, not even by the interpreter when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = INTERRUPTED
    gc_tuning.end()
    sys.exit(status if isinstance(status, int) else 0)


def _terminated(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
