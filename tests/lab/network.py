"""The lab's own network: a subnet that nothing here uses, and rules that keep its packets on this machine.

Law: no packet from or for a lab host leaves this machine. A blackhole route takes over when the bridge is
gone, and a policy rule answers "unreachable" to whatever a host sends past the bridge.
"""

import ipaddress
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.machine import RUN, program
from tests.lab.processes import LabError, call

BRIDGE = "provlab0"  # the hosts' network
SPARE_BRIDGE = "provlab1"  # dockerd must have a default bridge; --bridge=none would delete the user's docker0
CANDIDATES = ("10.213.240.0/20", "10.217.160.0/20", "10.89.112.0/20", "172.29.176.0/20", "192.168.208.0/20")
RULE_PRIORITY = "3107"
BLACKHOLE_METRIC = "4278198272"


@dataclass(frozen=True)
class Network:
    """The lab's subnet: hosts in the first half, the machine at its first address, a spare /30 at the end."""

    whole: ipaddress.IPv4Network

    @property
    def hosts(self) -> ipaddress.IPv4Network:
        return next(self.whole.subnets(prefixlen_diff=1))

    @property
    def machine(self) -> str:
        """This machine's address on the lab's bridge: where its services listen."""
        return str(self.hosts[1])

    @property
    def spare(self) -> ipaddress.IPv4Network:
        return list(self.whole.subnets(new_prefix=30))[-1]

    def addresses(self) -> Iterator[str]:
        """Addresses for hosts, lowest first; the first sixteen are kept for the machine."""
        return (str(self.hosts[n]) for n in range(16, self.hosts.num_addresses - 1))


def chosen() -> Network | None:
    """The network in use, or None while none is set up."""
    record = RUN / "network.json"
    if not record.exists():
        return None
    return Network(ipaddress.IPv4Network(json.loads(record.read_text())["whole"]))


def ensure() -> Network:
    """Choose a free subnet, once, and set up what must be there before the engine starts."""
    network = chosen()
    if network is None:
        network = Network(_free_subnet())
        (RUN / "network.json").write_text(json.dumps({"whole": str(network.whole)}))
    _spare_bridge(network)
    call([program("ip"), "route", "replace", "blackhole", str(network.whole), "metric", BLACKHOLE_METRIC])
    _confine()
    return network


def reject_beyond_bridge() -> None:
    """Answer hosts that call past the bridge with "unreachable" at once, instead of dropping silently.

    The kernel answers only where the interface forwards; the policy rule keeps it from forwarding anything.
    """
    Path(f"/proc/sys/net/ipv4/conf/{BRIDGE}/forwarding").write_text("1")


def remove() -> None:
    """Undo `ensure`; the hosts' bridge itself goes with the engine's network."""
    network = chosen()
    ip = program("ip")
    call([ip, "rule", "del", "priority", RULE_PRIORITY], check=False)
    for bridge in (SPARE_BRIDGE, BRIDGE):
        call([ip, "link", "del", bridge], check=False)
    if network is not None:
        blackhole = [ip, "route", "del", "blackhole", str(network.whole), "metric", BLACKHOLE_METRIC]
        call(blackhole, check=False)
        (RUN / "network.json").unlink()


def _free_subnet() -> ipaddress.IPv4Network:
    """The first candidate that overlaps neither an address nor a route of this machine, in any table."""
    taken = list(_taken())
    for text in CANDIDATES:
        subnet = ipaddress.IPv4Network(text)
        if not any(subnet.overlaps(other) for other in taken):
            return subnet
    raise LabError(f"every subnet the lab knows ({', '.join(CANDIDATES)}) is in use on this machine")


def _taken() -> Iterator[ipaddress.IPv4Network]:
    ip = program("ip")
    for route in json.loads(call([ip, "-j", "-4", "route", "show", "table", "all"]).stdout or "[]"):
        if route["dst"] != "default":
            yield ipaddress.IPv4Network(route["dst"], strict=False)
    for link in json.loads(call([ip, "-j", "-4", "addr"]).stdout or "[]"):
        for address in link.get("addr_info", ()):
            yield ipaddress.IPv4Network(f"{address['local']}/{address['prefixlen']}", strict=False)


def _spare_bridge(network: Network) -> None:
    ip = program("ip")
    if call([ip, "link", "show", SPARE_BRIDGE], check=False).returncode != 0:
        call([ip, "link", "add", SPARE_BRIDGE, "type", "bridge"])
        call([ip, "addr", "add", f"{network.spare[1]}/30", "dev", SPARE_BRIDGE])
        call([ip, "link", "set", SPARE_BRIDGE, "up"])


def _confine() -> None:
    """Packets that come in over the lab's bridge are for this machine (table local) or for nobody."""
    ip = program("ip")
    if f"iif {BRIDGE}" not in call([ip, "rule", "show"]).stdout:
        call([ip, "rule", "add", "iif", BRIDGE, "priority", RULE_PRIORITY, "unreachable"])
