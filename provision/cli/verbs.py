"""The verbs as click sees them: options, help, one example each. What one does stands in the file of its name.

The law: a verb here imports what it needs when it runs, and returns the exit status.
"""

from pathlib import Path
from typing import Any

import click

from provision.cli import options, shell_completion
from provision.cli.options import Asked
from provision.cli.screen import Answering, Verb
from provision.cli.verb_bundle import bundle
from provision.cli.verb_runs import runs
from provision.cli.verbs_seldom import completion, init, kinds, man, schema


@click.command(
    cls=Verb,
    params=[
        click.Argument(["plan"], required=False, type=click.Path(path_type=Path)),
        options.INVENTORY, options.LIMIT, options.ROLES, options.CHECK, options.DIFF, options.SET, options.FORKS,
        options.WAVES, options.MAX_FAILURES, options.RESUME, options.TIMEOUT, options.WHAT_FOR, options.EXECUTOR,
        options.YES, options.BUNDLE, options.SHARE, options.BANDWIDTH, options.ON_EVENT, options.JSON, options.REPORT,
        options.JUNIT, options.METRICS,
        options.VERBOSE, options.QUIET, options.LIST_HOSTS,
        *options.LOGIN, options.ACCEPT, options.VAULT, options.VAULT_ID, options.NO_EXEC,
    ],
    short_help="Make hosts what their roles ask for.",
)  # fmt: skip
def apply(**given: Any) -> int:
    """\b
    Make hosts what their roles ask for; or just what a PLAN of check --out says.
    Example: provision.py apply -i dgx --limit 'rack1:!dgx07' --waves 1,10%,100%
    """
    from provision.cli import apply

    asked = Asked(**given)
    return apply.converge("check" if asked.check else "apply", asked)


@click.command(
    cls=Verb,
    params=[
        options.INVENTORY, options.LIMIT, options.ROLES, options.DIFF, options.SET, options.FORKS,
        options.MAX_FAILURES, options.TIMEOUT, options.EXECUTOR, options.BUNDLE, options.JSON, options.REPORT,
        options.JUNIT,
        options.METRICS, options.ON_EVENT, options.OUT,
        options.VERBOSE, options.QUIET, options.LIST_HOSTS, *options.LOGIN, options.ACCEPT, options.VAULT,
        options.VAULT_ID, options.NO_EXEC,
    ],
    short_help="Say what apply would change; change nothing.",
)  # fmt: skip
def check(**given: Any) -> int:
    """Say what apply would change, and change nothing; exit 3 if anything would.

    Example: provision.py check -i dgx --diff
    """
    from provision.cli import apply

    return apply.converge("check", Asked(**given))


@click.command(
    cls=Verb,
    params=[
        click.Argument(["roles"], nargs=-1, required=True, metavar="ROLE...", shell_complete=shell_completion.roles),
        options.INVENTORY, options.LIMIT, options.CHECK, options.DIFF, options.FORKS,
        options.WAVES, options.MAX_FAILURES, options.TIMEOUT, options.WHAT_FOR,
        options.YES, options.ON_EVENT, options.JSON, options.REPORT, options.JUNIT, options.METRICS,
        options.VERBOSE, options.QUIET, options.LIST_HOSTS,
        *options.LOGIN, options.ACCEPT, options.VAULT, options.VAULT_ID, options.NO_EXEC,
    ],
    short_help="Take away what roles have put on hosts.",
)  # fmt: skip
def remove(roles: tuple[str, ...], **given: Any) -> int:
    """Take from hosts what these roles have put there; what was there before stays.

    Example: provision.py remove docker_users -i dgx --check --diff
    """
    from provision.cli import remove

    return remove.remove(roles, Asked(**given))


@click.command(
    cls=Verb,
    params=[
        options.INVENTORY, options.LIMIT, options.FORKS, options.TIMEOUT, options.JSON, *options.LOGIN,
        options.ACCEPT, options.VAULT, options.VAULT_ID, options.NO_EXEC,
    ],
    short_help="Show what hosts are: OS, GPUs, driver, Docker.",
)  # fmt: skip
def facts(**given: Any) -> int:
    """Show what hosts are: OS, GPUs, driver, Docker, init. Changes nothing.

    Example: provision.py facts -i dgx --json
    """
    from provision.cli import facts

    return facts.facts(Asked(**given, roles=()))


@click.command(
    cls=Answering,
    params=[
        options.INVENTORY, options.LIMIT,
        click.Option(["--graph"], is_flag=True, help="Show the tree of groups."),
        click.Option(["--host"], metavar="NAME", help="Show a host's values, and where each comes from."),
        options.SET, options.JSON, options.VAULT, options.VAULT_ID, options.NO_EXEC,
    ],
    short_help="Show hosts, groups and where values come from.",
)  # fmt: skip
def inventory(graph: bool, host: str | None, **given: Any) -> int:
    """Show hosts with their groups and roles, the tree of groups, or one host's values.

    Example: provision.py inventory -i dgx --host dgx01
    """
    from provision.cli import inventory

    if graph and host is not None:
        raise click.UsageError("give --graph or --host, not both")
    asked = Asked(**given)
    if asked.limit is not None and (graph or host is not None):
        raise click.UsageError("--limit chooses from the list of hosts; it does not go with --graph or --host")
    return inventory.inventory(asked, graph, host)


