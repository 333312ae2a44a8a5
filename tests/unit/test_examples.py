"""The inventories that come with the program load, type and can be planned for the hosts that they are meant for."""

from pathlib import Path

import pytest

from provision.facts import Facts
from provision.inventory import load
from provision.plan import plan
from provision.role import load as load_role
from provision.shipped import role_names

ROOT = Path(__file__).parents[2]
ROLES = [ROOT / "roles"]
GPU = {"address": "0000:17:00.0", "device": "2330", "device_class": "0302"}
HASH = "$6$" + "a" * 8 + "$" + "b" * 86
NOBLE = {
    "os": {"id": "ubuntu", "version_id": "24.04", "codename": "noble"},
    "architecture": "amd64",
    "kernel": "6.8",
    "apt_version": "2.7.14",
    "init": "systemd",
    "nvidia": {"pci": [GPU] * 8, "driver_loaded": "550.54.15"},
}


LEGACY = {
    "docker": {
        "packages": {"docker-engine": "1.12.6-0~ubuntu-trusty"},
        "version": "1.12.6",
        "daemon": "/usr/bin/dockerd",
        "unit": {"path": "/lib/systemd/system/docker.service", "exec_start": ["/usr/bin/dockerd", "-H", "fd://"]},
    }
}


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROXY_PASSWORD", "NGC_API_KEY", "REGISTRY_PASSWORD"):
        monkeypatch.setenv(name, "a-secret")
    monkeypatch.setenv("ALICE_HASH", HASH)


@pytest.mark.parametrize("name", ["dgx.yml", "local.yml", "example"])
def test_it_loads_and_can_be_planned(name: str) -> None:
    inventory = load(str(ROOT / "inventories" / name))
    hosts = inventory.resolve(inventory.hosts, role_path=ROLES)
    assert hosts
    assert inventory.warnings == []
    for host in hosts:
        found = Facts.model_validate(NOBLE | (LEGACY if "legacy" in host.groups else {}))
        stages = plan([load_role(role, ROLES) for role in host.roles], host.settings, found)
        assert {stage.role for stage in stages} == set(host.roles)
        assert not [stage.role for stage in stages if stage.skipped]


def test_the_example_has_every_role() -> None:
    inventory = load(str(ROOT / "inventories" / "example"))
    [host] = inventory.resolve(["dgx01.example.com"], role_path=ROLES)
    assert set(host.roles) == set(role_names(ROLES))
