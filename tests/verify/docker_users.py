"""docker_users: accounts, and the group docker as a fresh login sees it."""

import pytest

from provision.verify.asked import agree, fresh_login, skip_unless
from provision.verify.dockerd import CLIENT

GROUP = "docker"


@pytest.fixture(scope="session")
def users(settings):
    return settings["docker_users"]["users"]


def test_accounts_that_were_to_be_made_are_there(host, users):
    found = {}
    for name, user in users.items():
        if not user["create"]:
            continue
        found[f"account {name}"] = (True, host.user(name).exists)
        if host.user(name).exists:
            found |= {
                f"docker_users.users.{name}.{key}": (value, there) for key, value, there in _details(host, name, user)
            }
    agree(found)


def test_a_fresh_login_is_of_the_group(host, users):
    found = {}
    for name, user in users.items():
        if user["state"] == "present" and host.user(name).exists:
            groups = fresh_login(host, name, "id -nG").stdout.split()
            found[f"docker_users.users.{name}: of the group {GROUP} at a fresh login"] = (True, GROUP in groups)
    agree(found)


def test_a_fresh_login_may_use_docker(host, users, dockerd):
    assert dockerd.info
    for name, user in users.items():
        if user["state"] == "present" and host.user(name).exists:
            done = fresh_login(host, name, f"{CLIENT} version --format '{{{{.Server.Version}}}}'")
            assert done.rc == 0, f"{name} cannot use Docker: {done.stderr.strip()[-200:]}"


def test_who_is_to_be_absent_is_not_of_the_group(host, users):
    gone = [name for name, user in users.items() if user["state"] == "absent" and host.user(name).exists]
    agree({f"docker_users.users.{name}: of the group": (False, GROUP in host.user(name).groups) for name in gone})


def test_nobody_else_is_of_the_group(host, settings, users):
    skip_unless(settings["docker_users"]["exclusive"] or None, "docker_users.exclusive")
    group = host.group(GROUP)
    members = group.members if group.exists else []
    present = {name for name, user in users.items() if user["state"] == "present"}
    people = [name for name in members if name not in present and host.user(name).uid >= 1000]
    assert not people, f"docker_users.exclusive: {', '.join(people)} are of the group {GROUP}, too"


def _details(host, name, user):
    account = host.user(name)
    there = {"uid": account.uid, "home": account.home, "shell": account.shell}
    yield from ((key, user[key], there[key]) for key in ("uid", "shell") if user[key] is not None)
    if user["password_hash"] is not None:
        yield "password_hash", "set", "set" if account.password not in ("", "!", "*", "!!") else "none"