@click.command(
    params=[
        click.Argument(["names"], nargs=-1, metavar="[NAME]...", shell_complete=shell_completion.roles),
        options.INVENTORY,
        options.JSON,
    ],
    short_help="Show roles and what can be set for them.",
)
def roles(names: tuple[str, ...], **given: Any) -> int:
    """Show what roles there are; of those named, each setting with type, default and meaning.

    With an inventory, the roles beside it are shown, too.

    Example: provision.py roles docker_daemon
    """
    from provision.cli import roles

    return roles.roles(Asked(**given), names)


@click.command(
    cls=Verb,
    params=[
        options.INVENTORY, options.LIMIT,
        click.Option(
            ["-f", "--forks"], metavar="N", type=options.Count(), default=8, show_default=True,
            help="Processes, each with a host at a time.",
        ),
        click.Option(["--junit"], metavar="FILE", type=click.Path(path_type=Path), help="Write JUnit's XML there."),
        options.REPORT, options.METRICS,
        options.JSON, options.VERBOSE, options.QUIET, *options.LOGIN, options.VAULT, options.VAULT_ID, options.NO_EXEC,
    ],
    short_help="Test hosts from outside, with testinfra.",
)  # fmt: skip
def verify(junit: Path | None, **given: Any) -> int:
    """Test from outside, with pytest and testinfra, that hosts have what their roles ask for; change nothing.

    Folders with tests of your own are named by the inventory's variable verify_tests.

    Example: provision.py verify -i dgx --junit verify.xml
    """
    from provision.cli import verify

    return verify.verify(Asked(**given), junit)


@click.command(
    cls=Verb,
    params=[
        options.INVENTORY, options.LIMIT, options.FORKS, options.TIMEOUT, options.JSON, options.REPORT,
        options.METRICS, options.VERBOSE, *options.LOGIN,
        options.ACCEPT, options.VAULT, options.VAULT_ID, options.NO_EXEC,
    ],
    short_help="Show what is pending, done and proven, and who is at work.",
)  # fmt: skip
def status(**given: Any) -> int:
    """Show each host's pending changes, last run and proof, unmanaged roles and lock. Changes nothing.

    Exit status: 0 all hosts were read, 3 something is pending, 1 a host was not read.

    Example: provision.py status -i dgx
    """
    from provision.cli import status

    return status.status(Asked(**given, roles=()))


@click.command(
    cls=Verb,
    params=[
        options.INVENTORY, options.LIMIT,
        click.Option(["--force"], is_flag=True, help="End a run even while it installs packages."),
        options.FORKS, options.TIMEOUT, options.YES, options.JSON, *options.LOGIN, options.ACCEPT, options.VAULT,
        options.VAULT_ID, options.NO_EXEC,
    ],
    short_help="Show whose run holds hosts, and end it.",
)  # fmt: skip
def unlock(force: bool, **given: Any) -> int:
    """Show whose run holds hosts, and end it there, with --yes or after a question.

    Seldom needed: a run that died holds nothing, and one whose controller is
    gone ends by itself. Exit status 3: something holds a host still.

    Example: provision.py unlock -i dgx --limit dgx07
    """
    from provision.cli import unlock

    return unlock.unlock(Asked(**given, roles=()), force)


@click.command(
    cls=Verb,
    params=[
        click.Argument(["key"], metavar="KEY"), options.INVENTORY, options.LIMIT, options.SET, options.FORKS,
        options.TIMEOUT, options.JSON, *options.LOGIN, options.ACCEPT, options.VAULT, options.VAULT_ID, options.NO_EXEC,
    ],
    short_help="Show who owns an option of the Docker daemon.",
)  # fmt: skip
def why(key: str, **given: Any) -> int:
    """Show who owns an option of the Docker daemon: asked, written, there, live. Changes nothing.

    KEY is one of daemon.json's, dotted for an entry: bip, runtimes.nvidia.

    Example: provision.py why default-runtime -i dgx
    """
    from provision.cli import why

    return why.why(key, Asked(**given))


SELDOM = [bundle, completion, init, kinds, man, schema]
"""Named in the help of the program, and no more."""
VERBS = [
    apply,
    bundle,
    check,
    completion,
    facts,
    init,
    inventory,
    kinds,
    man,
    remove,
    roles,
    runs,
    schema,
    status,
    unlock,
    verify,
    why,
]
