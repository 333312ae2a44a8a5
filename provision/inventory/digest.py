"""What the inventory says of hosts, as one short word: two that are equal ask the same.

The law: a secret's value does not count, so that it may be rotated.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict

from provision.inventory.resolve import Host


def digest(hosts: Iterable[Host]) -> str:
    """Of these hosts: how they are reached, their roles and the settings of those."""
    said = [
        [host.name, {**asdict(host.target), "password": None, "become_password": None}, host.roles]
        + [settings.model_dump(mode="json") for settings in host.settings.values()]
        for host in hosts
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]
