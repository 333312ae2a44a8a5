"""Templates in values: evaluated for each host, only where they are used, with Ansible's results."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision.errors import InputError
from provision.inventory import Host, Inventory
from provision.secrets import HIDDEN

from . import vaults

Resolved = Callable[..., dict[str, Host]]
Refused = Callable[..., list[str]]
Loaded = Callable[..., Inventory]
SITE = """
all:
  vars:
    one: 1
    text: abc
    num: "42"
    lst: [1, "{{ text }}"]
    cfg: {a: "{{ text }}", b: "{{ nowhere }}", c: "{{ cfg.a }}", "d-e": {f: "{{ one }}"}}
    flag: yes
    off: no
    nested: "{{ flag }}"
    lacking: "{{ nowhere }}"
    loop: "{{ back }}"
    back: "x{{ loop }}"
    when: 22:30
    thousand: 1e3
    mode: 0o17
    parts: 685.230_15e+03
    day: 2026-1-1
    nothing:
    pair: "{{ (1, 2) }}"
    literal: !unsafe "{{ text }}"
    quoted: "{{ '{{ text }}' }}"
  hosts: {h1.example.com: {ansible_host: 10.0.0.1, x: one}, h2: {x: "{{ inventory_hostname }}"}, 10.0.0.9: {x: z}}
  children: {web: {hosts: {h2: }}, db: {hosts: {h2: }}}
