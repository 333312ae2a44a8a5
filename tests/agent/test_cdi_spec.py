"""The CDI spec: by whom it is made, and with which driver's programs."""

import pytest

from provision.agent.engine.resource import converge
from provision.agent.facts import gather
from provision.agent.gpu import injection
from provision.agent.gpu.cdi_spec import CdiSpec
from provision.agent.gpu.proof import host_checks
from tests.agent.rooted import Rooted, answer

DRIVER = "580.159.04"
GENERATE = ["nvidia-ctk", "cdi", "generate", "--output=/etc/cdi/nvidia.yaml"]
SPEC = """\
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
- name: "0"
- name: all
containerEdits:
  mounts:
  - hostPath: /usr/lib/libcuda.so.{0}
    containerPath: /usr/lib/libcuda.so.{0}
  - hostPath: /usr/lib/libnvidia-ml.so.{0}
    containerPath: /usr/lib/libnvidia-ml.so.{0}
"""


@pytest.fixture
def host(tmp_path):
    host = Rooted(tmp_path)
    host.put("/sys/module/nvidia/version", DRIVER + "\n")
    host.put("/usr/bin/nvidia-ctk", "")
    return host


def generates(system, argv, more=""):
    system.put("/etc/cdi/nvidia.yaml", SPEC.format(DRIVER) + more)
    return answer()


def test_nvidia_ctk_finds_the_programs_of_the_library_in_use_first(host):
    host.link_to("/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1", "/usr/local/nvidia/lib64/libnvidia-ml.so.1")
    host.link_to("/usr/local/nvidia/lib64/libnvidia-ml.so.1", "libnvidia-ml.so." + DRIVER)
    host.put("/usr/local/nvidia/bin/nvidia-smi", "")
    host.commands = [(GENERATE, generates)]
    CdiSpec(vendor="nvidia.com/gpu").apply(host, {})
    assert host.ran[0][1]["PATH"].startswith("/usr/local/nvidia/bin:/usr/local/sbin:")
    host.done()


@pytest.fixture
def own_folder(host):
    """A driver in a folder of its own, and on the usual PATH a wrapper that works on the host alone."""
    host.link_to("/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1", "/usr/local/nvidia/lib64/libnvidia-ml.so." + DRIVER)
    host.put("/usr/local/nvidia/lib64/libnvidia-ml.so." + DRIVER, "")
    host.put("/usr/local/nvidia/bin/nvidia-smi", "")
    return host


WRAPPER = "  - hostPath: /usr/bin/nvidia-smi\n    containerPath: /usr/bin/nvidia-smi\n"
OWN_SMI = WRAPPER.replace("/usr/bin", "/usr/local/nvidia/bin")


def test_a_spec_with_another_nvidia_smi_is_made_anew(own_folder):
    own_folder.put("/etc/cdi/nvidia.yaml", SPEC.format(DRIVER) + WRAPPER)
    words = "mounts /usr/bin/nvidia-smi and not the driver's own /usr/local/nvidia/bin/nvidia-smi"
    assert CdiSpec(vendor="nvidia.com/gpu").actual(own_folder) == {"spec": "/etc/cdi/nvidia.yaml " + words}
    own_folder.commands = [(GENERATE, lambda system, argv: generates(system, argv, OWN_SMI))]
    assert converged(own_folder)["outcome"] == "changed"
    assert converged(own_folder)["outcome"] == "ok"


@pytest.mark.parametrize("name", ["libcuda", "libnvidia-ml"])
def test_a_spec_without_a_library_of_the_driver_is_made_anew(host, name):
    link = "  hooks:\n  - args: [nvidia-cdi-hook, create-symlinks, --link, {0}.so.1::/usr/lib/{0}.so.1]\n".format(name)
    host.put("/etc/cdi/nvidia.yaml", SPEC.format(DRIVER).replace(name + ".so", "libother.so") + link)
    told = {"spec": "/etc/cdi/nvidia.yaml does not mount {}".format(name)}
    assert CdiSpec(vendor="nvidia.com/gpu").actual(host) == told
    host.commands = [(GENERATE, generates)]
    assert converged(host)["outcome"] == "changed"


