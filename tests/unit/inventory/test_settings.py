"""Roles and their settings: every mistake with its place, owner, role and field, once, and all at once."""

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision.errors import InputError
from provision.inventory import Host, Inventory

Resolved = Callable[..., dict[str, Host]]
Refused = Callable[..., list[str]]


def daemon_with(settings: str) -> str:
    return f"all:\n  vars:\n    roles: [docker_daemon]\n    docker_daemon: {{{settings}}}\n  hosts: {{h: }}\n"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("bipp: x", "hosts.yml:4:21: all: docker_daemon.bipp: unknown key 'bipp'; did you mean 'bip'?"),
        ("zzz: x", "unknown key 'zzz'; there are: bip, default_ulimits, "),
        ("mtu: 12", "hosts.yml:4:26: all: docker_daemon.mtu: should be greater than or equal to 68"),
        ("mtu: big", "docker_daemon.mtu: should be a whole number"),
        ("mtu: yes", "docker_daemon.mtu: should be a whole number"),
        ("dns: 10.0.0.1", "docker_daemon.dns: should be a list; write a list: [10.0.0.1]"),
        ("extra: {a: '!secret env:X'}", "docker_daemon.extra.a: !secret in quotes is text and no tag; drop the quotes"),
        ("bip: 12", "docker_daemon.bip: should be text; quote it"),
        ("bip: [a]", "docker_daemon.bip: should be text"),
        ("bip: bad", "hosts.yml:4:26: all: docker_daemon.bip: bad is no address"),
        ("storage_driver: overlay", "should be 'overlay2' or 'btrfs'; did you mean 'overlay2'?"),
        (
            "default_ulimits: {memlock: unlimitd}",
            "hosts.yml:4:48: all: docker_daemon.default_ulimits.memlock: should be 'unlimited' or a whole number; "
            "did you mean 'unlimited'?",
        ),
        ("dns: [a, '']", "hosts.yml:4:30: all: docker_daemon.dns.1: "),
        ("log_opts: {1: a}", "docker_daemon.log_opts.1: should be text"),
        ("log_opts: []", "docker_daemon.log_opts: should be a mapping; write KEY: VALUE"),
        ("bip: '{{ bip }}'", "host h: docker_daemon.bip: 'bip' is not defined"),
        (
            "dns: ['{% if x %}']",
            "docker_daemon.dns.0: the template is wrong: Unexpected end of template; tag text that is no template with",
        ),
        ("log_opts: {'{{ x }}': a}", "docker_daemon.log_opts holds {{ … }} in a key, and only values are templates"),
        ("bip: !secret env:HOME", "docker_daemon.bip is not a secret, and takes no !secret or !vault"),
        ("dns: [!secret env:HOME]", "docker_daemon.dns.0 is not a secret"),
        ("extra: {a: [!secret env:HOME]}", "docker_daemon.extra.a.0 is not a secret"),
    ],
)
def test_a_wrong_setting(refused: Refused, settings: str, problem: str) -> None:
    found = refused(daemon_with(settings))
    assert len(found) == 1, found
    assert problem in found[0]


def test_text_that_docker_templates_and_text_marked_unsafe_are_taken_as_they_are(resolved: Resolved) -> None:
    host = resolved(daemon_with("log_opts: {tag: '{{.Name}}/{{ .ID }}', env: !unsafe '{{json .}}'}"))["h"]
    settings: Any = host.settings["docker_daemon"]
    assert settings.log_opts == {"tag": "{{.Name}}/{{ .ID }}", "env": "{{json .}}"}


def test_what_is_missing_is_told_where_it_should_stand(refused: Refused) -> None:
    found = refused("""
all:
  vars:
    roles: [registry_login]
    registry_login:
      registries:
        nvcr.io: {password: !secret env:HOME}
  hosts: {h: }
""")
    assert found == [
        'hosts.yml:7:18: all: registry_login.registries."nvcr.io".username is missing; the role registry_login needs it'
    ]


