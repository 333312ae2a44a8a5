"""From the command line to hosts with typed settings: the inventory is read, hosts are selected, settings resolved.

The law: all that is wrong is found before anything is connected to, and told at once.
"""

import getpass
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision import inventory, shipped
from provision.cli.options import Asked
from provision.errors import InputError, Problem
from provision.inventory import Host, Inventory, ansible_config, places
from provision.inventory.ansible_config import Config
from provision.inventory.document import Mark, Tagged
from provision.inventory.references import Ask, Placeholder
from provision.inventory.vault import identity
from provision.report.output import warn
from provision.secrets import Mask, secrets_in

if TYPE_CHECKING:
    from provision.journal import Past
    from provision.rollout.policy import Policy
    from provision.rollout.review import SavedPlan


@dataclass(frozen=True)
class Selection:
    """The hosts that were asked for, and where their roles are."""

    hosts: list[Host]
    role_path: list[Path]
    policy: "Policy"
    source: Inventory
    """All of what was read."""


def role_path(asked: Asked) -> list[Path]:
    """Where roles are looked for: beside the inventory, if one is named, then our own. Raises InputError."""
    return shipped.role_path(directories(asked))


def directories(asked: Asked) -> tuple[Path, ...]:
    """Where the inventories lie that were asked for. Raises InputError."""
    names = _sources(asked)
    return places.find_all(names).directories if names else ()


def _sources(asked: Asked) -> tuple[str, ...]:
    """The inventories that were asked for, or `inventories/default`, or none."""
    given = asked.inventory or config(asked).inventory
    found = None if given else places.named("default", places.folders())
    return (str(found),) if found else given


def config(asked: Asked) -> Config:
    """What Ansible is told here, by ansible.cfg and ANSIBLE_*. Raises InputError."""
    return ansible_config.read(file=Path(asked.ansible_config) if asked.ansible_config else None)


def read(asked: Asked) -> Inventory:
    """The inventory. Raises InputError."""
    names = _sources(asked)
    if not names:
        hint = "give --inventory NAME|PATH, set PROVISION_INVENTORY, or make inventories/default.yml"
        raise InputError([Problem("no inventory is named", hint=hint)])
    found = inventory.load(*names, no_exec=asked.no_exec, vault_ids=vault_ids(asked), ask=asker(), config=config(asked))
    found.warnings += _unread(found)
    return found


def _unread(found: Inventory) -> list[str]:
    """Variables beside a playbook, which Ansible reads as well."""
    here = Path.cwd()
    if here in [directory.resolve() for directory in found.directories]:
        return []
    hint = "Ansible reads it beside a playbook; move or link it beside the inventory if its variables are for us"
    places = (here / name for name in ("group_vars", "host_vars"))
    return [f"{place} is not read: it lies beside no inventory; {hint}" for place in places if place.is_dir()]


def vault_ids(asked: Asked) -> tuple[str, ...]:
    """Where the passwords of vaults are, as LABEL@SOURCE with absolute paths. Raises InputError for a file that is not
    there."""
    found = [("--vault-id", text, identity(text)) for text in asked.vault_ids]
    found += [("--vault-password-file", file, identity(f"@{file}")) for file in asked.vault_password_files]
    missing = [(option, text) for option, text, known in found if not (known.asked or os.path.exists(known.source))]
    if missing:
        raise InputError(
            [Problem(f"{option}: there is no file {file}", hint="correct its path") for option, file in missing]
        )
    return tuple(str(known) for *_, known in found)


def select(
    asked: Asked,
    *,
    secrets: bool = True,
    past: "Past | None" = None,
    hooks: bool = False,
    plan: "SavedPlan | None" = None,
    choose: Callable[[set[str]], tuple[str, ...]] | None = None,
) -> Selection:
    """The hosts that were asked for; with `past`, those that it left unfinished; with `plan`, those that are in it;
    `hooks`: for a run that hooks are for. `choose`: from the roles that these hosts have to those of this run.
    Raises InputError with everything that is wrong; warnings go to standard error."""
    found = read(asked)
    problems = folders(asked) + _event_hook(asked)
    names = _names(found, asked, past, plan, problems)
    course = _course(found, asked, names, problems, hooks=hooks)
    if choose is not None:
        asked = replace(asked, roles=choose(_roles(found, names)))
    hosts = _resolve(found, names, asked, problems, secrets=secrets)
    if past is not None:
        from provision.cli import resume

        hosts = resume.left(past, hosts, limited=asked.limit is not None)
    return Selection(hosts, role_path(asked), course, found)


def listed(asked: Asked) -> list[Host]:
    """The hosts that were asked for, to be shown: what runs need is not loaded. Raises InputError with everything that
    is wrong; warnings go to standard error."""
    found = read(asked)
    problems = list[Problem]()
    names = _names(found, asked, None, None, problems)
    if found.rollout is not None:
        _course(found, asked, names, problems)
    return _resolve(found, names, asked, problems, secrets=False)