@pytest.mark.parametrize("node", ["nvidia1", "nvidia-uvm"])
def test_a_spec_without_a_gpu_or_a_node_of_the_driver_is_made_anew(host, node):
    nodes = ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm")
    for name in nodes:
        host.put("/dev/" + name, "")
    given = "".join("      - path: /dev/{}\n".format(name) for name in nodes)
    host.put("/etc/cdi/nvidia.yaml", SPEC.format(DRIVER) + given.replace("/dev/" + node + "\n", "/dev/null\n"))
    told = {"spec": "/etc/cdi/nvidia.yaml does not give /dev/" + node}
    assert CdiSpec(vendor="nvidia.com/gpu").actual(host) == told
    host.commands = [(GENERATE, lambda system, argv: generates(system, argv, given))]
    assert converged(host)["outcome"] == "changed"


def test_where_the_driver_has_a_folder_of_its_own_the_facts_name_its_programs(own_folder):
    assert gather.driver_programs(own_folder) == "/usr/local/nvidia/bin"


def test_the_path_is_the_usual_one_where_the_library_has_no_programs_beside_it(host):
    host.link_to("/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1", "libnvidia-ml.so." + DRIVER)
    host.commands = [(GENERATE, generates)]
    CdiSpec(vendor="nvidia.com/gpu").apply(host, {})
    assert host.ran[0][1]["PATH"].startswith("/usr/local/sbin:")


@pytest.mark.parametrize("line", ["    containerPath: /opt/nvidia-smi\n", '  "containerPath": "/opt/nvidia-smi",'])
def test_the_place_of_nvidia_smi_is_read_from_the_spec(host, line):
    host.put("/etc/cdi/nvidia.yaml", SPEC.format(DRIVER))
    assert injection.nvidia_smi(host, "cdi") == []
    host.put("/etc/cdi/nvidia.yaml", SPEC.format(DRIVER) + line)
    assert injection.nvidia_smi(host, "cdi")[0] == "/opt/nvidia-smi"
    host.put(injection.CONFIG, 'mode = "jit-cdi"\n')
    assert injection.nvidia_smi(host, "runtime") == [], "in its own modes the runtime does not go by the spec"
    host.put(injection.CONFIG, 'mode = "cdi"\n')
    assert injection.nvidia_smi(host, "runtime")[0] == "/opt/nvidia-smi"


def test_nvidia_smi_is_asked_of_a_container_where_the_host_has_one(host):
    host.put(injection.CONFIG, 'mode = "jit-cdi"\n')
    assert injection.nvidia_smi(host, "runtime") == []
    host.put("/usr/bin/nvidia-smi", "")
    assert injection.nvidia_smi(host, "runtime")[0] == "/usr/bin/nvidia-smi"


def test_of_a_driver_in_its_own_folder_nvidia_smi_is_asked_there_first(own_folder):
    own_folder.put(injection.CONFIG, 'mode = "jit-cdi"\n')
    assert injection.nvidia_smi(own_folder, "runtime")[0] == "/usr/local/nvidia/bin/nvidia-smi"


def test_the_driver_s_files_that_the_host_has_are_those_asked_of_a_container(own_folder):
    own_folder.put("/usr/local/nvidia/lib64/libcuda.so." + DRIVER, "")
    own_folder.put("/dev/nvidiactl", "")
    libraries, nodes = injection.driver_files(own_folder)
    assert sorted(libraries) == ["libcuda", "libnvidia-ml"]
    assert nodes == ["nvidiactl"]