def test_all_mistakes_at_once_each_once(refused: Refused) -> None:
    found = refused("""
all:
  vars:
    roles: [docker_daemon, docker_deamon, docker_daemon]
    docker_deamon: {mtu: 9000}
    docker_daemon: {mtu: 1, bipp: x}
    ansible_port: 0
  children:
    dgx:
      vars: {docker_daemon: {storage_driver: zfs}}
      hosts:
        dgx[001:500]:
          ansible_user: a b
  hosts:
    web: {docker_daemon: {dns: x}, ansible_become: 7}
""")
    assert sorted(found) == sorted(
        [
            "hosts.yml:5:5: all (501 hosts): docker_deamon is no role; did you mean 'docker_daemon'?",
            "hosts.yml:4:28: all (501 hosts): roles: no role is called 'docker_deamon'; did you mean 'docker_daemon'?",
            "hosts.yml:4:43: all (501 hosts): roles: docker_daemon is listed twice",
            "hosts.yml:15:32: host web: docker_daemon.dns: should be a list; write a list: [x]",
            "hosts.yml:6:26: all (501 hosts): docker_daemon.mtu: should be greater than or equal to 68",
            "hosts.yml:6:29: all (501 hosts): docker_daemon.bipp: unknown key 'bipp'; did you mean 'bip'?",
            "hosts.yml:15:52: host web: ansible_become: should be true or false",
            "hosts.yml:7:19: all (501 hosts): ansible_port: should be a port number from 1 to 65535",
            "hosts.yml:10:46: group dgx (500 hosts): docker_daemon.storage_driver: should be 'overlay2' or 'btrfs'",
            "hosts.yml:13:25: host dgx001 and 499 more: ansible_user: 'a b' is no user name",
        ]
    )


@pytest.mark.parametrize("name", ["docker_deamon", "docker_daemons", "dockerdaemon", "registri_login"])
def test_a_near_miss_of_a_role_is_an_error(refused: Refused, name: str) -> None:
    found = refused(f"all: {{vars: {{roles: [docker_daemon], {name}: {{}}}}, hosts: {{h: }}}}")
    assert len(found) == 1
    assert (
        f"{name} is no role; did you mean 'docker_daemon'?" in found[0] or "did you mean 'registry_login'?" in found[0]
    )


def test_variables_of_others_are_nobodys_business(loaded: Callable[..., Inventory], roles: list[Path]) -> None:
    found = loaded("""
all:
  vars: {roles: [docker_daemon], ntp_servers: ["{{ x }}"], docker_version: 1, role: web, http_port: 80}
  hosts: {h: {app: {a: !vault x}}}
""")
    found.resolve(["h"], role_path=roles)
    assert found.warnings == []


def test_roles_under_a_misspelt_name(refused: Refused) -> None:
    assert (
        "rolse is no role; did you mean 'roles'?" in refused("all: {vars: {rolse: [docker_daemon]}, hosts: {h: }}")[0]
    )


@pytest.mark.parametrize(
    ("roles_text", "problem"),
    [
        ("docker_daemon", "roles: must be a list"),
        ("[docker_daemn]", "no role is called 'docker_daemn'; did you mean 'docker_daemon'?"),
        ("[nothing_like_it]", "there are: docker_daemon, registry_login"),
        ("[1]", "1 is no name of a role"),
        ("[[]]", "[] is no name of a role"),
        ("['{{ r }}']", "roles.0: 'r' is not defined"),
        ("[docker_daemon, docker_daemon]", "is listed twice"),
    ],
)
def test_wrong_roles(refused: Refused, roles_text: str, problem: str) -> None:
    found = refused(f"all: {{vars: {{roles: {roles_text}}}, hosts: {{h: }}}}")
    assert len(found) == 1
    assert problem in found[0]


