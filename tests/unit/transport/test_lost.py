"""A connection that dies in the middle is told apart from a command that ends."""

import os
import threading

import pytest

from provision.errors import ConnectionLost


def read_all(channel):
    while channel.receive(20):
        pass


def kill_sessions(server):
    for pid in server.children():
        os.kill(pid, 9)


def test_a_killed_session_is_a_lost_connection(lab, pool, kind):
    server = lab.sshd()
    connection = pool.connect(lab.target(server, connection=kind))
    channel = connection.open("echo ready; cat")
    assert channel.receive(20) == b"ready\n"
    kill_sessions(server)
    with pytest.raises(ConnectionLost, match="lost"):
        read_all(channel)
    assert isinstance(channel.failure(), ConnectionLost)
    assert channel.exit_status(5) is None
    channel.close()
    connection.close()


def test_a_blocked_receive_wakes_when_the_connection_dies(lab, pool, kind):
    server = lab.sshd()
    connection = pool.connect(lab.target(server, connection=kind))
    channel = connection.open("echo ready; cat")
    assert channel.receive(20) == b"ready\n"
    errors = []

    def receive():
        try:
            read_all(channel)
        except ConnectionLost as error:
            errors.append(error)

    reader = threading.Thread(target=receive)
    reader.start()
    kill_sessions(server)
    reader.join(30)
    assert len(errors) == 1
    connection.close()


def test_unanswered_keepalives_end_a_connection(lab, pool):
    """sshd is stopped, not killed: the kernel keeps answering for it, so only SSH itself can notice."""
    lab.configure("Host *", "  ServerAliveInterval 1", "  ServerAliveCountMax 2")
    server = lab.sshd()
    connection = pool.connect(lab.target(server))
    channel = connection.open("echo ready; cat")
    assert channel.receive(20) == b"ready\n"
    stopped = server.children()
    for pid in stopped:
        os.kill(pid, 19)
    try:
        with pytest.raises(ConnectionLost, match="keepalive"):
            channel.receive(30)
    finally:
        for pid in stopped:
            os.kill(pid, 18)
    connection.close()


def test_keepalives_do_not_end_a_silent_connection(lab, pool):
    lab.configure("Host *", "  ServerAliveInterval 1", "  ServerAliveCountMax 1")
    connection = pool.connect(lab.target(lab.sshd()))
    channel = connection.open("cat")
    with pytest.raises(TimeoutError):
        channel.receive(5)
    channel.send(b"alive")
    assert channel.receive(20) == b"alive"
    connection.close()
