"""Ansible's connection variables, typed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision.inventory import Host, Inventory
from provision.target import Target

Resolved = Callable[..., dict[str, Host]]


def host_with(variables: str) -> str:
    return f"all: {{vars: {{roles: [docker_daemon]}}, hosts: {{h: {{{variables}}}}}}}"


def test_defaults(resolved: Resolved) -> None:
    assert resolved(host_with(""))["h"].target == Target(name="h", address="h")


@pytest.mark.parametrize(
    ("variables", "field", "value"),
    [
        ("ansible_host: 10.0.0.1", "address", "10.0.0.1"),
        ("ansible_host: '::1'", "address", "::1"),
        ("ansible_host: '[fe80::1%eth0]'", "address", "fe80::1%eth0"),
        ("ansible_ssh_host: alias_1", "address", "alias_1"),
        ("ansible_ssh_host: same, ansible_host: same", "address", "same"),
        ("ansible_ssh_port: '22', ansible_port: 22", "port", 22),
        ("ansible_port: 2222", "port", 2222),
        ("ansible_port: '2222'", "port", 2222),
        ("ansible_user: alice", "user", "alice"),
        ("ansible_user: 'DOM\\alice@corp'", "user", "DOM\\alice@corp"),
        ("ansible_connection: local", "connection", "local"),
        ("ansible_connection: openssh", "connection", "openssh"),
        ("ansible_connection: smart", "connection", "ssh"),
        ("ansible_connection: paramiko_ssh", "connection", "ssh"),
        ("ansible_connection: ansible.builtin.ssh", "connection", "ssh"),
        ("ansible_become: true", "become", True),
        ("ansible_become: yes", "become", True),
        ("ansible_become: 'off'", "become", False),
        ("ansible_become_method: sudo, ansible_become_user: root", "become", False),
        ("ansible_ssh_common_args: \"-o ProxyJump='a b'\"", "common_args", ("-o", "ProxyJump=a b")),
        ("ansible_ssh_common_args: -4, ansible_ssh_extra_args: -C", "common_args", None),
        ("ansible_python_interpreter: /usr/bin/python3.8", "python_interpreter", "/usr/bin/python3.8"),
        ("ansible_python_interpreter: auto_silent", "python_interpreter", None),
        ("ansible_timeout: 30", "connect_timeout", 30.0),
        ("ansible_group_priority: 3", "name", "h"),
    ],
)
def test_variables(resolved: Resolved, variables: str, field: str, value: Any) -> None:
    if field == "common_args" and value is None:
        variables, value = "ansible_ssh_common_args: '-4', ansible_ssh_extra_args: '-C'", ("-4", "-C")
    assert getattr(resolved(host_with(variables))["h"].target, field) == value


def test_passwords_are_secrets(resolved: Resolved) -> None:
    target = resolved(host_with("ansible_ssh_pass: pw1, ansible_become_pass: pw2"))["h"].target
    assert target.password is not None
    assert target.become_password is not None
    assert (target.password.reveal(), target.become_password.reveal()) == ("pw1", "pw2")
    assert "pw1" not in repr(target)


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ("ansible_port: 0", "host h: ansible_port: should be a port number from 1 to 65535"),
        ("ansible_port: 65536", "should be a port number"),
        ("ansible_port: true", "should be a port number"),
        ("ansible_port: ssh", "should be a port number"),
        ("ansible_port: 22.5", "should be a port number"),
        ("ansible_host: 10.0.0.300", "'10.0.0.300' is neither a host name nor an IP address"),
        ("ansible_host: 10.0.0", "is neither"),
        ("ansible_host: '-oProxyCommand=touch x'", "is neither"),
        ("ansible_host: 'a b'", "is neither"),
        ("ansible_host: 'a:b'", "is neither"),
        ("ansible_host: ''", "should be text, and is empty"),
        ("ansible_host: 12", "should be text; quote it"),
        ("ansible_host: !secret env:HOME", "is not a secret, and takes no !secret or !vault"),
        ("ansible_host: '{{ ip }}'", "host h: ansible_host: 'ip' is not defined; define it for this host"),
        ("ansible_user: -l", "is no user name"),
        ("ansible_user: 'a b'", "is no user name"),
        ("ansible_connection: winrm", "no connection is called 'winrm'; write local, ssh or openssh"),
        ("ansible_connection: lokal", "did you mean 'local'?"),
        ("ansible_become: maybe", "ansible_become: should be true or false"),
        ("ansible_become: 2", "should be true or false"),
        ("ansible_become_method: su", "'su' is not supported; only sudo is"),
        ("ansible_become_user: postgres", "'postgres' is not supported"),
        ("ansible_password: 12345", "ansible_password: should be text or a !secret; quote it"),
        ('ansible_ssh_common_args: "-o \'x"', "cannot be split"),
        ("ansible_ssh_private_key_file: nokey", "nokey cannot be read: No such file or directory"),
        ("ansible_password: '!secret env:X'", "!secret in quotes is text and no tag; drop the quotes: !secret env:X"),
        ("ansible_ssh_private_key_file: .", "cannot be read: Is a directory"),
        ("ansible_python_interpreter: 'python3; rm'", "is no path of a program"),
        (
            "ansible_become_password: '{{ vault_become_password }}'",
            "'vault_become_password' is not defined; define it with !vault or !secret, or write here where",
        ),
        ("ansible_timeout: 0", "should be a number of seconds"),
        ("ansible_group_priority: high", "ansible_group_priority should be a whole number"),
    ],
)
def test_a_wrong_value_is_an_error(refused: Callable[..., list[str]], variables: str, problem: str) -> None:
    found = refused(host_with(variables))
    assert len(found) == 1, found
    assert problem in found[0]
    assert found[0].startswith("hosts.yml:1:")


def test_an_old_name_that_says_something_else_is_an_error_with_both_places(refused: Callable[..., list[str]]) -> None:
    text = """