"""


def value(found: Inventory, template: str) -> Any:
    """What a template gives for h2."""
    tree = found._source.tree
    tree.hosts["h2"].variables[0].put("asked", template, tree.hosts["h2"].at, tree.hosts["h2"].at)
    return found.variable("h2", "asked")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ one }}", 1),
        ("x{{ one }}", "x1"),
        ("{{ one }}{{ one }}", "11"),
        ("{{ one }} ", "1 "),
        ("{{ one }}\n", 1),
        ("{{ num }}\n", "42\n"),
        ("{{ one }}\n\n", "1\n\n"),
        ("{% if flag %}\na\n{% endif %}\n", "a\n"),
        ("{{ num }}", "42"),
        ("{{ num | int }}", 42),
        ("{{ '1' }}", "1"),
        ("{{ lst }}", [1, "abc"]),
        ("{{ lst + [3] }}", [1, "abc", 3]),
        ("{{ lst.1 }}", "abc"),
        ("{{ (1, 2) }}", [1, 2]),
        ("{{ pair }}", [1, 2]),
        ("{{ pair | string }}", "(1, 2)"),
        ("{{ lst | map('upper') }}", ["1", "ABC"]),
        ("{{ cfg.c }}", "abc"),
        ("{{ cfg['d-e'] }}", {"f": 1}),
        ("{{ {'a': one} }}", {"a": 1}),
        ("{{ flag }}", True),
        ("{{ nested }}", True),
        ("{{ 'a' if off else 'b' }}", "b"),
        ("{{ nothing }}", None),
        ("a{{ nothing }}b", "ab"),
        ("{% if off %}a{% endif %}", None),
        ("{% for item in lst %}{{ item }},{% endfor %}", "1,abc,"),
        ("{# a comment #}x", "x"),
        ("{{ lacking | default('d') }}", "d"),
        ("{{ lacking is defined }}", False),
        ("{{ literal }}", "{{ text }}"),
        ("{{ quoted }}", "{{ text }}"),
        ("{{ 'a\\d' }}", "a\\d"),
        ("{{ text | regex_replace('(b)', '<\\1>') }}", "a<b>c"),
        ("{{.Name}}", "{{.Name}}"),
        ("{{ x }}", "h2"),
        ("{{ inventory_hostname_short }}", "h2"),
        ("{{ hostvars['h1.example.com'].ansible_host }}", "10.0.0.1"),
        ("{{ hostvars['h1.example.com'].inventory_hostname_short }}", "h1"),
        ("{{ hostvars['10.0.0.9'].inventory_hostname_short }}", "10.0.0.9"),
        ("{{ hostvars | list }}", ["h1.example.com", "h2", "10.0.0.9"]),
        ("{{ group_names }}", ["db", "web"]),
        ("{{ groups.web.index(inventory_hostname) }}", 0),
        ("{{ groups.all | map('extract', hostvars, 'x') | list }}", ["one", "h2", "z"]),
        ("{{ cfg | length }}", 4),
        ("{{ thousand }}", "1e3"),
        ("{{ mode }}-{{ thousand }}", "0o17-1e3"),
        ("{{ day }}", "2026-1-1"),
        ("{{ 'yes' | bool }}", True),
        ("{{ flag | ternary('a', 'b') }}", "a"),
        ("{{ cfg['d-e'] | combine({'g': 2}) }}", {"f": 1, "g": 2}),
        ("{{ inventory_file | basename }}", "hosts.yml"),
    ],
)
def test_what_a_template_gives(loaded: Loaded, template: str, expected: Any) -> None:
    found = value(loaded(SITE), template)
    assert (type(found) in (type(expected), found.__class__), found) == (True, expected)
    assert isinstance(found, bool) == isinstance(expected, bool)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{{ nowhere }}", "'nowhere' is not defined; define it for this host, or write default(…)"),
        ("{{ txt }}", "'txt' is not defined; did you mean 'text'?"),
        ("{{ lacking }}", "'nowhere' is not defined (in lacking, hosts.yml:12:14)"),
        ("{{ cfg }}", "hosts.yml:8:31: host h2: asked.b: 'nowhere' is not defined"),
        ("{{ cfg.z }}", "there is no 'z' in cfg"),
        ("{{ hostvars.h9.x }}", "there is no 'h9' in hostvars"),
        ("{{ one.foo }}", "there is no 'foo' in the int"),
        ("{{ ansible_facts.x }}", "facts, and what only a play knows, are not known here"),
        ("{{ loop }}", "templates refer to one another in a circle: loop > back > loop"),
        ("{{ loop | default('d') }}", "in a circle: loop > back > loop"),
        ("{{ when }}", "when is 22:30, which Ansible reads as a number or a date"),
        ("{{ parts }}", "parts is 685.230_15e+03, which Ansible reads as a number or a date"),
        (
            "{{ lookup('env', 'HOME') }}",
            "lookups of Ansible's are not done here; write the value itself; a secret with",
        ),
        ("{{ text is match('a') }}", "No test named 'match'; Ansible's own tests are not here: compare with == or in"),
        ("{{ text | password_hash }}", "the template is wrong: No filter named 'password_hash'; of Ansible's own"),
        (
            "{{ text",
            "the template is wrong: unexpected end of template, expected 'end of print statement'; tag text",
        ),
        ("{{ range(3) }}", "the template gives a range, which is no value"),
        ("{{ one + text }}", "the template fails: unsupported operand type(s)"),
        ("{{ text.__class__.__mro__ }}", "the template does what templates may not do here"),
        ("{{ lst.append(1) }}", "the template does what templates may not do here"),
        ("{{ 'a' * 100000000 }}", "makes a value of more than 1000000 parts"),
        ("{{ 9 ** (9 ** 9) }}", "makes a number that is too large"),
        ("{{ range(10 ** 9) | list }}", "the template fails: Range too big"),
    ],
)
def test_what_a_template_cannot_give(loaded: Loaded, tmp_path: Path, template: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        value(loaded(SITE), template)
    assert problem in str(caught.value).replace(f"{tmp_path}/inv/", "")
    assert str(caught.value).startswith(f"{tmp_path}/inv/hosts.yml:")
    assert "host h2: asked" in str(caught.value)


def test_connection_roles_and_settings_are_templates_of_each_host(resolved: Resolved) -> None:
    hosts = resolved(
        """
all:
  vars:
    domain: example.com
    octet: "{{ inventory_hostname[1:] | int }}"
    common: [docker_daemon]
    ansible_host: "{{ inventory_hostname }}.{{ domain }}"
    ansible_port: "{{ 2200 + octet }}"
    ansible_become: "{{ group_names == ['g'] }}"
    ansible_ssh_private_key_file: "{{ inventory_dir }}/keys/{{ env | default('dev') }}"
    roles: "{{ common }}"
    docker_daemon: {bip: "192.168.{{ octet }}.1/24", mtu: "{{ big_mtu }}", dns: ["{{ hostvars.n1.ansible_host }}"]}
    big_mtu: 9000
  children: {g: {hosts: {"n[1:3]": }}}
