"""Level 4 as a resource: on which host it is tried, what is done to a container that runs, and what is told."""

import contextlib
import json

import pytest

from provision.agent.docker import daemon_socket, in_use
from provision.agent.engine.resource import converge
from provision.agent.gpu import injection, nvml, survival
from provision.agent.gpu.proof import container
from tests.agent.rooted import Rooted, answer

UUID = "GPU-00000000-0000-0000-0000-000000000000"
SEES = {
    "limits": {},
    "nvml": {"error": None, "uuids": [UUID]},
    "cuda": {"error": None, "devices": [{"uuid": UUID, "kernel": "ok"}]},
}
LOST = dict(SEES, nvml={"error": {"code": 999, "text": "Unknown Error"}, "uuids": []})


class Docker:
    """The daemon: /info, and a ping that fails as often as `down` says."""

    info = {"ServerVersion": "28.5.2", "CgroupDriver": "systemd", "CgroupVersion": "2", "LiveRestoreEnabled": True}
    down = 0

    def __init__(self, system):
        pass

    def get(self, path, **_):
        return dict(self.info)

    def pid(self):
        return 4242

    def raw(self, path, timeout=5):
        if Docker.down:
            Docker.down -= 1
            raise survival.NotRunning("the Docker daemon does not run", "start it")
        return b"OK"


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host with one GPU under systemd. `looks`: what the container sees at each look, then always all is well."""
    found = Rooted(tmp_path)
    found.put("/run/systemd/system/x", "")
    found.put("/var/lib/provision/x", "")
    found.looks, found.used, found.signals = [], {"containers": [], "processes": []}, []
    found.signal = lambda pid, number: found.signals.append((pid, number))
    found.commands = [
        (["systemctl", "daemon-reload"], answer()),
        (["systemctl", "restart", "docker.service"], answer()),
    ]

    @contextlib.contextmanager
    def kept(engine, name, image, *_):
        class Kept:
            def ask(self):
                return container.Ran(found.looks.pop(0) if found.looks else SEES)

        yield Kept()

    monkeypatch.setattr(survival, "Engine", Docker)
    monkeypatch.setattr(survival, "SETTLE", 0)
    monkeypatch.setattr(container, "kept", kept)
    monkeypatch.setattr(in_use, "users", lambda _: found.used)
    monkeypatch.setattr(nvml, "ask", lambda *_: {"gpus": [{"uuid": UUID, "index": 0}]})
    monkeypatch.setattr(daemon_socket, "log", lambda _: "journalctl -u docker")
    monkeypatch.setattr(injection, "chosen", lambda *_: (["cdi"], ""))
    return found


def test_a_docker_that_does_not_come_back_is_kept_as_the_verdict(host, monkeypatch):
    def gone(*_):
        raise survival.NotRunning("the Docker daemon does not run", "start it")

    monkeypatch.setattr(survival, "_restart", gone)
    assert run(host)["error"]["cause"] == "level 4: the Docker daemon does not run"
    assert json.loads(host.text("/var/lib/provision/proofs/gpu-survival.json"))["verdict"] == "failed"


def run(host, check=False):
    return converge(survival.GpuSurvival(injection=(), image="proof", timeout=120, gate=[0, 1, 4]), host, check)


def test_a_container_is_asked_after_each_step_and_the_pass_is_kept(host):
    first = run(host)
    assert (first["outcome"], host.signals) == ("ok", [(4242, 1)])
    steps = "its start (cdi), systemctl daemon-reload (cdi), reload of Docker (cdi), restart of Docker (cdi)"
    assert first["note"] == "passed now: containers keep their GPUs through " + steps
    host.done()
    assert run(host)["note"] == "proven: containers keep their GPUs through " + steps


def test_a_gpu_that_is_lost_at_the_reload_of_systemd_is_told_with_the_step_and_what_to_do(host):
    host.looks = [SEES, LOST]
    result = run(host)
    assert result["outcome"] == "failed"
    assert result["error"]["cause"].startswith("level 4: a container loses its GPU at systemctl daemon-reload (cdi): ")
    assert "create-dev-char-symlinks" in result["error"]["fix"]
    assert run(host, check=True)["diff"][0]["before"] == "due: the last proof did not pass"


@pytest.mark.parametrize(
    ("used", "words"),
    [
        ({"processes": [{"pid": 7, "user": "alice", "command": "python3"}]}, "1 GPU process: python3 7 (alice)"),
        ({"containers": [{"name": "job", "image": "i", "user": "bob"}]}, "1 container: job"),
    ],
)
def test_a_host_in_use_is_left_alone(host, used, words):
    host.used = dict({"containers": [], "processes": []}, **used)
    result = run(host)
    assert result["outcome"] == "unknown"
    assert words in result["error"]["cause"]
    assert host.ran == host.signals == []


def test_a_check_tries_nothing(host):
    assert run(host, check=True)["outcome"] == "would-change"
    assert host.ran == host.signals == []


def test_without_live_restore_docker_is_not_restarted_and_that_is_said(host, monkeypatch):
    monkeypatch.setattr(Docker, "info", dict(Docker.info, LiveRestoreEnabled=False))
    assert "not tried: a restart of Docker, which ends containers (live-restore is off)" in run(host)["note"]
    assert [words for words, _ in host.ran] == [["systemctl", "daemon-reload"]]


def test_without_systemd_only_docker_is_reloaded_and_the_rest_is_named(host):
    host.remove("/run/systemd/system/x")
    host.rename("/run/systemd/system", "/run/other")
    assert "not tried: daemon-reload (systemd is not PID 1)" in run(host)["note"]
    assert (host.ran, host.signals) == ([], [(4242, 1)])


def test_docker_may_take_a_moment_to_come_back(host):
    Docker.down = 1
    assert run(host)["outcome"] == "ok"


def test_another_docker_makes_it_due(host, monkeypatch):
    run(host)
    monkeypatch.setattr(Docker, "info", dict(Docker.info, ServerVersion="29.0.0"))
    assert run(host, check=True)["diff"][0]["before"] == "due: Docker changed since the last proof"
