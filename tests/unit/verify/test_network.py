"""Sockets and addresses of /proc/net, of this machine's kernel and as a Docker host shows them."""

import socket
from pathlib import Path

from provision.verify import network

ROUTE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""
TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
           |-- 172.17.0.0
              /16 link UNICAST
           |-- 172.17.0.1
              /32 host LOCAL
           |-- 172.17.255.255
              /32 link BROADCAST
           |-- 192.168.1.7
              /32 host LOCAL
"""


def test_only_a_socket_that_accepts_connections_listens(tmp_path: Path) -> None:
    listens, bound = str(tmp_path / "listens.sock"), str(tmp_path / "bound.sock")
    with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
        first.bind(listens)
        first.listen()
        second.bind(bound)
        found = network.listening(Path("/proc/net/unix").read_text())
    assert listens in found
    assert bound not in found


def test_the_machine_s_own_addresses_are_found() -> None:
    assert "127.0.0.1" in network.addresses(Path("/proc/net/fib_trie").read_text())


def test_an_interface_has_its_own_addresses_only() -> None:
    assert network.interface_addresses(ROUTE, TRIE, "docker0") == {"172.17.0.1/16"}
    assert network.interface_addresses(ROUTE, TRIE, "eth1") == set()
