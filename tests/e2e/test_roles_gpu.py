"""The GPU roles on real hosts with a false driver: each generation of the stack, and the proof in real containers.

What is false: the driver (files that the kernel would show, an NVML, a libcuda) and the vendor's packages, which are
stand-ins. What is real: apt, dpkg, Docker, its runtimes and its CDI, and every container.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent import false_gpu
from tests.e2e import nvidia_stand_ins as nvidia
from tests.e2e.runner import DAEMON, Ended, HostSpec, Lab, Provision, settle
from tests.lab import LabHost, stand_ins
from tests.lab.host import File
from tests.lab.repository import AptRepository

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not false_gpu.COMPILER, reason="SKIPPED FOR LACK OF gcc: the GPU roles are not tested"),
]
GPUS = 3
DAEMON_JSON = "/etc/docker/daemon.json"
RECEIPT = "/var/lib/provision/proofs/gpu.json"
ROLES = ["docker_engine", "docker_daemon", "nvidia_docker", "gpu_smoke_test"]
BASE = "nvidia-container-toolkit-base"
TOOLKIT = [
    "nvidia-container-toolkit",
    BASE,
    "libnvidia-container-tools",
    "libnvidia-container1",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("gpu")
    names = {"hook": "bookworm", "cdi": "trixie", "none": "bookworm", "old": "bookworm", "first": "bookworm"}
    specs = [HostSpec(name, release) for name, release in names.items()]
    with Lab.up("gpu-roles", specs, folder / "lab") as up:
        for name in ("hook", "cdi", "old", "first"):
            nvidia.give_gpus(up.host(name), folder / "false", GPUS)
        yield up


@pytest.fixture(scope="module")
def repository(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> AptRepository:
    folder = tmp_path_factory.mktemp("debs")
    debs = [*nvidia.toolkit(folder, "1.17.8-1"), *nvidia.toolkit(folder, "1.18.1-1"), nvidia.nvidia_docker2(folder)]
    return lab.apt_repository("nvidia", debs, flat=True)


@pytest.fixture(scope="module")
def settings(repository: AptRepository) -> dict[str, Any]:
    source = {"uri": repository.url, "suite": "./", "key": repository.key_asc, "fingerprint": repository.fingerprint}
    return {
        "roles": ROLES,
        "docker_engine": {"flavour": "docker.io"},
        "docker_daemon": DAEMON,
        "nvidia_docker": {"version": "1.18.1-1", "repository": source},
        "gpu_smoke_test": {"limits": {"memlock": 8388608, "stack": 67108864, "shm": 1 << 30}},
    }


@pytest.fixture(scope="module")
def provision(lab: Lab, settings: dict[str, Any]) -> Provision:
    expect: dict[str, Any] = {"nvidia_docker": {"expect_gpus": GPUS}, "gpu_smoke_test": {"expect_gpus": GPUS}}
    toml = {"nvidia-container-runtime.log-level": "debug"}
    hook = {
        **expect,
        "nvidia_docker": {"version": "1.17.8-1", "expect_gpus": GPUS, "default_runtime": True, "config": toml},
    }
    base = {**expect, "nvidia_docker": {"base_only": True, "expect_gpus": GPUS}}
    return settle(lab, settings, hook=hook, cdi=base, none={}, old={"roles": []}, first={"roles": []})


def probe(ended: Ended, host: str) -> dict[str, Any]:
    """The event of a host's proof."""
    [event] = [item for item in ended.of("resource", host=host) if item["kind"] == "gpu_proof"]
    return event


def proof(ended: Ended, host: str) -> dict[str, Any]:
    receipt: dict[str, Any] = probe(ended, host)["proof"]
    return receipt


PROVEN = "/run/provision/gpu-proven"
GATED = f"[Unit]\nConditionPathExists={PROVEN}\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"


def gate(host: LabHost) -> tuple[str, bool]:
    """(the verdict for others, is a unit that wants it started)."""
    host.run(["systemctl", "restart", "gated"])
    started = host.run(["systemctl", "is-active", "gated"], check=False).stdout.strip() == "active"
    return json.loads(host.read("/run/provision/gpu-proof.json"))["verdict"], started


def containers(host: LabHost) -> str:
    return host.run(["docker", "ps", "--all", "--quiet"]).stdout


