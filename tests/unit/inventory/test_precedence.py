"""Groups, hosts and which value holds."""

from collections.abc import Callable
from typing import Any

import pytest

from provision.inventory import Host, Inventory

Resolved = Callable[..., dict[str, Host]]
Refused = Callable[..., list[str]]


def daemon(host: Host) -> Any:
    return host.settings["docker_daemon"]


def test_the_example_of_the_contract(resolved: Resolved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NGC_API_KEY", "hidden-key")
    hosts = resolved("""
all:
  vars:
    roles: [docker_daemon, registry_login]
    docker_daemon:
      bip: 192.168.127.1/24
      default_ulimits: {memlock: unlimited, stack: 67108864}
    registry_login:
      registries:
        nvcr.io: {username: $oauthtoken, password: !secret env:NGC_API_KEY, users: [root, alice]}
  children:
    dgx:
      hosts:
        dgx[01:08].example.com:
""")
    assert list(hosts) == [f"dgx0{n}.example.com" for n in range(1, 9)]
    host = hosts["dgx08.example.com"]
    assert host.groups == ("all", "dgx")
    assert host.roles == ("docker_daemon", "registry_login")
    assert daemon(host).default_ulimits == {"memlock": "unlimited", "stack": 67108864}
    login: Any = host.settings["registry_login"]
    assert login.registries["nvcr.io"].username == "$oauthtoken"
    assert login.registries["nvcr.io"].password.reveal() == "hidden-key"
    assert "hidden-key" not in repr(host)


def test_levels_from_all_to_set(resolved: Resolved) -> None:
    text = """
all:
  vars:
    roles: [docker_daemon]
    docker_daemon: {mtu: 1000, bip: all, log_opts: {a: all, b: all, c: all, d: all}, dns: [x, y]}
  children:
    parent:
      vars: {docker_daemon: {log_opts: {b: parent, c: parent, d: parent}, dns: [z]}}
      children:
        child:
          vars: {docker_daemon: {log_opts: {c: child, d: child}}}
          hosts:
            h: {docker_daemon: {log_opts: {d: host}}}
  hosts:
    other:
"""
    hosts = resolved(text, overrides=["docker_daemon.mtu=9000", 'docker_daemon.log_opts."max.size"=10m'])
    assert daemon(hosts["h"]).log_opts == {"a": "all", "b": "parent", "c": "child", "d": "host", "max.size": "10m"}
    assert daemon(hosts["h"]).dns == ["z"]
    assert daemon(hosts["h"]).mtu == 9000
    assert daemon(hosts["other"]).log_opts == {"a": "all", "b": "all", "c": "all", "d": "all", "max.size": "10m"}
    assert daemon(hosts["other"]).storage_driver == "overlay2"


def test_between_groups_of_one_depth_priority_decides_then_the_name(resolved: Resolved) -> None:
    text = """
all:
  vars: {{roles: [docker_daemon]}}
  children:
    a: {{hosts: {{h: }}, vars: {{docker_daemon: {{bip: a}}{priority}}}}}
    b: {{hosts: {{h: }}, vars: {{docker_daemon: {{bip: b}}}}}}
"""
    assert daemon(resolved(text.format(priority=""))["h"]).bip == "b"
    for written in ("10", "'10'", "+2"):
        assert daemon(resolved(text.format(priority=f", ansible_group_priority: {written}"))["h"]).bip == "a"


def test_depth_beats_priority(resolved: Resolved) -> None:
    hosts = resolved("""
all:
  vars: {roles: [docker_daemon]}
  children:
    top:
      vars: {ansible_group_priority: 99, docker_daemon: {bip: top}}
      children: {low: {hosts: {h: }, vars: {docker_daemon: {bip: low}}}}
""")
    assert daemon(hosts["h"]).bip == "low"


def test_group_vars_of_any_group_lie_over_inline_vars_of_any_group(loaded: Callable[..., Inventory]) -> None:
    found = loaded(
        """
all:
  children:
    g:
      vars: {v: inline-g, w: inline-g, x: inline-g}
      hosts: {h: {x: inline-h, y: inline-h}}
""",
        {
            "group_vars/all.yml": "{v: file-all, w: file-all}",
            "group_vars/g.yml": "w: file-g",
            "host_vars/h": "y: file-h",
        },
    )
    assert [found.variable("h", name) for name in "vwxy"] == ["file-all", "file-g", "inline-h", "file-h"]


def test_variable_files_lie_over_what_stands_inline_at_the_same_level(resolved: Resolved) -> None:
    hosts = resolved(
        """
all:
  vars: {roles: [docker_daemon], docker_daemon: {bip: inline, mtu: 1000}}
  children: {web: {hosts: {h: , i: }, vars: {docker_daemon: {mtu: 2000}}}}
""",
        {
            "group_vars/all.yml": "docker_daemon: {bip: file, log_opts: {a: all}}",
            "group_vars/web/10-a.yml": "docker_daemon: {log_opts: {b: first, c: first}}",
            "group_vars/web/20-b.yaml": "docker_daemon: {log_opts: {c: second}}",
            "group_vars/web/README.md": "not YAML: [",
            "group_vars/web/.hidden.yml": "[",
            "host_vars/h": "docker_daemon: {log_opts: {d: host}}",
            "group_vars/somebody_else.yml": "docker_daemon: [",
            "group_vars/ungrouped.yml": "",
        },
    )
    assert daemon(hosts["h"]).log_opts == {"a": "all", "b": "first", "c": "second", "d": "host"}
    assert (daemon(hosts["i"]).bip, daemon(hosts["i"]).mtu) == ("file", 2000)


def test_an_empty_role_asks_nothing_and_null_unsets(resolved: Resolved) -> None:
    hosts = resolved("""
all:
  vars: {roles: [docker_daemon], docker_daemon: {bip: x, mtu: 1000}}
  hosts: {a: {docker_daemon: }, b: {docker_daemon: {mtu: null}}}
""")
    assert daemon(hosts["a"]).mtu == 1000
    assert (daemon(hosts["b"]).mtu, daemon(hosts["b"]).bip) == (None, "x")


def test_a_host_in_several_groups_and_places(resolved: Resolved) -> None:
    hosts = resolved("""
web: {hosts: {h: {ansible_user: u}}}
db: {hosts: {h: {ansible_port: 2222}, "h[1:2]:2022": }}
all: {vars: {roles: [docker_daemon]}}
""")
    assert hosts["h"].groups == ("all", "db", "web")
    assert (hosts["h"].target.user, hosts["h"].target.port) == ("u", 2222)
    assert hosts["h2"].target.port == 2022


def test_the_first_mention_of_a_host_decides_on_its_port(resolved: Resolved) -> None:
    hosts = resolved("g1: {hosts: {h1: }}\ng2: {hosts: {'h1:2222': , 'h2:2222': }}")
    assert (hosts["h1"].target.port, hosts["h2"].target.port) == (None, 2222)


def test_a_range_of_addresses_in_brackets_has_a_port(resolved: Resolved) -> None:
    hosts = resolved('all: {hosts: {"[2001:db8::[1:3]]:22": , "[2001:db8::9]:23": }}')
    assert {name: host.target.port for name, host in hosts.items()} == {
        "2001:db8::1": 22,
        "2001:db8::2": 22,
        "2001:db8::3": 22,
        "2001:db8::9": 23,
    }


def test_a_host_that_is_only_in_all_gets_the_variables_of_ungrouped(loaded: Callable[..., Inventory]) -> None:
    found = loaded(
        "all: {hosts: {a: , b: }, children: {g: {hosts: {b: , c: }}}}\nungrouped: {hosts: {c: }}",
        {"group_vars/ungrouped.yml": "v: 1"},
    )
    assert [found.variable(name, "v") for name in "abc"] == [1, None, None]
    assert found.members("ungrouped") == ("a",)


def test_a_priority_counts_only_in_the_inventory_itself(loaded: Callable[..., Inventory]) -> None:
    found = loaded(
        "all: {children: {a1: {hosts: {h: }}, b1: {hosts: {h: }}}}",
        {"group_vars/a1.yml": "{ansible_group_priority: 10, v: a1}", "group_vars/b1.yml": "v: b1"},
    )
    assert found.variable("h", "v") == "b1"
    assert any("a1.yml:1:2: ansible_group_priority counts only in the inventory itself" in w for w in found.warnings)


def test_a_merge_changes_nothing_that_others_see(resolved: Resolved) -> None:
    hosts = resolved("""
all:
  vars: {roles: [docker_daemon], docker_daemon: &d {log_opts: {a: all}}}
  hosts: {a: {docker_daemon: {log_opts: {b: a}}}, b: {docker_daemon: {log_opts: {b: b}}}, c: {docker_daemon: *d}}
""")
    assert [daemon(hosts[name]).log_opts for name in "abc"] == [
        {"a": "all", "b": "a"},
        {"a": "all", "b": "b"},
        {"a": "all"},
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "hosts.yml:1:1: is empty; begin with all:"),
        ("[]", "hosts.yml:1:1: an inventory is a mapping of groups"),
        ("hosts: {a: }", "hosts.yml:1:1: hosts: stands at the top level; put it under all:"),
        ("all: [a]", "hosts.yml:1:6: group all must be a mapping"),
        ("all: {hosts: [a, b]}", "hosts.yml:1:14: group all: hosts: must be a mapping; write each one as a key"),
        ("all: {host: {a: }}", "hosts.yml:1:7: group all: unknown key 'host'"),
        ("all: {host: {a: }}", "did you mean hosts:?"),
        ("all: {docker_daemon: {}}", "variables go under vars:"),
        ("all: {hosts: {a: 1}}", "hosts.yml:1:18: host a: its variables must be a mapping"),
        ("all: {hosts: {1: }}", "the name of a host must be text, and 1 is not; quote it"),
        ("all: {hosts: {no: }}", "the name of a host must be text, and 'no' is none in YAML 1.1; quote it"),
        ("all: {children: {2026-01-31: }}", "the name of a group must be text, and '2026-01-31' is none in YAML 1.1"),
        ("all: {hosts: {'-oProxyCommand=x': }}", "'-oProxyCommand=x' cannot be the name of a host"),
        ("all: {hosts: {'a b': }}", "'a b' cannot be the name of a host"),
        ("all: {hosts: {'a[3:1]': }}", "hosts.yml:1:15: host range [3:1]: the first end must not be after the last"),
        ("all: {hosts: {'{{ x }}': }}", "host {{ x }}: a name is no template"),
        ("all: {children: {'a:b': }}", "'a:b' cannot be the name of a group"),
        ("a: {children: {b: }}\nb: {children: {c: }}\nc: {children: {a: }}", "groups hold one another: "),
        ("a: {children: {b: }}\nb: {children: {a: }}", "take one of them out"),
        ("a: {children: {a: }}", "hosts.yml:1:16: groups hold one another: a > a"),
        ("a: {children: {all: }}", "hosts.yml:1:16: groups hold one another: all is above every group"),
    ],
)
def test_structure_that_means_nothing(refused: Refused, text: str, problem: str) -> None:
    assert problem in "\n".join(refused(text))


def test_a_long_chain_of_groups_is_no_trouble(loaded: Callable[..., Inventory]) -> None:
    chain = "".join(f"g{n}: {{children: {{g{n + 1}: }}}}\n" for n in range(3000))
    found = loaded(chain + "g3000: {hosts: {h: }}\n")
    assert found.members("g0") == ("h",)


def test_rollout_is_kept_as_it_stands(loaded: Callable[..., Inventory], refused: Refused) -> None:
    text = "all: {hosts: {a: }, vars: {rollout: {waves: [1, 10%]}}}"
    assert loaded(text).rollout == {"waves": [1, "10%"]}
    assert loaded("rollout: {waves: [2]}\nall: {hosts: {a: }}").rollout == {"waves": [2]}
    assert loaded("all: {hosts: {a: }}").rollout is None
    assert "rollout is for the whole inventory" in refused("all: {hosts: {a: {rollout: {waves: [1]}}}}")[0]
