"""INI inventories are read as Ansible reads them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision import inventory
from provision.errors import InputError
from provision.inventory import Inventory

from . import vaults

Ini = Callable[..., Inventory]


@pytest.fixture
def ini(write: Callable[..., Path]) -> Ini:
    def loads(text: str, files: dict[str, str | bytes] | None = None, **options: Any) -> Inventory:
        return inventory.load(str(write({"hosts.ini": text} | (files or {})) / "hosts.ini"), **options)

    return loads


def test_groups_hosts_and_variables(ini: Ini) -> None:
    found = ini("""
; a comment
lonely
[site:children]   # may come first
web
db
[web]
web[1:3] rack=r1
web1:2222 ansible_port=2200 # a comment
[2001:db8::1]:22
[db]
db1 note='a b' list="[1, 'x']"
[web:vars]
v = web=1 # no comment
[all:vars]
v=all
w={'a': (1, None)}
""")
    assert found.hosts == ("lonely", "web1", "web2", "web3", "2001:db8::1", "db1")
    assert found.members("site") == ("web1", "web2", "web3", "2001:db8::1", "db1")
    assert found.members("ungrouped") == ("lonely",)
    assert [found.variable("web1", name) for name in ("rack", "ansible_port", "v")] == [
        "r1",
        2200,
        "web=1 # no comment",
    ]
    assert found.variable("2001:db8::1", "ansible_port") == 22
    assert [found.variable("db1", name) for name in ("note", "list", "v", "w")] == [
        "a b",
        [1, "x"],
        "all",
        {"a": [1, None]},
    ]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1", 1),
        ("1e3", 1000.0),
        ("True", True),
        ("true", "true"),
        ("yes", "yes"),
        ("0755", "0755"),
        ("0x10", 16),
        ("1_000", 1000),
        ("None", None),
        ("", ""),
        ("'quoted'", "quoted"),
        ("a b", "a b"),
        ("10.0.0.1", "10.0.0.1"),
        ("...", "..."),
        ("2j", "2j"),
        ("{1, 1}", [1]),
        ("b'x'", "x"),
        ("{[]: 1}", "{[]: 1}"),
        ("__import__('os')", "__import__('os')"),
    ],
)
def test_a_value_is_a_python_literal_or_text(ini: Ini, written: str, value: Any) -> None:
    found = ini(f"[g]\nh\n[g:vars]\nv={written}\n").variable("h", "v")
    assert (type(found), found) == (type(value) if not isinstance(value, list) else type(found), value)


def test_group_vars_lie_over_inline_vars(ini: Ini) -> None:
    found = ini("[g]\nh\n[g:vars]\nv=inline\n", {"group_vars/all.yml": "v: file"})
    assert found.variable("h", "v") == "file"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[a b]", "hosts.ini:1:1: [a b] is no section; write [GROUP]"),
        ("[a:varz]\nx", "hosts.ini:1:1: [a:varz] is no kind of section; did you mean vars?"),
        ("[a:vars]\nx=1", "hosts.ini:1:1: [a:vars] is for a group that has no section; write [a] with its hosts"),
        ("[web]\n[p:children]\nwbe", "hosts.ini:3:1: [p:children] names the group wbe, which has no section; did you"),
        ("[g]\n[g:vars]\nx", "hosts.ini:3:1: 'x' is no NAME=VALUE"),
        ("h x", "hosts.ini:1:1: 'x' is no NAME=VALUE"),
        ("h x='", "hosts.ini:1:1: this line cannot be split: no closing quotation; check the quotes"),
        ("h[3:1]", "hosts.ini:1:1: host range [3:1]: the first end must not be after the last"),
        ("[g]\n[p:children]\ng h", "hosts.ini:3:1: 'g h' is no name of a group"),
        ("[g:children]\nall", "hosts.ini:2:1: groups hold one another"),
        ("[a:children]\nb\n[b:children]\na", "groups hold one another: a > b > a"),
        ("---", "hosts.ini:1:1: '---' cannot be the name of a host"),
    ],
)
def test_a_mistake_is_told_with_its_line(ini: Ini, tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        ini(text)
    assert problem in str(caught.value).replace(f"{tmp_path}/inv/", "")


def test_all_mistakes_are_told_at_once(ini: Ini) -> None:
    with pytest.raises(InputError) as caught:
        ini("h x\n[a b]\nignored\n[c:vars]\n", {"group_vars/all.yml": "01: a\na: 1\na: 2"})
    assert len(caught.value.problems) == 5


def test_vaulted_variable_files_are_read_and_hidden(ini: Ini, tmp_path: Path) -> None:
    password = tmp_path / "pw"
    password.write_text(vaults.PASSWORD)
    found = ini("[web]\nw1\n", {"group_vars/all/vault.yml": vaults.WHOLE_FILE}, vault_password_file=password)
    rows = {row.variable: row for row in found.explain("w1", role_path=[])}
    assert found.variable("w1", "docker_daemon") == {"mtu": 9000}
    assert rows["docker_daemon.mtu"].value == "********"
    assert "group_vars/all/vault.yml:2:" in rows["docker_daemon.mtu"].origin
