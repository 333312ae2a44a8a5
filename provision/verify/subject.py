"""What one process of a verification knows of a host: how to reach it, and what its inventory asks of it.

The law: settings are plain data in which every secret is hidden; the secrets of connections travel to other processes
through a pipe (`wired`), and through nothing else.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provision.errors import InputError, Problem
from provision.inventory import Host, Inventory
from provision.secrets import Secret, text_of
from provision.target import Target

TESTS = "verify_tests"
"""The inventory's variable that names folders with tests of a site's own."""


@dataclass(frozen=True)
class Subject:
    """A host to verify."""

    target: Target
    groups: tuple[str, ...]
    roles: tuple[str, ...]
    settings: Mapping[str, Any]
    """By role, as JSON types; secrets are hidden."""
    folders: tuple[str, ...] = ()
    """Where this host's site tests are, absolute."""

    @property
    def name(self) -> str:
        return self.target.name

    def wired(self) -> dict[str, Any]:
        """Plain types for a pipe to a process of ours; with the connection's secrets."""
        fields = {item.name: getattr(self.target, item.name) for item in dataclasses.fields(self.target)}
        target = {name: text_of(value) if isinstance(value, Secret) else value for name, value in fields.items()}
        rest = {name: getattr(self, name) for name in ("groups", "roles", "settings", "folders")}
        return {"target": target, **rest}


def unwired(data: Mapping[str, Any]) -> Subject:
    """A subject out of what `wired` made of it."""
    target = dict(data["target"])
    for name in ("password", "become_password"):
        target[name] = None if target[name] is None else Secret(target[name])
    target["common_args"] = tuple(target["common_args"])
    lists = {name: tuple(data[name]) for name in ("groups", "roles", "folders")}
    return Subject(Target(**target), settings=data["settings"], **lists)


def subjects(inventory: Inventory, names: Sequence[str], role_path: Sequence[Path], **how: Any) -> list[Subject]:
    """The hosts of these names. `how` goes to Inventory.resolve (ask, overrides). Raises InputError.

    Only the connections' secrets are resolved. A role whose settings cannot be judged without theirs (a password's
    hash) gets them resolved as well, and hidden again.
    """
    asked = inventory.resolve(names, role_path=role_path, secrets=False, **how)
    needed = {role for host in asked for role in host.roles if role not in host.settings}
    reached = {host.name: host for host in inventory.resolve(names, role_path=role_path, roles=sorted(needed), **how)}
    return [_subject(inventory, host, reached[host.name]) for host in asked]


def _subject(inventory: Inventory, asked: Host, reached: Host) -> Subject:
    settings = {**reached.settings, **asked.settings}
    shown = {role: settings[role].model_dump(mode="json") for role in asked.roles}
    return Subject(reached.target, asked.groups, asked.roles, shown, _folders(inventory, asked.name))


def _folders(inventory: Inventory, host: str) -> tuple[str, ...]:
    given = inventory.variable(host, TESTS)
    listed = [given] if isinstance(given, str) else given or []
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        raise InputError([Problem(f"host {host}: {TESTS} should be a folder, or a list of folders")])
    found = [(inventory.directory / Path(item).expanduser()).resolve() for item in listed]
    missing = [folder for folder in found if not folder.is_dir()]
    if missing:
        hint = "make it, or correct the path: it is relative to the inventory"
        raise InputError([Problem(f"host {host}: {TESTS}: there is no folder {missing[0]}", hint=hint)])
    return tuple(map(str, found))
