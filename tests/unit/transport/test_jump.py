"""Jump hosts: OpenSSH's order, one connection each, sshd's default MaxStartups, and whose fault it is."""

import concurrent.futures
import contextlib
import os
import threading
import time
from types import SimpleNamespace

import pytest

from provision.errors import Unreachable
from provision.transport import Pool
from provision.transport.throttle import HANDSHAKES, Gates

from .sshd import Slow


def behind(lab, chain, *servers):
    """ssh_config that knows each server by its name, with our key; the last one is behind `chain`."""
    lines = []
    for server in servers:
        lines += [f"Host {server.name}", "  HostName 127.0.0.1", f"  Port {server.port}", f"  IdentityFile {lab.key}"]
    lab.configure(f"Host {servers[-1].name}", f"  ProxyJump {chain}", *lines)
    return lab.target(None, address=servers[-1].name, private_key_file=None)


def logins(server):
    return server.log.read_text().count("Accepted publickey")


def with_kind(target, kind):
    return type(target)(**{**vars(target), "connection": kind})


def test_one_jump(lab, pool, run, kind):
    jump, server = lab.sshd("jump"), lab.sshd("server")
    target = with_kind(behind(lab, "jump", jump, server), kind)
    assert run(pool, target, "echo in; exit 3") == (b"in\n", 3)
    assert (logins(jump), logins(server)) == (1, 1)


def test_the_order_of_two_jumps(lab, pool, run, kind):
    """`first,second`: the first connects to the second, the second to the server; each may do only that."""
    server = lab.sshd("server")
    second = lab.sshd("second", f"PermitOpen 127.0.0.1:{server.port}")
    first = lab.sshd("first", f"PermitOpen 127.0.0.1:{second.port}")
    target = with_kind(behind(lab, "first,second", first, second, server), kind)
    assert run(pool, target, "echo in")[0] == b"in\n"
    assert (logins(first), logins(second), logins(server)) == (1, 1, 1)


def test_a_jump_with_user_and_port(lab, pool, run, kind):
    jump, server = lab.sshd("jump"), lab.sshd("server")
    behind(lab, "jump", jump, server)
    lab.configure(f"IdentityFile {lab.key}")
    target = lab.target(
        server, private_key_file=None, common_args=("-F", str(lab.config), "-J", f"127.0.0.1:{jump.port}")
    )
    assert run(pool, with_kind(target, kind), "echo in")[0] == b"in\n"
    assert logins(jump) == 1


def test_a_jump_that_is_itself_behind_a_jump(lab, pool, run, kind):
    first, second, server = lab.sshd("first"), lab.sshd("second"), lab.sshd("server")
    target = behind(lab, "second", first, second, server)
    lab.config.write_text(f"Host second\n  ProxyJump first\n{lab.config.read_text()}")
    assert run(pool, with_kind(target, kind), "echo in")[0] == b"in\n"
    assert (logins(first), logins(second), logins(server)) == (1, 1, 1)


def test_many_hosts_behind_one_jump_host_share_one_connection(lab, pool, run):
    """sshd's default MaxStartups everywhere, 30 at a time."""
    jump, server = lab.sshd("jump"), lab.sshd("server")
    target = behind(lab, "jump", jump, server)
    with concurrent.futures.ThreadPoolExecutor(30) as threads:
        outputs = list(threads.map(lambda _: run(pool, target, "echo in")[0], range(30)))
    assert outputs == [b"in\n"] * 30
    assert (logins(jump), logins(server)) == (1, 30)


def test_many_connections_to_one_sshd(lab, pool, run, kind):
    server = lab.sshd()
    target = lab.target(server, connection=kind)
    with concurrent.futures.ThreadPoolExecutor(32) as threads:
        outputs = list(threads.map(lambda _: run(pool, target, "echo in")[0], range(40)))
    assert outputs == [b"in\n"] * 40


