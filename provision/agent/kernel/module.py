"""A module of the kernel: loaded now, and at boot by /etc/modules-load.d, with its options in /etc/modprobe.d.

The law: a module that is loaded is never unloaded. Options count when it is loaded: where it runs with other parameters
the files are written for the next boot, and that they do not hold yet is a failure.
"""

import re

from ..engine.resource import Resource
from ..files.file import content_and_mode, rights
from ..host import lenient
from ..host.errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from ..types import Diff, State, Undo

BOOLEANS = {"1": "Y", "y": "Y", "Y": "Y", "0": "N", "n": "N", "N": "N"}


class KernelModule(Resource):
    name: str
    options: "dict[str, str]"
    absent: bool

    def identity(self) -> str:
        return self._key()

    def touches(self) -> "tuple[str, ...]":
        return tuple(self._files())

    def _key(self) -> str:
        return self.name.replace("-", "_")

    def _files(self) -> "State":
        """{path: what is to stand there, or None}."""
        load = "/etc/modules-load.d/provision-{}.conf".format(self._key())
        options = "/etc/modprobe.d/provision-{}.conf".format(self._key())
        words = " ".join("{}={}".format(*item) for item in sorted(self.options.items()))
        return {
            load: None if self.absent else self._key() + "\n",
            options: None if self.absent or not words else "options {} {}\n".format(self._key(), words),
        }

    def desired(self) -> "State":
        """Both files by their paths: text or None; loaded; parameter NAME: its value."""
        state = self._files()
        if not self.absent:
            state["loaded"] = True
            state.update({"parameter " + name: value for name, value in self.options.items()})
        return state

    def actual(self, system: "System") -> "State | None":
        """As `desired`."""
        state: "State" = {}
        for path, content in self._files().items():
            state[path] = content_and_mode(system, path, None if content is None else "0644")["file"]
        state["loaded"] = loaded(system, self._key())
        for name, asked in self.options.items():
            state["parameter " + name] = self._parameter(system, name, asked)
        return state

    def _parameter(self, system: "System", name: str, asked: str) -> "str | None":
        """A parameter as the running module has it, in the words of `asked` where it means the same."""
        found = lenient.text(system, "/sys/module/{}/parameters/{}".format(self._key(), name))
        if found is None:  # not loaded yet, or one that the module does not show
            return asked if loaded(system, self._key()) else None
        return asked if same(found.strip(), asked) else found.strip()

    def apply(self, system: "System", diff: "Diff") -> None:
        """Write the files, then load the module."""
        for path, content in self._files().items():
            if path in diff and content is None:
                system.remove(path)
            elif path in diff:
                system.write(path, content.encode("ascii"), *rights(system, path, 0o644, 0, 0))
        if self.absent:
            return
        if diff.get("loaded"):
            system.run(["modprobe", "--", self._key()], timeout=120, fix="look at the kernel's log (dmesg)")
            return
        others = sorted(key for key in diff if key.startswith("parameter "))
        if others:
            cause = "{} is loaded with another {}".format(self.name, ", ".join(others))
            fix = "reboot, or unload it once nobody uses it; set one that is built in on the kernel's command line"
            raise Failed(cause, fix)

    def when_dropped(self) -> "Undo | None":
        return None if self.absent else ("kernel_module", {"name": self.name, "options": {}, "absent": True})


def loaded(system: "System", key: str) -> bool:
    """Is the module in the running kernel, loaded or built in?"""
    if system.stat("/sys/module/" + key) is not None:
        state = lenient.word(system, "/sys/module/{}/initstate".format(key))
        return state in ("", "live")  # a module that is built in has no state
    release = lenient.word(system, "/proc/sys/kernel/osrelease")
    names = lenient.text(system, "/lib/modules/{}/modules.builtin".format(release)) or ""
    return key in [name.replace("-", "_") for name in re.findall(r"([^/\n]+)\.ko\S*$", names, re.M)]


def same(found: str, asked: str) -> bool:
    """Do these two say the same to the kernel: Y and 1, 0x10 and 16?"""
    if found == asked or BOOLEANS.get(found, found) == BOOLEANS.get(asked, asked):
        return True
    try:
        return int(found, 0) == int(asked, 0)
    except ValueError:
        return False