all:
  vars: {roles: [docker_daemon], ansible_ssh_user: old, ansible_ssh_pass: other}
  hosts:
    h: {ansible_user: new, ansible_host: 10.0.0.2, ansible_ssh_host: 10.0.0.1, ansible_password: hidden}
"""
    found = refused(text)
    assert found == [
        "hosts.yml:5:70: host h: ansible_ssh_host: differs from ansible_host (hosts.yml:5:42); keep one of the two",
        "hosts.yml:3:52: all: ansible_ssh_user: differs from ansible_user (hosts.yml:5:23); keep one of the two",
        "hosts.yml:3:75: all: ansible_ssh_pass: differs from ansible_password (hosts.yml:5:98); keep one of the two",
    ]


@pytest.mark.parametrize(
    "name", ["ansible_become_flags", "ansible_remote_tmp", "ansible_shell_type", "ansible_ssh_executable"]
)
def test_a_name_that_only_ansible_uses_is_no_misspelling(
    loaded: Callable[..., Inventory], roles: list[Path], name: str
) -> None:
    found = loaded(host_with(f"{name}: x"))
    found.resolve(["h"], role_path=roles)
    told = [text.partition(" host h: ")[2] for text in found.warnings]
    assert told == [f"{name} is not used here"]


def test_options_for_ssh_come_in_ansibles_order(resolved: Resolved) -> None:
    text = host_with("ansible_ssh_extra_args: -C, ansible_ssh_common_args: '-4', ansible_ssh_args: -F x")
    assert resolved(text)["h"].target.common_args == ("-F", "x", "-4", "-C")


def test_an_inventory_name_that_is_no_address_needs_one(refused: Callable[..., list[str]], resolved: Resolved) -> None:
    text = "all: {vars: {roles: [docker_daemon]}, hosts: {größe: {%s}}}"
    assert "its name is no address" in refused(text % "")[0]
    assert resolved(text % "ansible_host: 10.0.0.1")["größe"].target.address == "10.0.0.1"
    assert resolved(text % "ansible_connection: local")["größe"].target.connection == "local"


def test_key_files_are_relative_to_the_inventory(resolved: Resolved, tmp_path: Path) -> None:
    text = host_with("ansible_ssh_private_key_file: keys/id")
    host = resolved(text, {"keys/id": "key"})["h"]
    assert host.target.private_key_file == str(tmp_path / "inv/keys/id")


def test_key_files_under_home(resolved: Resolved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "id").write_text("key")
    host = resolved(host_with("ansible_ssh_private_key_file: ~/id"))["h"]
    assert host.target.private_key_file == str(tmp_path / "id")


def test_unknown_and_strange_variables_are_warnings(loaded: Callable[..., Inventory], roles: list[Path]) -> None:
    found = loaded(host_with("ansible_shell_type: sh, ansible_prt: 1, ansible_connection: smart, ansible_password: x"))
    found.resolve(["h"], role_path=roles)
    told = "\n".join(found.warnings)
    assert "host h: ansible_shell_type is not used here" in told
    assert "ansible_prt is not used here; did you mean ansible_port?" in told
    assert "smart is taken as ssh" in told
    assert "ansible_password: stands here in plain text; use !secret or !vault" in told
    assert len(found.warnings) == 4
