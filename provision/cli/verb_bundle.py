"""The verb bundle as click sees it: its options, its help, and what stands below it.

The law: as in verbs.py.
"""

from pathlib import Path
from typing import Any

import click

from provision.cli import options
from provision.cli.options import Asked
from provision.cli.screen import VerbWithOthers

OUT = click.Option(
    ["--out"], metavar="DIR", type=click.Path(path_type=Path, file_okay=False), help="Make it there, or renew it."
)
FOR = click.Option(
    ["--for", "releases"],
    metavar="OS:RELEASE/ARCH,…",
    callback=options.listed,
    help="Of these, and ask no host: debian:trixie/amd64",
)
VIA = click.Option(["--via"], metavar="HOST", help="Fetch on this host of the inventory.")
ALSO = click.Option(
    ["--also"],
    metavar="ROLE.KEY=VALUE",
    multiple=True,
    help="For that as well: a version to go back to.",
)


@click.group(
    cls=VerbWithOthers,
    params=[
        options.INVENTORY, options.LIMIT, options.ROLES, options.SET, OUT, FOR, VIA, ALSO, options.FORKS, options.JSON,
        *options.LOGIN, options.ACCEPT, options.VAULT, options.VAULT_ID, options.NO_EXEC,
    ],
    invoke_without_command=True,
    subcommand_metavar="[verify DIR]",
    short_help="Pack what hosts without a network install.",
)  # fmt: skip
@click.pass_context
def bundle(
    context: click.Context,
    /,
    out: Path | None,
    releases: tuple[str, ...] | None,
    via: str | None,
    also: tuple[str, ...],
    **given: Any,
) -> int:
    """Fetch all that the roles would install, for hosts without a network; run again, it fetches what is new.

    Example: provision.py bundle -i dgx --out /media/usb/dgx
    """
    from provision.cli import bundle

    if context.invoked_subcommand:
        return 0
    if out is None:
        raise click.UsageError("say where: --out DIR")
    return bundle.make(Asked(**given), out, releases or (), via, also)


@bundle.command(
    params=[click.Argument(["folder"], metavar="DIR", type=click.Path(path_type=Path)), options.JSON],
    short_help="Is a bundle whole, and signed by its vendors?",
)
def verify(folder: Path, as_json: bool) -> int:
    """Is a bundle whole, and signed by its vendors? Exit status 1 where not.

    Example: provision.py bundle verify /media/usb/dgx
    """
    from provision.cli import bundle

    return bundle.verify(folder, as_json)
