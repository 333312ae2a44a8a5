"""The role docker_engine: which packages, from where, and what it refuses. Pure."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from provision import role
from provision.facts import Docker, Facts, Os, Unit
from provision.resources import AptSource, DockerPrograms, Packages

ENGINE = role.load("docker_engine", [Path(__file__).parents[3] / "roles"])
FINGERPRINT = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
MIRROR = {"uri": "http://mirror.example/docker", "key": "/srv/key.asc", "fingerprint": "A" * 40}
NOBLE = Os(id="ubuntu", version_id="24.04", codename="noble", name="Ubuntu 24.04")
BOOKWORM = Os(id="debian", version_id="12", codename="bookworm", name="Debian 12")
TRIXIE = Os(id="debian", version_id="13", codename="trixie")
UNIT = Unit(path="/lib/systemd/system/docker.service")


def facts(os: Os = NOBLE, apt_version: str | None = "2.7.14", **docker: Any) -> Facts:
    return Facts(os=os, architecture="amd64", init="systemd", apt_version=apt_version, docker=Docker(**docker))


def plan(found: Facts, **settings: Any) -> tuple[AptSource | None, Packages]:
    resources = ENGINE.resources(found, ENGINE.settings.model_validate(settings))
    *sources, packages = (item for item in resources if not isinstance(item, DockerPrograms))
    assert isinstance(packages, Packages)
    if not sources:
        return None, packages
    (source,) = sources
    assert isinstance(source, AptSource)
    return source, packages


def versions(packages: Packages) -> dict[str, str | None]:
    return {item.name: item.version for item in packages.packages}


def provided(found: Facts, **settings: Any) -> Facts:
    assert ENGINE.provides is not None
    return ENGINE.provides(found, ENGINE.settings.model_validate(settings))


def test_out_of_the_box_it_is_the_distributions_own_held_and_not_started() -> None:
    source, packages = plan(facts())
    assert source is None
    assert versions(packages) == {"docker.io": None}
    assert (packages.hold, packages.latest) == (True, False)
    assert packages.no_start == ("docker", "containerd")
    assert packages.replace == ()


def test_out_of_the_box_the_engine_that_is_there_stays() -> None:
    source, packages = plan(facts(packages={"docker-ce": "5:29.2.1-1", "containerd.io": "2.2.1"}))
    assert source is None, "it came from somewhere: a DGX has sources of its own"
    assert "docker-ce" in versions(packages)


@pytest.mark.parametrize(
    ("os", "names"),
    [
        (BOOKWORM, ["docker.io"]),
        (TRIXIE, ["docker.io", "docker-cli"]),
        (Os(id="debian", codename="forky"), ["docker.io", "docker-cli"]),
        (NOBLE, ["docker.io"]),
    ],
)
def test_the_client_is_asked_for_where_docker_io_only_recommends_it(os: Os, names: list[str]) -> None:
    assert list(versions(plan(facts(os), flavour="docker.io")[1])) == names
    assert versions(plan(facts(os), version="26.1.5+dfsg1-9")[1]) == dict.fromkeys(names, "26.1.5+dfsg1-9")


@pytest.mark.parametrize("os", [NOBLE, BOOKWORM])
def test_docker_ce_comes_from_the_vendor(os: Os) -> None:
    source, packages = plan(facts(os), flavour="docker-ce")
    uri = f"https://download.docker.com/linux/{os.id}"
    assert source == AptSource(
        name="docker",
        uri=uri,
        suite=os.codename,
        components=("stable",),
        architecture="amd64",
        key=f"{uri}/gpg",
        fingerprint=FINGERPRINT,
        replaces=("docker.list",),
    )
    names = ["docker-ce", "docker-ce-cli", "containerd.io", "docker-buildx-plugin", "docker-compose-plugin"]
    assert versions(packages) == dict.fromkeys(names)


def test_an_exact_version_is_that_of_the_engine_and_its_client_only() -> None:
    _, packages = plan(facts(), flavour="docker-ce", version="5:28.0.4-1~ubuntu.24.04~noble", plugins=[])
    exact = "5:28.0.4-1~ubuntu.24.04~noble"
    assert versions(packages) == {"docker-ce": exact, "docker-ce-cli": exact, "containerd.io": None}
    old = "18.06.3~ce~3-0~ubuntu"
    assert versions(plan(facts(), flavour="docker-ce", version=old)[1]) == {"docker-ce": old}


def test_latest_is_for_the_whole_set() -> None:
    _, packages = plan(facts(), flavour="docker-ce", version="latest", hold=False)
    assert (packages.hold, packages.latest) == (False, True)
    assert set(versions(packages).values()) == {None}


def test_a_mirror_keeps_the_vendors_key_and_suite() -> None:
    source, _ = plan(facts(), flavour="docker-ce", repository={"uri": "file:/srv/docker"})
    assert source is not None
    assert (source.key, source.fingerprint, source.suite) == ("file:/srv/docker/gpg", FINGERPRINT, "noble")


def test_every_flavour_takes_a_repository_flat_ones_too() -> None:
    source, packages = plan(facts(BOOKWORM), flavour="docker.io", repository={**MIRROR, "suite": "./"})
    assert source is not None
    assert (source.name, source.suite, source.components) == ("docker-io", "./", ())
    source, packages = plan(
        facts(),
        flavour="docker-engine",
        version="1.12.6-0~ubuntu-trusty",
        repository={**MIRROR, "suite": "ubuntu-trusty"},
    )
    assert source is not None
    assert (source.name, source.suite, source.components) == ("docker-engine", "ubuntu-trusty", ("main",))
    assert versions(packages) == {"docker-engine": "1.12.6-0~ubuntu-trusty"}


def test_existing_sources_are_left_alone() -> None:
    assert plan(facts(), flavour="docker-ce", repository="existing")[0] is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"flavour": "docker-engine"}, "gone since 2020-03-31"),
        ({"flavour": "docker-engine", "repository": {"uri": "http://m.example"}}, "repository needs key, fingerprint"),
        ({"flavour": "docker.io", "repository": {"suite": "x"}}, "repository needs uri, key, fingerprint"),
        ({"repository": {**MIRROR, "suite": "./", "components": ["main"]}}, "flat repository"),
        ({"repository": {**MIRROR, "uri": "http://user:password@m.example"}}, "uri"),
        ({"repository": {**MIRROR, "fingerprint": "8D81803C0EBFCD88"}}, "fingerprint"),
        ({"repository": {**MIRROR, "replaces": ["../x.list"]}}, "replaces"),
        ({"version": "5:29.*"}, "version"),
        ({"flavour": "podman"}, "flavour"),
    ],
)
def test_what_cannot_be_is_an_input_error(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ENGINE.settings.model_validate(settings)


@pytest.mark.parametrize(
    ("found", "settings", "cause"),
    [
        (facts(apt_version=None), {}, "Ubuntu 24.04 has no apt"),
        (facts(snap=True), {}, "snap"),
        (
            facts(packages={"docker.io": "24.0"}),
            {"flavour": "docker-ce"},
            "docker-ce conflicts with .*: docker.io 24.0",
        ),
        (
            facts(packages={"docker-ce": "5:29", "containerd.io": "2"}),
            {"flavour": "docker.io"},
            "docker-ce 5:29, containerd.io 2",
        ),
        (facts(packages={"podman-docker": "4"}), {}, "podman-docker 4"),
        (facts(Os(id="linuxmint", codename="wilma", name="Mint")), {"flavour": "docker-ce"}, "no repository for Mint"),
        (facts(Os(id="debian")), {"flavour": "docker-ce"}, "no codename"),
    ],
)
def test_hosts_that_it_refuses(found: Facts, settings: dict[str, Any], cause: str) -> None:
    with pytest.raises(role.Refuse, match=cause) as caught:
        plan(found, **settings)
    assert caught.value.fix


def test_a_replaced_engine_may_be_removed_and_nothing_else() -> None:
    _, packages = plan(facts(packages={"docker.io": "24.0", "runc": "1.1"}), flavour="docker-ce", replace=True)
    assert {"docker.io", "runc", "containerd"} <= set(packages.replace)
    assert packages.replace == packages.conflicts
    assert not set(versions(packages)) & set(packages.conflicts)


def test_the_plan_is_pure() -> None:
    assert plan(facts(), flavour="docker-ce") == plan(facts(), flavour="docker-ce")


# -- what it will have brought about


def test_a_host_that_is_as_asked_keeps_its_facts() -> None:
    found = facts(packages={"docker.io": "24.0.7-0ubuntu4"}, version="24.0.7", daemon="/usr/sbin/dockerd", unit=UNIT)
    assert provided(found) is found
    assert provided(found, version="24.0.7-0ubuntu4") is found
    assert provided(found, version="latest") is found


def test_an_engine_to_come_has_an_unknown_unit_and_a_version_only_if_it_is_asked_for() -> None:
    found = facts(unit=UNIT)
    docker = provided(found).docker
    assert (docker.packages, docker.version, docker.unit, docker.daemon) == ({"docker.io": ""}, None, None, None)
    docker = provided(found, flavour="docker-ce", version="5:28.0.4-1~ubuntu.24.04~noble", plugins=[]).docker
    assert docker.version == "28.0.4"
    assert docker.packages["docker-ce-cli"] == "5:28.0.4-1~ubuntu.24.04~noble"


def test_another_version_of_the_same_engine_keeps_its_unit() -> None:
    found = facts(packages={"docker.io": "20.10.5+dfsg1"}, version="20.10.5", unit=UNIT, daemon="/usr/sbin/dockerd")
    docker = provided(found, version="20.10.24+dfsg1").docker
    assert (docker.version, docker.unit, docker.daemon) == ("20.10.24", UNIT, "/usr/sbin/dockerd")


def test_a_replaced_engine_is_gone() -> None:
    found = facts(packages={"docker.io": "24.0", "runc": "1.1"}, version="24.0", unit=UNIT, pid=7)
    docker = provided(found, flavour="docker-ce", replace=True, plugins=[]).docker
    assert sorted(docker.packages) == ["containerd.io", "docker-ce", "docker-ce-cli"]
    assert (docker.version, docker.unit, docker.pid) == (None, None, None)
