"""Random inventories and patterns, read by us and by ansible-core itself: hosts, groups, variables and choices.

`make oracle` runs it; ORACLE_ROUNDS says how many inventories, ORACLE_SEED which.
"""

import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from provision import inventory
from provision.errors import InputError

manager = pytest.importorskip(
    "ansible.inventory.manager", reason="ansible-core is not installed: make oracle brings it"
)

SEED = int(os.environ.get("ORACLE_SEED", "20260701"))
ROUNDS = int(os.environ.get("ORACLE_ROUNDS", "500"))
GROUPS = ["web", "db", "rack1", "rack2", "site"]
HOSTS = ["web1", "web2", "web3", "db1", "db2", "dgx01.example.com", "dgx02.example.com", "10.0.0.9"]
"""None has the name of a group: Ansible gives its variables to the group."""
NAMES = ["u", "v", "w"]


class Inventories:
    """Makes inventories of groups in random trees, as YAML or INI, with random variable files. `ordered`: only one
    group has children, because Ansible walks the children of several in an order that changes from run to run."""

    def __init__(self, seed: int, *, ordered: bool) -> None:
        self.random = random.Random(seed)
        self._ordered = ordered

    def write(self, folder: Path) -> None:
        rng = self.random
        order = rng.sample(GROUPS, rng.randint(1, len(GROUPS)))
        children = {name: [low for low in order[at + 1 :] if rng.random() < 0.3] for at, name in enumerate(order)}
        hosts = {name: rng.sample(HOSTS, rng.randint(0, 4)) for name in [*order, "all", "ungrouped"]}
        if self._ordered:
            children = {order[0]: children[order[0]]}
        rng.shuffle(order)
        (folder / "group_vars").mkdir(parents=True)
        (folder / "host_vars").mkdir()
        if rng.random() < 0.5:
            (folder / "hosts.yml").write_text(self._yaml(order, children, hosts))
        else:
            (folder / "hosts.ini").write_text(self._ini(order, children, hosts))
        if rng.random() < 0.3:
            (folder / "more.yml").write_text(self._yaml(order[:2], {}, {name: [rng.choice(HOSTS)] for name in order}))
        for name in rng.sample([*order, "all", "ungrouped"], 3 if len(order) > 1 else 1):
            self._variable_files(folder / "group_vars", name)
        self._variable_files(folder / "host_vars", rng.choice(HOSTS))

    def _variables(self, where: str, chance: float = 0.5) -> dict[str, str]:
        return {name: f"{where}-{name}" for name in NAMES if self.random.random() < chance}

    def _variable_files(self, folder: Path, name: str) -> None:
        kinds = [".yml", ".yaml", ".json", "", "/a.yml", "/b", "/sub/c.yml", "/b~", "/.hidden"]
        folded = self.random.random() < 0.4
        for kind in self.random.sample(kinds, self.random.randint(1, 3)):
            if (kind == "" and folded) or (kind.startswith("/") and not folded):
                continue
            file = folder / f"{name}{kind}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(yaml.safe_dump(self._variables(f"file{kind}", 0.8) or {"z": 1}))

    def _yaml(self, order: list[str], children: dict[str, list[str]], hosts: dict[str, list[str]]) -> str:
        tree: dict[str, Any] = {}
        for name in order:
            tree[name] = {
                "vars": self._variables(f"inline-{name}") | self._priority(),
                "children": dict.fromkeys(children.get(name, [])),
                "hosts": {host: self._variables(f"host-{name}", 0.2) or None for host in hosts[name]},
            }
        if "all" in hosts:
            tree["all"] = {"hosts": dict.fromkeys(hosts["all"]), "vars": self._variables("inline-all")}
        return yaml.safe_dump(tree, sort_keys=False)

    def _priority(self) -> dict[str, int]:
        return {"ansible_group_priority": self.random.randint(1, 3)} if self.random.random() < 0.2 else {}

    def _ini(self, order: list[str], children: dict[str, list[str]], hosts: dict[str, list[str]]) -> str:
        lines = list(hosts["ungrouped"])
        for name in order:
            given = {host: self._variables(f"host-{name}", 0.2) for host in hosts[name]}
            lines += [f"[{name}]", *(" ".join([host, *_assigned(values)]) for host, values in given.items())]
            lines += [f"[{name}:children]", *children.get(name, []), f"[{name}:vars]"]
            lines += _assigned(self._variables(f"inline-{name}") | self._priority())
        return "\n".join([*lines, "[all:vars]", *_assigned(self._variables("inline-all")), ""])

    def pattern(self, groups: Sequence[str], hosts: Sequence[str]) -> str:
        """Subscripts only of groups: elsewhere they may be ranges of hosts, which Ansible has not."""
        rng = self.random
        words = []
        for _ in range(rng.randint(1, 3)):
            name = rng.choice([*groups, *hosts])
            ranged = ["{}[0]", "{}[0:1]", "{}[1:2]", "{}[-1]", "{}[1:]"] if name in groups else []
            shape = rng.choice(["{}"] * 5 + ["~{}", "{}*"] + ranged)
            words.append(rng.choice(["", "", "&", "!"]) + shape.format(name[:3] if shape in ("~{}", "{}*") else name))
        return rng.choice([":", ","]).join(words)


