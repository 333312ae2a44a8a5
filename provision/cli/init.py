"""`init`: the first files of a user's own folder: an inventory, a role, and the schema for editors.

The law: what it writes passes `check` as it is; nothing that is there is overwritten.
"""

import json
import os
from pathlib import Path

from provision import report, role, shipped
from provision.errors import InputError, Problem
from provision.inventory.schema import schema

INVENTORY = """\
# yaml-language-server: $schema=.inventory.schema.json
# Hosts, and what they are asked for. `provision check -i hosts.yml` looks at them and changes nothing;
# `provision roles` lists the roles, and `provision roles NAME` what can be set for one.
all:
  vars:
    ansible_become: {become}            # sudo on the hosts; -K asks for its password
    roles: [example]
    example:
      text: Hello from provision.
    # roles: [docker_engine, docker_daemon]
    # docker_engine: {{flavour: docker-ce}}
    # docker_daemon: {{bip: 192.168.127.1/24}}
  children:
    gpus:
      hosts:
        localhost:
          ansible_connection: local   # the machine you are on; instead of it:
        # gpu[01:08].example.com:
        #   ansible_user: ubuntu
"""
ROLE = '''\
"""A role to begin with: one file with one text. Rename it, and ask for it in roles: of the inventory."""

from collections.abc import Iterator

from provision import role
from provision.resources import File, Resource


class Settings(role.Settings):
    text: str
    """What the file says."""
    path: str = "/etc/provision-example"
    """Where it is."""


def resources(facts: role.Facts, settings: Settings) -> Iterator[Resource]:
    yield File(path=settings.path, content=f"{settings.text}\\n")
'''
SCHEMA = ".inventory.schema.json"


def init(folder: Path) -> int:
    """Write the files. Raises InputError where one of them is there."""
    files = {"hosts.yml": INVENTORY.format(become=str(os.geteuid() != 0).lower()), "roles/example.py": ROLE}
    problems = [
        Problem("is there already", str(folder / name), "choose another folder, or move it away")
        for name in (*files, SCHEMA)
        if (folder / name).exists()
    ]
    if problems:
        raise InputError(problems)
    try:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, "utf-8")
        path = [folder / "roles", shipped.ROLES]
        known = [role.load(name, path) for name in shipped.role_names(path)]
        (folder / SCHEMA).write_text(json.dumps(schema(known), indent=1) + "\n", "utf-8")
    except OSError as error:
        raise InputError([Problem(f"cannot be written: {error.strerror}", str(error.filename))]) from None
    made = ", ".join(str(folder / name) for name in files)
    report.warn(f"made {made}; next: provision check -i {folder / 'hosts.yml'} --diff")
    return 0
