"""inventories/dgx.yml as it stands in the repository, on lab hosts: every role of the mission in one run, twice.

What a lab cannot have is replaced, and nothing else: the vendor's package source and registry by the lab's own,
memlock by what a lab host can give, and the eight GPUs by none (the GPU role is then skipped with its reason).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.hiding import SecretTag
from tests.e2e.runner import ROOT, HostSpec, Lab, Provision, settle
from tests.lab import stand_ins
from tests.lab.services import Registry

pytestmark = pytest.mark.lab
KEY = "an-ngc-api-key"
CE = "5:29.2.1-1~debian.13~trixie"
CONTAINERD = "2.2.1-1~debian.13~trixie"
IMAGE_OF_THE_HOST = "tar -C / -c bin/true usr/bin/true | docker import - {image} >/dev/null"


class Loader(yaml.SafeLoader):
    """Reads our inventory for what it asks; a secret is what the test gives."""


Loader.add_constructor("!secret", lambda loader, node: SecretTag(str(node.value)))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    specs = [
        HostSpec("dgx1", "trixie", packages=("nftables",)),
        HostSpec("dgx2", "bookworm"),
        HostSpec("seed", "bookworm", packages=("docker.io",)),
    ]
    with Lab.up("dgx", specs, tmp_path_factory.mktemp("dgx")) as up:
        yield up


@pytest.fixture(scope="module")
def registry(lab: Lab) -> Registry:
    """A registry with one image in it, pushed by a host that has Docker already."""
    made = lab.registry({"$oauthtoken": KEY})
    seed, image = lab.host("seed"), f"{made.address}/nvidia/cuda:12.4.1"
    seed.run(f"mkdir -p /etc/docker/certs.d/{made.address}")
    seed.write(f"/etc/docker/certs.d/{made.address}/ca.crt", made.ca_pem)
    seed.run(["docker", "login", "-u", "$oauthtoken", "--password-stdin", made.address], input=KEY)
    seed.run(IMAGE_OF_THE_HOST.format(image=image) + f" && docker push -q {image}", timeout=120)
    return made


@pytest.fixture(scope="module")
def provision(lab: Lab, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Provision:
    debs = stand_ins.docker_ce(tmp_path_factory.mktemp("ce"), CE, CONTAINERD, "trixie")
    vendor = lab.apt_repository("vendor-dgx", debs)
    asked: dict[str, Any] = yaml.load((ROOT / "inventories" / "dgx.yml").read_text(), Loader)["all"]["vars"]
    source = {"uri": vendor.url, "suite": "stable", "components": ["main"], "key": vendor.key_asc}
    asked["docker_engine"]["repository"] = {**source, "fingerprint": vendor.fingerprint}
    asked["docker_engine"]["plugins"] = []  # the stand-ins have none
    asked["docker_daemon"]["default_ulimits"]["memlock"] = 8388608
    login = asked["registry_login"]["registries"].pop("nvcr.io")
    asked["registry_login"]["registries"][registry.address] = {**login, "ca_certificate": registry.ca_pem}
    asked["container_images"] = {"images": [f"{registry.address}/nvidia/cuda:12.4.1"], "minimum_free": 1024}
    for name in ("dgx1", "dgx2"):
        lab.host(name).run(["useradd", "-m", "alice"])
    # On bookworm the stand-in made for trixie does not fit: there the distribution's own engine is taken.
    runner = settle(lab, asked, dgx2={"docker_engine": {"flavour": "docker.io", "repository": None}})
    return Provision(runner.inventory, {"NGC_API_KEY": KEY})


ONLY = ("--limit", "dgx1:dgx2")


def test_every_role_in_one_run(lab: Lab, registry: Registry, provision: Provision) -> None:
    ended = provision.apply(*ONLY)
    assert ended.status == 0, ended.explain()
    for name in ("dgx1", "dgx2"):
        assert ended.host(name)["outcome"] == "changed"
        host = lab.host(name)
        assert "192.168.127.1/24" in host.run("ip -4 -o addr show docker0").stdout
        assert f"{registry.address}/nvidia/cuda" in host.run(["docker", "images"]).stdout
        assert "docker" in host.run(["id", "-nG", "alice"]).stdout.split()
        assert host.run(["stat", "-c", "%a %U", "/home/alice/.docker/config.json"]).stdout.strip() == "600 alice"
        skipped = ended.of("role", host=name, role="nvidia_docker", outcome="skipped")
        assert "no NVIDIA GPU" in skipped[0]["reason"]
        proof = ended.of("resource", host=name, kind="gpu_proof")[0]
        assert proof["outcome"] == "ok"
        assert proof["proof"]["levels"]["2"]["verdict"] == "passed", "a container was run, and its limits read inside"
    assert KEY not in ended.stdout + ended.stderr


def test_the_second_run_changes_nothing_and_check_agrees(provision: Provision) -> None:
    again = provision.apply(*ONLY)
    assert again.status == 0, again.explain()
    assert again.resources("changed", "would-change") == []
    assert provision.check(*ONLY).status == 0


def test_verify_agrees_on_both_releases(provision: Provision) -> None:
    ended = provision("verify", *ONLY)
    assert ended.status == 0, ended.explain()
    for name in ("dgx1", "dgx2"):
        passed = {event["role"] for event in ended.of("resource", host=name, outcome="ok")}
        assert {"docker_engine", "docker_daemon", "registry_login", "container_images"} <= passed


def test_the_inventory_as_it_stands_is_right(tmp_path: Path) -> None:
    """With its eight hosts that nobody can reach: it is the input that is judged."""
    runner = Provision(ROOT / "inventories" / "dgx.yml", {"NGC_API_KEY": KEY})
    ended = runner("inventory", json_events=False)
    assert ended.status == 0, ended.stderr
    assert "dgx08.example.com" in ended.stdout
