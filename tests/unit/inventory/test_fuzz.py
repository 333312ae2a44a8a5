"""Whatever an inventory says, it is hosts or InputError."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision import inventory
from provision.errors import InputError
from provision.inventory import programs

KEYS = st.sampled_from(
    [
        *("all", "hosts", "children", "vars", "web", "db", "h[1:2]", "h1", "ungrouped", "rollout", "roles", "<<"),
        *("docker_daemon", "docker_deamon", "registry_login", "bip", "mtu", "dns", "log_opts", "extra", "registries"),
        *("username", "password", "token", "ansible_host", "ansible_port", "ansible_become", "ansible_group_priority"),
        *("ansible_password", "ansible_connection", "ansible_ssh_common_args", "ansible_foo", "", "{{ x }}"),
    ]
)
SCALARS = st.one_of(
    st.sampled_from(
        [None, True, False, 0, 1, 22, 70000, 1.5, "", "x", "{{ x }}", "local", "-o x", "docker_daemon", "é"]
    ),
    st.text("abz é\u2028-:{[!~", max_size=5),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=25
)
VARIABLES = st.dictionaries(KEYS, VALUES, max_size=5)
GROUP = st.fixed_dictionaries(
    {},
    optional={
        "vars": VARIABLES | VALUES,
        "hosts": st.dictionaries(KEYS, VARIABLES | VALUES, max_size=3) | VALUES,
        "children": st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=3) | VALUES,
    },
)
WILD = st.dictionaries(KEYS, GROUP | VALUES, max_size=4)
ROLES = st.fixed_dictionaries({"roles": st.just(["docker_daemon", "registry_login"])})
NAMES = st.sampled_from(
    ["docker_daemon", "registry_login", "ansible_host", "ansible_port", "ansible_password", "other"]
)
OF_HOST = st.dictionaries(NAMES, st.dictionaries(KEYS, VALUES, max_size=3) | SCALARS, max_size=3)
LIKELY = st.builds(
    lambda roles, above, group, host, more: {
        "all": {"vars": above | roles, "children": {"web": {"vars": group, "hosts": {"h1": host, "h[1:2]": more}}}}
    },
    *(ROLES | st.just({}), OF_HOST, OF_HOST, OF_HOST, OF_HOST),
)


FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def told(source: Path, roles: list[Path], secrets: bool) -> str:
    """What an inventory comes to: its problems, or its number of hosts."""
    try:
        found = inventory.load(str(source))
        found.graph()
        for host in found.hosts:
            found.explain(host, role_path=roles)
        hosts = found.resolve(found.hosts, role_path=roles, secrets=secrets)
    except InputError as error:
        return str(error)
    assert [host.name for host in hosts] == list(found.hosts)
    return f"{len(hosts)} hosts"


@FUZZ
@given(data=WILD | LIKELY, secrets=st.booleans())
def test_any_yaml(folder: Path, roles: list[Path], data: Any, secrets: bool) -> None:
    file = folder / "hosts.yml"
    file.write_text(json.dumps(data, ensure_ascii=False))
    assert told(file, roles, secrets)


@FUZZ
@given(data=WILD | LIKELY)
def test_any_answer_of_a_program(folder: Path, roles: list[Path], data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "dyn"
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setattr(programs, "run", lambda argv, cwd, env: json.dumps(data))
        assert told(file, roles, True)