def test_a_role_that_the_host_does_not_have_is_judged_by_what_is_there(refused: Refused, resolved: Resolved) -> None:
    text = "all: {vars: {roles: [docker_daemon], registry_login: {registries: {r: {%s}}}}, hosts: {h: }}"
    assert "unknown key 'usrname'" in refused(text % "usrname: x")[0]
    assert resolved(text % "users: [a]")["h"].roles == ("docker_daemon",)


def test_settings_that_are_no_mapping(refused: Refused) -> None:
    assert (
        "settings of the role docker_daemon must be a mapping"
        in refused("all: {vars: {roles: [docker_daemon], docker_daemon: true}, hosts: {h: }}")[0]
    )


def test_only_chosen_roles(resolved: Resolved, refused: Refused) -> None:
    text = "all: {vars: {roles: [registry_login, docker_daemon]}, hosts: {h: , i: {roles: [registry_login]}}}"
    hosts = resolved(text, roles=["docker_daemon"])
    assert (hosts["h"].roles, hosts["i"].roles) == (("docker_daemon",), ())
    assert list(hosts["h"].settings) == ["docker_daemon"]
    assert resolved(text, roles=())["h"].roles == ()
    assert "did you mean 'docker_daemon'?" in refused(text, roles=["docker_daemn"])[0]
    text = text.replace(", docker_daemon]", "]")
    assert refused(text, roles=["docker_daemon"]) == [
        "--roles docker_daemon: no selected host has this role; add it to roles:"
    ]


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("docker_daemon.mtu", "--set docker_daemon.mtu: not ROLE.KEY=VALUE"),
        ("docker_daemon=1", "not ROLE.KEY=VALUE"),
        ("docker_daemon..mtu=1", "not ROLE.KEY=VALUE"),
        ('docker_daemon."mtu=1', "not ROLE.KEY=VALUE"),
        ("docker_deamon.mtu=1", "no role is called 'docker_deamon'; did you mean 'docker_daemon'?"),
        (
            "docker_daemon.mtuu=1",
            "--set docker_daemon.mtuu: --set: docker_daemon.mtuu: unknown key 'mtuu'; did you mean",
        ),
        ("docker_daemon.mtu=x", "--set docker_daemon.mtu: --set: docker_daemon.mtu: should be a whole number"),
        ("docker_daemon.mtu=0900", "0900 has a leading zero"),
        ("docker_daemon.dns=[a", "--set docker_daemon.dns"),
    ],
)
def test_wrong_overrides(refused: Refused, setting: str, problem: str) -> None:
    found = refused(daemon_with(""), overrides=[setting])
    assert len(found) == 1
    assert problem in found[0]


def test_overrides_are_yaml(resolved: Resolved) -> None:
    host = resolved(
        daemon_with("default_ulimits: {stack: 1}"),
        overrides=[
            "docker_daemon.dns=[a, b]",
            "docker_daemon.default_ulimits.memlock=unlimited",
            "docker_daemon.bip=yes",
        ],
    )["h"]
    settings: Any = host.settings["docker_daemon"]
    assert (settings.dns, settings.bip) == (["a", "b"], "yes")
    assert settings.default_ulimits == {"stack": 1, "memlock": "unlimited"}


def test_an_override_that_nobody_gets_is_a_warning(loaded: Callable[..., Inventory], roles: list[Path]) -> None:
    found = loaded("all: {vars: {roles: [docker_daemon]}, hosts: {h: }}")
    found.resolve(["h"], role_path=roles, overrides=["registry_login.note=x"])
    assert found.warnings == ["--set registry_login.…: no selected host has the role registry_login"]


def test_a_host_without_roles_is_a_warning(loaded: Callable[..., Inventory], roles: list[Path]) -> None:
    found = loaded("all: {hosts: {h: , i: }}")
    assert [host.roles for host in found.resolve(["h", "i"], role_path=roles)] == [(), ()]
    assert found.warnings == ["nothing is asked of h and 1 more; list its roles under roles:"]