def pid(host: LabHost) -> str:
    return host.run(["cat", "/var/run/docker.pid"]).stdout.strip()


def test_check_on_bare_hosts_foresees_the_packages_and_starts_nothing(lab: Lab, provision: Provision) -> None:
    ended = provision.check("--limit", "hook,cdi,none")
    assert ended.status == 3, ended.explain()
    assert "packages " + " ".join(TOOLKIT) in ended.resources("would-change", host="hook")
    assert lab.host("hook").run("command -v dockerd nvidia-ctk", check=False).stdout == ""


def test_apply_takes_bare_hosts_to_a_passed_proof(lab: Lab, provision: Provision) -> None:
    ended = provision.apply("--limit", "hook,cdi,none")
    assert ended.status == 0, ended.explain()
    for name, version, way in (
        ("hook", "1.17.8-1", "--runtime=nvidia (legacy hook)"),
        ("cdi", "1.18.1-1", "cdi (--device nvidia.com/gpu)"),
    ):
        host = lab.host(name)
        receipt = proof(ended, name)
        assert receipt["verdict"] == "passed"
        assert receipt["docker"]["injection"] == [way]
        assert [level["verdict"] for _, level in sorted(receipt["levels"].items())] == ["passed"] * 4
        assert [gpu["uuid"] for gpu in receipt["gpus"]] == [nvidia.uuid(index) for index in range(GPUS)]
        asked = {item["name"].split()[0]: item["answer"] for item in receipt["containers"]}
        assert [device["kernel"] for device in asked["all"]["cuda"]["devices"]] == ["ok"] * GPUS
        assert [device["uuid"] for device in asked["one"]["cuda"]["devices"]] == [nvidia.uuid(GPUS - 1)]
        assert asked["none"]["cuda"]["devices"] == []
        assert asked["flags"]["uid"] == 65534
        assert json.loads(host.read(RECEIPT))["verdict"] == "passed"
        packages = nvidia.package_state(host, TOOLKIT)
        assert set(packages.values()) == {f"hi {version}"}
        assert set(packages) == ({BASE} if name == "cdi" else set(TOOLKIT)), "the base package alone, where it is asked"
        assert containers(host) == "", "each container was removed"
    written = json.loads(lab.host("hook").read(DAEMON_JSON))
    assert written["default-runtime"] == "nvidia"
    assert written["runtimes"] == {"nvidia": {"path": "/usr/bin/nvidia-container-runtime", "runtimeArgs": []}}
    assert json.loads(lab.host("cdi").read(DAEMON_JSON))["features"] == {"cdi": True}
    assert 'log-level = "debug"' in lab.host("hook").read("/etc/nvidia-container-runtime/config.toml")


def test_a_host_without_gpu_is_skipped_with_the_reason_and_its_containers_are_proven(provision: Provision) -> None:
    ended = provision.apply("--limit", "none")
    assert ended.status == 0, ended.explain()
    [skipped] = ended.of("role", host="none", role="nvidia_docker")
    assert skipped["outcome"] == "skipped"
    assert skipped["reason"] == "there is no NVIDIA GPU on the PCI bus"
    receipt = proof(ended, "none")
    names = {item["name"] for level in receipt["levels"].values() for item in level["checks"]}
    assert {"memlock", "stack", "shm", "-u", "--shm-size", "--rm"} <= names
    required = provision.apply("--limit", "none", "--set", "nvidia_docker.require_gpu=true")
    assert required.status == 1
    assert "there should be" in required.explain()


def test_the_second_run_changes_nothing_and_starts_no_container(lab: Lab, provision: Provision) -> None:
    before = {name: pid(lab.host(name)) for name in ("hook", "cdi", "none")}
    started = lab.host("hook").run("docker events --since 0 --until 0s --filter event=create | wc -l").stdout
    for verb in (provision.check, provision.apply):
        ended = verb("--limit", "hook,cdi,none")
        assert ended.status == 0, ended.explain()
        assert ended.resources("changed", "would-change") == []
        event = probe(ended, "cdi")
        assert event["outcome"] == "ok"
        assert event["note"].startswith("proven ")
    assert {name: pid(lab.host(name)) for name in before} == before
    assert lab.host("hook").run("docker events --since 0 --until 0s --filter event=create | wc -l").stdout == started


