"""Who would feel a change, and whether it has to wait for them."""

import pytest

from provision.agent.docker import in_use
from provision.agent.engine.impact import NONE, RELOAD, RESTART, impact
from provision.agent.packages.install import Packages
from provision.agent.run.disruption import DisruptionPolicy

from .fake_host import Host


@pytest.fixture
def host():
    host = Host()
    host.begin()
    host.api = {"/info": {"CgroupDriver": "systemd"}, "/containers/json": []}
    return host


def container(host, name, **config):
    host.api["/containers/json"].append({"Id": name, "Names": ["/" + name], "Image": "cuda:12"})
    host.api["/containers/{}/json".format(name)] = {"State": {"Pid": None}, "HostConfig": config}


def gpu_process(host, pid, device="/dev/nvidia-uvm"):
    host.files.update({device: "", "/proc/{}/fd/7".format(pid): "", "/proc/{}/comm".format(pid): "python3\n"})
    host.files["/proc/{}/status".format(pid)] = "Name:\tpython3\nUid:\t1000\t1000\t1000\t1000\n"
    host.links["/proc/{}/fd/7".format(pid)] = device


def may(host, effect, policy="idle", closed=None):
    return DisruptionPolicy(host, {"policies": {"docker": (policy, "docker_daemon.disrupt")}, "closed": closed}).may(
        effect
    )


def test_an_idle_host_may_be_restarted(host):
    assert may(host, impact(RESTART, ["bip"])) is None


def test_a_reload_is_felt_by_nobody(host):
    container(host, "train")
    effect = impact(RELOAD, ["runtimes.nvidia"])
    assert may(host, effect) is None
    assert effect["containers"] == []


def test_containers_are_named_with_what_stops(host):
    for number in range(7):
        container(host, "job{}".format(number))
    effect = impact(RESTART, ["bip"])
    assert "7 containers: job0, job1, job2, job3, job4, and 2 more" in may(host, effect)
    assert effect["effect"].startswith("stops 7 containers: job0")
    assert len(effect["containers"]) == 7


def test_containers_that_outlive_the_restart_are_no_reason_to_wait(host):
    container(host, "train")
    effect = impact(RESTART, ["log-driver"], survive=True)
    assert may(host, effect) is None
    assert effect["effect"] == ""


@pytest.mark.parametrize("policy", ["idle", "always"])
def test_the_network_waits_for_containers_that_live_restore_keeps_alive(host, policy):
    host.api["/info"]["LiveRestoreEnabled"] = True
    assert may(host, impact(RESTART, ["bip"]), policy) is None, "none runs"
    container(host, "train")
    effect = impact(RESTART, ["bip"])
    waits = may(host, effect, policy)
    assert waits == "waits for the end of 1 container: train: with live_restore docker0 stays as it is while one runs"
    assert effect["effect"] == ""
    assert may(host, impact(RESTART, ["bip", "live-restore"]), "always") is None, "it is taken away in the same change"
    assert may(host, impact(RESTART, ["data-root"]), "always") is None
    host.api["/info"]["LiveRestoreEnabled"] = False
    assert may(host, impact(RESTART, ["bip"]), "always") is None


def test_a_process_on_a_gpu_is_a_reason_to_wait(host):
    gpu_process(host, 4242)
    effect = impact(RESTART, ["bip"])
    assert "1 GPU process: python3 4242 (alice)" in may(host, effect)
    assert effect["processes"] == [{"pid": 4242, "user": "alice", "command": "python3"}]


def test_a_monitor_that_only_asks_the_driver_is_none(host):
    gpu_process(host, 4242, "/dev/nvidiactl")
    host.files["/dev/nvidia-uvm"] = ""
    assert may(host, impact(RESTART, ["bip"])) is None


def test_a_docker_that_does_not_answer_is_not_an_idle_one(host):
    host.api = {}
    host.files["/proc/77/comm"] = "containerd-shim\n"
    assert "1 container: shim 77" in may(host, impact(RESTART, ["bip"]))


def test_the_first_start_disturbs_nobody(host):
    host.end()
    assert may(host, impact(RESTART, ["running"]), "never", "closed") is None


GPUS = {"DeviceRequests": [{"Driver": "", "Capabilities": [["gpu"]]}]}


@pytest.mark.parametrize(
    ("config", "cut_off"),
    [
        (GPUS, True),
        ({"Runtime": "nvidia"}, True),
        ({"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=all"]}]}, False),
        ({"Devices": [{"PathOnHost": "/dev/nvidia0"}]}, False),
        ({}, False),
    ],
)
def test_systemd_takes_gpus_back_that_a_hook_gave(host, config, cut_off):
    container(host, "train", **config)
    effect = impact(NONE, ["nvidia-container-toolkit"], systemd=True)
    reason = may(host, effect)
    assert (reason is not None) == cut_off
    if cut_off:
        assert effect["effect"] == "takes the GPUs from 1 container: train"


