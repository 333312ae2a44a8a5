"""registry_login and container_images on a real host, against real registries with TLS and passwords."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.hiding import SecretTag, assert_silent, encodings, files_here_with, files_with, said_by, sampled
from tests.e2e.runner import Ended, HostSpec, Lab, Provision, settle
from tests.lab import LabHost, listing
from tests.lab.services import Registry

pytestmark = pytest.mark.lab
OLD, NEW, WRONG = 'old/secret+1"%', 'new/secret+2"%', "not-the-password"
USER = "$oauthtoken"
CONFIGS = {"/root/.docker/config.json", "/home/alice/.docker/config.json"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    spec = HostSpec("login1", "bookworm", packages=("docker.io",))
    with Lab.up("login", [spec], tmp_path_factory.mktemp("login")) as up:
        yield up


@pytest.fixture(scope="module")
def registry(lab: Lab) -> Registry:
    return lab.registry({USER: OLD})


@pytest.fixture(scope="module")
def mirror(lab: Lab) -> Registry:
    return lab.registry({"ci": "mirror-password"})


@pytest.fixture(scope="module")
def host(lab: Lab) -> LabHost:
    host = lab.host("login1")
    host.run(["useradd", "-m", "-s", "/bin/bash", "alice"])
    host.run("install -d -o alice -g alice -m 755 /home/alice/.docker")
    foreign = '{"auths":{"other.example.com":{"auth":"eDp5"}},"psFormat":"table"}'
    host.write("/home/alice/.docker/config.json", foreign)
    host.run("chown alice: /home/alice/.docker/config.json")
    return host


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture
def asked(lab: Lab, registry: Registry, state: Path) -> Any:
    def ask(password: str = OLD, registries: dict[str, Any] | None = None, roles: Any = None, **more: Any) -> Provision:
        (lab.directory / "files").mkdir(exist_ok=True)
        (lab.directory / "files" / "ca.pem").write_text(registry.ca_pem)
        entry = {
            "username": USER,
            "password": SecretTag("env:REGISTRY_PASSWORD"),
            "users": ["root", "alice"],
            "ca_certificate": "files/ca.pem",
        }
        wanted = {registry.address: entry} if registries is None else registries
        settings = {"roles": roles or ["registry_login"], "registry_login": {"registries": wanted}, **more}
        runner = settle(lab, settings)
        environment = {"REGISTRY_PASSWORD": password, "XDG_STATE_HOME": str(state)}
        return Provision(runner.inventory, environment)

    return ask


def logins(host: LabHost, path: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(host.read(path))
    return document


def auth(password: str) -> str:
    return base64.b64encode(f"{USER}:{password}".encode()).decode()


def test_check_on_a_fresh_host_proves_the_login_and_writes_nothing(
    host: LabHost, registry: Registry, asked: Any
) -> None:
    before = host.listing()
    ended: Ended = asked().check()
    assert ended.status == 3, ended.explain()
    assert f"registry_login {registry.address} for alice" in ended.resources("would-change")
    assert f"registry_proof {registry.address} as {USER}" in ended.resources("ok")
    assert listing.differences(before, host.listing()) == []


def test_a_wrong_password_is_a_failure_before_anything_is_written(
    host: LabHost, registry: Registry, asked: Any
) -> None:
    ended: Ended = asked(WRONG).apply()
    assert ended.status == 1
    error = ended.host("login1")["error"]
    assert registry.address in error
    assert USER in error
    assert_silent(ended, encodings(WRONG, USER))
    assert files_with(host, encodings(WRONG, USER)) == set()
    assert logins(host, "/home/alice/.docker/config.json")["auths"] == {"other.example.com": {"auth": "eDp5"}}


def test_apply_logs_users_in_and_docker_itself_agrees(host: LabHost, registry: Registry, asked: Any) -> None:
    ended: Ended = asked().apply()
    assert ended.status == 0, ended.explain()
    document = logins(host, "/home/alice/.docker/config.json")
    assert document["auths"][registry.address] == {"auth": auth(OLD)}
    assert document["auths"]["other.example.com"] == {"auth": "eDp5"}
    assert document["psFormat"] == "table"
    assert host.read("/root/.docker/config.json").startswith('{\n\t"auths": {\n\t\t')
    stat = host.run("stat -c '%a %U' /home/alice/.docker /home/alice/.docker/config.json").stdout.split("\n")
    assert stat[:2] == ["700 alice", "600 alice"]
    assert host.read(f"/etc/docker/certs.d/{registry.address}/ca.crt") == registry.ca_pem
    image = f"{registry.address}/tools/probe:1.0"
    host.run(f"tar -C /etc -c hostname | docker import - {image} && docker push -q {image}", timeout=120)


def test_the_second_run_changes_nothing(asked: Any) -> None:
    ended: Ended = asked().apply()
    assert ended.status == 0
    assert ended.resources("changed") == []
    assert asked().check().status == 0


def test_a_rotated_password_never_shows_neither_old_nor_new(
    host: LabHost, registry: Registry, asked: Any, state: Path
) -> None:
    old, new = encodings(OLD, USER), encodings(NEW, USER)
    assert files_with(host, old) == CONFIGS, "the search finds what is there"
    ended: Ended = asked(NEW).apply()
    assert ended.status == 1, "the registry does not know the new one yet"
    assert_silent(ended, old + new)
    registry.set_users({USER: NEW})
    ended = asked(NEW).check("--diff")
    assert ended.status == 3, ended.explain()
    assert_silent(ended, old + new)
    with sampled(host):
        ended = asked(NEW).apply("--diff")
    assert ended.status == 0, ended.explain()
    changed = {f"registry_login {registry.address} for {user}" for user in ("root", "alice")}
    assert set(ended.resources("changed")) == changed
    assert_silent(ended, old + new)
    assert "provision-agent-1" in host.read("/dev/shm/sample"), "the agent's own process was among those sampled"
    assert files_with(host, old) == set()
    assert files_with(host, new) == CONFIGS
    assert said_by(host, old + new) == []
    assert files_here_with(state, old + new) == []
    plain = asked(NEW)("apply", "--yes", "--diff", json_events=False)
    assert_silent(plain, old + new)


def test_drift_is_found_and_repaired(host: LabHost, registry: Registry, asked: Any) -> None:
    host.run("chmod 644 /root/.docker/config.json; rm /home/alice/.docker/config.json")
    host.run(f"rm /etc/docker/certs.d/{registry.address}/ca.crt")
    drifted = {
        f"registry_login {registry.address} for root",
        f"registry_login {registry.address} for alice",
        f"file /etc/docker/certs.d/{registry.address}/ca.crt",
    }
    assert set(asked(NEW).check().resources("would-change")) == drifted
    assert set(asked(NEW).apply().resources("changed")) == drifted


def test_a_login_of_a_user_who_may_not_use_docker_is_verified(host: LabHost, asked: Any) -> None:
    assert "docker" not in host.run(["id", "-nG", "alice"]).stdout.split()
    ended: Ended = asked(NEW)("verify")
    assert ended.status == 0, ended.explain()


def test_a_registry_that_does_not_answer_is_not_ok(host: LabHost, asked: Any) -> None:
    entry = {"username": "ann", "password": SecretTag("env:REGISTRY_PASSWORD"), "users": ["root"]}
    ended: Ended = asked(NEW, {"10.213.255.254:5000": entry}).apply(timeout=120)
    assert ended.status == 1
    assert "10.213.255.254:5000" in ended.host("login1")["error"]
    assert_silent(ended, encodings(NEW, "ann"))


IMAGES: dict[str, Any] = {"minimum_free": 1024}


def test_images_are_pulled_once_with_the_users_login(host: LabHost, registry: Registry, asked: Any) -> None:
    image = f"{registry.address}/tools/probe:1.0"
    host.run(["docker", "rmi", image], check=False)
    wanted = {**IMAGES, "images": [image]}
    roles = ["registry_login", "container_images"]
    assert f"image {image}" in asked(NEW, roles=roles, container_images=wanted).check().resources("would-change")
    with sampled(host):
        ended: Ended = asked(NEW, roles=roles, container_images=wanted).apply()
    assert ended.status == 0, ended.explain()
    assert f"image {image}" in ended.resources("changed")
    host.run(["docker", "image", "inspect", image])
    assert_silent(ended, encodings(NEW, USER))
    assert files_with(host, encodings(NEW, USER)) == CONFIGS
    assert asked(NEW, roles=roles, container_images=wanted).apply().resources("changed") == []
    digest = host.run(["docker", "image", "inspect", "--format", "{{index .RepoDigests 0}}", image]).stdout.strip()
    host.run(["docker", "rmi", "-f", image])
    ended = asked(NEW, roles=roles, container_images={**IMAGES, "images": [digest]}).apply()
    assert ended.resources("changed") == [f"image {digest}"], ended.explain()


def test_an_image_is_mirrored_and_a_lost_mirror_is_found(
    host: LabHost, registry: Registry, mirror: Registry, asked: Any
) -> None:
    image, target = f"{registry.address}/tools/probe:1.0", f"{mirror.address}/nvidia/probe:1.0"
    entries = {
        registry.address: {
            "username": USER,
            "password": SecretTag("env:REGISTRY_PASSWORD"),
            "ca_certificate": registry.ca_pem,
        },
        mirror.address: {"username": "ci", "password": "mirror-password", "ca_certificate": mirror.ca_pem},
    }
    wanted = {**IMAGES, "images": [image], "mirror_to": f"{mirror.address}/nvidia"}
    runner = asked(NEW, entries, roles=["registry_login", "container_images"], container_images=wanted)
    ended: Ended = runner.apply()
    assert ended.status == 0, ended.explain()
    assert f"image_mirror {target}" in ended.resources("changed")
    assert runner.check().status == 0
    host.run(["docker", "rmi", target])
    host.run(["docker", "pull", "-q", target])
    assert runner.apply().resources("changed") == []
    host.run(["docker", "rmi", target])
    assert runner.check().resources("would-change") == [f"image_mirror {target}"]


@pytest.mark.parametrize(
    ("images", "more", "said"),
    [(["probe:1.0"], {"minimum_free": 2**50}, "free"), (["probe:none"], {}, "correct the name or tag")],
)
def test_a_pull_that_cannot_be_says_what_to_do(
    host: LabHost, registry: Registry, asked: Any, images: list[str], more: dict[str, Any], said: str
) -> None:
    host.run(f"docker rmi -f {registry.address}/tools/probe:1.0", check=False)
    wanted = {**IMAGES, "images": [f"{registry.address}/tools/{name}" for name in images], **more}
    ended: Ended = asked(NEW, roles=["registry_login", "container_images"], container_images=wanted).apply()
    assert ended.status == 1
    assert said in ended.explain()
    assert_silent(ended, encodings(NEW, USER))


def test_what_is_not_asked_for_any_more_goes_alone(host: LabHost, registry: Registry, asked: Any) -> None:
    host.run("su alice -c 'mkdir -p ~/.docker' && cat > /home/alice/.docker/extra", input="mine")
    document = logins(host, "/home/alice/.docker/config.json")
    document["auths"]["other.example.com"] = {"auth": "eDp5"}
    host.write("/home/alice/.docker/config.json", json.dumps(document), 0o600)
    ended: Ended = asked(NEW, {}).apply()
    assert ended.status == 0, ended.explain()
    assert f"registry_login {registry.address} for alice" in ended.resources("changed")
    assert logins(host, "/home/alice/.docker/config.json")["auths"] == {"other.example.com": {"auth": "eDp5"}}
    assert "auths" not in logins(host, "/root/.docker/config.json")
    assert host.run(["test", "-e", f"/etc/docker/certs.d/{registry.address}/ca.crt"], check=False).returncode == 1
    assert files_with(host, encodings(NEW, USER)) == set()
    assert asked(NEW, {}).apply().resources("changed") == []


@pytest.mark.parametrize(
    ("registries", "more", "said"),
    [
        ({"https://nvcr.io/v2": {"username": "u", "password": "p"}}, {}, "did you mean 'nvcr.io'?"),
        ({"nvcr.io": {"username": "u:v", "password": "p"}}, {}, "username"),
        ({"nvcr.io": {"username": "u", "password": "p", "ca_certificate": "files/nothing.pem"}}, {}, "nothing.pem"),
        ({"nvcr.io": {"username": "u", "password": SecretTag("env:NO_SUCH_VARIABLE")}}, {}, "NO_SUCH_VARIABLE"),
        ({}, {"container_images": {"images": ["nvcr.io/nvidia/cuda"]}}, "latest"),
        ({}, {"container_images": {"images": ["nvcr.io/nvidia/cuda:latest"]}}, "latest"),
        ({}, {"container_images": {"images": ["a:1", "b/a:1"], "mirror_to": "r.corp:5000/x"}}, "same name"),
    ],
)
def test_bad_input_ends_before_the_first_connection(
    asked: Any, registries: dict[str, Any], more: dict[str, Any], said: str
) -> None:
    runner = asked(NEW, registries, roles=["registry_login", "container_images"], **more)
    ended = runner("check", json_events=False)
    assert ended.status == 2, ended.stdout + ended.stderr
    assert said in ended.stderr
