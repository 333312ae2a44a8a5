"""The GPU roles: what nvidia_docker and gpu_smoke_test ask of which host. Pure."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from provision import resources as r
from provision import role
from provision.facts import Facts
from provision.plan import plan
from provision.role import load

ROLES = [Path(__file__).parents[3] / "roles"]
NVIDIA = load("nvidia_docker", ROLES)
SMOKE = load("gpu_smoke_test", ROLES)
GPU = {"address": "0000:17:00.0", "device": "2330", "device_class": "0302"}


def facts(version: str | None = "29.2.1", gpus: int = 1, **changes: Any) -> Facts:
    docker = {"version": version, "packages": {"docker-ce": "1"}} | changes.pop("docker", {})
    given = {
        "os": {"id": "ubuntu", "version_id": "24.04"},
        "architecture": "amd64",
        "kernel": "6.8",
        "apt_version": "2.7.14",
        "init": "systemd",
        "docker": docker,
        "nvidia": {"pci": [GPU] * gpus, "driver_loaded": "550.54.15"},
    }
    return Facts.model_validate(given | changes)


def asked(host: Facts, **settings: Any) -> list[r.Resource]:
    return list(NVIDIA.resources(host, NVIDIA.settings(**settings)))


def options(found: list[r.Resource]) -> dict[str, Any]:
    return {".".join(item.key): item.value for item in found if isinstance(item, r.DaemonOption)}


def kinds(found: list[r.Resource]) -> list[str]:
    return [item.kind for item in found]


DEB = {"source": "/root/nvidia-docker_1.0.1-1_amd64.deb", "sha256": "0" * 64}


def test_the_toolkit_is_one_set_at_one_version_and_registered_after_it_is_there() -> None:
    found = asked(facts(), version="1.18.1-1", default_runtime=True)
    assert kinds(found)[:4] == ["nvidia_driver", "apt_source", "packages", "programs"]
    [packages] = [item for item in found if isinstance(item, r.Packages)]
    assert {(item.name, item.version) for item in packages.packages} == {
        ("nvidia-container-toolkit", "1.18.1-1"),
        ("nvidia-container-toolkit-base", "1.18.1-1"),
        ("libnvidia-container-tools", "1.18.1-1"),
        ("libnvidia-container1", "1.18.1-1"),
    }
    assert packages.hold
    assert packages.replace == packages.conflicts == ("nvidia-docker", "nvidia-docker2")
    assert options(found) == {
        "runtimes.nvidia": {"path": "/usr/bin/nvidia-container-runtime", "runtimeArgs": []},
        "default-runtime": "nvidia",
    }


def test_the_base_package_alone_brings_cdi_and_the_runtime_without_the_hook() -> None:
    found = asked(facts(), base_only=True, version="1.20.0-1")
    [packages] = [item for item in found if isinstance(item, r.Packages)]
    assert [(item.name, item.version) for item in packages.packages] == [("nvidia-container-toolkit-base", "1.20.0-1")]
    assert "cdi_spec" in kinds(found)
    assert "runtimes.nvidia" in options(found)


@pytest.mark.parametrize(
    ("version", "cdi", "option", "spec"),
    [
        ("29.2.1", "auto", None, True),
        ("29.2.1", True, True, True),
        ("26.1.5", "auto", True, True),
        ("26.1.5", False, None, False),
        ("20.10.24", "auto", None, False),
        (None, False, None, False),
    ],
)
def test_cdi_where_docker_has_it(version: str | None, cdi: Any, option: bool | None, spec: bool) -> None:
    found = asked(facts(version), cdi=cdi)
    assert options(found).get("features.cdi") is option
    assert ("cdi_spec" in kinds(found)) is spec


@pytest.mark.parametrize(
    ("release", "coming", "spec"),
    [
        (("ubuntu", "24.04"), "docker-ce", True),
        (("debian", "13"), "docker.io", True),
        (("debian", "12"), "docker-ce", True),
        (("debian", "12"), "docker.io", False),
        (("debian", "13"), None, False),
    ],
)
def test_a_check_before_docker_is_there_names_the_cdi_spec(release: Any, coming: str | None, spec: bool) -> None:
    system = {"id": release[0], "version_id": release[1]}
    host = facts(None, os=system, docker={"packages": {coming: ""} if coming else {}})
    found = asked(host)
    assert ("cdi_spec" in kinds(found)) is spec
    assert "features.cdi" not in options(found)


def test_the_refresh_unit_finds_the_programs_of_a_driver_in_its_own_folder() -> None:
    nvidia = {"pci": [GPU], "driver_loaded": "580.159.04", "programs": "/usr/local/nvidia/bin"}
    [drop_in] = [item for item in asked(facts(nvidia=nvidia)) if isinstance(item, r.SystemdDropIn)]
    assert (drop_in.unit, drop_in.name) == ("nvidia-cdi-refresh.service", "50-provision.conf")
    assert "Environment=PATH=/usr/local/nvidia/bin:/usr/local/sbin:" in (drop_in.content or "")
    assert "systemd_drop_in" not in kinds(asked(facts()))
    assert "systemd_drop_in" not in kinds(asked(facts(nvidia=nvidia, init="sysv")))


def test_a_feature_that_somebody_turned_off_is_turned_on() -> None:
    host = facts(docker={"configured": {"features": {"cdi": False}}})
    assert options(asked(host))["features.cdi"] is True


def test_a_runtime_that_means_the_same_stays_as_it_is_written() -> None:
    there = {"args": [], "path": "nvidia-container-runtime"}
    host = facts(docker={"configured": {"runtimes": {"nvidia": there}}})
    assert options(asked(host))["runtimes.nvidia"] == there
    other = facts(docker={"configured": {"runtimes": {"nvidia": {"path": "/opt/other"}}}})
    assert options(asked(other))["runtimes.nvidia"]["path"] == "/usr/bin/nvidia-container-runtime"


@pytest.mark.parametrize(
    ("version", "kind", "name"),
    [
        ("1.12.6", "deb", "nvidia-docker"),
        ("18.09.9", "packages", "nvidia-docker2"),
        ("20.10.24", "packages", "toolkit"),
    ],
)
def test_auto_takes_the_generation_that_fits_the_engine(version: str, kind: str, name: str) -> None:
    found = asked(facts(version), deb=DEB)
    assert kind in kinds(found)
    assert any(name in str(item.model_dump()) for item in found if item.kind == kind)


def test_by_hand_means_no_package_and_no_source() -> None:
    found = asked(facts(), packages=False, runtime="/opt/bin/nvidia-container-runtime")
    assert not {"packages", "apt_source"} & set(kinds(found))
    assert options(found)["runtimes.nvidia"]["path"] == "/opt/bin/nvidia-container-runtime"


def test_docker_is_restarted_once_the_hook_is_there() -> None:
    """dockerd looks for the hook when it starts: the daemon's service watches our note of it."""
    engine, daemon = load("docker_engine", ROLES), load("docker_daemon", ROLES)
    roles = [engine, daemon, NVIDIA]
    host = facts("29.2.1", docker={"packages": {"docker-ce": "5:29.2.1-1"}, "daemon": "/usr/bin/dockerd"})
    stages = plan(roles, {one.name: one.settings() for one in roles}, host)
    assert [stage.role for stage in stages] == ["docker_engine", "nvidia_docker", "docker_daemon"]
    assert not {"daemon_option", "daemon_input"} & {item.kind for stage in stages for item in stage.resources}
    [service] = [item for item in stages[2].resources if isinstance(item, r.DockerService)]
    [note] = [item for item in stages[1].resources if isinstance(item, r.File)]
    assert note.path in service.files


