"""Unit files and drop-ins of ours in /etc/systemd/system, and whether systemd has read them.

The law: daemon-reload comes where systemd says that it needs it, or knows another unit than stands on disk; nothing is
started, stopped or restarted. A unit that systemd cannot use after that is a failure.
"""

from ..engine import impact
from ..engine.resource import Resource
from ..files.file import content_and_mode, rights
from ..host.errors import Failed
from .systemd import PROPERTIES, STARTS_AT_BOOT, UNITS, unread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from ..types import Diff, Impact, State, Undo

BOOTED = "/run/systemd/system"
BAD = ("bad-setting", "error")


class _UnitText(Resource):
    """What the two have in common: a text on disk that belongs to a unit."""

    content: "str | None"

    def path(self) -> str:
        """Where the text goes."""
        raise NotImplementedError

    def unit_name(self) -> str:
        """The unit that it belongs to."""
        raise NotImplementedError

    def touches(self) -> "tuple[str, ...]":
        return (self.path(),)

    def desired(self) -> "State":
        """file (its text, or None: absent), mode, and read_by_systemd: true."""
        mode = None if self.content is None else "0644"
        return {"file": self.content, "mode": mode, "read_by_systemd": True}

    def actual(self, system: "System") -> "State | None":
        """As `desired`. Failed where systemd cannot use what stands there as asked."""
        state = content_and_mode(system, self.path(), None if self.content is None else "0644")
        unit = shown(system, self.unit_name())
        state["read_by_systemd"] = unit is None or self.is_read(system, unit)
        if unit is not None and unit.get("LoadState") in BAD and state == self.desired():
            cause = "systemd cannot use {}: {}".format(self.unit_name(), unit["LoadState"])
            raise Failed(cause, "look at systemctl status {} on the host".format(self.unit_name()))
        return state

    def is_read(self, system: "System", unit: "dict[str, str]") -> bool:
        """Does systemd know the unit as it stands on disk?"""
        raise NotImplementedError

    def impact(self, system: "System", diff: "Diff") -> "Impact | None":
        """systemd reads its configuration anew."""
        return impact.impact(impact.NONE, [self.path()], systemd=True)

    def apply(self, system: "System", diff: "Diff") -> None:
        """Write or remove the text, and have systemd read it."""
        if self.content is None:
            self.before_removal(system)
            system.remove(self.path())
            self.after_removal(system)
        elif set(diff) - {"read_by_systemd"}:
            self.make_place(system)
            data = self.content.encode("utf-8", "surrogateescape")
            system.write(self.path(), data, *rights(system, self.path(), 0o644, 0, 0))
        if system.stat(BOOTED) is not None:
            system.run(["systemctl", "daemon-reload"], timeout=90)

    def foresee(self, system: "System") -> None:
        data = None if self.content is None else self.content.encode("utf-8", "surrogateescape")
        system.foreseen[self.path()] = data

    def make_place(self, system: "System") -> None:
        """The directory that the text goes into, where systemd does not bring it."""

    def before_removal(self, system: "System") -> None:
        """What has to be undone while the text is still there."""

    def after_removal(self, system: "System") -> None:
        """What is of no use without the text."""


class SystemdUnit(_UnitText):
    name: str

    def identity(self) -> str:
        return self.name

    def unit_name(self) -> str:
        return self.name

    def path(self) -> str:
        return "{}/{}".format(UNITS, self.name)

    def is_read(self, system: "System", unit: "dict[str, str]") -> bool:
        if unit.get("LoadState") == "not-found":  # systemd remembers that there is none
            return self.content is None
        return not unread(system, unit)

    def before_removal(self, system: "System") -> None:
        unit = shown(system, self.name)
        if unit is not None and unit.get("UnitFileState") in STARTS_AT_BOOT and unit["UnitFileState"] != "static":
            system.run(["systemctl", "disable", "--", self.name])

    def when_dropped(self) -> "Undo | None":
        return None if self.content is None else ("systemd_unit", {"name": self.name, "content": None})


class SystemdDropIn(_UnitText):
    unit: str
    name: str

    def identity(self) -> str:
        return "{} of {}".format(self.name, self.unit)

    def unit_name(self) -> str:
        return self.unit

    def path(self) -> str:
        return "{}/{}.d/{}".format(UNITS, self.unit, self.name)

    def is_read(self, system: "System", unit: "dict[str, str]") -> bool:
        """A unit that is not there has no drop-ins, for systemd; it reads them with the unit."""
        return unit.get("LoadState") in ("not-found", "masked") or not unread(system, unit)

    def make_place(self, system: "System") -> None:
        directory = self.path().rpartition("/")[0]
        if system.stat(directory) is None:
            system.make_directory(directory)

    def after_removal(self, system: "System") -> None:
        directory = self.path().rpartition("/")[0]
        if system.stat(directory) is not None and not system.names(directory):
            system.remove(directory)

    def when_dropped(self) -> "Undo | None":
        if self.content is None:
            return None
        return "systemd_drop_in", {"unit": self.unit, "name": self.name, "content": None}


def shown(system: "System", name: str) -> "dict[str, str] | None":
    """What systemd says of a unit, as a dict; None on a host that systemd did not boot. A template has no state."""
    if system.stat(BOOTED) is None or "@." in name:
        return None
    result = system.query(["systemctl", "show", "--no-pager", "-p", PROPERTIES, "--", name], timeout=30)
    if not result.ok:
        raise Failed("systemd does not answer: {}".format(result.tail(1)), "look at the host's console", result.tail())
    return dict(line.partition("=")[::2] for line in result.out.splitlines())
