"""nvidia_docker: the toolkit's packages, and that the Docker daemon knows the runtime."""

import pytest

from provision.verify.asked import agree

TOOLKIT = (
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
    "libnvidia-container-tools",
    "libnvidia-container1",
)


@pytest.fixture(scope="session")
def asked(settings, gpu):
    found = settings["nvidia_docker"]
    if not gpu.addresses and found["require_gpu"] is not True and not found["expect_gpus"]:
        pytest.skip("there is no NVIDIA GPU on the PCI bus")
    return found


@pytest.fixture(scope="session")
def packages(host, asked):
    """The generation's packages, by what is installed where the inventory leaves it open."""
    if not asked["packages"]:
        pytest.skip("nvidia_docker.packages is false")
    names = {"toolkit": TOOLKIT, "nvidia-docker2": ("nvidia-docker2",), "nvidia-docker1": ("nvidia-docker",)}
    if asked["base_only"]:
        return ("nvidia-container-toolkit-base",)
    if asked["generation"] != "auto":
        return names[asked["generation"]]
    there = [found for found in names.values() if host.package(found[0]).is_installed]
    return there[0] if there else TOOLKIT


def test_the_bus_has_the_asked_number_of_gpus(asked, gpu):
    if asked["expect_gpus"] is None:
        pytest.skip("nvidia_docker.expect_gpus is not set")
    agree({"nvidia_docker.expect_gpus": (asked["expect_gpus"], len(gpu.addresses))})


def test_the_packages_are_installed_and_held(host, asked, packages):
    held = host.check_output("apt-mark showhold").split()
    found = {f"package {name}": (True, host.package(name).is_installed) for name in packages}
    if packages != ("nvidia-docker",):
        found |= {f"nvidia_docker.hold ({name})": (asked["hold"], name in held) for name in packages}
    agree(found)


def test_they_have_the_asked_version(host, asked, packages):
    if asked["version"] is None:
        pytest.skip("nvidia_docker.version is not set")
    there = {name: host.package(name) for name in packages}
    found = {name: package.version if package.is_installed else None for name, package in there.items()}
    agree({f"nvidia_docker.version ({name})": (asked["version"], version) for name, version in found.items()})


def test_the_daemon_knows_the_runtime(asked, dockerd, packages):
    if packages == ("nvidia-docker",):
        pytest.skip("nvidia-docker 1.0 has no runtime")
    found = {"runtime nvidia": (True, "nvidia" in dockerd.info["Runtimes"])}
    if asked["default_runtime"]:
        found["nvidia_docker.default_runtime"] = ("nvidia", dockerd.info["DefaultRuntime"])
    agree(found)
