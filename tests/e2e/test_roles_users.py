"""docker_users on a real host: accounts, the group, people of a directory, and who goes."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.runner import Ended, HostSpec, Lab, Provision, settle
from tests.lab import LabHost, listing

pytestmark = pytest.mark.lab

HASH = "$6$saltsalt$" + "a" * 86
OTHER = "$6$saltsalt$" + "b" * 86
ALICE = {"create": True, "password_hash": HASH, "shell": "/bin/bash", "uid": 4001}
USERS: dict[str, Any] = {"alice": ALICE, "bob": {}, "carol": {"state": "absent"}}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    spec = HostSpec("users1", "bookworm", packages=("libnss-extrausers",))
    with Lab.up("users", [spec], tmp_path_factory.mktemp("users")) as up:
        yield up


@pytest.fixture(scope="module")
def host(lab: Lab) -> LabHost:
    """A host with bob and carol, and with zoe, whom only a name service module knows (as LDAP or NIS would)."""
    host = lab.host("users1")
    for name in ("bob", "carol"):
        host.run(["useradd", "-m", name])
    host.run("groupadd games2 && usermod -aG games2 bob")
    host.write("/var/lib/extrausers/passwd", "zoe:x:70001:70001:of the directory:/home/zoe:/bin/sh\n")
    host.write("/var/lib/extrausers/group", "zoe:x:70001:\n")
    host.run("sed -i 's/^passwd:.*/& extrausers/; s/^group:.*/& extrausers/' /etc/nsswitch.conf")
    assert host.run(["id", "-u", "zoe"]).stdout.strip() == "70001"
    return host


def asked(lab: Lab, users: dict[str, Any] | None = None, **more: Any) -> Provision:
    settings = {"users": USERS if users is None else users, **more}
    return settle(lab, {"roles": ["docker_users"], "docker_users": settings})


def groups(host: LabHost, user: str) -> set[str]:
    return set(host.run(["id", "-nG", user]).stdout.split())


def of_kind(ended: Ended, kind: str) -> list[dict[str, Any]]:
    return [event for event in ended.of("resource") if event["kind"] == kind]


def hidden(ended: Ended) -> Ended:
    assert HASH not in ended.stdout + ended.stderr
    assert OTHER not in ended.stdout + ended.stderr
    return ended


def test_check_on_a_fresh_host_writes_nothing_and_says_what_membership_means(lab: Lab, host: LabHost) -> None:
    before = host.listing()
    ended = hidden(asked(lab).check())
    assert ended.status == 3, ended.explain()
    assert set(ended.resources("would-change")) == {
        "group docker",
        "user_account alice",
        "group_membership alice in docker",
        "group_membership bob in docker",
    }
    notes = [event["note"] for event in of_kind(ended, "group_membership") if event["outcome"] == "would-change"]
    assert all("root" in note for note in notes)
    assert listing.differences(before, host.listing()) == []


def test_apply_makes_members_and_touches_no_other_group(lab: Lab, host: LabHost) -> None:
    ended = hidden(asked(lab).apply())
    assert ended.status == 0, ended.explain()
    assert groups(host, "alice") == {"alice", "docker"}
    assert groups(host, "bob") == {"bob", "docker", "games2"}
    assert "docker" not in groups(host, "carol")
    assert host.run(["getent", "passwd", "alice"]).stdout.split(":")[2::4] == ["4001", "/bin/bash\n"]
    assert host.run("getent shadow alice").stdout.split(":")[1] == HASH
    assert host.run("stat -c %U /home/alice").stdout.strip() == "alice"


def test_the_second_run_changes_nothing(lab: Lab, host: LabHost) -> None:
    ended = asked(lab).apply()
    assert ended.status == 0
    assert ended.resources("changed") == []
    assert asked(lab).check().status == 0


def test_drift_is_found_and_a_password_of_ones_own_stays(lab: Lab, host: LabHost) -> None:
    host.run("gpasswd -d bob docker && gpasswd -a carol docker && usermod -s /bin/sh alice")
    host.run(["chpasswd", "-e"], input=f"alice:{OTHER}\n")
    ended = hidden(asked(lab).check())
    assert ended.status == 3
    drifted = {"user_account alice", "group_membership bob in docker", "group_membership carol in docker"}
    assert set(ended.resources("would-change")) == drifted
    assert set(hidden(asked(lab).apply()).resources("changed")) == drifted
    assert "docker" not in groups(host, "carol")
    assert host.run("getent shadow alice").stdout.split(":")[1] == OTHER
    always = {**USERS, "alice": {**ALICE, "password": "always"}}
    assert hidden(asked(lab, always).apply()).resources("changed") == ["user_account alice"]
    assert host.run("getent shadow alice").stdout.split(":")[1] == HASH


def test_somebody_of_a_directory_can_be_a_member_and_is_not_changed(lab: Lab, host: LabHost) -> None:
    ended = asked(lab, {**USERS, "zoe": {}}).apply()
    assert ended.status == 0, ended.explain()
    assert "docker" in groups(host, "zoe")
    assert "zoe" not in host.read("/etc/passwd")
    ended = hidden(asked(lab, {**USERS, "zoe": {"create": True, "password_hash": HASH, "password": "always"}}).apply())
    assert ended.status == 1
    assert "directory" in ended.host("users1")["error"]


def test_who_is_not_asked_for_any_more_leaves(lab: Lab, host: LabHost) -> None:
    assert "docker" in groups(host, "zoe")
    ended = asked(lab).apply()
    assert ended.resources("changed") == ["group_membership zoe in docker"], ended.explain()
    assert "docker" not in groups(host, "zoe")
    assert groups(host, "bob") == {"bob", "docker", "games2"}


def test_exclusive_says_who_goes_and_spares_system_accounts(lab: Lab, host: LabHost) -> None:
    host.run(
        "gpasswd -a carol docker; gpasswd -a games docker; gpasswd -a zoe docker; useradd gone; gpasswd -a gone docker"
    )
    host.run("sed -i '/^gone:/d' /etc/passwd /etc/shadow")
    users = {"alice": ALICE, "bob": {}}
    ended = asked(lab, users, exclusive=True).check()
    [event] = of_kind(ended, "group_exclusive")
    assert event["diff"][0]["before"] == ["carol", "gone", "zoe"]
    ended = asked(lab, users, exclusive=True).apply()
    assert ended.status == 0, ended.explain()
    assert host.run(["getent", "group", "docker"]).stdout.strip().split(":")[3].split(",") == ["alice", "bob", "games"]
    assert asked(lab, users, exclusive=True).check().status == 0


def test_a_primary_group_is_membership_and_is_not_taken_away_silently(lab: Lab, host: LabHost) -> None:
    host.run(["useradd", "-g", "docker", "dave"])
    assert asked(lab, {**USERS, "dave": {}}).check().status == 0
    ended = asked(lab, {**USERS, "dave": {"state": "absent"}}).apply()
    assert ended.status == 1
    assert "primary group" in ended.host("users1")["error"]
    host.run(["userdel", "dave"])


@pytest.mark.parametrize(
    ("users", "said"),
    [
        ({"alice": {"create": True, "password_hash": "a password"}}, "openssl passwd -6"),
        ({"alice": {"shell": "/bin/zsh"}}, "create: true"),
        ({"alice": {"state": "absent", "create": True}}, "state: absent"),
        ({"-x": {}}, "-x"),
        ({"alice": {"crate": True}}, "create"),
    ],
)
def test_bad_input_ends_before_the_first_connection(lab: Lab, users: dict[str, Any], said: str) -> None:
    ended = asked(lab, users)("check", json_events=False)
    assert ended.status == 2
    assert said in ended.stderr
    assert "a password\n" not in ended.stderr


def test_nobody_of_that_name_is_said_in_check_already(lab: Lab, host: LabHost) -> None:
    ended = asked(lab, {"nemo": {}}).check()
    assert ended.status == 1
    assert "nemo" in ended.host("users1")["error"]
