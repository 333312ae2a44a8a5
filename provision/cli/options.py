"""The options that verbs share, each with its help in one line, so that a verb's `--help` fits a screen of 80 x 24.

The law: declarations only; an option that does nothing yet does not exist.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click


@dataclass(frozen=True)
class Asked:
    """What the command line asked for. A verb without an option has its default."""

    inventory: str | None = None
    limit: str | None = None
    roles: tuple[str, ...] | None = None
    check: bool = False
    diff: bool = False
    overrides: tuple[str, ...] = ()
    forks: int = 32
    timeout: float = 3600.0
    """Seconds."""
    yes: bool = False
    as_json: bool = False
    verbose: bool = False
    accept_new_host_keys: bool = False
    vault_password_file: Path | None = None
    no_exec: bool = False
    comment: str = ""
    waves: str | None = None
    max_failures: str | None = None
    resume: str | None = None
    executor: str | None = None
    report: Path | None = None
    junit: Path | None = None
    metrics: Path | None = None
    on_event: tuple[str, ...] | None = None


def _listed(context: click.Context, parameter: click.Parameter, given: str | None) -> tuple[str, ...] | None:
    """`a,b` as a tuple; None where the option was not given."""
    if given is None:
        return None
    names = tuple(dict.fromkeys(part.strip() for part in given.split(",") if part.strip()))
    if not names:
        raise click.BadParameter("name at least one role")
    return names


def _one_line(context: click.Context, parameter: click.Parameter, given: str) -> str:
    """A comment as one short line: it is shown to others, on their terminals."""
    line = " ".join("".join(mark if mark.isprintable() else " " for mark in given).split())
    if len(line) > COMMENT:
        raise click.BadParameter(f"has {len(line)} characters, and there is room for {COMMENT}")
    return line


def _argv(context: click.Context, parameter: click.Parameter, given: str | None) -> tuple[str, ...] | None:
    """A program with its arguments, in a shell's quotes; no shell ever sees it."""
    if given is None:
        return None
    try:
        words = tuple(shlex.split(given))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if not words:
        raise click.BadParameter("name a program")
    return words


def _option(*names: str, **settings: Any) -> click.Option:
    return click.Option(list(names), **settings)


COMMENT = 200
"""Characters."""
INVENTORY = _option(
    "-i", "--inventory", metavar="NAME|PATH", envvar="PROVISION_INVENTORY", help="Inventory (or $PROVISION_INVENTORY)."
)
LIMIT = _option("--limit", metavar="PATTERN", help="Only these: dgx:&rack1:!dgx07, @failed:last, …")
ROLES = _option("--roles", metavar="A,B", callback=_listed, help="Only these of the hosts' roles.")
CHECK = _option("--check", is_flag=True, help="Change nothing, as check.")
DIFF = _option("--diff", is_flag=True, help="Show differences.")
SET = _option(
    "--set", "overrides", metavar="ROLE.KEY=VALUE", multiple=True, help="Override one setting; may be repeated."
)
FORKS = _option(
    "--forks", metavar="N", type=click.IntRange(1), default=32, show_default=True, help="Hosts at the same time."
)
TIMEOUT = _option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(0, min_open=True),
    default=3600,
    show_default=True,
    help="Limit for one host.",
)
WAVES = _option("--waves", metavar="1,10%,100%", help="How many are done when each wave ends.")
MAX_FAILURES = _option("--max-failures", metavar="N|P%", help="Stop at so many. [default: none; with waves 1]")
EXECUTOR = _option("--executor", metavar="URL", help="On Dask: dask+tls://HOST:PORT, dask+local:N.")
RESUME = _option("--resume", metavar="RUN", help="Go on with: ID or last.")
WHAT_FOR = _option("--comment", metavar="TEXT", default="", callback=_one_line, help="Why; others see it.")
REPORT = _option("--report", metavar="FILE", type=click.Path(path_type=Path), help="Write one HTML page.")
JUNIT = _option("--junit", metavar="FILE", type=click.Path(path_type=Path), help="Write JUnit's XML.")
METRICS = _option("--metrics", metavar="FILE", type=click.Path(path_type=Path), help="Prometheus metrics.")
ON_EVENT = _option("--on-event", metavar="PROGRAM", callback=_argv, help="Run on events.")
YES = _option("--yes", is_flag=True, help="Do not ask.")
JSON = _option("--json", "as_json", is_flag=True, help="JSON lines on stdout.")
VERBOSE = _option("-v", "--verbose", is_flag=True, help="Show what is ok.")
ACCEPT = _option("--accept-new-host-keys", is_flag=True, help="Trust unknown hosts, and remember them.")
VAULT = _option(
    "--vault-password-file", metavar="FILE", type=click.Path(path_type=Path), help="Password of Ansible vaults."
)
NO_EXEC = _option("--no-exec", is_flag=True, help="Run no programs.")