def _course(
    found: Inventory, asked: Asked, names: Sequence[str], problems: list[Problem], *, hooks: bool = False
) -> "Policy":
    """How a run goes through these hosts; what is wrong with that is added to `problems`."""
    from provision.rollout.policy import GivenPolicy, policy

    wanted = GivenPolicy(asked.waves, asked.max_failures, hooks, asked.no_exec)
    course, wrong = policy(found.rollout, wanted, names, found.by_host)
    problems += wrong
    return course


def _names(
    found: Inventory, asked: Asked, past: "Past | None", plan: "SavedPlan | None", problems: list[Problem]
) -> list[str]:
    """The hosts that were asked for; all of them where that is wrong, for what else is: it is added to `problems`."""
    try:
        return _chosen(found, asked, past, plan)
    except InputError as error:
        problems += error.problems
        return list(found.hosts)


def _chosen(found: Inventory, asked: Asked, past: "Past | None", plan: "SavedPlan | None") -> list[str]:
    names = found.select(asked.limit, _failed)
    if plan is not None:
        names = _in_plan(plan, names, asked)
    if past is None:
        return names
    from provision.cli import resume

    if asked.limit is None and (gone := resume.missing(past, names)):
        raise InputError(gone)
    if not (names := resume.names(past, names)):
        raise InputError([Problem(f"--limit {asked.limit}: matches no host of run {past.run}")])
    return names


def _failed(run: str) -> list[str]:
    from provision import journal

    return journal.find(journal.folder(), run).failed()


def _roles(found: Inventory, names: Iterable[str]) -> set[str]:
    """The roles that the inventory gives any of these hosts, as they stand there."""
    given = found.by_host("roles")
    return {str(name) for host in names if isinstance(given.get(host), list) for name in given[host]}


def _in_plan(plan: "SavedPlan", names: list[str], asked: Asked) -> list[str]:
    """Those of these hosts that the plan has. Raises InputError where it has one that the inventory has not."""
    gone = [host for host in plan.hosts if host not in names] if asked.limit is None else []
    hint = "give --limit for those that are left"
    if gone:
        problems = (f"the inventory has no host {host!r} any more" for host in gone)
        raise InputError([Problem(text, str(asked.plan), hint) for text in problems])
    if not (chosen := [name for name in names if name in plan.hosts]):
        raise InputError([Problem(f"--limit {asked.limit}: matches no host of the plan", str(asked.plan))])
    return chosen


def folders(asked: Asked) -> list[Problem]:
    """Reports are written at the end: where they cannot be is told at the beginning."""
    wanted = (("--report", asked.report), ("--junit", asked.junit), ("--metrics", asked.metrics))
    return [
        Problem(f"{option}: there is no folder {path.parent}", hint="make it first")
        for option, path in wanted
        if path is not None and not path.absolute().parent.is_dir()
    ]


def _event_hook(asked: Asked) -> list[Problem]:
    """What is wrong with the program of --on-event."""
    if asked.on_event is None:
        return []
    if asked.no_exec:
        return [Problem("--on-event is a program, and --no-exec forbids those", hint="leave out one of the two")]
    if shutil.which(asked.on_event[0]) is None:
        hint = "give its path, and make it executable"
        return [Problem(f"--on-event: there is no program {asked.on_event[0]!r} here", hint=hint)]
    return []


def _resolve(
    found: Inventory, names: Sequence[str], asked: Asked, problems: list[Problem], *, secrets: bool
) -> list[Host]:
    """These hosts, typed. Nobody's secrets are looked up where there are `problems` already; all are raised."""
    hosts: list[Host] = []
    try:
        hosts = found.resolve(
            names,
            role_path=role_path(asked),
            roles=asked.roles,
            overrides=asked.overrides,
            secrets=secrets and not problems,
            ask=asker(),
            login=login(asked),
        )
    except InputError as error:
        problems += error.problems
    warn(*(f"warning: {text}" for text in found.warnings))
    if problems:
        raise InputError(problems)
    return hosts


def login(asked: Asked) -> Mapping[str, Any]:
    """Connection variables that the command line gives for all hosts."""
    given: dict[str, Any] = {}
    if asked.user is not None:
        given["ansible_user"] = asked.user
    if asked.become:
        given["ansible_become"] = True
    if asked.ask_pass:
        given["ansible_password"] = Tagged("secret", "prompt:SSH password", Mark("--ask-pass"))
    if asked.ask_become_pass:
        given["ansible_become_password"] = Tagged("secret", "prompt:sudo password", Mark("--ask-become-pass"))
    return given


def mask(hosts: Iterable[Host]) -> Mask:
    """What must not be shown of these hosts. Placeholders stand for secrets that are not looked up here."""
    found = secrets_in([(host.target, dict(host.settings)) for host in hosts])
    return Mask(secret for secret in found if not isinstance(secret, Placeholder))


def asker() -> Ask | None:
    """Asks on the terminal, where there is one."""
    return _ask if sys.stdin is not None and sys.stdin.isatty() else None


def _ask(question: str) -> str:
    return getpass.getpass(f"{question}: ")