def test_level_0_tells_a_stale_spec(host):
    host.put("/etc/cdi/nvidia.yaml", SPEC.format("575.51.03"))
    [check] = host_checks.specs(host, ["cdi"], DRIVER)
    assert check["verdict"] == "failed"
    assert "/etc/cdi/nvidia.yaml is stale: it is for driver 575.51.03, and 580.159.04 is loaded" in check["cause"]
    host.put("/etc/nvidia-container-runtime/config.toml", 'mode = "legacy"\n')
    assert list(host_checks.specs(host, ["runtime", "gpus"], DRIVER)) == [], "no way that goes by a spec"
    host.put("/etc/nvidia-container-runtime/config.toml", 'mode = "cdi"\n')
    assert len(list(host_checks.specs(host, ["runtime"], DRIVER))) == 1
    host.put("/etc/cdi/nvidia.yaml", SPEC.format(DRIVER))
    assert list(host_checks.specs(host, ["cdi"], DRIVER)) == []


def test_of_two_folders_the_later_one_is_in_force(host):
    host.put("/etc/cdi/nvidia.yaml", SPEC.format("575.51.03"))
    host.put("/var/run/cdi/nvidia.yaml", SPEC.format(DRIVER))
    assert injection.stale(host, DRIVER) == []
    assert [path for path, _ in injection.stale(host, "575.51.03")] == ["/var/run/cdi/nvidia.yaml"]
    host.put("/etc/cdi/nvidia.yaml", SPEC.format("575.51.03").replace('"0"', '"7"'))
    assert [path for path, _ in injection.stale(host, DRIVER)] == ["/etc/cdi/nvidia.yaml"], "it alone names GPU 7"


@pytest.mark.parametrize("mode", ["auto", "cdi", "legacy"])
def test_no_gpu_is_asked_of_the_runtime_in_a_word_that_each_mode_knows(host, mode):
    """In mode cdi `none` is the CDI device nvidia.com/gpu=none, which nobody generates."""
    host.put("/etc/nvidia-container-runtime/config.toml", 'mode = "{}"\n'.format(mode))
    _, env = injection.options(host, "runtime", injection.NONE)
    assert "NVIDIA_VISIBLE_DEVICES=void" in env


def converged(host):
    return converge(CdiSpec(vendor="nvidia.com/gpu"), host, check=False)


def test_two_specs_in_one_folder_are_both_named_with_the_fix(host):
    host.put("/etc/cdi/nvidia.yaml", SPEC.format(DRIVER))
    host.put("/etc/cdi/mine.yaml", SPEC.format(DRIVER))
    result = converged(host)
    assert result["outcome"] == "failed"
    cause = "/etc/cdi/mine.yaml and /etc/cdi/nvidia.yaml name the same GPUs, and Docker then takes neither"
    assert (result["error"]["cause"], result["error"]["fix"]) == (cause, "remove one of them: rm /etc/cdi/mine.yaml")
    assert host.ran == []
    [check] = host_checks.specs(host, ["cdi"], DRIVER)
    assert (check["cause"], check["fix"]) == (cause, "remove one of them: rm /etc/cdi/mine.yaml")


def test_a_spec_of_another_kind_with_the_same_names_is_no_conflict(host):
    host.put("/etc/cdi/nvidia.yaml", SPEC.format(DRIVER))
    host.put("/etc/cdi/management.yaml", SPEC.format(DRIVER).replace("nvidia.com/gpu", "management.nvidia.com/gpu"))
    assert converged(host)["outcome"] == "ok"


def test_two_specs_in_different_folders_are_no_change(host):
    host.put("/etc/cdi/nvidia.yaml", SPEC.format("575.51.03"))
    host.put("/var/run/cdi/nvidia.yaml", SPEC.format(DRIVER))
    assert converged(host)["outcome"] == "ok"
    assert sorted(injection.specs(host)) == ["/etc/cdi/nvidia.yaml", "/var/run/cdi/nvidia.yaml"]


