"""docker_engine: the packages, their version and hold, and the source they come from with its key."""

import re

import pytest

from provision.verify.asked import agree, skip_unless
from provision.verify.openpgp import fingerprints

FLAVOURS = {"docker.io": "docker.io", "docker-ce": "docker-ce", "docker-engine": "docker-engine"}
SOURCES = {"docker.io": "docker-io", "docker-ce": "docker", "docker-engine": "docker-engine"}
VENDOR = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
"""Docker Release (CE deb), as docs.docker.com publishes it."""


@pytest.fixture(scope="session")
def asked(settings):
    return settings["docker_engine"]


@pytest.fixture(scope="session")
def engine(host, asked):
    """The engine's package, as testinfra sees it."""
    if asked["flavour"]:
        return host.package(asked["flavour"])
    there = [name for name in FLAVOURS if host.package(name).is_installed]
    if len(there) != 1:
        pytest.fail(f"docker_engine: asked for one engine, found {there or 'none'}", pytrace=False)
    return host.package(there[0])


@pytest.fixture(scope="session")
def repository(asked):
    given = asked["repository"]
    if given == "existing" or (given is None and asked["flavour"] != "docker-ce"):
        pytest.skip("the packages come from the host's own sources")
    return given or {}


@pytest.fixture(scope="session")
def source(host, engine):
    """The file of the source (apt before 1.1 reads only the .list), as text."""
    name = SOURCES[engine.name]
    for path in (f"/etc/apt/sources.list.d/{name}.sources", f"/etc/apt/sources.list.d/{name}.list"):
        if host.file(path).exists:
            return host.file(path).content_string
    return pytest.fail(f"there is no source {name} in /etc/apt/sources.list.d", pytrace=False)


def test_the_package_is_installed(engine):
    assert engine.is_installed, f"docker_engine.flavour: asked for {engine.name}, found nothing of that name"


def test_it_has_the_asked_version(asked, engine):
    if asked["version"] in ("present", "latest"):
        pytest.skip("docker_engine.version is not set")
    agree({"docker_engine.version": (asked["version"], engine.version if engine.is_installed else None)})


def test_it_is_held_back_from_upgrades(host, asked, engine):
    held = host.check_output("apt-mark showhold").split()
    agree({f"docker_engine.hold ({engine.name})": (asked["hold"], engine.name in held)})


def test_every_package_of_the_set_is_whole(host, engine):
    """`ii`, or `hi` where it is held: installed and configured, nothing half-way."""
    listed = host.check_output("dpkg-query -W -f '${db:Status-Abbrev}\\n' %s", engine.name)
    assert listed.strip()[1:2] == "i", f"dpkg has {engine.name} as {listed.strip()!r}"


def test_the_binaries_are_those_of_the_package(host, engine):
    """A version in dpkg's books says nothing of a file that somebody has replaced."""
    done = host.run("dpkg --verify %s", engine.name)
    wrong = [line for line in done.stdout.splitlines() if line[2:3] == "5" and " c " not in line]
    assert not wrong, f"files of {engine.name} are not as the package has them: {', '.join(wrong)}"


def test_the_source_is_the_asked_one(repository, source):
    skip_unless(repository.get("uri"), "docker_engine.repository.uri")
    found = re.search(r"^URIs: (\S+)|^deb (?:\[.*?\] )?(\S+)", source, re.M)
    agree({"docker_engine.repository.uri": (repository["uri"], found and (found[1] or found[2]))})


def test_the_source_is_signed_by_the_asked_key_and_no_other(host, repository, source, engine):
    named = re.search(r"^Signed-By: (\S+)", source, re.M | re.I)
    path = named[1] if named else f"/etc/apt/trusted.gpg.d/{SOURCES[engine.name]}.gpg"
    file = host.file(path)
    found = fingerprints(file.content) if file.exists else None
    agree({"docker_engine.repository.fingerprint": ([repository.get("fingerprint") or VENDOR], found)})


def test_the_source_is_trusted_by_its_key_alone(repository, source):
    assert not re.search(r"trusted[=:]\s*yes", source, re.I), "the source has trusted=yes, so its key means nothing"
