"""What a worker is told of a run, and the hosts that it makes of that: from its own inventory, with its own secrets.

The law: an order carries names, no settings and no secret. A worker whose inventory, roles or version say something
else than the controller's refuses, before anything is connected to.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from provision import __version__, inventory, role, shipped
from provision.errors import InputError, Problem
from provision.inventory import Host, ansible_config
from provision.inventory.digest import digest
from provision.plan import fault
from provision.rollout.hosts import Job
from provision.secrets import Mask, secrets_in

INVENTORY = "PROVISION_INVENTORY"
"""Where a worker has the inventory, in its environment; without it, it is where the controller has it."""


@dataclass(frozen=True)
class Order:
    """One run, in words that mean the same on each machine."""

    run: str
    inventory: tuple[str, ...]
    """Absolute paths, and lists of hosts."""
    hosts: tuple[str, ...]
    digest: str
    roles: tuple[str, ...] | None
    overrides: tuple[str, ...]
    vault_ids: tuple[str, ...]
    ansible_config: str | None
    """The controller's ansible.cfg; a worker has it at the same path."""
    no_exec: bool
    accept_new_host_keys: bool
    version: str = __version__


def jobs(hosts: Iterable[Host], role_path: Sequence[Path], in_run: Sequence[str] | None) -> list[Job]:
    """The hosts' parts of a run. Raises InputError where a role does not load, or is at fault on every host."""
    hosts = list(hosts)
    names = dict.fromkeys(name for host in hosts for name in host.roles)
    loaded = {name: role.load(name, role_path) for name in names}
    some = {name: host.settings[name] for host in hosts for name in host.roles if name in host.settings}
    faults = [found for name, settings in some.items() if (found := fault(loaded[name], settings))]
    if faults:
        raise InputError([Problem(str(found)) for found in faults])
    folders = templates(role_path)
    return [Job(host.target, [loaded[name] for name in host.roles], host.settings, in_run, folders) for host in hosts]


def files(role_path: Sequence[Path]) -> dict[str, Path]:
    """The templates and the site's own kinds that go with these folders of roles, by name."""
    found: dict[str, Path] = {}
    for folder in reversed([folder.parent for folder in role_path]):
        found |= {file.name: file for file in sorted((folder / "templates").glob("*.j2"))}
        found |= {f"kinds/{file.name}": file for file in sorted((folder / "kinds").glob("*.py"))}
    return found


def templates(role_path: Sequence[Path]) -> list[Path]:
    """The folders of templates that go with these folders of roles: each lies beside one."""
    return [folder.parent / "templates" for folder in role_path]


def said(hosts: Sequence[Host], role_path: Sequence[Path]) -> str:
    """What is asked of these hosts, as one short word: settings, the source of their roles, and templates. A key's
    path does not count: each worker has its own."""
    names = sorted({name for host in hosts for name in host.roles})
    sources = {name: hashlib.sha256(role.load(name, role_path).path.read_bytes()).hexdigest() for name in names}
    sources |= {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files(role_path).items()}
    text = json.dumps([digest(replace(host, target=replace(host.target, private_key_file=None)) for host in hosts)])
    return hashlib.sha256((text + json.dumps(sources, sort_keys=True)).encode()).hexdigest()[:16]


def carry_out(order: Order) -> tuple[Mapping[str, Job], Mask]:
    """On a worker: the hosts of the order by name, and what must not be shown. Raises InputError with all that is
    wrong; no secret is looked up before inventory and roles were found to be the controller's."""
    if order.version != __version__:
        raise InputError(f"provision is {order.version} on the controller and {__version__} here: install the same")
    own = os.environ.get(INVENTORY)
    config = ansible_config.read(file=Path(order.ansible_config or os.devnull))
    given = [own] if own else order.inventory
    found = inventory.load(*given, no_exec=order.no_exec, vault_ids=order.vault_ids, config=config)
    path, role_path = ", ".join(found.sources), shipped.role_path(found.directories)

    def resolve(*, secrets: bool) -> list[Host]:
        return found.resolve(
            order.hosts, role_path=role_path, roles=order.roles, overrides=order.overrides, secrets=secrets
        )

    if missing := [name for name in order.hosts if name not in found.hosts]:
        raise InputError([Problem(f"has no host {missing[0]!r}", path, "copy the controller's inventory here")])
    if said(resolve(secrets=False), role_path) != order.digest:
        what = "says something else than on the controller, or the roles do"
        raise InputError([Problem(what, path, "bring both to the same state")])
    hosts = resolve(secrets=True)
    mask = Mask(secrets_in([(host.target, dict(host.settings)) for host in hosts]))
    return {job.target.name: job for job in jobs(hosts, role_path, order.roles)}, mask