def _assigned(values: dict[str, Any]) -> list[str]:
    return [f"{name}={value}" for name, value in values.items()]


class Ansible:
    """The same inventory, as ansible-core reads it."""

    def __init__(self, folder: Path) -> None:
        from ansible.parsing.dataloader import DataLoader  # noqa: PLC0415
        from ansible.plugins.loader import init_plugin_loader  # noqa: PLC0415
        from ansible.plugins.vars import host_group_vars  # noqa: PLC0415
        from ansible.vars.manager import VariableManager  # noqa: PLC0415

        if not Ansible.ready:
            init_plugin_loader([])
            Ansible.ready = True
        host_group_vars.FOUND.clear()
        loader = DataLoader()
        self.read = manager.InventoryManager(loader, sources=[str(folder)])
        self._variables = VariableManager(loader, self.read)

    ready = False

    def hosts(self) -> list[str]:
        return [str(host.name) for host in self.read.get_hosts("all")]

    def members(self) -> dict[str, list[str]]:
        return {str(name): [str(host.name) for host in group.get_hosts()] for name, group in self.read.groups.items()}

    def variables(self, host: str) -> dict[str, Any]:
        found = self._variables.get_vars(host=self.read.get_host(host), include_hostvars=False)
        return {name: str(found[name]) for name in NAMES if name in found}

    def select(self, pattern: str) -> list[str] | None:
        from ansible.errors import AnsibleError  # noqa: PLC0415

        try:
            self.read.subset(pattern)
            return [str(host.name) for host in self.read.get_hosts("all")]
        except AnsibleError:
            return None
        finally:
            self.read.subset(None)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_an_inventory_is_read_as_ansible_reads_it(tmp_path: Path, number: int) -> None:
    ordered = number % 2 == 0
    made = Inventories(SEED + number, ordered=ordered)
    folder = tmp_path / "inv"
    made.write(folder)
    ours, theirs = inventory.load(str(folder)), Ansible(folder)
    assert list(ours.hosts) == theirs.hosts() if ordered else set(ours.hosts) == set(theirs.hosts())
    assert {name: set(ours.members(name)) for name in ours.groups} == {
        name: set(hosts) for name, hosts in theirs.members().items()
    }
    for host in ours.hosts:
        given = {name: ours.variable(host, name) for name in NAMES}
        assert {name: value for name, value in given.items() if value is not None} == theirs.variables(host), host


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_pattern_chooses_the_hosts_that_ansible_chooses(tmp_path: Path, number: int) -> None:
    made = Inventories(SEED - 1 - number, ordered=True)
    folder = tmp_path / "inv"
    made.write(folder)
    ours, theirs = inventory.load(str(folder)), Ansible(folder)
    compared = 0
    while ours.hosts and compared < 5:
        pattern = made.pattern(ours.groups, ours.hosts)
        try:
            chosen = ours.select(pattern)
        except InputError:
            continue  # a word that means nothing is an error here, and nothing to Ansible
        assert chosen == theirs.select(pattern), pattern
        compared += 1
