"""Routes and addresses of the host, asked from the kernel over netlink: `ip` may be missing, and /proc shows one table.

The law: reads only. All tables count (policy routing), and so do routes that lead nowhere: their networks are taken.
"""

import _socket as socket
import contextlib
import struct

from ..host import lenient

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Iterator

    from ..host.system import System

GETADDR, GETROUTE = 22, 26
DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
ERROR, DONE = 2, 3
LIMIT = 20000
"""Routes. A router with a full table has a million, and what is not in the first of them is not worth minutes."""
TAKEN = (1, 6, 7, 8)  # unicast, blackhole, unreachable, prohibit; local and broadcast routes repeat the addresses
DESTINATION, OUT_INTERFACE, MULTIPATH = 1, 4, 9  # RTA_DST, RTA_OIF, RTA_MULTIPATH
ADDRESS, LOCAL = 1, 2  # IFA_ADDRESS, IFA_LOCAL
LINK_LOCAL = b"\xfe\x80"  # the same on every interface, and no subnet of anybody's
CLONED = 0x200  # RTM_F_CLONED: an entry of the route cache


def network(system: "System") -> "dict[str, Any]":
    """{"routes": [{network, interface}], "addresses": [{address, interface}]}, each once."""
    try:
        names = dict(socket.if_nameindex())
        return {
            "routes": _unique(_route(message, names) for message in _dump(GETROUTE)),
            "addresses": _unique(_address(message, names) for message in _dump(GETADDR)),
        }
    except OSError:  # no netlink in this sandbox: the main table is better than nothing
        return {"routes": _unique(_from_proc(system)), "addresses": []}


def _unique(records: "Iterable[dict[str, str] | None]") -> "list[dict[str, str]]":
    return [dict(items) for items in dict.fromkeys(tuple(sorted(record.items())) for record in records if record)]


def _dump(kind: int) -> "Iterator[bytes]":
    """The payloads of one dump, at most LIMIT of them."""
    with contextlib.closing(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)) as link:
        link.settimeout(5)
        link.bind((0, 0))
        link.send(struct.pack("=IHHIIB3x", 20, kind, DUMP, 1, 0, socket.AF_UNSPEC))
        count = 0
        while count < LIMIT:
            data = link.recv(1 << 18)
            while len(data) >= 16:
                length, message_type = struct.unpack_from("=IH", data)
                if message_type == DONE:
                    return
                if message_type == ERROR:
                    raise OSError("the kernel refuses a netlink dump")
                yield data[16:length]
                count += 1
                data = data[(length + 3) & ~3 :]


def _attributes(data: bytes) -> "dict[int, bytes]":
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def _route(message: bytes, names: "dict[int, str]") -> "dict[str, str] | None":
    family, prefix, _, _, _, _, _, kind, flags = struct.unpack_from("=8BI", message)
    if kind not in TAKEN or flags & CLONED or family not in (socket.AF_INET, socket.AF_INET6):
        return None
    found = _attributes(message[12:])
    destination = found.get(DESTINATION, bytes(4 if family == socket.AF_INET else 16))
    if destination[:2] == LINK_LOCAL:
        return None
    index = found.get(OUT_INTERFACE)
    if index is None and len(found.get(MULTIPATH, b"")) >= 8:
        index = found[MULTIPATH][4:8]  # struct rtnexthop: length, flags, hops, interface
    interface = names.get(struct.unpack("=I", index)[0], "") if index else ""
    return {"network": "{}/{}".format(socket.inet_ntop(family, destination), prefix), "interface": interface}


def _address(message: bytes, names: "dict[int, str]") -> "dict[str, str] | None":
    family, prefix, _, _, index = struct.unpack_from("=4BI", message)
    found = _attributes(message[8:])
    raw = found.get(LOCAL, found.get(ADDRESS))
    if raw is None or raw[:2] == LINK_LOCAL or family not in (socket.AF_INET, socket.AF_INET6):
        return None
    return {"address": "{}/{}".format(socket.inet_ntop(family, raw), prefix), "interface": names.get(index, "")}


def _from_proc(system: "System") -> "Iterator[dict[str, str]]":
    for line in (lenient.text(system, "/proc/net/route") or "").splitlines()[1:]:
        interface, destination, _, _, _, _, _, mask = line.split()[:8]
        address = socket.inet_ntop(socket.AF_INET, struct.pack("=I", int(destination, 16)))
        yield {"network": "{}/{}".format(address, bin(int(mask, 16)).count("1")), "interface": interface}
    for line in (lenient.text(system, "/proc/net/ipv6_route") or "").splitlines():
        words = line.split()
        address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(words[0]))
        yield {"network": "{}/{}".format(address, int(words[1], 16)), "interface": words[-1]}