def speed(ended: Ended, host: str) -> dict[str, Any]:
    """The event of the host's GPUs' speed."""
    [event] = [item for item in ended.of("resource", host=host) if (item["kind"], item["name"]) == ("gpu_speed", "gpu")]
    return event


def test_all_of_it_is_verified_on_both_releases(provision: Provision) -> None:
    ended = provision("verify", "--limit", "hook,cdi,none")
    assert ended.status == 0, ended.explain()
    for name in ("hook", "cdi"):
        assert {event["role"] for event in ended.of("resource", host=name, outcome="ok")} == set(ROLES)


def test_the_speed_is_measured_on_the_host_and_the_slow_gpu_is_named(
    lab: Lab, provision: Provision, tmp_path: Path
) -> None:
    """On the GPU's own limits, and beside the equal GPUs of another host."""
    for name in ("hook", "cdi"):
        nvidia.can_be_measured(lab.host(name), tmp_path, GPUS)
    only = ("--limit", "hook,cdi", "--roles", "gpu_smoke_test", "--set", "gpu_smoke_test.levels=[0, 1, 5]")
    ended = provision.apply(*only)
    assert ended.status == 0, ended.explain()
    assert speed(ended, "cdi")["note"].startswith("passed now: 3 GPUs, level 5 (full)")
    gpus = speed(ended, "cdi")["proof"]["speed"]
    assert [gpu["uuid"] for gpu in gpus] == [nvidia.uuid(index) for index in range(GPUS)]
    assert {"read", "fma64", "sustained", "dtoh", "peer"} <= set(gpus[0]["figures"])
    again = provision.apply(*only)
    assert (again.status, speed(again, "cdi")["proof"]["ran"]) == (0, False)

    lab.host("cdi").run("cat >/run/false/gpus", input="FALSE_MEMORY_1=0.8\n")
    anew = (*only, "--set", "gpu_smoke_test.speed.max_age=0")
    slow = provision.apply(*anew)
    assert slow.status == 1
    assert "level 5: GPU 1 (0000:11:00.0): memory copy is slow: 3424 GB/s" in slow.explain()
    lab.host("cdi").run("cat >/run/false/gpus", input="FALSE_CLOCK_2=1915\n")
    beside = provision.apply(*anew, "--set", "gpu_smoke_test.speed.mode=lean", "--report", f"{tmp_path}/page.html")
    assert beside.status == 1
    assert f"GPU 2 ({nvidia.uuid(2)}): FP32" in beside.explain()
    assert "under the median of 6 equal GPUs" in beside.explain()
    assert '"speed":[{"group":' in (tmp_path / "page.html").read_text("utf-8")
    lab.host("cdi").run("rm /run/false/gpus")


def test_others_are_told_at_once_of_a_driver_that_is_not_whole_and_when_it_is_again(
    lab: Lab, provision: Provision
) -> None:
    """The first look of an apply finds it, before anything is written; and no container has to run anew."""
    host = lab.host("cdi")
    host.write("/run/systemd/system/gated.service", GATED)
    host.run(["systemctl", "daemon-reload"])
    assert provision.apply("--limit", "cdi").status == 0
    assert gate(host) == ("passed", True)
    for roles in ("nvidia_docker", "gpu_smoke_test"):
        host.run("echo 550.90.07 >/sys/module/nvidia/version")
        try:
            assert provision.apply("--limit", "cdi", "--roles", roles).status == 1
            assert gate(host) == ("failed", False)
        finally:
            host.run(f"echo {nvidia.DRIVER} >/sys/module/nvidia/version")
        again = provision.apply("--limit", "cdi")
        assert (again.status, proof(again, "cdi")["ran"]) == (0, False), again.explain()
        assert gate(host) == ("passed", True)


def test_facts_have_what_nvml_answers(provision: Provision) -> None:
    ended = provision("facts", "--limit", "cdi,none")
    assert ended.status == 0, ended.stderr
    found = {event["host"]: event["facts"]["nvidia"] for event in ended.of("facts")}
    assert found["none"].get("nvml") is None, "no driver, no question"
    assert found["cdi"]["nvml"]["driver"] == nvidia.DRIVER
    assert [gpu["uuid"] for gpu in found["cdi"]["nvml"]["gpus"]] == [nvidia.uuid(index) for index in range(GPUS)]


