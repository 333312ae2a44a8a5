"""Services, whether they work, and systemd's unit files and drop-ins of our own."""

from typing import Annotated

from pydantic import Field

from provision.resources.resource import AbsolutePath, Resource
from provision.sentences import Spelled

UnitName = Annotated[
    str,
    Spelled(
        r"^[A-Za-z0-9:_.@-]{1,240}\.(service|socket|timer|target|path|mount|automount|slice|swap)$",
        "should be a unit's full name, as in docker.service",
    ),
]


class Service(Resource):
    """A service: does it start at boot, does it run, does it run what is on disk?"""

    kind = "service"
    starts = True
    name: str
    enabled: bool | None = True
    """None: it is left as it is."""
    running: bool = True
    files: tuple[AbsolutePath, ...] = ()
    """What the service reads at its start: it is stale when they differ from what its process was started with."""
    also: tuple[str, ...] = ()
    """Units that start it by themselves (its sockets): stopped and started with it."""
    platform: str | None = None
    """Another service whose users feel its restart: docker, of containerd."""
    in_use: tuple[str, ...] = ()
    """A program that prints who uses the service, one a line, and its arguments: they would feel its restart, and the
    role's setting `disrupt` says whether it waits for them (DISRUPTS). Not given: its restart is nobody's matter."""
    may_cut: bool = False
    """Can its start cut the connection that we came by (a firewall)? Then somebody has to reach the host afterwards."""
    timeout: int = 90
    """Seconds to come up."""


class Probe(Resource):
    """A probe: a program that ends with 0 as long as something works. It changes nothing."""

    kind = "probe"
    name: Annotated[str, Field(min_length=1)]
    """What is proven, as people should read it."""
    argv: Annotated[tuple[str, ...], Field(min_length=1)]
    fix: str = ""
    """What to do where it fails."""
    timeout: int = 30
    """Seconds that it may take to work, after a change."""


class SystemdUnit(Resource):
    """A unit file in /etc/systemd/system that systemd has read; it is neither enabled nor started by this."""

    kind = "systemd_unit"
    name: UnitName
    content: Annotated[str, Field(min_length=1)] | None
    """None: there must be none. A unit that is enabled is disabled first; what runs is not stopped."""


class SystemdDropIn(Resource):
    """A drop-in of a unit, in /etc/systemd/system/UNIT.d, that systemd has read; nothing is restarted by this."""

    kind = "systemd_drop_in"
    unit: UnitName
    name: Annotated[str, Spelled(r"^[A-Za-z0-9:_.@-]+\.conf$", "should end with .conf, as in 50-limits.conf")]
    """50-limits.conf; drop-ins apply in the order of their names."""
    content: Annotated[str, Field(min_length=1)] | None
    """None: there must be none."""
