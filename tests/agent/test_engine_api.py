"""What Docker's API says of a daemon that is not there, in the words of the host's own init system."""

import pytest

from provision.agent.docker import daemon_socket
from provision.agent.docker.engine_api import Engine, NotRunning
from tests.agent.rooted import Rooted


@pytest.mark.parametrize(
    ("systemd", "fix"),
    [
        (True, "start it: systemctl start docker (journalctl -u docker says why not)"),
        (False, "start it: service docker start (/var/log/docker.log says why not)"),
    ],
)
def test_a_daemon_that_does_not_run_is_started_as_the_host_does_it(tmp_path, systemd, fix):
    host = Rooted(tmp_path)
    if systemd:
        host.put("/run/systemd/system/x", "")
    with pytest.raises(NotRunning) as caught:
        Engine(host).pid()
    assert caught.value.fix == fix
    assert daemon_socket.log(host) in fix


def test_a_daemon_whose_socket_was_removed_is_told_from_one_that_does_not_answer(tmp_path, monkeypatch):
    host = Rooted(tmp_path)
    monkeypatch.setattr(Engine, "pid", lambda self: 1)
    monkeypatch.setattr(daemon_socket, "address", lambda system, pid: str(tmp_path / "docker.sock"))
    with pytest.raises(NotRunning, match="runs, and its socket .*docker.sock is gone") as caught:
        Engine(host).get("/info")
    assert caught.value.fix == "restart Docker, which makes it anew"