def test_a_proof_is_due_when_its_inputs_changed_and_check_does_not_make_it(lab: Lab, provision: Provision) -> None:
    host = lab.host("cdi")
    host.run("systemctl reset-failed docker; systemctl restart docker")
    ended = provision.check("--limit", "cdi")
    assert ended.status == 3, ended.explain()
    event = probe(ended, "cdi")
    assert event["outcome"] == "would-change"
    assert any("the daemon changed" in str(item["before"]) for item in event["diff"])
    ended = provision.apply("--limit", "cdi")
    assert ended.status == 0, ended.explain()
    assert probe(ended, "cdi")["outcome"] == "ok", "a probe is not a change"


def test_an_upgrade_of_the_toolkit_restarts_no_docker(lab: Lab, provision: Provision) -> None:
    """The hook must be there when the daemon starts; which hook does not matter. Held packages go up as a set."""
    host = lab.host("hook")
    before, hook = pid(host), host.read("/usr/bin/nvidia-container-runtime-hook")
    ended = provision.apply("--limit", "hook", "--set", "nvidia_docker.version=1.18.1-1")
    assert ended.status == 0, ended.explain()
    assert host.read("/usr/bin/nvidia-container-runtime-hook") != hook
    assert set(nvidia.package_state(host, TOOLKIT).values()) == {"hi 1.18.1-1"}
    assert pid(host) == before
    ended = provision.apply("--limit", "hook")
    assert ended.status == 1
    assert "is older" in ended.explain(), "the way back is a downgrade, which nobody allowed"


@pytest.mark.parametrize(
    ("breaking", "mending", "words"),
    [
        ("umount /sys/bus/pci/devices", None, "should be"),
        ("echo 550.90.07 >/sys/module/nvidia/version", "echo 550.54.15 >/sys/module/nvidia/version", "reboot"),
    ],
)
def test_a_driver_or_gpu_that_is_gone_is_never_ok(
    lab: Lab, provision: Provision, breaking: str, mending: str | None, words: str
) -> None:
    host = lab.host("cdi")
    host.run(breaking)
    try:
        ended = provision.check("--limit", "cdi")
        assert ended.status == 1, ended.stdout
        assert words in ended.explain()
    finally:
        if mending:
            host.run(mending)
        else:
            nvidia.place_on_bus(host, GPUS)


def test_failures_of_the_proof_are_told_apart(lab: Lab, provision: Provision) -> None:
    host = lab.host("cdi")
    only = ("--limit", "cdi", "--roles", "gpu_smoke_test")
    wrong_count = provision.apply(*only, "--set", "gpu_smoke_test.expect_gpus=8")
    assert "8 NVIDIA GPUs are declared and 3 are on the PCI bus" in wrong_count.explain()
    no_runtime = provision.apply(*only, "--set", "gpu_smoke_test.injection=[nvidia-docker]")
    assert "there is no nvidia-docker" in no_runtime.explain()
    limits = provision.apply(*only, "--set", "gpu_smoke_test.limits.memlock=unlimited")
    assert "memlock in the container is 8388608 and not unlimited" in limits.explain()
    host.run(f"mv {nvidia.FALSE}/all {nvidia.FALSE}/gone")
    try:
        broken = provision.apply(*only)
        assert broken.status == 1
        assert broken.host("cdi")["outcome"] in ("failed", "unknown")
    finally:
        host.run(f"mv {nvidia.FALSE}/gone {nvidia.FALSE}/all")
    host.run("mv /etc/cdi /etc/cdi-away")
    try:
        absent = provision.apply(*only, "--set", "gpu_smoke_test.injection=[cdi]")
        assert "there is no CDI spec" in absent.explain()
    finally:
        host.run("mv /etc/cdi-away /etc/cdi")
    host.run("systemctl stop docker.socket docker")
    stopped = provision.apply(*only)
    assert "the Docker daemon does not run" in stopped.explain()
    assert host.run("systemctl is-active docker", check=False).stdout.strip() != "active", "the proof starts nothing"
    mended = provision.apply("--limit", "cdi")
    assert mended.status == 0, mended.explain()


