"""systemd: unit files and drop-ins of our own."""

from typing import Annotated

from pydantic import Field

from provision.resources.resource import Resource
from provision.sentences import Spelled

UnitName = Annotated[
    str,
    Spelled(
        r"^[A-Za-z0-9:_.@-]{1,240}\.(service|socket|timer|target|path|mount|automount|slice|swap)$",
        "should be a unit's full name, as in docker.service",
    ),
]


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
