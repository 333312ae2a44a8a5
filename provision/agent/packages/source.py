"""One package source for apt, with its own key: /etc/apt/sources.list.d/NAME.sources and /etc/apt/keyrings/NAME.gpg.

The law: a key that is not the asked one is never written, `trusted=yes` never exists, and before the new source is put
in place apt must be able to read the whole set of sources, and must take what the new one's server signs. Text and key
are compared on disk; only a key that has to be replaced is fetched. apt < 1.1 knows neither the format nor keys of a
source: there it is NAME.list and trusted.gpg.d.
"""

import stat

from ..engine.resource import Resource
from ..files.file import lets_fewer_in, rights
from ..host import lenient
from ..host.errors import Failed
from . import apt, apt_key, apt_trial, dpkg, openpgp, source_list
from .apt_trial import KEYRINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Collection

    from ..host.system import System
    from ..types import Diff, State, Undo

TRUSTED = "/etc/apt/trusted.gpg.d"
MODE = "root:root 0644"
REPLACES = "sources.list.d/"


class AptSource(Resource):
    name: str
    uri: str
    suite: str
    components: "list[str]"
    architecture: "str | None"
    key: str
    fingerprint: str
    replaces: "list[str]"
    present: bool

    def identity(self) -> str:
        return self.name

    def touches(self) -> "tuple[str, ...]":
        return ("{}/{}.sources".format(source_list.PARTS, self.name), "{}/{}.gpg".format(KEYRINGS, self.name))

    def _text(self) -> str:
        lines = ["Types: deb", "URIs: " + self.uri, "Suites: " + self.suite]
        if self.components:
            lines.append("Components: " + " ".join(self.components))
        if self.architecture:
            lines.append("Architectures: " + self.architecture)
        lines.append("Signed-By: {}/{}.gpg".format(KEYRINGS, self.name))
        return "\n".join(lines) + "\n"

    def _line(self) -> str:
        options = "[arch={}] ".format(self.architecture) if self.architecture else ""
        return "deb {}{} {} {}".format(options, self.uri, self.suite, " ".join(self.components)).rstrip() + "\n"

    def _places(self, system: "System") -> "tuple[str, str, str]":
        """(source file, its text, key file) for the apt that this host has."""
        version = apt.version(system)
        if version is None:
            raise Failed("this host has no apt", "ask for package sources only on Debian and Ubuntu hosts")
        if dpkg.compare(version, "1.1") < 0:
            return (
                "{}/{}.list".format(source_list.PARTS, self.name),
                self._line(),
                "{}/{}.gpg".format(TRUSTED, self.name),
            )
        return (
            "{}/{}.sources".format(source_list.PARTS, self.name),
            self._text(),
            "{}/{}.gpg".format(KEYRINGS, self.name),
        )

    def desired(self) -> "State":
        """source (its text) and source mode, key (a fingerprint) and key mode, replaces FILE: None."""
        if not self.present:
            return {"source": None, "key": None}
        state: "State" = {"source": self._text(), "source mode": MODE, "key": self.fingerprint, "key mode": MODE}
        state.update({REPLACES + name: None for name in self.replaces})
        return state

    def actual(self, system: "System") -> "State | None":
        """As `desired`; a key that will not do has a remark after it. Failed where apt would stop for another entry."""
        source, text, keyring = self._places(system)
        if self.present:
            self._refuse_conflicts(system, source, text, keyring)
        content = system.text(source)
        state = {"source": self._text() if content == text else content, "key": self._key(system, keyring)}
        if self.present:
            state.update({"source mode": _mode(system, source), "key mode": _mode(system, keyring, 0o444)})
        for name in self.replaces:
            path = "{}/{}".format(source_list.PARTS, name)
            content = lenient.text(system, path) if path != source else None
            state[REPLACES + name] = None if content is None else lenient.without_secrets(content)
        return state

    def _key(self, system: "System", keyring: str) -> "str | None":
        """The fingerprint in the keyring; with a remark when it will not do. Raises Failed for a wrong `key`."""
        asked = apt_key.local(system, self.key)
        wanted = None if asked is None else apt_key.select(asked, self.fingerprint, "`key`").data
        data = system.read(keyring)
        if data is None:
            return None
        try:
            there = {key.fingerprint: key for key in openpgp.keys(data)}
        except ValueError as error:
            return "unusable: {}".format(error)
        if self.fingerprint not in there:
            return ", ".join(there)
        found = there[self.fingerprint]
        if found.data != data:
            return "{} and other keys".format(self.fingerprint)
        if apt_key.expired(found):
            return "{} (expired on {})".format(self.fingerprint, apt_key.day(found.expires or 0))
        if wanted is not None and wanted != data:
            return "{} (another edition of it)".format(self.fingerprint)
        return self.fingerprint

    def _refuse_conflicts(self, system: "System", source: str, text: str, keyring: str) -> None:
        for entry in source_list.entries(system):
            name = entry.file.rpartition("/")[2]
            if entry.file == source or name in self.replaces or not entry.same_source(self.uri, self.suite):
                continue
            if entry.signed_by == keyring or source.endswith(".list"):
                continue
            if not entry.signed_by and self._taken_together(system, source, text):
                continue
            key = "with another key" if entry.signed_by else "without a key"
            cause = "{} has the source {} {} too, {}, and that stops all of apt"
            cause = cause.format(entry.file, lenient.without_secrets(self.uri), self.suite, key)
            raise Failed(cause, "remove it, or name it in `replaces`, then run again")

    def _taken_together(self, system: "System", source: str, text: str) -> bool:
        """Does this apt read an entry without a key beside ours? apt 3.0 does, 2.6 does not."""
        try:
            source_list.check(system, source.rpartition("/")[2], text, self.replaces)
        except Failed:
            return False
        return True

    def apply(self, system: "System", diff: "Diff") -> None:
        """Put key and source in place, once apt has taken them; what it replaces goes."""
        source, text, keyring = self._places(system)
        replaced = [name for name in self.replaces if REPLACES + name in diff]
        is_new = self.present and not replaced and system.stat(source) is None
        apt.sources_changed(system, source if is_new else "")
        if not self.present:
            system.remove(source)
            system.remove(keyring)
            return
        coming = self.coming(system, diff)
        if "source" in diff or replaced:
            source_list.check(system, coming.name, text, replaced)
        if source.endswith(".sources") and ("source" in diff or "key" in diff):
            system.progress("asking apt whether it takes the source {}".format(self.name))
            with apt_trial.tried(system, [coming]) as trial:
                if trial.refused is not None:
                    raise trial.refused
        if "key" in diff or "key mode" in diff:
            self._write_key(system, keyring, coming.key)
        for name in replaced:  # first: with both in place apt would stop for whoever runs it now
            system.remove("{}/{}".format(source_list.PARTS, name))
        if "source" in diff or "source mode" in diff:
            system.write(source, text.encode("utf-8"), *rights(system, source, 0o644, 0, 0))

    def coming(self, system: "System", diff: "Collection[str]", timeout: float = apt_key.TIMEOUT) -> apt_trial.Coming:
        """What `apply` would put in place (an apt_trial.Coming); the key is fetched where it differs. Raises Failed."""
        source, text, keyring = self._places(system)
        fetched = "key" in diff
        key = apt_key.obtain(system, self.key, self.fingerprint, timeout).data if fetched else system.read(keyring)
        return apt_trial.Coming(source.rpartition("/")[2], text, keyring, key or b"", self.replaces)

    def _write_key(self, system: "System", keyring: str, data: bytes) -> None:
        folder = keyring.rpartition("/")[0]
        if system.stat(folder) is None:  # apt has it from 2.4 on
            system.make_directory(folder)
        found = _mode(system, keyring, 0o444)
        system.write(keyring, data, *(rights(system, keyring, 0o644, 0, 0) if found == MODE else (0o644, 0, 0)))

    def when_dropped(self) -> "Undo | None":
        fields = {name: getattr(self, name) for name in self.fields}
        return "apt_source", dict(fields, present=False, key="", replaces=[])


def _mode(system: "System", path: str, needed: int = 0) -> "str | None":
    """Owner and mode of a file; MODE for a stricter one, which stays. `needed`: what apt's own user must be let do."""
    status = system.stat(system.place(path))
    if status is None:
        return None
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    if lets_fewer_in(status, 0o644, 0, 0) and not needed & ~status.st_mode:
        return MODE
    owner = "root:root" if (status.st_uid, status.st_gid) == (0, 0) else "{}:{}".format(status.st_uid, status.st_gid)
    return "{} {:04o}".format(owner, stat.S_IMODE(status.st_mode))
