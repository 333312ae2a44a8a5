"""The line between hosts of the lab and their package repository: what came over it, and how thin it is.

The law: only packets from the lab's package cache to the named hosts are looked at; the lab is shared. Traffic control
is the kernel's (tc: htb), on the lab's bridge, and gone afterwards.
"""

import re
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tests.lab import LabHost, apt, network
from tests.lab.machine import program
from tests.lab.processes import call

WIDE = "10gbit"
HANDLE = "70:"
RECEIVED = "cat /sys/class/net/eth0/statistics/rx_bytes"


class Line:
    """As a context manager: the line to all these hosts together is so wide (tc's words)."""

    def __init__(self, hosts: Sequence[LabHost], rate: str | None = None) -> None:
        self._hosts = hosts
        self._rate = rate or WIDE

    def __enter__(self) -> Self:
        self._tc("qdisc", "del", "root", check=False)  # of a run that was killed
        self._tc("qdisc", "add", "root", "handle", HANDLE, "htb")
        self._tc(
            "class", "add", "parent", HANDLE, "classid", f"{HANDLE}1", "htb", "rate", self._rate, "quantum", "9000"
        )
        for host in self._hosts:
            match = ("u32", "match", "ip", "sport", str(apt.PORT), "0xffff", "match", "ip", "dst", f"{host.ip}/32")
            self._tc("filter", "add", "parent", HANDLE, "protocol", "ip", "prio", "1", *match, "flowid", f"{HANDLE}1")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tc("qdisc", "del", "root", check=False)

    def from_repository(self) -> float:
        """MB until now."""
        said = call([program("tc"), "-s", "class", "show", "dev", network.BRIDGE]).stdout
        found = re.search(rf"class htb {HANDLE}1 .*\n Sent (\d+) bytes", said)
        return int(found[1]) / 1e6 if found else 0.0

    def received(self) -> float:
        """MB until now, of all that came to the hosts over the network."""
        return sum(int(host.run(RECEIVED).stdout) for host in self._hosts) / 1e6

    @staticmethod
    def _tc(kind: str, verb: str, *words: str, check: bool = True) -> None:
        call([program("tc"), kind, verb, "dev", network.BRIDGE, *words], check=check)
