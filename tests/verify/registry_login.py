"""registry_login: each user's own config.json, that no one else reads it, and that the login in it is taken."""

import json

import pytest

from provision.verify.asked import agree, fresh_login
from provision.verify.dockerd import CLIENT, SOCKET

HUB = ("docker.io", "index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1/")
AS_USER = """\
u=%s; groups=$(id -G "$u" | tr ' ' ,),$(stat -L -c %%g SOCKET) || exit 99; cd /
exec env HOME="$(getent passwd "$u" | cut -d: -f6)" USER="$u" LOGNAME="$u" \\
  setpriv --reuid="$u" --regid="$(id -g "$u")" --groups="$groups" -- sh -c %s </dev/null 2>&1
""".replace("SOCKET", SOCKET)
"""With the group of Docker's socket: a login is kept for users, too, who may not use Docker itself."""
LOGIN = """\
d=$(mktemp -d) || exit 99; trap 'rm -rf "$d"' EXIT
cp ~/.docker/config.json "$d/" && DOCKER_CONFIG=$d CLIENT login %s
""".replace("CLIENT", CLIENT)
"""With a copy: `docker login` writes the file anew."""
TALK = ("Authenticating with", "interactive login", "non TTY", "Username:")
"""In lines of `docker login` that do not tell why: where a login that is kept fails, it would ask for another one."""


@pytest.fixture(scope="session")
def registries(settings):
    return settings["registry_login"]["registries"]


@pytest.fixture(scope="session")
def users(registries):
    return sorted({user for registry in registries.values() for user in registry["users"]})


def test_each_file_is_its_user_s_own(host, users):
    found = {}
    for user in users:
        account = host.user(user)
        folder = host.file(f"{account.home}/.docker")
        file = host.file(f"{account.home}/.docker/config.json")
        there = f"{file.user} {oct(file.mode)}" if file.exists else "no file"
        found[f"{file.path}"] = (f"{user} 0o600", there)
        found[f"{folder.path}"] = (
            f"{user} 0o700",
            f"{folder.user} {oct(folder.mode)}" if folder.exists else "no folder",
        )
    agree(found)


def test_nobody_else_can_read_it(host, users):
    """Asked of the host's kernel rather than of modes: an access list, or a link, would not show there."""
    for user in users:
        path = f"{host.user(user).home}/.docker/config.json"
        done = fresh_login(host, "nobody", f"cat {path}")
        assert done.rc != 0, f"nobody (the user) can read {path}"


def test_each_user_has_each_login(host, registries):
    for name, registry in registries.items():
        key = "https://index.docker.io/v1/" if name in HUB else name
        for user in registry["users"]:
            text = fresh_login(host, user, "cat ~/.docker/config.json").stdout
            document = json.loads(text or "{}")
            kept = set(document.get("auths", {})) | set(document.get("credHelpers", {}))
            assert key in kept or document.get("credsStore"), f"registry_login: {user} has no login at {name}"


def test_the_registry_takes_each_login(host, registries, dockerd):
    """As that user, with that user's own file or credential helper, through the Docker that runs there."""
    assert dockerd.info
    for name, registry in registries.items():
        if not registry["prove"]:
            continue
        for user in registry["users"]:
            done = host.run(AS_USER, user, LOGIN % name)
            taken = done.rc == 0 and "Login Succeeded" in done.stdout
            assert taken, f"registry_login: {user} cannot use the login at {name}: {cause(done.stdout)}"


def cause(said):
    """Why `docker login` failed, in its own words."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return ([line for line in lines if not any(word in line for word in TALK)] or lines or ["nothing was said"])[-1][
        :300
    ]


def test_each_registry_s_certificate_is_there(host, registries):
    for name, registry in registries.items():
        if registry["ca_certificate"] is not None:
            file = host.file(f"/etc/docker/certs.d/{name}/ca.crt")
            there = file.content_string if file.exists else None
            assert there == registry["ca_certificate"], f"{file.path} is not the asked certificate"