""",
        {"keys/dev": "-----BEGIN"},
    )
    target = hosts["n2"].target
    assert (target.address, target.port, target.become) == ("n2.example.com", 2202, True)
    assert str(target.private_key_file).endswith("/inv/keys/dev")
    settings: Any = [hosts[name].settings["docker_daemon"] for name in ("n1", "n3")]
    assert [(one.bip, one.mtu, one.dns) for one in settings] == [
        ("192.168.1.1/24", 9000, ["n1.example.com"]),
        ("192.168.3.1/24", 9000, ["n1.example.com"]),
    ]


def test_what_is_not_used_is_not_evaluated(resolved: Resolved) -> None:
    hosts = resolved("""
all:
  vars: {other: "{{ nowhere }}", registry_login: {token: "{{ nowhere }}"}, roles: [docker_daemon]}
  hosts: {good: {docker_daemon: {bip: "{{ x }}"}, x: a, unused: "{{ lookup('pipe', 'false') }}"}}
""")
    assert set(hosts["good"].settings) == {"docker_daemon"}


def test_a_host_that_was_not_chosen_costs_nothing(loaded: Loaded, roles: list[Path]) -> None:
    found = loaded("all: {hosts: {a: {ansible_host: 10.0.0.1}, b: {ansible_host: '{{ nowhere }}'}}}")
    assert found.resolve(["a"], role_path=roles)[0].target.address == "10.0.0.1"


def test_a_mistake_of_many_hosts_is_told_once(refused: Refused) -> None:
    text = "all: {vars: {ansible_user: '{{ admin }}'}, hosts: {'h[1:9]': }}"
    assert refused(text) == [
        "hosts.yml:1:28: host h1 and 8 more: ansible_user: 'admin' is not defined; "
        "define it for this host, or write default(…)"
    ]


def test_a_wrong_result_is_told_at_the_template(refused: Refused) -> None:
    text = "all: {vars: {roles: [docker_daemon], docker_daemon: {mtu: '{{ m }}'}, m: low}, hosts: {h: }}"
    assert refused(text)[0].startswith("hosts.yml:1:59: all: docker_daemon.mtu: should be a whole number")


SECRETS = """
all:
  vars:
    roles: [registry_login]
    plain: user
    ansible_become_password: "{{ vault_become }}"
    registry_login:
      token: "{{ 'Bearer ' ~ api }}"
      registries: "{{ logins }}"
    logins: {nvcr.io: {username: "{{ plain }}", password: "{{ api }}"}}
    api: !secret env:API_KEY
  hosts: {h: }
