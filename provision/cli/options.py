"""The options that verbs share, each with its help in one line, so that a verb's `--help` fits a screen of 80 x 24.

The law: declarations only; an option that does nothing yet does not exist.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from provision.cli import shell_completion


@dataclass(frozen=True)
class Asked:
    """What the command line asked for. A verb without an option has its default."""

    inventory: tuple[str, ...] = ()
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
    quiet: bool = False
    list_hosts: bool = False
    user: str | None = None
    become: bool | None = None
    ask_pass: bool = False
    ask_become_pass: bool = False
    accept_new_host_keys: bool = False
    vault_password_files: tuple[str, ...] = ()
    vault_ids: tuple[str, ...] = ()
    """LABEL@SOURCE, or a source alone: `inventory.vault.identity`."""
    ansible_config: str | None = None
    """The ansible.cfg of a run that is gone on with; else it is looked for."""
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
    bundle: Path | None = None
    share: bool = False
    bandwidth: float | None = None
    """Bytes a second."""
    out: Path | None = None
    plan: Path | None = None


def listed(context: click.Context, parameter: click.Parameter, given: str | None) -> tuple[str, ...] | None:
    """`a,b` as a tuple; None where the option was not given."""
    if given is None:
        return None
    names = tuple(dict.fromkeys(part.strip() for part in given.split(",") if part.strip()))
    if not names:
        raise click.BadParameter("name at least one")
    return names


def _one_line(context: click.Context, parameter: click.Parameter, given: str) -> str:
    """A comment as one short line: it is shown to others, on their terminals."""
    line = " ".join("".join(mark if mark.isprintable() else " " for mark in given).split())
    if len(line) > COMMENT:
        raise click.BadParameter(f"has {len(line)} characters, and there is room for {COMMENT}")
    return line


class _Inventory(click.Option):
    """An option that may be given several times; its variable holds one."""

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """The variable as one path, whatever is in it."""
        given = self.resolve_envvar_value(ctx)
        return None if given is None else (given,)


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


class Count(click.ParamType):  # type: ignore[type-arg] # not generic in each version of click
    """A number of hosts or processes, 1 or more."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if not value.isascii() or not value.isdigit() or not int(value):
            self.fail(f"{value!r} is no number of 1 or more: write a number, as in --forks 32", param, ctx)
        return int(value)


class Seconds(click.ParamType):  # type: ignore[type-arg] # not generic in each version of click
    """A time limit."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            number = 0
        if not 0 < number < float("inf"):
            self.fail(f"{value!r} is no time above 0: write seconds, as in --timeout 3600", param, ctx)
        return number


def _forks() -> int:
    """Where none are given: ansible.cfg's, or ours."""
    from provision.inventory import ansible_config

    return ansible_config.read().forks or 32


