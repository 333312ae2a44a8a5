"""Verbs that are needed now and then: init, kinds, schema, completion and man. They connect to nothing.

The law: a verb here imports what it needs when it runs, and returns the exit status.
"""

from pathlib import Path
from typing import Any

import click

from provision.cli import options, shell_completion
from provision.cli.options import Asked

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_PROVISION_COMPLETE"


@click.command(
    params=[click.Argument(["folder"], default=".", type=click.Path(path_type=Path), metavar="[FOLDER]")],
    short_help="Begin a folder: an inventory and a role.",
)
def init(folder: Path) -> int:
    """Write a first inventory, a role and the schema for editors into a folder of yours; overwrite nothing.

    Example: provision.py init infrastructure
    """
    from provision.cli import init

    return init.init(folder)


@click.command(
    params=[click.Argument(["shell"], type=click.Choice(SHELLS))],
    short_help="Print what a shell needs to complete.",
)
@click.pass_context
def completion(context: click.Context, shell: str) -> int:
    """Print what a shell needs to complete verbs, options, hosts, groups, roles, settings and runs.

    \b
    Example: provision completion bash > ~/.bash_completion.d/provision
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None, shell
    click.echo(found(context.find_root().command, {}, "provision", VARIABLE).source())
    return 0


@click.command(params=[], short_help="Print the man page.")
@click.pass_context
def man(context: click.Context) -> int:
    """Print the man page, made from the verbs and their options.

    Example: provision man > ~/.local/share/man/man1/provision.1
    """
    from provision.cli import man

    program = context.find_root().command
    assert isinstance(program, click.Group)
    for text in man.page(program):
        click.echo(text)
    return 0


@click.command(
    params=[
        click.Argument(["names"], nargs=-1, metavar="[NAME]...", shell_complete=shell_completion.kinds),
        options.INVENTORY,
        options.JSON,
    ],
    short_help="Show what kinds of resource a role may yield.",
)
def kinds(names: tuple[str, ...], **given: Any) -> int:
    """Show what kinds of resource a role may yield; of those named, each field with type, default and meaning.

    With an inventory, the kinds beside it are shown, too.

    Example: provision.py kinds File Service
    """
    from provision.cli import roles

    return roles.kinds(Asked(**given), names)


@click.command(
    params=[
        options.INVENTORY,
        click.Option(["--variables"], is_flag=True, help="Of files in group_vars/ and host_vars/ instead."),
    ],
    short_help="Print the JSON Schema of inventories, for editors.",
)
def schema(variables: bool, **given: Any) -> int:
    """Print the JSON Schema of inventories, made from the roles, for editors.

    Example: provision.py schema > inventory.schema.json
    """
    from provision.cli import schema

    return schema.schema(Asked(**given), variables)
