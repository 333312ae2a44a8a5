"""Limits of login sessions: one file of ours for each in /etc/security/limits.d.

The law: pam_limits takes the last line that fits; a file that is read after ours and says otherwise is a failure that
names it. Sessions that are there keep what they have.
"""

from ..engine.resource import Resource
from ..files.file import content_and_mode, rights
from ..host import lenient
from ..host.errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from ..types import Diff, State, Undo

FOLDER = "/etc/security/limits.d"
WORDS = {"*": "all", "@": "group-", "%": "maxgroup-", ":": "to"}


class Limit(Resource):
    domain: str
    item: str
    value: "str | None"
    type: str

    def identity(self) -> str:
        return "{} {} {}".format(self.domain, self.type, self.item)

    def touches(self) -> "tuple[str, ...]":
        return (self._path(),)

    def _path(self) -> str:
        domain = "".join(WORDS.get(mark, mark) for mark in self.domain)
        return "{}/60-provision-{}-{}-{}.conf".format(FOLDER, domain, self.item, self.type.replace("-", "both"))

    def _content(self) -> str:
        return "{} {} {} {}\n".format(self.domain, self.type, self.item, self.value)

    def desired(self) -> "State":
        """file (its text) and mode; of one that goes: file: None."""
        return {"file": None} if self.value is None else {"file": self._content(), "mode": "0644"}

    def actual(self, system: "System") -> "State | None":
        """As `desired`. Failed where a later file says otherwise, or where nobody reads ours."""
        if self.value is not None:
            if system.stat(FOLDER) is None:
                raise Failed("there is no {} on this host".format(FOLDER), "install libpam-modules, or leave this out")
            self._refuse_later_files(system)
        return content_and_mode(system, self._path(), None if self.value is None else "0644")

    def _refuse_later_files(self, system: "System") -> None:
        own = self._path().rpartition("/")[2]
        for name in system.names(FOLDER):
            if name > own and name.endswith(".conf"):
                path = "{}/{}".format(FOLDER, name)
                for words in _lines(lenient.text(system, path) or ""):
                    if words[:3] == [self.domain, self.type, self.item] and words[3] != self.value:
                        cause = "{} sets {} to {}, after our file".format(path, self.identity(), words[3])
                        raise Failed(cause, "take that line out of it, then run again")

    def note(self, diff: "Diff") -> str:
        return "for sessions from now on"

    def apply(self, system: "System", diff: "Diff") -> None:
        """Write the file, or remove it."""
        if self.value is None:
            system.remove(self._path())
            return
        system.write(self._path(), self._content().encode("ascii"), *rights(system, self._path(), 0o644, 0, 0))

    def when_dropped(self) -> "Undo | None":
        if self.value is None:
            return None
        return "limit", {"domain": self.domain, "item": self.item, "value": None, "type": self.type}


def _lines(text: str) -> "list[list[str]]":
    found = [line.split("#")[0].split() for line in text.splitlines()]
    return [words for words in found if len(words) == 4]