def test_a_stale_spec_that_wins_goes_once_the_new_one_is_there(host):
    host.put("/var/run/cdi/nvidia.yaml", SPEC.format("575.51.03"))
    host.commands = [(GENERATE, generates)]
    assert converged(host)["outcome"] == "changed"
    assert sorted(injection.specs(host)) == ["/etc/cdi/nvidia.yaml"]


def test_the_stale_spec_stays_where_the_new_one_could_not_be_made(host):
    host.put("/var/run/cdi/nvidia.yaml", SPEC.format("575.51.03"))
    host.commands = [(GENERATE, answer(status=1))]
    assert converged(host)["outcome"] == "failed"
    assert sorted(injection.specs(host)) == ["/var/run/cdi/nvidia.yaml"]


def test_a_stale_spec_of_somebody_else_is_named_and_no_second_one_is_made_beside_it(host):
    host.put("/etc/cdi/mine.yaml", SPEC.format("575.51.03"))
    result = converged(host)
    assert result["outcome"] == "failed"
    assert result["error"]["cause"] == "/etc/cdi/mine.yaml is for driver 575.51.03, and is not ours to change"
    assert "/etc/cdi/mine.yaml" in result["error"]["fix"]


def test_a_stale_spec_of_somebody_else_beside_the_refresh_service_is_named_too(systemd):
    systemd.put("/var/run/cdi/mine.yaml", SPEC.format("575.51.03").replace('"0"', '"7"').replace("all", "mine"))
    systemd.commands = [(REFRESH, refreshes)]
    result = converged(systemd)
    assert result["error"]["cause"] == "/var/run/cdi/mine.yaml is for driver 575.51.03, and is not ours to change"
    systemd.done()


def refreshes(system, argv):
    system.put("/var/run/cdi/nvidia.yaml", SPEC.format(DRIVER))
    return answer()


REFRESH = ["systemctl", "restart", "nvidia-cdi-refresh.service"]


@pytest.fixture
def systemd(host):
    host.put("/run/systemd/system/x", "")
    host.put("/usr/lib/systemd/system/nvidia-cdi-refresh.service", "")
    return host


def test_the_refresh_service_makes_the_spec(systemd):
    systemd.put("/etc/cdi/nvidia.yaml", SPEC.format("575.51.03"))
    systemd.commands = [(REFRESH, refreshes)]
    assert converged(systemd)["outcome"] == "changed"
    assert sorted(injection.specs(systemd)) == ["/var/run/cdi/nvidia.yaml"], "ours was stale"


@pytest.mark.parametrize("stale", ["/etc/cdi/nvidia.yaml", "/var/run/cdi/nvidia.yaml", None])
def test_a_refresh_service_that_makes_nothing_is_stood_in_for_by_nvidia_ctk(systemd, stale):
    """Its conditions are not met: it answers 0 all the same."""
    if stale:
        systemd.put(stale, SPEC.format("575.51.03"))
    systemd.commands = [(REFRESH, answer()), (GENERATE, generates)]
    assert converged(systemd)["outcome"] == "changed"
    assert sorted(injection.specs(systemd)) == ["/etc/cdi/nvidia.yaml"]
    systemd.done()


def test_a_spec_that_names_no_driver_is_told(host):
    host.put("/etc/cdi/nvidia.yaml", "nvidia.com/gpu: {")
    assert CdiSpec(vendor="nvidia.com/gpu").actual(host) == {"spec": "/etc/cdi/nvidia.yaml names no driver"}


def test_a_spec_without_the_device_that_stands_for_all_gpus_is_made_anew(host):
    """Docker answers only that it cannot resolve it; each other part of the spec is right."""
    host.put("/etc/cdi/nvidia.yaml", SPEC.format(DRIVER).replace("name: all", "name: every"))
    host.commands = [(GENERATE, generates)]
    result = converged(host)
    assert result["outcome"] == "changed"
    assert result["diff"][0]["before"] == "/etc/cdi/nvidia.yaml has no device `all`"