def test_not_where_the_cgroups_are_dockers_own_or_systemd_finds_the_devices(host):
    container(host, "train", **GPUS)
    host.api["/info"] = {"CgroupDriver": "cgroupfs"}
    assert may(host, impact(NONE, ["x"], systemd=True)) is None
    host.api["/info"] = {"CgroupDriver": "systemd"}
    host.files["/dev/nvidia0"] = ""
    assert may(host, impact(NONE, ["x"], systemd=True)) is not None
    host.files.update({"/dev/char/195:0": "", "/dev/char/195:255": ""})
    assert may(host, impact(NONE, ["x"], systemd=True)) is None


def test_never_leaves_the_restart_to_a_person_and_always_waits_for_nobody(host):
    assert "restarts Docker by hand" in may(host, impact(RESTART, ["bip"]), "never")
    container(host, "train")
    effect = impact(RESTART, ["bip"])
    assert may(host, effect, "always") is None
    assert effect["effect"] == "stops 1 container: train"
    assert may(host, impact(RESTART, ["bip"]), "always", "outside the windows") == "waits: outside the windows"


def packages(**changes):
    fields = dict.fromkeys(Packages.fields, ())
    fields.update(packages=[{"name": "docker.io", "version": None}], no_start=["docker"], hold=True, latest=False)
    return Packages(**dict(fields, **changes))


def test_packages_make_systemd_read_its_units_and_an_engines_upgrade_is_its_restart(host):
    new = packages().impact(host, {"docker.io": ("absent", "installed, held"), "policy-rc.d": (None, None)})
    assert (new["level"], new["systemd"], new["why"]) == (NONE, True, ["docker.io"])
    upgrade = packages().impact(host, {"docker.io": ("20.10", "latest, held")})
    assert upgrade["level"] == RESTART
    toolkit = packages(no_start=[]).impact(host, {"docker.io": ("20.10", "latest, held")})
    assert (toolkit["level"], toolkit["systemd"]) == (NONE, True)
    assert packages().impact(host, {"docker.io": ("installed", "installed, held")}) is None, "a hold disturbs nobody"


def test_one_and_many():
    things = [{"name": "a", "user": "alice"}, {"name": "b", "user": None}]
    assert in_use.named(things, "container", "containers") == "2 containers: a (alice), b"
    assert in_use.named(things[:1], "container", "containers") == "1 container: a (alice)"


@pytest.mark.parametrize("said", [None, {}, False, "", 3, [3], [{}], [{"Id": None}]])
def test_a_docker_that_tells_of_no_list_is_not_idle_while_a_shim_runs(host, said):
    host.files["/proc/77/comm"] = "containerd-shim\n"
    host.api["/containers/json"] = said
    assert "1 container: shim 77" in may(host, impact(RESTART, ["bip"]))


@pytest.mark.parametrize("said", [{}, [], {"HostConfig": None}, {"HostConfig": []}])
def test_a_container_of_which_docker_tells_nothing_counts_as_cut_off(host, said):
    container(host, "train")
    host.api["/containers/train/json"] = said
    assert "train" in may(host, impact(NONE, [], systemd=True))
    assert "train" in may(host, impact(RESTART, ["bip"]))


@pytest.mark.parametrize("said", [None, [], {}])
def test_a_docker_that_does_not_tell_its_driver_of_control_groups_may_have_systemds(host, said):
    container(host, "train", Runtime="nvidia")
    host.api["/info"] = said
    assert "train" in may(host, impact(NONE, [], systemd=True))


def other(users, policy="idle", closed=None):
    """The restart of a service that is not Docker."""
    effect = dict(impact(RESTART, ["/etc/mini.conf"]), service="mini", users=users)
    guard = DisruptionPolicy(Host(), {"policies": {"mini": [policy, "mini.disrupt"]}, "closed": closed})
    return guard.may(effect), effect["effect"]


def test_users_of_another_service_are_waited_for():
    waits, effect = other(["alice", "bob"])
    assert waits == "waits for the end of 2 users: alice, bob (mini.disrupt is idle)"
    assert effect == "disturbs 2 users: alice, bob"
    assert other([]) == (None, "")
    assert other(["alice"], policy="always")[0] is None
    assert other([], policy="never")[0] == "waits for whoever restarts Mini by hand (mini.disrupt is never)"
    assert other([], closed="the window is closed")[0] == "waits: the window is closed"
