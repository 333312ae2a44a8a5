"""Help that fits a screen of 80 x 24, for verbs with many options.

The law: a help that has to be scrolled is not read.
"""

from itertools import zip_longest

import click

from provision.cli import options

FLAG_WIDTH = 38
"""Characters; two flags with their help stand in one line of 80."""


class Answering(click.Command):
    """A verb. An option of Ansible's that it lacks is answered with ours."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            ours = options.ANSIBLE.get(error.option_name)
            if ours is None:
                raise
            raise click.UsageError(f"No such option {error.option_name!r}; Ansible's is here: {ours}", ctx) from None


class Verb(Answering):
    """A verb that connects. It has many options: flags stand two in a line, and --help does not explain itself, or its
    help would be longer than a screen."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        given = [option for option in self.params if isinstance(option, click.Option)]
        shown = [(option, option.get_help_record(ctx)) for option in given]
        flags = [f"{record[0]}  {record[1]}" for option, record in shown if record and _brief(option)]
        long = [flag for flag in flags if len(flag) >= FLAG_WIDTH]
        short = [flag for flag in flags if flag not in long]
        with formatter.section("Options"):
            formatter.write_dl([record for option, record in shown if record and not _brief(option)])
            for left, right in zip_longest(short[::2], short[1::2], fillvalue=""):
                formatter.write(f"  {left:<{FLAG_WIDTH}}{right}".rstrip() + "\n")
            formatter.write("".join(f"  {flag}\n" for flag in long))


def _brief(option: click.Parameter) -> bool:
    """Does it stand beside another one in a line: a flag, or an option with as few words?"""
    return getattr(option, "is_flag", False) or option in options.BRIEF


class VerbWithOthers(Verb, click.Group):
    """The same for a verb that has others below it."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)