def test_what_sshd_drops_is_tried_again(lab, pool, run, kind):
    """MaxStartups so low that eight handshakes at a time are too many."""
    server = lab.sshd("server", "MaxStartups 2:70:4")
    target = lab.target(server, connection=kind, connect_timeout=60.0)
    with concurrent.futures.ThreadPoolExecutor(12) as threads:
        outputs = list(threads.map(lambda _: run(pool, target, "echo in")[0], range(12)))
    assert outputs == [b"in\n"] * 12


def test_a_slow_jump_has_a_time_limit_of_its_own(lab, pool, run, kind):
    """It answers after 3 s; the host behind it, which has 2 s, is quick."""
    jump, server = lab.sshd("jump"), lab.sshd("server")
    slow = lab.keep(Slow(jump.port, 3.0))
    lab.trust(f"[127.0.0.1]:{slow.port} {jump.public_key}")
    target = behind(lab, "jump", jump, server)
    lab.config.write_text(lab.config.read_text().replace(f"Port {jump.port}", f"Port {slow.port}"))
    target = type(target)(**{**vars(target), "connection": kind, "connect_timeout": 2.0})
    assert run(pool, target, "echo in")[0] == b"in\n"


def test_waiting_for_a_turn_is_not_counted_as_connecting(monkeypatch):
    """Nine logins through one jump host of eight at a time, each of which takes as long as it may."""
    now = [0.0]
    monkeypatch.setattr("provision.transport.channel.time", SimpleNamespace(monotonic=lambda: now[0]))
    gates, full, go, left = Gates(), threading.Barrier(HANDSHAKES + 1), threading.Event(), []

    def first(deadline):
        full.wait(20)
        go.wait(20)

    with concurrent.futures.ThreadPoolExecutor(HANDSHAKES + 1) as threads:
        for _ in range(HANDSHAKES):
            threads.submit(gates.run, "jump host j", 10.0, first)
        full.wait(20)
        last = threads.submit(gates.run, "jump host j", 10.0, lambda deadline: left.append(deadline.left()))
        now[0] = 100.0
        assert not left
        go.set()
        last.result(20)
    assert left == [10.0]


def test_a_dead_jump_is_named(lab, pool, run, kind, closed_port):
    server = lab.sshd()
    lab.configure("Host bastion", "  HostName 127.0.0.1", f"  Port {closed_port}", "Host target", "  ProxyJump bastion")
    with pytest.raises(Unreachable, match=rf"jump host bastion: 127.0.0.1 port {closed_port} refused"):
        run(pool, lab.target(server, address="target", connection=kind))


def test_a_silent_jump_is_named_once_for_all(lab, run):
    jump = lab.mute()
    pool = Pool()
    lab.configure(
        "Host bastion",
        "  HostName 127.0.0.1",
        f"  Port {jump.port}",
        "  ConnectTimeout 1",
        "Host t*",
        "  ProxyJump bastion",
    )

    def attempt(number):
        with pytest.raises(Unreachable, match=r"jump host bastion: .* did not answer"):
            run(pool, lab.target(address=f"t{number}", port=1))

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        list(threads.map(attempt, range(24)))
    assert jump.accepted == 1


def test_a_host_that_the_jump_cannot_reach(lab, pool, run, kind, closed_port):
    jump, server = lab.sshd("jump"), lab.sshd("server")
    target = with_kind(behind(lab, "jump", jump, server), kind)
    target = type(target)(**{**vars(target), "port": closed_port})
    with pytest.raises(Unreachable, match=r"jump host .* cannot connect to"):
        run(pool, target)


def test_a_jump_that_forbids_it(lab, pool, run, kind):
    jump, server = lab.sshd("jump", "AllowTcpForwarding no"), lab.sshd("server")
    with pytest.raises(Unreachable, match=r"jump host .*AllowTcpForwarding"):
        run(pool, with_kind(behind(lab, "jump", jump, server), kind))


