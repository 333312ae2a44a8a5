"""The subnets that a host's Docker is asked to have, against the addresses and routes of all hosts of the run.

The law: pure. What a host's own routes forbid, its role refuses (docker_daemon); here it is about the others: a packet
for an address inside docker0's network never leaves the host. A network that several hosts have in common costs once.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

FIRST = IPv4Network("172.17.0.0/16")
"""What docker0 gets where nobody asks for anything else and the host itself has no such route."""
LOCAL = re.compile(
    r"lo$|docker|br-[0-9a-f]{12}$|veth|virbr|lxdbr|lxcbr|cni|cali|flannel|podman|kube|nerdctl|usb|tunl|vxlan"
)
"""Interfaces whose networks end at their host: other hosts have the same ones, and nobody reaches those."""
LINK_LOCAL = IPv4Network("169.254.0.0/16")


@dataclass(frozen=True)
class SubnetFinding:
    """What speaks against a network, as a sentence. `fatal`: the host would be cut off from a host or from us."""

    host: str
    text: str
    fatal: bool


def asked(daemon: Mapping[str, Any]) -> list[tuple[str, IPv4Network]]:
    """(name, network) of what docker_daemon's settings ask for."""
    found = [(f"bip {daemon['bip']}", IPv4Interface(daemon["bip"]).network)] if daemon.get("bip") else []
    pools = [pool["base"] for pool in daemon.get("default_address_pools") or ()]
    return found + [(f"default_address_pools {base}", IPv4Network(base)) for base in pools]


class HostNetworks:
    """All hosts of a run. `facts` are those of the hosts that could be looked at, as they came."""

    def __init__(self, facts: Mapping[str, Mapping[str, Any]], addresses: Mapping[str, str]) -> None:
        self._facts = facts
        self._given = addresses
        self._known: dict[IPv4Network, list[SubnetFinding]] = {}

    def findings(self, host: str, networks: Sequence[tuple[str, IPv4Network]]) -> Iterator[SubnetFinding]:
        """What speaks against these networks on this host."""
        for name, network in networks:
            if network not in self._known:
                self._known[network] = list(self._against(network))
            for found in self._known[network]:
                if found.host != host:
                    yield SubnetFinding(found.host, f"{name} {found.text}", found.fatal)

    def _against(self, network: IPv4Network) -> Iterator[SubnetFinding]:
        """One finding a host and kind: the most telling."""
        cut_off = set()
        for host, address in self._addresses:
            if address in network and host not in cut_off:
                cut_off.add(host)
                text = f"contains {address}, an address of {host}, which this host could not reach any more"
                yield SubnetFinding(host, text, fatal=True)
        for host, client in self._clients:
            if client in network:
                text = f"contains {client}, from where the controller reaches {host}"
                yield SubnetFinding(host, text, fatal=True)
        for host, route, interface in self._routes:
            if route.overlaps(network) and host not in cut_off:
                cut_off.add(host)
                by = f" by {interface}" if interface else ""
                text = f"overlaps {route}, which {host} reaches{by} and this host could not reach any more"
                yield SubnetFinding(host, text, fatal=False)

    @cached_property
    def _addresses(self) -> list[tuple[str, IPv4Address]]:
        found = [(host, _address(text)) for host, text in self._given.items()]
        for host, item in self._items("addresses"):
            if not LOCAL.match(str(item.get("interface"))):
                found.append((host, _address(str(item.get("address")).partition("/")[0])))
        known = [(host, address) for host, address in found if address is not None and address not in LINK_LOCAL]
        return list(dict.fromkeys(known))

    @cached_property
    def _clients(self) -> list[tuple[str, IPv4Address]]:
        found = ((host, _address(str(facts.get("ssh_client")))) for host, facts in self._facts.items())
        return [(host, address) for host, address in found if address is not None]

    @cached_property
    def _routes(self) -> list[tuple[str, IPv4Network, str]]:
        found = []
        for host, item in self._items("routes"):
            network, interface = _network(str(item.get("network"))), str(item.get("interface") or "")
            if network is not None and network.prefixlen and not LOCAL.match(interface):
                found.append((host, network, interface))
        return [(host, network, by) for host, network, by in found if not network.overlaps(LINK_LOCAL)]

    def _items(self, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for host, facts in self._facts.items():
            listed = facts.get(name)
            for item in listed if isinstance(listed, list) else ():
                if isinstance(item, Mapping):
                    yield host, item


def _address(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except ValueError:  # a name, or version 6, which docker0 has nothing to do with
        return None


def _network(text: str) -> IPv4Network | None:
    try:
        return IPv4Network(text)
    except ValueError:
        return None
