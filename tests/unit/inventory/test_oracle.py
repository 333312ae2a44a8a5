"""Random inventories, patterns and templates, read by us and by ansible-core itself: hosts, groups, variables, choices
and values. Inventories are one or several, files or directories, with lists of hosts among them, or with vaults.

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
from provision.inventory.document import Map

from .theirs import NAMES, PASSWORDS, Ansible, plain

pytest.importorskip("ansible.inventory.manager", reason="ansible-core is not installed: make oracle brings it")

SEED = int(os.environ.get("ORACLE_SEED", "20260701"))
ROUNDS = int(os.environ.get("ORACLE_ROUNDS", "500"))
GROUPS = ["web", "db", "rack1", "rack2", "site"]
HOSTS = ["web1", "web2", "web3", "db1", "db2", "dgx01.example.com", "dgx02.example.com", "10.0.0.9"]
"""None has the name of a group: Ansible gives its variables to the group."""


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

    def write_several(self, folder: Path) -> list[str]:
        """One to three inventories and lists of hosts: what `-i` names, in order."""
        given = []
        for number in range(self.random.randint(1, 3)):
            if self.random.random() < 0.25:
                given.append(",".join([*self.random.sample(HOSTS, self.random.randint(1, 2)), ""]))
            else:
                self.write(folder / str(number))
                given.append(str(self._file_or_folder(folder / str(number))))
        return given

    def _file_or_folder(self, folder: Path) -> Path:
        files = [file for file in folder.iterdir() if file.is_file()]
        return self.random.choice(files) if self.random.random() < 0.3 else folder

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

    def template(self, *, far: bool = True) -> str:
        """An expression of names that may be defined, and text around it. `far`: with hostvars. Ansible has none in a
        value that is itself read through hostvars."""
        rng = self.random
        value = rng.choice(
            [*NAMES, *NAMES, "inventory_hostname", "inventory_hostname_short", "flag", "number", "nested"]
        )
        value = rng.choice(["{}"] * 4 + ["hostvars[groups.all[0]].{}", "hostvars[inventory_hostname].{}"] * far).format(
            value
        )
        shape = rng.choice(
            ["{{{{ {} }}}}"] * 3
            + ["a-{{{{ {} }}}}", "{{{{ {} | default('none') }}}}", "{{{{ {} | upper }}}}-{{{{ number }}}}"]
            + ["{{{{ [{}, number] }}}}", "{{{{ {{'k': {}}} }}}}", "{{% if {} is defined %}}yes{{% endif %}}"]
            + ["{{{{ ({} ~ '') | length }}}}", "{{{{ 'x' if {} else 'y' }}}}", "{{{{ {} }}}}{{{{ group_names }}}}"]
            + ["{{{{ groups | dictsort | map('first') | join(',') }}}}{{# {} #}}", "{{{{ {} | replace('-', '.') }}}}\n"]
            + [
                "{{{{ group_names | union([{} ~ '']) | sort }}}}",
                "{{{{ {} ~ 1 == nested.inner ~ 1 }}}}",
                "{{{{ {} | string | bool }}}}",
            ]
            + ["{{{{ {} | ternary(1, 2.5) }}}}", "{{{{ nested | combine({{'z': {}}}) }}}}", "{{{{ ({}, 1) }}}}"]
        )
        return shape.format(value)

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


@pytest.mark.parametrize("number", range(ROUNDS))
def test_an_inventory_is_read_as_ansible_reads_it(tmp_path: Path, number: int) -> None:
    ordered = number % 2 == 0
    made = Inventories(SEED + number, ordered=ordered)
    folder = tmp_path / "inv"
    made.write(folder)
    ours, theirs = inventory.load(str(folder)), Ansible(str(folder))
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
    ours, theirs = inventory.load(str(folder)), Ansible(str(folder))
    compared = 0
    while ours.hosts and compared < 5:
        pattern = made.pattern(ours.groups, ours.hosts)
        try:
            chosen = ours.select(pattern)
        except InputError:
            continue  # a word that means nothing is an error here, and nothing to Ansible
        assert chosen == theirs.select(pattern), pattern
        compared += 1


def test_several_inventories_and_lists_of_hosts_are_read_as_ansible_reads_them(tmp_path: Path) -> None:
    for number in range(ROUNDS // 5):
        made = Inventories(SEED + number, ordered=True)
        given = made.write_several(tmp_path / str(number))
        try:
            ours = inventory.load(*given)
        except InputError as error:
            if "groups hold one another" in str(error):  # Ansible leaves the second inventory out
                continue
            raise
        theirs = Ansible(*given)
        assert sorted(ours.hosts) == sorted(theirs.hosts()), given
        if sum(bool(group.children) for group in ours._source.tree.groups.values()) <= 2:  # `all`, and one more
            assert list(ours.hosts) == theirs.hosts(), given
        for host in ours.hosts:
            values = {name: ours.variable(host, name) for name in NAMES}
            assert {name: value for name, value in values.items() if value is not None} == theirs.variables(host), given


NESTED = {"inner": "{{ number }}", "outer": "{{ nested.inner }}"}


def test_templates_give_what_they_give_in_ansible(tmp_path: Path) -> None:
    compared = 0
    for number in range(ROUNDS // 2):
        made = Inventories(SEED + number, ordered=True)
        folder = tmp_path / str(number)
        made.write(folder)
        shared = yaml.safe_dump({"all": {"vars": {"w": made.template(far=False), "nested": NESTED}}})
        (folder / "zz.yml").write_text(shared.replace("vars:\n", "vars:\n    flag: yes\n    number: 7\n"))
        ours, theirs = inventory.load(str(folder)), Ansible(str(folder))
        for host in ours.hosts[:3]:
            template = made.template()
            found = ours._source.tree.hosts[host]
            asked = Map()
            asked.put("asked", template, found.at, found.at)
            found.variables.append(asked)
            try:
                value = plain(ours.variable(host, "asked"))
            except InputError:
                value = None
            assert value == theirs.evaluate(host, template), (template, host, folder)
            compared += value is not None
    assert compared > ROUNDS // 4


def test_vaults_of_several_labels_open_as_in_ansible(tmp_path: Path) -> None:
    from ansible.parsing.vault import VaultLib, VaultSecret  # noqa: PLC0415

    for label, word in PASSWORDS.items():
        (tmp_path / f"{label}.pw").write_text(word)
    lib = VaultLib([(label, VaultSecret(word.encode())) for label, word in PASSWORDS.items()])
    rng = random.Random(SEED)
    for number in range(ROUNDS // 50):
        folder = tmp_path / str(number)
        (folder / "group_vars").mkdir(parents=True)
        (folder / "hosts").write_text("[web]\nh\n[db]\nh\n")
        for group in ("all", "web", "db"):
            label = rng.choice(list(PASSWORDS))
            text = yaml.safe_dump({rng.choice(NAMES): f"{group}-{number}"})
            closed = lib.encrypt(
                text, VaultSecret(PASSWORDS[label].encode()), vault_id=rng.choice([label, "prod", None])
            )
            (folder / "group_vars" / f"{group}.yml").write_bytes(closed)
        ids = [f"{label}@{tmp_path / label}.pw" for label in rng.sample(list(PASSWORDS), len(PASSWORDS))]
        ours, theirs = inventory.load(str(folder), vault_ids=ids), Ansible(str(folder))
        values = {name: ours.variable("h", name) for name in NAMES}
        assert {name: value for name, value in values.items() if value is not None} == theirs.variables("h")


def test_numbers_in_templates_are_those_of_ansible(tmp_path: Path) -> None:
    """What is no number to us and one to Ansible is an error there; everything else is the same."""
    rng = random.Random(SEED)
    words = ["".join(rng.choices("0123456789..eE+-ox_:", k=rng.randint(1, 6))) for _ in range(min(ROUNDS, 500))]
    words = [word for word in words if word not in ("-", ".") and not word.endswith(":")]
    pairs = "".join(
        f"    v{number}: {word}\n    t{number}: '{{{{ v{number} }}}}'\n" for number, word in enumerate(words)
    )
    (tmp_path / "hosts.yml").write_text(f"all:\n  hosts: {{h: }}\n  vars:\n{pairs}")
    ours, theirs = inventory.load(str(tmp_path)), Ansible(str(tmp_path))
    compared = 0
    for number, word in enumerate(words):
        try:
            value = ours.variable("h", f"t{number}")
        except InputError:
            continue
        expected = theirs.evaluate("h", f"{{{{ v{number} }}}}")
        assert (type(value), value) == (type(expected), expected), word
        compared += 1
    assert compared > len(words) // 3
