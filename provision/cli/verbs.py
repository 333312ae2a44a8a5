"""The verbs as click sees them: options, help, one example each. What they do stands in rolling.py and reading.py.

The law: a verb here imports what it needs when it runs, and returns the exit status.
"""

from pathlib import Path
from typing import Any

import click

from provision.cli import options
from provision.cli.options import Asked


@click.command(
    params=[
        options.INVENTORY, options.LIMIT, options.ROLES, options.CHECK, options.DIFF, options.SET, options.FORKS,
        options.TIMEOUT, options.YES, options.JSON, options.VERBOSE, options.ACCEPT, options.VAULT, options.NO_EXEC,
    ],
    short_help="Make hosts what their roles ask for.",
)  # fmt: skip
def apply(**given: Any) -> int:
    """Make hosts what their roles ask for. A second run changes nothing.

    Example: provision.py apply -i dgx --limit 'rack1:!dgx07' --diff
    """
    from provision.cli import rolling

    asked = Asked(**given)
    return rolling.converge("check" if asked.check else "apply", asked)


@click.command(
    params=[
        options.INVENTORY, options.LIMIT, options.ROLES, options.DIFF, options.SET, options.FORKS, options.TIMEOUT,
        options.JSON, options.VERBOSE, options.ACCEPT, options.VAULT, options.NO_EXEC,
    ],
    short_help="Say what apply would change; change nothing.",
)  # fmt: skip
def check(**given: Any) -> int:
    """Say what apply would change, and change nothing; exit 3 if anything would.

    Example: provision.py check -i dgx --diff
    """
    from provision.cli import rolling

    return rolling.converge("check", Asked(**given))


@click.command(
    params=[
        options.INVENTORY, options.LIMIT, options.FORKS, options.TIMEOUT, options.JSON, options.ACCEPT, options.VAULT,
        options.NO_EXEC,
    ],
    short_help="Show what hosts are: OS, GPUs, driver, Docker.",
)  # fmt: skip
def facts(**given: Any) -> int:
    """Show what hosts are: OS, GPUs, driver, Docker, init. Changes nothing.

    Example: provision.py facts -i dgx --json
    """
    from provision.cli import rolling

    return rolling.facts(Asked(**given, roles=()))


@click.command(
    params=[
        options.INVENTORY, options.LIMIT,
        click.Option(["--graph"], is_flag=True, help="Show the tree of groups."),
        click.Option(["--host"], metavar="NAME", help="Show a host's values, and where each comes from."),
        options.SET, options.JSON, options.VAULT, options.NO_EXEC,
    ],
    short_help="Show hosts, groups and where values come from.",
)  # fmt: skip
def inventory(graph: bool, host: str | None, **given: Any) -> int:
    """Show hosts with their groups and roles, the tree of groups, or one host's values.

    Example: provision.py inventory -i dgx --host dgx01
    """
    from provision.cli import reading

    if graph and host is not None:
        raise click.UsageError("give --graph or --host, not both")
    asked = Asked(**given)
    if asked.limit is not None and (graph or host is not None):
        raise click.UsageError("--limit chooses from the list of hosts; it does not go with --graph or --host")
    return reading.inventory(asked, graph, host)


@click.command(
    params=[click.Argument(["names"], nargs=-1, metavar="[NAME]..."), options.INVENTORY, options.JSON],
    short_help="Show roles and what can be set for them.",
)
def roles(names: tuple[str, ...], **given: Any) -> int:
    """Show what roles there are; of those named, each setting with type, default and meaning.

    With an inventory, the roles beside it are shown, too.

    Example: provision.py roles docker_daemon
    """
    from provision.cli import reading

    return reading.roles(Asked(**given), names)


@click.command(params=[options.INVENTORY], short_help="Print the JSON Schema of inventories, for editors.")
def schema(**given: Any) -> int:
    """Print the JSON Schema of inventories, made from the roles, for editors.

    Example: provision.py schema > inventory.schema.json
    """
    from provision.cli import reading

    return reading.schema(Asked(**given))


@click.command(
    params=[
        options.INVENTORY, options.LIMIT,
        click.Option(
            ["--forks"], metavar="N", type=click.IntRange(1), default=8, show_default=True,
            help="Processes, each with a host at a time.",
        ),
        click.Option(["--junit"], metavar="FILE", type=click.Path(path_type=Path), help="Write JUnit's XML there."),
        options.JSON, options.VERBOSE, options.VAULT, options.NO_EXEC,
    ],
    short_help="Test hosts from outside, with testinfra.",
)  # fmt: skip
def verify(junit: Path | None, **given: Any) -> int:
    """Test from outside, with pytest and testinfra, that hosts have what their roles ask for; change nothing.

    Folders with tests of your own are named by the inventory's variable verify_tests.

    Example: provision.py verify -i dgx --junit verify.xml
    """
    from provision.cli import verifying

    return verifying.verify(Asked(**given), junit)


VERBS = [apply, check, facts, inventory, roles, schema, verify]
