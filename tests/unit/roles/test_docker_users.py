"""docker_users: order of work, and what is refused before a host is touched."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from provision import role
from provision.facts import Facts
from provision.resources import Group, GroupExclusive, GroupMembership, Resource, UserAccount

ROLE = role.load("docker_users", [Path(__file__).parents[3] / "roles"])
SHA512 = "$6$salt$" + "a" * 86
YESCRYPT = "$y$j9T$" + "a" * 22 + "$" + "b" * 43


def facts(name: str = "debian", version: str = "12") -> Facts:
    release = {"id": name, "version_id": version}
    return Facts.model_validate({"os": release, "architecture": "amd64", "init": "systemd"})


def resources(settings: dict[str, Any], host: Facts | None = None) -> list[Resource]:
    return list(ROLE.resources(host or facts(), ROLE.settings.model_validate(settings)))


def test_the_group_comes_first_then_the_account_then_its_membership() -> None:
    users = {"alice": {"create": True, "password_hash": SHA512}, "bob": {}, "carol": {"state": "absent"}}
    found = resources({"users": users, "exclusive": True})
    assert [item.kind for item in found] == [
        "group",
        "user_account",
        "group_membership",
        "group_membership",
        "group_membership",
        "group_exclusive",
    ]
    members = [(item.user, item.member, item.created) for item in found if isinstance(item, GroupMembership)]
    assert members == [("alice", True, True), ("bob", True, False), ("carol", False, False)]
    assert found[-1] == GroupExclusive(group="docker", keep=("alice", "bob"))


def test_the_hash_travels_as_a_secret() -> None:
    [account] = [
        r for r in resources({"users": {"a": {"create": True, "password_hash": SHA512}}}) if isinstance(r, UserAccount)
    ]
    assert SHA512 not in repr(account)
    assert account.fields()["password_hash"] == SHA512


def test_nobody_to_add_makes_no_group() -> None:
    assert not [item for item in resources({"users": {"carol": {"state": "absent"}}}) if isinstance(item, Group)]


def test_a_hash_that_the_host_cannot_read_is_refused() -> None:
    users = {"users": {"alice": {"create": True, "password_hash": YESCRYPT}}}
    resources(users)
    resources(users, facts("ubuntu", "20.04"))
    for old in (facts("ubuntu", "18.04"), facts("debian", "10")):
        with pytest.raises(role.Refuse, match="alice"):
            resources(users, old)


@pytest.mark.parametrize(
    "user",
    [
        {"create": True, "password_hash": "secret"},
        {"create": True, "password_hash": "!" + SHA512},
        {"create": True, "password_hash": SHA512 + "\nroot:x"},
        {"uid": 5},
        {"state": "absent", "create": True},
        {"create": True, "uid": -1},
        {"create": True, "shell": "bash"},
        {"crate": True},
    ],
)
def test_what_is_wrong_is_told_at_once(user: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        ROLE.settings.model_validate({"users": {"alice": user}})
    assert SHA512 not in str(caught.value.errors(include_input=False))


@pytest.mark.parametrize("name", ["-rf", "a:b", "a b", "a\n", ""])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(ValidationError):
        ROLE.settings.model_validate({"users": {name: {}}})
