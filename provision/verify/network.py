"""Sockets and addresses of a host from the text of its /proc/net: a minimal host has neither ss nor ip. Pure."""

import itertools
import re
from ipaddress import IPv4Interface

LISTENS = 0x10000
"""The flag of a socket that accepts connections (__SO_ACCEPTCON)."""


def listening(unix: str) -> set[str]:
    """Paths of the Unix sockets that accept connections, of /proc/net/unix."""
    rows = [line.split(None, 7) for line in unix.splitlines()[1:]]
    return {row[7] for row in rows if len(row) == 8 and int(row[3], 16) & LISTENS}


def addresses(trie: str) -> set[str]:
    """The host's own IPv4 addresses, of /proc/net/fib_trie."""
    pairs = itertools.pairwise(line.strip() for line in trie.splitlines())
    return {line.split()[-1] for line, after in pairs if after.startswith("/32 host LOCAL")}


def interface_addresses(route: str, trie: str, interface: str) -> set[str]:
    """Addresses with prefix (172.17.0.1/16) that lie in a network of an interface, of /proc/net/route."""
    rows = [line.split() for line in route.splitlines()[1:]]
    networks = [IPv4Interface(f"{_dotted(row[1])}/{_dotted(row[7])}").network for row in rows if row[0] == interface]
    own = [IPv4Interface(address).ip for address in addresses(trie) if re.fullmatch(r"[\d.]+", address)]
    return {f"{ip}/{network.prefixlen}" for network in networks for ip in own if ip in network}


def _dotted(word: str) -> str:
    """000011AC is 172.17.0.0: in the byte order of the (little-endian) host."""
    return ".".join(str(byte) for byte in reversed(bytes.fromhex(word)))
