"""One Channel, three transports: every test here runs on local, ssh and openssh."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from provision.errors import ConnectionLost, HostError, HostTimeout
from provision.transport import channel as limits
from provision.transport import process, ssh_config
from provision.transport import ssh as paramiko_side


@pytest.fixture(params=["local", "ssh", "openssh"])
def connection(request, lab, pool):
    target = lab.target() if request.param == "local" else lab.target(lab.sshd())
    connection = pool.connect(type(target)(**{**vars(target), "connection": request.param}))
    yield connection
    connection.close()


def read_all(channel):
    output = b""
    while data := channel.receive(20):
        output += data
    return output


def test_output_and_errors_are_one_stream(connection):
    channel = connection.open("echo one; echo two >&2; exit 7")
    assert sorted(read_all(channel).split()) == [b"one", b"two"]
    assert channel.exit_status(10) == 7
    assert channel.failure() is None


def test_nothing_of_ours_is_in_the_stream(connection):
    channel = connection.open("true")
    assert read_all(channel) == b""
    assert channel.exit_status(10) == 0


def test_bytes_arrive_as_they_were_sent(connection):
    data = os.urandom(3_000_000)
    channel = connection.open("cat")
    sender = threading.Thread(target=lambda: (channel.send(data), channel.close_input()))
    sender.start()
    assert read_all(channel) == data
    sender.join(20)
    assert channel.exit_status(10) == 0


def test_end_of_input_reaches_the_process(connection):
    channel = connection.open("cat; echo done")
    channel.send(b"x")
    channel.close_input()
    assert read_all(channel) == b"xdone\n"


def test_receive_says_when_nothing_came(connection):
    channel = connection.open("cat")
    with pytest.raises(TimeoutError):
        channel.receive(0.05)
    with pytest.raises(TimeoutError):
        channel.receive(0)
    channel.send(b"still there")
    assert channel.receive(20) == b"still there"


def test_status_of_a_running_process_is_unknown(connection):
    channel = connection.open("cat")
    assert channel.exit_status(0.05) is None
    channel.close_input()
    assert channel.exit_status(10) == 0


def test_status_255_of_a_command_is_not_a_lost_connection(connection):
    channel = connection.open("echo no; exit 255")
    assert read_all(channel) == b"no\n"
    assert channel.exit_status(10) == 255
    assert channel.failure() is None


def test_sending_to_a_process_that_is_gone_is_an_error(connection):
    channel = connection.open("exit 4")
    assert read_all(channel) == b""
    assert channel.exit_status(10) == 4
    with pytest.raises(ConnectionLost):
        channel.send(b"x" * 100_000_000)


def test_sending_to_a_process_that_never_reads_ends(connection, monkeypatch):
    for module in (process, paramiko_side):
        monkeypatch.setattr(module, "SEND_LIMIT", 0.3)
    monkeypatch.setattr(paramiko_side, "SLICE", 0.1)
    channel = connection.open("exec sleep 60")
    with pytest.raises(TimeoutError):
        channel.receive(0.01)
    with pytest.raises(HostTimeout, match="read nothing"):
        channel.send(b"x" * 20_000_000)
    channel.close()


def test_two_channels_on_one_connection(connection):
    first, second = connection.open("cat"), connection.open("cat")
    first.send(b"1")
    second.send(b"2")
    assert (first.receive(20), second.receive(20)) == (b"1", b"2")


def test_the_command_is_given_to_a_shell(connection):
    channel = connection.open("printf '%s|' \"a  b\" 'c;d' $((1+1))")
    assert read_all(channel) == b"a  b|c;d|2|"


def test_closing_twice_is_harmless(connection):
    channel = connection.open("cat")
    channel.close()
    channel.close()
    connection.close()
    connection.close()


def test_a_closed_connection_opens_nothing(connection):
    connection.close()
    with pytest.raises(HostError):
        connection.open("true")


def test_a_closed_channel_sends_nothing(connection):
    channel = connection.open("cat")
    channel.close()
    with pytest.raises(ConnectionLost):
        channel.send(b"x")


def test_limits_are_finite():
    assert 0 < limits.SEND_LIMIT <= 60
    assert 0 < limits.EXIT_LIMIT <= 5


def test_what_is_done_while_a_deadline_is_paused_takes_none_of_its_time(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: now[0])
    deadline = limits.Deadline(10)
    now[0] += 4
    with deadline.paused():
        now[0] += 30
    assert not deadline.passed()
    assert deadline.left() == 6
    now[0] += 6
    assert deadline.passed()


class _Transport(paramiko_side.Transport):
    """One that is logged in as far as fabric can see."""

    def __init__(self):
        pass

    def is_active(self):
        return True

    def keep_alive(self, interval):
        pass


def test_hosts_that_log_in_at_the_same_moment_do_not_disturb_each_other(monkeypatch):
    """fabric keeps what it does not know as an attribute in its configuration, and makes that anew in place: for all
    who share it, it is empty for a moment."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    settings = ssh_config.parse("hostname here\nuser me\nport 22\n", "here")
    try:
        with ThreadPoolExecutor(8) as workers:
            made = [
                workers.submit(paramiko_side.SshConnection, settings, _Transport(), lambda: None) for _ in range(400)
            ]
            assert {item.result().label for item in made} == {"here"}
    finally:
        sys.setswitchinterval(before)
