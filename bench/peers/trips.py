"""Round trips, counted where nobody can flatter himself: on the wire, and by the host's sshd.

The law: one host, a run of its own that is not timed. A turn is that the controller sends something after the host has
said something: each costs the time of a round trip. Login and key exchange are in it, so `ssh HOST true` stands beside
it. A command is a session that sshd starts; sshd itself says so at LogLevel VERBOSE.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.lab import LabHost
from tests.lab.network import BRIDGE

EVERYTHING = 3  # ETH_P_ALL: what goes out is shown to nobody who asks for one protocol
IPV4 = b"\x08\x00"
TCP = 6
SSHD = "/etc/ssh/sshd_config.d/bench.conf"


@dataclass(frozen=True)
class Trips:
    """Of one run on one host."""

    turns: int
    commands: int
    connections: int


class Wire:
    """Listens on the lab's bridge to what goes to and from one host's port 22."""

    def __init__(self, address: str) -> None:
        self._address = socket.inet_aton(address)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERYTHING))
        self._socket.bind((BRIDGE, EVERYTHING))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self._socket.settimeout(0.2)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._host_spoke = True
        self.turns = 0

    def _listen(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                self._look(self._socket.recv(65535))

    def _look(self, frame: bytes) -> None:
        header = frame[14:]
        start = (header[0] & 15) * 4
        source, target = header[12:16], header[16:20]
        if frame[12:14] != IPV4 or header[9] != TCP or self._address not in (source, target):
            return
        ports = struct.unpack("!HH", header[start : start + 4])
        if 22 not in ports or struct.unpack("!H", header[2:4])[0] - start == (header[start + 12] >> 4) * 4:
            return  # another service, or an acknowledgement without anything in it
        from_host = source == self._address
        self.turns += not from_host and self._host_spoke
        self._host_spoke = from_host

    def __enter__(self) -> "Wire":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()


@contextlib.contextmanager
def talkative(host: LabHost) -> Iterator[None]:
    """sshd says each session that it starts."""
    host.write(SSHD, "LogLevel VERBOSE\n")
    host.run(["systemctl", "reload", "ssh"])
    try:
        yield
    finally:
        host.run(["rm", SSHD])
        host.run(["systemctl", "reload", "ssh"])


def count(host: LabHost, run: Callable[[], object]) -> Trips:
    """What `run` costs in trips to `host`."""
    before = _said(host)
    with Wire(host.ip) as wire:
        run()
    after = _said(host)
    return Trips(wire.turns, after[0] - before[0], after[1] - before[1])


def _said(host: LabHost) -> tuple[int, int]:
    journal = host.run(["journalctl", "--quiet", "--output=cat", "_COMM=sshd"]).stdout
    return journal.count("Starting session: "), journal.count("Accepted ")