class Rate(click.ParamType):  # type: ignore[type-arg] # not generic in each version of click
    """Bytes a second: 25Mbit, 3MB."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([kMG])(bit|B)", value) if isinstance(value, str) else None
        if match is None or not float(match[1]):
            self.fail(f"{value!r} is no rate: write bits or bytes a second, as in 25Mbit or 3MB", param, ctx)
        return float(match[1]) * {"k": 1e3, "M": 1e6, "G": 1e9}[match[2]] / (8 if match[3] == "bit" else 1)


def _option(*names: str, **settings: Any) -> click.Option:
    return click.Option(list(names), **settings)


COMMENT = 200
"""Characters."""
INVENTORY = _Inventory(
    ["-i", "--inventory"],
    metavar="NAME|PATH",
    envvar="PROVISION_INVENTORY",
    multiple=True,
    shell_complete=shell_completion.inventories,
    help="Inventory; repeatable (or $PROVISION_INVENTORY).",
)
LIMIT = _option(
    "-l",
    "--limit",
    metavar="PATTERN",
    shell_complete=shell_completion.hosts,
    help="dgx:!dgx07, …",
)
ROLES = _option(
    "--roles", metavar="A,B", callback=listed, shell_complete=shell_completion.roles_listed, help="Only these roles."
)
CHECK = _option("-C", "--check", is_flag=True, help="Change nothing.")
DIFF = _option("-D", "--diff", is_flag=True, help="Show differences.")
SET = _option(
    "-e",
    "--set",
    "overrides",
    metavar="ROLE.KEY=VALUE",
    multiple=True,
    shell_complete=shell_completion.settings,
    help="A setting.",
)
FORKS = _option("-f", "--forks", metavar="N", type=Count(), default=_forks, help="Hosts at once. [32]")
TIMEOUT = _option(
    "--timeout",
    metavar="SECONDS",
    type=Seconds(),
    default=3600,
    help="A host's. [3600]",
)
WAVES = _option("--waves", metavar="1,10%,100%", help="Cumulative sizes.")
MAX_FAILURES = _option("--max-failures", metavar="N|P%", help="Stop at so many.")
EXECUTOR = _option("--executor", metavar="URL", help="dask+tls://HOST:PORT.")
RESUME = _option("--resume", metavar="RUN", shell_complete=shell_completion.runs, help="Go on: an ID, or last.")
WHAT_FOR = _option("--comment", metavar="TEXT", default="", callback=_one_line, help="Others see it.")
REPORT = _option("--report", metavar="FILE", type=click.Path(path_type=Path), help="Write one HTML page.")
JUNIT = _option("--junit", metavar="FILE", type=click.Path(path_type=Path), help="Write JUnit's XML.")
METRICS = _option("--metrics", metavar="FILE", type=click.Path(path_type=Path), help="Prometheus metrics.")
ON_EVENT = _option("--on-event", metavar="PROGRAM", callback=_argv, help="Run on events.")
OUT = _option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Save the plan.")
BUNDLE = _option("--bundle", metavar="DIR", type=click.Path(path_type=Path, file_okay=False), help="Install from it.")
SHARE = _option("--share", is_flag=True, help="Fetch once for all.")
BANDWIDTH = _option("--bandwidth", metavar="25Mbit", type=Rate(), help="Of these two.")
YES = _option("--yes", is_flag=True, help="Do not ask.")
JSON = _option("--json", "as_json", is_flag=True, help="JSON lines on stdout.")
VERBOSE = _option("-v", "--verbose", is_flag=True, help="Show what is ok.")
ACCEPT = _option("--accept-new-host-keys", is_flag=True, help="Add unknown.")
VAULT = _option("--vault-password-file", "vault_password_files", metavar="FILE", multiple=True, help="Vaults'.")
VAULT_ID = _option("--vault-id", "vault_ids", metavar="ID@FILE", multiple=True, help="Of one vault id.")
QUIET = _option("-q", "--quiet", is_flag=True, help="Failures only.")
LIST_HOSTS = _option("--list-hosts", is_flag=True, help="Name the hosts only.")
USER = _option("-u", "--user", metavar="NAME", help="Log in as NAME.")
BECOME = _option("-b", "--become", is_flag=True, default=None, help="Use sudo.")
ASK_PASS = _option("-k", "--ask-pass", is_flag=True, help="Ask SSH's.")
ASK_BECOME_PASS = _option("-K", "--ask-become-pass", is_flag=True, help="Ask sudo's.")
LOGIN = (USER, BECOME, ASK_PASS, ASK_BECOME_PASS)
"""How hosts are logged in to, for all of them."""
BRIEF: tuple[click.Parameter, ...] = (
    LIMIT,
    ROLES,
    FORKS,
    TIMEOUT,
    MAX_FAILURES,
    RESUME,
    WHAT_FOR,
    REPORT,
    JUNIT,
    METRICS,
)
BRIEF += (SET, BUNDLE, SHARE, BANDWIDTH, VAULT, ON_EVENT, USER, WAVES, EXECUTOR, VAULT_ID, OUT)
"""Options whose help is short enough for two of them to stand in one line."""
ANSIBLE = {
    "-C": "nothing, since this verb changes nothing; --check is an option of apply",
    "-t": "--roles",
    "--tags": "--roles",
    "--skip-tags": "--roles",
    "--extra-vars": "--set ROLE.KEY=VALUE",
    "--inventory-file": "--inventory",
    "--subset": "--limit",
    "-J": "--vault-id prompt",
    "--ask-vault-pass": "--vault-id prompt",
    "--ask-vault-password": "--vault-id prompt",
    "--vault-pass-file": "--vault-password-file",
    "--become-password-file": "ansible_become_password: !secret file:PATH in the inventory",
    "--become-pass-file": "ansible_become_password: !secret file:PATH in the inventory",
    "--connection-password-file": "ansible_password: !secret file:PATH in the inventory",
    "--conn-pass-file": "ansible_password: !secret file:PATH in the inventory",
    "--private-key": "ansible_ssh_private_key_file in the inventory",
    "--key-file": "ansible_ssh_private_key_file in the inventory",
    "-c": "ansible_connection in the inventory",
    "--connection": "ansible_connection in the inventory",
    "-T": "ansible_timeout in the inventory",
    "--ssh-common-args": "ansible_ssh_common_args in the inventory",
    "--ssh-extra-args": "ansible_ssh_extra_args in the inventory",
    "--become-method": "sudo, always",
    "--become-user": "root, always",
    "--syntax-check": "the verb inventory",
    "--list-tasks": "the verb check",
    "--list-tags": "the verb roles",
    "--start-at-task": "--resume RUN",
    "--step": "--waves 1,10%,100%",
    "--flush-cache": "nothing, since facts are asked for in each run",
    "--force-handlers": "nothing, since what is stale is restarted by the next run",
    "-M": "kinds/ beside the inventory",
    "--module-path": "kinds/ beside the inventory",
    "--playbook-dir": "group_vars/ beside the inventory",
    "--sftp-extra-args": "ansible_ssh_common_args in the inventory",
    "--scp-extra-args": "ansible_ssh_common_args in the inventory",
    "-m": "the verbs facts, status and verify",
    "--module-name": "the verbs facts, status and verify",
    "--list": "the verb inventory, with --json",
    "-y": "--json",
    "--yaml": "--json",
    "--toml": "--json",
    "--export": "--json",
    "--vars": "--host NAME",
}
"""Options of Ansible's programs that we do not have, and what there is here in their place."""
NO_EXEC = _option("--no-exec", is_flag=True, help="Run no programs.")
