"""A setting of the kernel: the live value in /proc/sys, and our file in /etc/sysctl.d for the next boot.

The law: the kernel takes the value first, so a value that it refuses is in no file. Files apply in the order of their
names, and the last one counts: where another file wins over ours at boot, that is a failure that names the file.
"""

from ..engine.resource import Resource
from ..files.file import content_and_mode, rights
from ..host import lenient
from ..host.errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from ..types import Diff, State, Undo

PLACES = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
"""Of files with the same name in several of these, only the first is read (sysctl.d(5))."""
LAST = "/etc/sysctl.conf"


class Sysctl(Resource):
    name: str
    value: "str | None"

    def identity(self) -> str:
        return self.name

    def touches(self) -> "tuple[str, ...]":
        return (self._path(),)

    def _path(self) -> str:
        return "/etc/sysctl.d/60-provision-{}.conf".format(key_of(self.name).replace("/", "."))

    def _asked(self) -> str:
        return " ".join((self.value or "").split())

    def _content(self) -> str:
        return "{} = {}\n".format(self.name, self._asked())

    def desired(self) -> "State":
        """live (the value, blanks as one), file (its text) and mode; of one that goes: file: None."""
        if self.value is None:
            return {"file": None}
        return {"live": self._asked(), "file": self._content(), "mode": "0644"}

    def actual(self, system: "System") -> "State | None":
        """As `desired`. Failed where a later file says otherwise at boot."""
        state = content_and_mode(system, self._path(), None if self.value is None else "0644")
        if self.value is not None:
            self._refuse_other_files(system)
            live = system.text("/proc/sys/" + key_of(self.name))
            state["live"] = None if live is None else " ".join(live.split())
        return state

    def _refuse_other_files(self, system: "System") -> None:
        for path in later_files(system, self._path()):
            found = setting(lenient.text(system, path) or "", self.name)
            if found is not None and found != self._asked():
                cause = "{} sets {} to {} at boot, after our file".format(path, self.name, found)
                raise Failed(cause, "take that line out of it, then run again")

    def apply(self, system: "System", diff: "Diff") -> None:
        """Set it in the kernel, write the file."""
        if self.value is None:
            system.remove(self._path())
            return
        if "live" in diff:
            self._set(system, diff["live"][0])
        if set(diff) - {"live"}:
            system.write(self._path(), self._content().encode("ascii"), *rights(system, self._path(), 0o644, 0, 0))

    def _set(self, system: "System", found: "str | None") -> None:
        if found is None:
            cause = "this kernel has no setting {}".format(self.name)
            raise Failed(cause, "correct the name, or ask for the kernel module that brings it before this")
        system.run(["sysctl", "-w", "{}={}".format(self.name, self._asked())], timeout=30)

    def when_dropped(self) -> "Undo | None":
        return None if self.value is None else ("sysctl", {"name": self.name, "value": None})


def key_of(name: str) -> str:
    """The path under /proc/sys: the first separator of a name decides what separates (sysctl.d(5))."""
    first = min((name.find(mark), mark) for mark in "./" if mark in name)[1]
    return name if first == "/" else name.translate({ord("."): "/", ord("/"): "."})


def later_files(system: "System", own: str) -> "list[str]":
    """The files that are read at boot after `own`."""
    found: "dict[str, str]" = {}
    for place in PLACES:
        for name in lenient.names(system, place):
            if name.endswith(".conf"):
                found.setdefault(name, "{}/{}".format(place, name))
    mine = own.rpartition("/")[2]
    return [path for name, path in sorted(found.items()) if name > mine] + [LAST]


def setting(text: str, name: str) -> "str | None":
    """The value that a sysctl file gives to a setting, or None; the last of several counts."""
    value = None
    for line in text.splitlines():
        key, equals, found = line.strip().partition("=")
        key = key.strip().lstrip("-").strip()
        if equals and key[:1] not in ("#", ";") and ("." in key or "/" in key) and key_of(key) == key_of(name):
            value = " ".join(found.split())
    return value
