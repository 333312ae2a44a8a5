"""Directories as inventories: which of their files count, and what is wrong with them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from provision import inventory
from provision.errors import InputError

Write = Callable[..., Path]


def error(source: str) -> str:
    with pytest.raises(InputError) as caught:
        inventory.load(source)
    return str(caught.value)


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (
            {"README.md": "x"},
            "this directory holds no inventory, only README.md; write hosts.yml in it, or name the file",
        ),
        ({"hosts.yml": "all: {hosts: {a: }}", "more.yml": "a: 1"}, "more.yml:1:4: group a must be a mapping"),
        ({"hosts.ini": "[a]\na\n[b:vrs]", "more.yml": "a: 1"}, "hosts.ini:3:1: [b:vrs] is no kind of section"),
        (
            {"hosts.yml": "all: {hosts: {a: }}", "group_vars/all.yml": "[a]"},
            "group_vars/all.yml:1:1: a file of variables",
        ),
        (
            {"hosts.yml": "all: {hosts: {a: }}", "host_vars/a.yml": "01: x"},
            "host_vars/a.yml:1:1: 01 has a leading zero",
        ),
        ({"hosts.yml": b"\xff\xfeall:"}, "is UTF-16"),
        ({"hosts.yml": "\t"}, "hosts.yml:1:1: a tab"),
    ],
)
def test_directories_that_cannot_be_read(write: Write, files: dict[str, str | bytes], problem: str) -> None:
    assert problem in error(str(write(files)))


def test_mistakes_of_all_files_at_once(write: Write) -> None:
    text = error(
        str(
            write(
                {
                    "hosts.yml": "all: {hosts: {a: }}",
                    "group_vars/all.yml": "01: a",
                    "host_vars/a.yml": "02: b\nb: 2\nb: 3",
                }
            )
        )
    )
    assert len(text.splitlines()) == 3


def test_a_mistake_in_a_directory_of_several_files_says_how_to_read_one(write: Write) -> None:
    folder = write({"hosts": "[web]\na\n", "site.yml": "- hosts: web\n"})
    assert error(str(folder)).splitlines() == [
        f"{folder}/site.yml:1:1: an inventory is a mapping of groups; begin with all:, and under it hosts:",
        f"{folder}: all files of a directory are read as inventories; to read one, name it: -i {folder}/hosts",
    ]


@pytest.mark.parametrize(
    ("name", "content", "hosts"),
    [
        ("list", "w1 a=1\nw2\n", ["w1", "w2"]),
        ("list", "w1\n[g]\nw2\n", ["w1", "w2"]),
        ("list", "w[1:2]\nw3:22\n", ["w1", "w2", "w3"]),
        ("list", "w1 a='1 2' # c\n", ["w1"]),
        ("list.prod", "w1\nw2\n", ["w1", "w2"]),
        ("site", "g:\n  hosts:\n    w1:\n", ["w1"]),
        ("site", "all: {hosts: {w1: }}\n", ["w1"]),
        ("site", "'g': # c\n  hosts: w1\n", ["w1"]),
        ("site", "---\ng: {hosts: {w1: }}\n", ["w1"]),
        ("site", '{"g": {"hosts": {"w1": null}}}', ["w1"]),
        ("site.yml.old", "all: {hosts: {w1: }}\n", []),
        ("site.prod", "all:\n  hosts:\n    w1:\n", []),
        ("LICENSE", "Some licence\nw1\n", []),
        ("Makefile", "run:\n\techo w1\n", []),
        ("id.pub", "ssh-ed25519 AAAA w1\n", []),
        ("ci.token", "w1\n", []),
        ("conftest.py", '"""Tests."""\nw1\n', []),
        ("templates/unit.j2", "[w1]\nw1\n", []),
        ("kinds/unit.py", "w1\nw2\n", []),
        ("empty", "", []),
        ("comment", "# w1\n", []),
    ],
)
def test_which_files_of_a_directory_are_inventories(write: Write, name: str, content: str, hosts: list[str]) -> None:
    found = inventory.load(str(write({"hosts": "a\nb\n", name: content})))
    assert sorted(found.hosts) == ["a", "b", *hosts]
    assert found.warnings == []


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("list", "w1 a=1\nsome text\n", "list:2:1: 'text' is no NAME=VALUE"),
        ("env.sh", "A=1\nB=2\n", "env.sh:1:1: 'A=1' cannot be the name of a host"),
        ("README", "Title\n=====\n", "README:2:1: '=====' cannot be the name of a host"),
        ("image", b"\x89PNG\r\n\xff\xfe", "image:1:1: is not UTF-8 here"),
    ],
)
def test_a_file_that_ansible_reads_in_part_is_an_error(
    write: Write, name: str, content: str | bytes, problem: str
) -> None:
    folder = write({"hosts": "a\nb\n", name: content})
    assert problem in error(str(folder))


def test_odd_directories_are_warned_about(write: Write) -> None:
    folder = write(
        {
            "hosts.yml": "all: {hosts: {web: }, children: {dgx: , web: }}",
            "group_vars/dgxx.yml": "a: 1",
            "group_vars/other_inventory.yml": "a: 1",
        }
    )
    warnings = "\n".join(inventory.load(str(folder)).warnings).replace(f"{folder}/", "")
    assert "group_vars/dgxx.yml belongs to no group: did you mean dgx?" in warnings
    assert "web is the name of a group and of a host" in warnings
    assert "other_inventory" not in warnings


def test_all_inventories_of_a_directory_count_in_order_of_name(write: Write) -> None:
    folder = write(
        {
            "hosts": "[web]\nw1 v=first w=first\n",
            "db-hosts": "[db]\nd1\n[web]\nw2\n",
            "sub/extra.yml": "web: {hosts: {w1: {v: last}}}",
            "group_vars/web.yml": "x: file",
            "roles/site.py": "",
            "id_ed25519": "-----BEGIN OPENSSH PRIVATE KEY-----\n",
            "known_hosts": "v1,10.0.0.1 ssh-ed25519 AAAA\n",
            "hosts~": "[old]\no1\n",
            "ansible.cfg": "[defaults]\nbecome=true\n",
            "pw": "s3cret\n",
            "junit.xml": '<?xml version="1.0" encoding="utf-8"?>\n<testsuites/>\n',
            "state/run.jsonl": '{"type":"journal","inventory":["here"]}\n{"type":"end","hosts":{}}\n',
        }
    )
    found = inventory.load(str(folder))
    assert found.hosts == ("d1", "w2", "w1")
    assert [found.variable("w1", name) for name in "vwx"] == ["last", "first", "file"]
    assert [text.replace(f"{folder}/", "") for text in found.warnings] == [
        "pw is not read, since it is one word: if it is a host, begin it with [ungrouped]; "
        "if not, hide it behind a dot in its name"
    ]


def test_a_name_with_a_slash_is_a_path_of_variables(write: Write) -> None:
    folder = write(
        {
            "hosts": "[a/b]\nr/h1\n",
            "group_vars/a/b.yml": "mtu: 1400",
            "host_vars/r/h1.yml": "ansible_user: joe",
        }
    )
    rows = inventory.load(str(folder)).explain("r/h1", role_path=[])
    assert {row.variable: row.value for row in rows} == {"mtu": 1400, "ansible_user": "joe"}