"""


def test_what_is_made_from_a_secret_is_secret(
    resolved: Resolved, loaded: Loaded, roles: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", "k3y-of-mine")
    (tmp_path / "pw").write_text(vaults.PASSWORD)
    files = {"group_vars/all.yml": "vault_become: " + vaults.block(vaults.BLOCK, 2)}
    host = resolved(SECRETS, files, vault_password_file=tmp_path / "pw")["h"]
    settings: Any = host.settings["registry_login"]
    assert settings.token.reveal() == "Bearer k3y-of-mine"
    assert settings.registries["nvcr.io"].username == "user"
    assert settings.registries["nvcr.io"].password.reveal() == "k3y-of-mine"
    assert host.target.become_password is not None
    assert host.target.become_password.reveal() == vaults.BLOCK_VALUE
    assert "k3y" not in repr(host)
    rows = {row.variable: row.value for row in loaded(SECRETS, files).explain("h", role_path=roles)}
    assert rows["ansible_become_password"] == HIDDEN
    assert rows["registry_login.token"] == HIDDEN
    assert rows['registry_login.registries."nvcr.io".password'] == HIDDEN
    assert rows['registry_login.registries."nvcr.io".username'] == "user"


def test_a_value_of_a_vaulted_file_is_hidden_where_a_template_takes_it(
    loaded: Loaded, tmp_path: Path, roles: list[Path]
) -> None:
    (tmp_path / "pw").write_text(vaults.PASSWORD)
    text = "all: {vars: {roles: [docker_daemon], ansible_timeout: '{{ docker_daemon.mtu / 100 }}'}, hosts: {h: }}"
    found = loaded(text, {"group_vars/all.yml": vaults.WHOLE_FILE}, vault_password_file=tmp_path / "pw")
    rows = {row.variable: row for row in found.explain("h", role_path=roles)}
    assert rows["ansible_timeout"].value == HIDDEN
    assert "group_vars/all.yml:2:" in rows["ansible_timeout"].origin
    assert found.resolve(["h"], role_path=roles)[0].target.connect_timeout == 90


def test_a_secret_that_is_asked_for_goes_through_a_template(resolved: Resolved, refused: Refused) -> None:
    text = SECRETS.replace("env:API_KEY", "prompt:key").replace('"{{ vault_become }}"', "!secret prompt:sudo")
    asked: list[str] = []
    host = resolved(text, ask=lambda question: asked.append(question) or f"answer-{len(asked)}")["h"]
    settings: Any = host.settings["registry_login"]
    assert sorted(asked) == ["key", "sudo"]
    assert settings.token.reveal() == f"Bearer {settings.registries['nvcr.io'].password.reveal()}"


def test_no_message_holds_a_secret(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "k3y-of-mine")
    for template in ("{{ api + 1 }}", "{{ {}[api] }}", "{{ api | b64decode }}", "{{ [1][api] }}"):
        text = SECRETS.replace("{{ 'Bearer ' ~ api }}", template).replace("{{ vault_become }}", "{{ api }}")
        told = "\n".join(refused(text))
        assert "registry_login.token" in told
        assert "k3y" not in told


def test_a_secret_in_a_place_for_none_is_refused(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHO", "root")
    text = "all: {vars: {ansible_user: '{{ who }}', who: !secret env:WHO}, hosts: {h: }}"
    assert "ansible_user: is not a secret" in refused(text)[0]


def test_the_inventory_shows_what_a_template_gives(loaded: Loaded, roles: list[Path]) -> None:
    text = "all: {vars: {ansible_host: '{{ d }}.x', d: a, ansible_user: '{{ no }}', o: '{{ d }}'}, hosts: {h: }}"
    rows = {row.variable: row.value for row in loaded(text).explain("h", role_path=roles)}
    assert (rows["ansible_host"], rows["ansible_user"], rows["o"]) == ("a.x", "{{ no }}", "{{ d }}")
    text = "all: {vars: {roles: '{{ r }}', r: [docker_daemon], docker_daemon: {mtu: '{{ 9 * 9 }}'}}, hosts: {h: }}"
    rows = {row.variable: row.value for row in loaded(text).explain("h", role_path=roles)}
    assert (rows["docker_daemon.mtu"], rows["docker_daemon.storage_driver"]) == (81, "overlay2")


def test_racks_are_templates_and_a_rollout_is_none(loaded: Loaded) -> None:
    text = "all: {vars: {rack: 'r{{ inventory_hostname[1:] }}'}, hosts: {h1: , h2: }}"
    assert loaded(text).by_host("rack") == {"h1": "r1", "h2": "r2"}
    with pytest.raises(InputError, match="rollout is for the whole inventory, and there are no templates in it"):
        _ = loaded("rollout: {waves: ['{{ x }}']}\nall: {hosts: {h: }}").rollout


def test_hosts_that_the_command_line_names_have_no_directory(write: Callable[..., Path]) -> None:
    from provision import inventory  # noqa: PLC0415

    folder = write({"hosts.ini": "[web]\nw\n", "group_vars/all.yml": "v: '{{ inventory_dir }}'"})
    found = inventory.load("x,", str(folder))
    assert found.variable("w", "v") == str(folder)
    with pytest.raises(InputError, match="'inventory_dir' is not defined"):
        found.variable("x", "v")