def test_an_unknown_jump_is_refused(lab, pool, run, kind):
    jump, server = lab.sshd("jump", known=False), lab.sshd("server")
    target = behind(lab, "jump", jump, server)
    lab.config.write_text(f"StrictHostKeyChecking no\n{lab.config.read_text()}")
    with pytest.raises(Unreachable, match=r"jump host jump: the ED25519 key") as caught:
        run(pool, with_kind(target, kind))
    assert jump.known_name in str(caught.value)
    assert jump.public_key not in lab.known_hosts.read_text()


def test_an_unknown_host_behind_a_jump_is_not_the_jumps_fault(lab, pool, run, kind):
    jump, server = lab.sshd("jump"), lab.sshd("server", known=False)
    with pytest.raises(Unreachable, match=r"is not in") as caught:
        run(pool, with_kind(behind(lab, "jump", jump, server), kind))
    assert "jump host" not in str(caught.value)
    assert server.known_name in str(caught.value)


def test_a_refused_login_behind_a_jump_is_not_the_jumps_fault(lab, pool, run, kind):
    jump, server = lab.sshd("jump"), lab.sshd("server")
    target = with_kind(behind(lab, "jump", jump, server), kind)
    with pytest.raises(Unreachable, match=r"does not let nobody-here in") as caught:
        run(pool, type(target)(**{**vars(target), "user": "nobody-here"}))
    assert "jump host" not in str(caught.value)


def test_jumps_in_a_circle(lab, pool, run, kind):
    lab.configure("Host a", "  ProxyJump b", "Host b", "  ProxyJump a")
    with pytest.raises(Unreachable, match=r"circles|loop"):
        run(pool, lab.target(address="a", connection=kind))


def test_a_proxy_command(lab, pool, run, kind):
    server = lab.sshd()
    jump = lab.sshd("jump")
    lab.configure(
        "Host target",
        f"  HostKeyAlias {server.known_name}",
        f"  ProxyCommand ssh -F {lab.config} -i {lab.key} -p {jump.port} -W 127.0.0.1:{server.port} 127.0.0.1",
    )
    assert run(pool, lab.target(address="target", connection=kind), "echo in; exit 2") == (b"in\n", 2)


def test_a_dead_proxy_command(lab, pool, run, kind):
    lab.configure("Host target", "  ProxyCommand sh -c 'echo the card is locked >&2; exit 1'")
    with pytest.raises(Unreachable, match=r"the ProxyCommand of .*the card is locked"):
        run(pool, lab.target(address="target", connection=kind))


def test_a_proxy_command_that_says_nothing_ends(lab, pool, run, kind):
    lab.configure("Host target", "  ProxyCommand sleep 600")
    with pytest.raises(Unreachable, match=r"the ProxyCommand of target brought no answer of sshd within"):
        run(pool, lab.target(address="target", connection=kind, connect_timeout=1.0))


def test_a_jump_that_died_is_connected_again(lab, pool, run):
    jump, server = lab.sshd("jump"), lab.sshd("server")
    target = behind(lab, "jump", jump, server)
    assert run(pool, target, "echo in")[0] == b"in\n"
    for pid in jump.children():
        os.kill(pid, 9)
    assert run(pool, target, "echo in")[0] == b"in\n"
    assert logins(jump) == 2


def test_what_is_sent_after_a_close_cuts_nobody_off(lab, pool):
    """One thread has decided to send when another closes: sshd would disconnect the jump host, and all behind it."""
    connection = pool.connect(lab.target(lab.sshd()))
    channel = connection.open("cat")
    raw, transport = channel._channel, connection.transport
    send = transport._send_user_message

    def closed_meanwhile(message):
        transport._send_user_message = send
        raw.close()
        while transport._channels.get(raw.chanid):  # until sshd has closed it too, and forgotten its number
            time.sleep(0.01)
        send(message)

    transport._send_user_message = closed_meanwhile
    with contextlib.suppress(OSError):
        raw.send(b"late")
    other = connection.open("echo alive")
    assert other.receive(20) == b"alive\n"
    connection.close()