def test_a_gpu_hidden_from_the_container_is_named(lab: Lab, provision: Provision) -> None:
    host = lab.host("cdi")
    host.run(f"mv {nvidia.FALSE}/all {nvidia.FALSE}/whole; cp -r {nvidia.FALSE}/{nvidia.uuid(0)} {nvidia.FALSE}/all")
    try:
        ended = provision.apply("--limit", "cdi", "--set", "gpu_smoke_test.max_age=0")
        assert ended.status == 1
        assert f"does not see {nvidia.uuid(1)}, {nvidia.uuid(2)}" in ended.explain()
        assert proof(ended, "cdi")["levels"]["3"]["verdict"] == "unknown", "what was not tried is not passed"
    finally:
        host.run(f"rm -r {nvidia.FALSE}/all; mv {nvidia.FALSE}/whole {nvidia.FALSE}/all")


def test_a_stale_cdi_spec_is_made_anew(lab: Lab, provision: Provision) -> None:
    host = lab.host("cdi")
    host.run("sed -i 's/550.54.15/535.1.1/' /etc/cdi/nvidia.yaml")
    ended = provision.check("--limit", "cdi")
    assert "cdi_spec nvidia.com/gpu" in ended.resources("would-change")
    ended = provision.apply("--limit", "cdi")
    assert ended.status == 0, ended.explain()
    assert "550.54.15" in host.read("/etc/cdi/nvidia.yaml")


def test_moving_up_a_generation_keeps_daemon_json(lab: Lab, settings: dict[str, Any]) -> None:
    """nvidia-docker2 holds daemon.json as its configuration file: purging it would delete the file."""
    host = lab.host("old")
    older = {"roles": ROLES, "nvidia_docker": {"generation": "nvidia-docker2", "version": "2.13.0-1"}}
    provision = settle(lab, settings, old=older)
    ended = provision.apply("--limit", "old")
    assert ended.status == 0, ended.explain()
    assert nvidia.package_state(host, ["nvidia-docker2"]) == {"nvidia-docker2": "hi 2.13.0-1"}
    document = json.loads(host.read(DAEMON_JSON))
    host.write(DAEMON_JSON, json.dumps(dict(document, **{"max-concurrent-downloads": 5})))
    settle(lab, settings, old={"roles": ROLES})
    ended = Provision(provision.inventory).apply("--limit", "old")
    assert ended.status == 0, ended.explain()
    assert nvidia.package_state(host, ["nvidia-docker2"])["nvidia-docker2"].startswith("rc"), "removed, not purged"
    assert set(nvidia.package_state(host, TOOLKIT).values()) == {"hi 1.18.1-1"}
    after = json.loads(host.read(DAEMON_JSON))
    assert after["max-concurrent-downloads"] == 5
    assert after["bip"] == DAEMON["bip"]
    assert after["runtimes"]["nvidia"]["path"].endswith("nvidia-container-runtime")


def test_the_first_generation_with_its_engine_and_its_plugin(
    lab: Lab, settings: dict[str, Any], tmp_path: Path
) -> None:
    """docker-engine 1.12 and nvidia-docker 1.0.1, both stand-ins: NV_GPU decides what a container sees."""
    host = lab.host("first")
    host.run(["mkdir", "-p", "/raid/imagedata"])
    engine = lab.apt_repository("docker-engine", stand_ins.docker_engine(tmp_path / "engine"), suite="ubuntu-trusty")
    package, digest = nvidia.nvidia_docker1(tmp_path)
    host.put({"/root/nvidia-docker.deb": File(package.read_bytes())})
    source = {"uri": engine.url, "suite": engine.suite, "key": engine.key_asc, "fingerprint": engine.fingerprint}
    deb = {"source": "/root/nvidia-docker.deb", "sha256": "0" * 64}
    ours = {
        "roles": ROLES,
        "docker_engine": {"flavour": "docker-engine", "repository": source},
        "nvidia_docker": {"version": None, "deb": deb, "expect_gpus": GPUS},
        "docker_daemon": {"default_shm_size": None},  # which came with 17.05
        "gpu_smoke_test": {"volumes": ["/raid/imagedata"], "limits": {"shm": None}},
    }
    provision = settle(lab, settings, first=ours)
    ended = provision.apply("--limit", "first")
    assert f"has the sha256 {digest} and not 0000" in ended.explain()
    assert nvidia.package_state(host, ["nvidia-docker"]) == {}
    deb["sha256"] = digest
    provision = settle(lab, settings, first=ours)
    ended = provision.apply("--limit", "first")
    assert ended.status == 0, ended.explain()
    assert host.run(["systemctl", "is-active", "nvidia-docker"]).stdout.strip() == "active"
    receipt = proof(ended, "first")
    assert receipt["docker"]["injection"] == ["nvidia-docker 1 (devices and driver volume)"]
    asked = {item["name"].split()[0]: item["answer"] for item in receipt["containers"]}
    assert [device["uuid"] for device in asked["one"]["cuda"]["devices"]] == [nvidia.uuid(GPUS - 1)]
    assert "-v /raid/imagedata" in {item["name"] for item in receipt["levels"]["2"]["checks"]}
    again = provision.apply("--limit", "first")
    assert again.status == 0, again.explain()
    assert again.resources("changed") == []


