"""Variables that are nobody's to us do not stop a run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from provision.errors import InputError
from provision.inventory import Host, Inventory
from provision.inventory.spelling import within

HOST = "all: {vars: {roles: [docker_daemon]}, hosts: {h: {%s}}}"


@pytest.mark.parametrize("variable", ["app_dir_mode: 0755", "build: 08", "deep: {a: [0644]}"])
def test_a_leading_zero_in_somebody_elses_variable_is_nothing(
    resolved: Callable[..., dict[str, Host]], variable: str
) -> None:
    assert resolved(HOST % variable)["h"].roles == ("docker_daemon",)


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ("docker_daemon: {mtu: 0900}", "docker_daemon.mtu: 0900 has a leading zero: write"),
        ("docker_daemon: {dns: [01]}", "docker_daemon.dns.0: 01 has a leading zero"),
        ("ansible_port: 0022", "ansible_port: 0022 has a leading zero"),
    ],
)
def test_a_leading_zero_in_our_own_is_an_error(refused: Callable[..., list[str]], variables: str, problem: str) -> None:
    found = refused(HOST % variables)
    assert len(found) == 1
    assert problem in found[0]
    assert found[0].startswith("hosts.yml:1:")


def test_a_leading_zero_in_a_variable_that_is_asked_for_is_an_error(loaded: Callable[..., Inventory]) -> None:
    found = loaded(HOST % "rack: 01" + "\nrollout: {waves: [01]}")
    for ask in (lambda: found.by_host("rack"), lambda: found.variable("h", "rack"), lambda: found.rollout):
        with pytest.raises(InputError, match="01 has a leading zero"):
            ask()


def test_settings_that_are_no_mapping_of_a_role_that_nobody_has_are_a_warning(
    loaded: Callable[..., Inventory], roles: list[Path], refused: Callable[..., list[str]]
) -> None:
    found = loaded(HOST % "registry_login: [alice]")
    found.resolve(["h"], role_path=roles)
    assert "the settings of the role registry_login must be a mapping; or leave it" in found.warnings[0]
    assert "docker_daemon must be a mapping; write KEY: VALUE" in refused(HOST % "docker_daemon: [alice]")[0]


def test_a_scalar_with_nearly_a_roles_name_is_a_warning(
    loaded: Callable[..., Inventory], roles: list[Path], refused: Callable[..., list[str]]
) -> None:
    found = loaded(HOST % "docker_deamon: x")
    found.resolve(["h"], role_path=roles)
    assert "docker_deamon is taken as nobody's; settings of docker_daemon are a mapping" in found.warnings[0]
    assert "docker_deamon is no role; did you mean 'docker_daemon'?" in refused(HOST % "docker_deamon: {mtu: 1}")[0]


@pytest.mark.parametrize(
    ("word", "other", "near"),
    [
        ("docker_mtu", "docker_users", False),
        ("docker_deamon", "docker_daemon", True),
        ("dgx1", "dgx", True),
        ("a", "abc", True),
    ],
)
def test_a_misspelling_is_two_letters_away_at_most(word: str, other: str, near: bool) -> None:
    assert within(word, other, 2) == near == within(other, word, 2)