def test_equal_settings_are_validated_once(resolved: Resolved) -> None:
    hosts = resolved("""
all:
  vars: {roles: [docker_daemon], docker_daemon: {bip: x}}
  children: {a: {hosts: {"a[001:500]": {ansible_user: u}}}, b: {hosts: {"b[001:500]": {docker_daemon: {mtu: 9000}}}}}
""")
    assert len(hosts) == 1000
    assert sys.modules["provision_role_docker_daemon"].VALIDATED == ["x", "x"]
    assert hosts["a001"].settings["docker_daemon"] is hosts["a500"].settings["docker_daemon"]


@pytest.mark.parametrize(
    "shared",
    [
        "ansible_user: u, roles: [docker_daemon], docker_daemon: {mtu: 9000}",
        "ansible_user: '{{ rack }}'",
        "roles: ['{{ role }}'], role: docker_daemon",
        "docker_daemon: {bip: '{{ rack }}'}, roles: [docker_daemon]",
        "ansible_host: 10.0.0.1",
        "ansible_password: !secret env:HOME",
        "ansible_connection: local",
    ],
)
def test_a_host_among_many_is_what_it_is_alone(
    loaded: Callable[..., Inventory], roles: list[Path], shared: str
) -> None:
    found = loaded(f"""
all:
  vars: {{rack: r1, {shared}}}
  children:
    web:
      hosts:
        "a[1:3]": {{rack: r2}}
        b: {{ansible_port: 22, rack: r3}}
        c: {{rack: r4, docker_daemon: {{mtu: 100}}}}
        d: {{roles: [registry_login]}}
        e: {{docker_users: x}}
        "f[1:2]":
    db: {{hosts: {{"a[2:3]": , g: {{rack: r5}}}}}}
""")
    together = found.resolve(found.hosts, role_path=roles)
    assert together == [found.resolve([name], role_path=roles)[0] for name in found.hosts]


def test_a_group_s_mistake_is_told_once_with_its_hosts(refused: Refused) -> None:
    found = refused("all: {children: {web: {vars: {ansible_port: x}, hosts: {'a[1:3]': {rack: 1}, b: {rack: 2}}}}}")
    assert found == ["hosts.yml:1:45: group web (4 hosts): ansible_port: should be a port number from 1 to 65535"]


def test_a_name_that_is_no_address_is_told_among_hosts_of_a_group(refused: Refused) -> None:
    what = "is neither a host name nor an IP address; give it ansible_host"
    assert refused("all: {hosts: {1.2.3: , a: , 1.2.4: }}") == [
        f"hosts.yml:1:15: host 1.2.3: its name is no address: '1.2.3' {what}",
        f"hosts.yml:1:29: host 1.2.4: its name is no address: '1.2.4' {what}",
    ]


def test_a_mistake_at_two_places_is_two_mistakes(refused: Refused) -> None:
    found = refused("""
all:
  vars: {roles: [docker_daemon]}
  hosts:
    a: {docker_daemon: {mtu: 1}}
    b: {docker_daemon: {mtu: 1}}
""")
    assert [text.split(": ")[0:2] for text in found] == [["hosts.yml:5:30", "host a"], ["hosts.yml:6:30", "host b"]]


def test_only_selected_hosts_are_judged(loaded: Callable[..., Inventory], roles: list[Path]) -> None:
    found = loaded("all: {vars: {roles: [docker_daemon]}, hosts: {a: , b: {ansible_port: 0}}}")
    assert [host.name for host in found.resolve(["a"], role_path=roles)] == ["a"]
    with pytest.raises(InputError):
        found.resolve(["a", "b"], role_path=roles)


def test_hosts_travel(resolved: Resolved) -> None:
    host = resolved(daemon_with("bip: x"))["h"]
    assert pickle.loads(pickle.dumps(host.target)) == host.target
