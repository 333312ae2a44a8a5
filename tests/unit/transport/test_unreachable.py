"""Hosts that cannot be reached: one clear sentence and what to do, the same from both transports."""

import os
import shutil

import pytest

from provision.errors import Unreachable
from provision.transport import Pool


def refusal(run, pool, target):
    with pytest.raises(Unreachable) as caught:
        run(pool, target)
    assert "\n" not in str(caught.value)
    assert caught.value.fix
    return str(caught.value)


def test_a_refused_port(lab, pool, run, kind, closed_port):
    said = refusal(run, pool, lab.target(port=closed_port, connection=kind))
    assert f"127.0.0.1 port {closed_port} refused the connection" in said
    assert "ansible_port" in said


def test_an_unknown_name(lab, pool, run, kind):
    said = refusal(run, pool, lab.target(address="no-such-host.invalid", connection=kind))
    assert "no-such-host.invalid has no address" in said


def test_no_route(lab, pool, run, kind):
    """255.255.255.255 is refused by the kernel itself: no packet leaves the machine."""
    said = refusal(run, pool, lab.target(address="255.255.255.255", port=22, connection=kind))
    assert "255.255.255.255 port 22" in said


def test_a_host_that_says_nothing_ends(lab, pool, run, kind):
    server = lab.mute()
    said = refusal(run, pool, lab.target(server, connection=kind, connect_timeout=1.0))
    assert "did not answer" in said


def test_a_host_that_stops_after_its_banner_ends(lab, pool, run, kind):
    server = lab.mute(greeting=b"SSH-2.0-Slow\r\n")
    said = refusal(run, pool, lab.target(server, connection=kind, connect_timeout=1.0))
    assert "did not" in said


def test_something_that_is_no_sshd(lab, pool, run, kind):
    server = lab.mute(greeting=b"220 mail.example.com ESMTP\r\n" * 3)
    refusal(run, pool, lab.target(server, connection=kind, connect_timeout=1.0))


def test_a_server_that_drops_everybody_is_tried_again_and_then_said(lab, pool, run, kind):
    server = lab.mute(close=True)
    said = refusal(run, pool, lab.target(server, connection=kind, connect_timeout=2.0))
    assert "MaxStartups" in said
    assert server.accepted > 1


def test_the_time_limit_of_ssh_config_counts(lab, pool, run, kind):
    lab.configure("Host *", "  ConnectTimeout 1")
    said = refusal(run, pool, lab.target(lab.mute(), connection=kind, connect_timeout=600.0))
    assert "did not answer" in said


def test_an_address_is_not_an_option(lab, pool, run, kind):
    said = refusal(run, pool, lab.target(address="-oProxyCommand=false", connection=kind))
    assert "not the address" in said


def test_a_machine_without_ssh(lab, pool, run, kind, monkeypatch):
    monkeypatch.setenv("PATH", str(lab.folder))
    assert "openssh-client" in refusal(run, pool, lab.target(address="127.0.0.1", port=1, connection=kind))


def test_a_local_host_needs_no_ssh(lab, pool, run, monkeypatch):
    monkeypatch.setenv("PATH", os.path.dirname(str(shutil.which("sh"))) + "-not")
    assert run(pool, lab.target(connection="local"), "echo in")[0] == b"in\n"


def test_a_broken_ssh_config(lab, pool, run, kind):
    lab.configure("NoSuchOption yes")
    assert "ssh does not accept the settings" in refusal(run, pool, lab.target(port=1, connection=kind))


def test_no_agreement_on_algorithms(lab, pool, run, kind):
    lab.configure("Ciphers aes128-ctr")
    server = lab.sshd("server", "Ciphers aes256-ctr")
    assert "no agreement with sshd" in refusal(run, pool, lab.target(server, connection=kind))


def test_ssh_config_chooses_the_algorithms(lab, run, pool, kind):
    lab.configure("Ciphers aes256-ctr", "KexAlgorithms ecdh-sha2-nistp256", "MACs hmac-sha2-512")
    server = lab.sshd("server", "Ciphers aes256-ctr", "KexAlgorithms ecdh-sha2-nistp256", "MACs hmac-sha2-512")
    assert run(pool, lab.target(server, connection=kind), "echo in")[0] == b"in\n"


def test_the_next_address_of_a_name_is_tried(lab, run, kind):
    """localhost is often ::1 first; sshd listens on 127.0.0.1 only."""
    server = lab.sshd(known=False)
    lab.trust(f"[localhost]:{server.port} {server.public_key}")
    assert run(Pool(), lab.target(server, address="localhost", connection=kind), "echo in")[0] == b"in\n"