@pytest.mark.parametrize(
    ("changes", "settings", "refused"),
    [
        ({}, {}, False),
        ({}, {"require_gpu": True}, True),
        ({}, {"expect_gpus": 8}, True),
        ({"dgx": {"name": "DGX-1"}}, {}, True),
        ({"dmi_vendor": "NVIDIA"}, {}, True),
        ({"dmi_product": "DGXH100"}, {}, True),
        ({"dmi_vendor": "NVIDIA"}, {"require_gpu": False}, False),
    ],
)
def test_a_host_without_gpu_is_skipped_unless_there_should_be_one(
    changes: dict[str, Any], settings: dict[str, Any], refused: bool
) -> None:
    with pytest.raises(role.Refuse if refused else role.Skip) as error:
        asked(facts(gpus=0, **changes), **settings)
    assert "there is no NVIDIA GPU on the PCI bus" in str(error.value)


@pytest.mark.parametrize(
    ("host", "settings", "words"),
    [
        (facts("1.12.6"), {}, "needs nvidia-docker 1.0"),
        (facts("20.10.24"), {"cdi": True}, "has no CDI"),
        (facts("20.10.24"), {"base_only": True}, "all that base_only is for"),
        (facts("1.12.6"), {"generation": "toolkit"}, "cannot use the generation toolkit"),
        (facts("1.12.6", docker={"packages": {"docker.io": "1"}}), {"deb": DEB}, "depends on docker-engine"),
        (facts("1.12.6", architecture="arm64"), {"deb": DEB}, "is for amd64"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(host: Facts, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(role.Refuse) as error:
        asked(host, **settings)
    assert words in error.value.cause
    assert error.value.fix


@pytest.mark.parametrize(
    "settings",
    [
        {"generation": "nvidia-docker1"},
        {"generation": "nvidia-docker1", "deb": DEB, "default_runtime": True},
        {"generation": "docker3"},
        {"base_only": True, "cdi": False},
        {"base_only": True, "packages": False},
        {"base_only": True, "generation": "nvidia-docker2"},
        {"deb": {"source": "nvidia.deb", "sha256": "0" * 64}},
        {"version": "latest!"},
        {"config": {"a b": 1}},
    ],
)
def test_bad_settings_are_input_errors(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        NVIDIA.settings(**settings)


# -- gpu_smoke_test


def proof(gpus: int = 1, **settings: Any) -> r.GpuProof:
    [found] = SMOKE.resources(facts(gpus=gpus), SMOKE.settings(**settings))
    assert isinstance(found, r.GpuProof)
    return found


def test_one_probe_with_the_levels_below_it() -> None:
    assert proof().levels == (0, 1, 2, 3)
    assert proof(levels=[3]).levels == (0, 1, 3)
    assert proof(levels=[1]).levels == (1,)
    assert proof().modules == ("pynvml",)


def test_unlimited_is_what_getrlimit_says() -> None:
    assert proof(limits={"memlock": "unlimited", "shm": 1 << 30}).limits == {"memlock": -1, "shm": 1 << 30}


def test_a_host_without_gpu_is_proven_as_far_as_it_goes_unless_one_is_required() -> None:
    assert not proof(gpus=0).require_gpu
    assert proof(gpus=0, expect_gpus=8).require_gpu, "level 1 fails, and others on the host are told"
    assert proof(gpus=0, require_gpu=False, expect_gpus=0).expect_gpus == 0


@pytest.mark.parametrize("levels", [[7], [0, 8], [-1], []])
def test_levels_that_are_not_there_are_refused_with_the_reason(levels: list[int]) -> None:
    with pytest.raises(ValidationError) as error:
        SMOKE.settings(levels=levels)
    if 4 in levels:
        assert "survival of daemon-reload" in str(error.value)


def test_the_speed_is_measured_only_where_the_levels_name_it_and_there_are_gpus() -> None:
    assert kinds(list(SMOKE.resources(facts(), SMOKE.settings()))) == ["gpu_proof"]
    asked = SMOKE.settings(levels=[0, 1, 2, 3, 5], speed={"mode": "lean", "least": {"read": 0.7}})
    assert [item.model_dump()["gate"] for item in SMOKE.resources(facts(), asked)] == [(0, 1, 2, 3, 5)] * 2
    [none] = SMOKE.resources(facts(gpus=0), asked)
    assert isinstance(none, r.GpuProof)
    assert none.gate == (0, 1, 2, 3)
    assert kinds(list(SMOKE.resources(facts(gpus=0), asked))) == ["gpu_proof"]
    proof, speed = SMOKE.resources(facts(), asked)
    assert isinstance(proof, r.GpuProof)
    assert isinstance(speed, r.GpuSpeed)
    assert proof.levels == (0, 1, 2, 3)
    assert (speed.full, speed.beside_jobs, speed.least["read"], speed.least["fma32"]) == (False, False, 0.7, 0.95)
    alone, _ = SMOKE.resources(facts(), SMOKE.settings(levels=[5]))
    assert isinstance(alone, r.GpuProof)
    assert alone.levels == (0, 1)


@pytest.mark.parametrize(
    "speed", [{"mode": "fast"}, {"least": {"read": 1.5}}, {"least": {"reed": 0.5}}, {"timeout": 0}]
)
def test_what_level_5_does_not_take_is_an_error_of_the_inventory(speed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SMOKE.settings(speed=speed)


def test_survival_is_tried_only_where_the_levels_ask_for_it() -> None:
    def kinds_of(host: Facts, *levels: int) -> list[str]:
        return kinds(list(SMOKE.resources(host, SMOKE.settings(levels=levels))))

    assert "gpu_survival" not in kinds_of(facts(), 0, 1, 2, 3)
    assert kinds_of(facts(), 0, 1, 2, 3, 4, 5) == ["gpu_proof", "gpu_survival", "gpu_speed"]
    assert kinds_of(facts(gpus=0), 0, 1, 4) == ["gpu_proof"]
    assert kinds_of(facts(), 0, 1, 6) == ["gpu_proof", "gpu_dcgm"]
    assert kinds_of(facts(gpus=0), 6) == ["gpu_proof"]
