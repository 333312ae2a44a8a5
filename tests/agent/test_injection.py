"""How a container gets its GPUs: the runtime's modes, --gpus through CDI, the names of devices in CDI specs."""

import pytest

from provision.agent.gpu import injection
from provision.agent.gpu.proof import host_checks
from tests.agent.rooted import Rooted, answer

SPEC = "kind: nvidia.com/gpu\ndevices:\n{}\n# libcuda.so.580.159.04\n"
CDI = {"CDISpecDirs": ["/etc/cdi", "/var/run/cdi"], "Runtimes": {"nvidia": {}, "runc": {}}}
VERSION = ["nvidia-container-runtime", "--version"]


@pytest.fixture
def host(tmp_path):
    return Rooted(tmp_path)


def spec(*names):
    return SPEC.format("\n".join('- name: "{}"'.format(name) for name in names))


@pytest.mark.parametrize(
    ("mode", "version", "words"),
    [
        ("auto", "1.18.1", "jit-cdi"),
        ("auto", "1.20.0", "jit-cdi"),
        ("auto", "1.17.8", "legacy hook"),
        ("jit-cdi", None, "jit-cdi"),
        ("cdi", None, "cdi"),
        ("legacy", None, "legacy hook"),
    ],
)
def test_the_mode_of_the_runtime_is_that_of_config_toml_and_what_auto_means_depends_on_the_toolkit(
    host, mode, version, words
):
    text = '[nvidia-container-cli]\n[nvidia-container-runtime]\n    mode = "{}"\n[nvidia-container-runtime.modes.cdi]\n'
    host.put(injection.CONFIG, text.format(mode))
    host.commands = [(VERSION, answer("NVIDIA Container Runtime version {}\n".format(version)))] if version else []
    assert injection.described(host, "runtime", CDI) == "--runtime=nvidia ({})".format(words)
    host.done()


@pytest.mark.parametrize(
    ("docker", "there", "words"),
    [
        ("29.2.0", True, "--gpus (CDI first)"),
        ("29.2.0", False, "--gpus (legacy hook)"),
        ("29.1.5", True, "--gpus (legacy hook)"),
        ("28.5.2+dfsg1", True, "--gpus (legacy hook)"),
    ],
)
def test_gpus_goes_through_cdi_from_docker_29_2_on_where_there_is_a_spec(host, docker, there, words):
    if there:
        host.put("/etc/cdi/nvidia.yaml", spec("0", "all"))
    assert injection.described(host, "gpus", dict(CDI, ServerVersion=docker)) == words


def test_a_host_with_the_base_package_alone_is_proven_by_cdi(host):
    host.put("/usr/bin/nvidia-cdi-hook", "")
    host.put("/etc/cdi/nvidia.yaml", spec("0", "all"))
    assert injection.chosen(host, CDI, ()) == (["cdi"], "")
    assert injection.chosen(host, {"Runtimes": {}}, ["cdi"])[1].startswith("cdi: this Docker has no CDI")


GPU = {"index": 0, "uuid": "GPU-a", "mig": {"current": 1}, "mig_devices": ["MIG-1", "MIG-2"]}


@pytest.mark.parametrize(
    ("names", "asked"),
    [(("0:0", "0:1", "all"), "0:1"), (("MIG-1", "MIG-2", "all"), "MIG-2"), (("0:0", "MIG-2", "0:1", "all"), "MIG-2")],
)
def test_a_mig_device_is_asked_for_by_the_name_that_the_spec_gives_it(host, names, asked):
    """nvidia-ctk names it GPU:DEVICE, or by its UUID, as it was told."""
    host.put("/etc/cdi/nvidia.yaml", spec(*names))
    assert injection.names_in(spec(*names)) == set(names)
    known = host_checks.uuids({"gpus": [GPU]})
    assert known == [("MIG-1", "0:0"), ("MIG-2", "0:1")]
    wanted, _ = injection.options(host, "cdi", known[-1:])
    assert wanted["DeviceRequests"][0]["DeviceIDs"] == ["nvidia.com/gpu=" + asked]


def test_the_vendors_spec_beside_ours_is_a_conflict_in_one_folder_only_and_only_where_names_are_the_same(host):
    host.put("/etc/cdi/nvidia.yaml", spec("0", "all"))
    host.put("/var/run/cdi/nvidia.yaml", spec("0", "all"))
    assert list(injection.conflicts(injection.specs(host))) == []
    assert list(injection.in_force(injection.specs(host))) == ["/var/run/cdi/nvidia.yaml"]
    host.put("/var/run/cdi/vendor.json", '{"kind": "nvidia.com/gpu", "devices": [{"name": "1"}]}')
    assert list(injection.conflicts(injection.specs(host))) == []
    host.put("/var/run/cdi/other.json", '{"kind": "nvidia.com/gpu", "devices": [\n  {"name": "0"}]}')
    [(cause, fix)] = injection.conflicts(injection.specs(host))
    assert "/var/run/cdi/other.json and /var/run/cdi/nvidia.yaml name the same GPUs" in cause
    assert fix == "remove one of them: rm /var/run/cdi/other.json"