def test_what_is_no_longer_asked_for_goes(lab: Lab, settings: dict[str, Any]) -> None:
    host = lab.host("hook")
    assert json.loads(host.read(DAEMON_JSON))["default-runtime"] == "nvidia"
    provision = settle(lab, settings, hook={"nvidia_docker": {"version": "1.18.1-1", "expect_gpus": GPUS}})
    ended = provision.apply("--limit", "hook")
    assert ended.status == 0, ended.explain()
    assert "default-runtime" not in json.loads(host.read(DAEMON_JSON))


def test_removed_roles_leave_nothing_that_gives_gpus_or_says_that_they_are_proven(
    lab: Lab, settings: dict[str, Any]
) -> None:
    host, only = lab.host("hook"), ("--limit", "hook")
    provision = settle(lab, settings, hook={"roles": ROLES[:2]})
    (before,) = provision("status", *only).of("status")
    assert [item["role"] for item in before["unmanaged"]] == ["gpu_smoke_test", "nvidia_docker"]
    assert "hold of nvidia-container-toolkit" in str(before["unmanaged"])
    ended = provision("remove", "nvidia_docker", "gpu_smoke_test", "--yes", *only)
    assert ended.status == 0, ended.explain()
    assert nvidia.package_state(host, TOOLKIT) == {}
    places = "/run/provision /etc/cdi/nvidia.yaml /etc/apt/sources.list.d/provision-nvidia*"
    assert host.run(f"ls -d {places}; docker images -q provision-proof", check=False).stdout == ""
    assert {"bip", "runtimes"} & json.loads(host.read(DAEMON_JSON)).keys() == {"bip"}
    (after,) = provision("status", *only).of("status")
    assert after["unmanaged"] == []


def test_a_toolkit_made_by_hand_is_asserted_and_registered(lab: Lab, settings: dict[str, Any]) -> None:
    host = lab.host("none")
    nvidia.give_gpus(host, Path(lab.directory) / ".by-hand", 1)
    by_hand = {"nvidia_docker": {"packages": False, "runtime": "/opt/toolkit/nvidia-container-runtime"}}
    provision = settle(lab, settings, none=by_hand)
    ended = provision.apply("--limit", "none")
    assert "there is no /opt/toolkit/nvidia-container-runtime" in ended.explain()
    assert "nvidia" not in host.read(DAEMON_JSON), "a runtime is registered only once its binary is there"
    host.write("/opt/toolkit/nvidia-container-runtime", nvidia.RUNTIME, 0o755)
    ended = provision.apply("--limit", "none")
    assert ended.status == 0, ended.explain()
    assert proof(ended, "none")["docker"]["ways"] == ["runtime"]
    assert nvidia.package_state(host, TOOLKIT) == {}


def test_bad_input_ends_before_any_host_is_touched(lab: Lab, settings: dict[str, Any]) -> None:
    provision = settle(lab, settings, hook={})
    for wrong, words in (
        ("gpu_smoke_test.levels=[7]", "level 7 is not there yet"),
        ("nvidia_docker.generation=nvidia-docker1", "needs `deb`"),
        ("nvidia_docker.generation=docker3", "generation"),
    ):
        ended = provision.apply("--limit", "hook", "--set", wrong)
        assert ended.status == 2, ended.stdout
        assert words in ended.stderr
