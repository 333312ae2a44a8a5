"""One package source for apt, with its own key: /etc/apt/sources.list.d/NAME.sources and /etc/apt/keyrings/NAME.gpg.

The law: a key that is not the asked one is never written, `trusted=yes` never exists, and apt must be able to read the
whole set of sources before the new one is put in place. Text and key are compared on disk; only a key that has to be
replaced is fetched. apt < 1.1 knows neither the format nor keys of a source: there it is NAME.list and trusted.gpg.d.
"""

import stat

from ..engine.resource import Resource
from ..host import look
from ..host.errors import Failed
from . import apt, apt_key, dpkg, openpgp, source_list

KEYRINGS = "/etc/apt/keyrings"
TRUSTED = "/etc/apt/trusted.gpg.d"
MODE = "root:root 0644"
REPLACES = "sources.list.d/"


class AptSource(Resource):
    fields = ("name", "uri", "suite", "components", "architecture", "key", "fingerprint", "replaces", "present")

    def identity(self):
        return self.name

    def _text(self):
        lines = ["Types: deb", "URIs: " + self.uri, "Suites: " + self.suite]
        if self.components:
            lines.append("Components: " + " ".join(self.components))
        if self.architecture:
            lines.append("Architectures: " + self.architecture)
        lines.append("Signed-By: {}/{}.gpg".format(KEYRINGS, self.name))
        return "\n".join(lines) + "\n"

    def _line(self):
        options = "[arch={}] ".format(self.architecture) if self.architecture else ""
        return "deb {}{} {} {}".format(options, self.uri, self.suite, " ".join(self.components)).rstrip() + "\n"

    def _places(self, system):
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

    def desired(self):
        if not self.present:
            return {"source": None, "key": None}
        state = {"source": self._text(), "source mode": MODE, "key": self.fingerprint, "key mode": MODE}
        state.update({REPLACES + name: None for name in self.replaces})
        return state

    def actual(self, system):
        source, text, keyring = self._places(system)
        if self.present:
            self._refuse_conflicts(system, source, keyring)
        content = system.text(source)
        state = {"source": self._text() if content == text else content, "source mode": _mode(system, source)}
        state.update({"key": self._key(system, keyring), "key mode": _mode(system, keyring)})
        for name in self.replaces:
            path = "{}/{}".format(source_list.PARTS, name)
            content = look.text(system, path) if path != source else None
            state[REPLACES + name] = None if content is None else look.without_secrets(content)
        return state

    def _key(self, system, keyring):
        """The fingerprint in the keyring; with a remark when it will not do. Raises Failed for a wrong `key`."""
        asked = apt_key.local(system, self.key)
        wanted = None if asked is None else apt_key.select(asked, self.fingerprint, "`key`").data
        data = system.read(keyring)
        if data is None:
            return None
        try:
            found = {key.fingerprint: key for key in openpgp.keys(data)}
        except ValueError as error:
            return "unusable: {}".format(error)
        if self.fingerprint not in found:
            return ", ".join(found)
        found = found[self.fingerprint]
        if found.data != data:
            return "{} and other keys".format(self.fingerprint)
        if apt_key.expired(found):
            return "{} (expired on {})".format(self.fingerprint, apt_key.day(found.expires))
        if wanted is not None and wanted != data:
            return "{} (another edition of it)".format(self.fingerprint)
        return self.fingerprint

    def _refuse_conflicts(self, system, source, keyring):
        for entry in source_list.entries(system):
            name = entry.file.rpartition("/")[2]
            if entry.file == source or name in self.replaces or not entry.same_source(self.uri, self.suite):
                continue
            if entry.signed_by != keyring and source.endswith(".sources"):
                cause = "{} has the source {} {} too, with another key, and that stops all of apt".format(
                    entry.file, look.without_secrets(self.uri), self.suite
                )
                raise Failed(cause, "remove it, or name it in `replaces`, then run again")

    def apply(self, system, diff):
        source, text, keyring = self._places(system)
        apt.sources_changed(system)
        if not self.present:
            system.remove(source)
            system.remove(keyring)
            return
        data = None
        if "key" in diff:
            data = apt_key.obtain(system, self.key, self.fingerprint).data
        replaced = [name for name in self.replaces if REPLACES + name in diff]
        if "source" in diff or replaced:
            source_list.check(system, source.rpartition("/")[2], text, replaced)
        if "key" in diff or "key mode" in diff:
            self._write_key(system, keyring, data)
        for name in replaced:  # first: with both in place apt would stop for whoever runs it now
            system.remove("{}/{}".format(source_list.PARTS, name))
        if "source" in diff or "source mode" in diff:
            system.write(source, text.encode("utf-8"))

    def _write_key(self, system, keyring, data):
        if data is None:
            data = system.read(keyring)
        folder = keyring.rpartition("/")[0]
        if system.stat(folder) is None:  # apt has it from 2.4 on
            system.make_directory(folder)
        system.write(keyring, data)

    def when_dropped(self):
        fields = {name: getattr(self, name) for name in self.fields}
        return "apt_source", dict(fields, present=False, key="", replaces=[])


def _mode(system, path):
    status = system.stat(path)
    if status is None:
        return None
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    owner = "root:root" if (status.st_uid, status.st_gid) == (0, 0) else "{}:{}".format(status.st_uid, status.st_gid)
    return "{} {:04o}".format(owner, stat.S_IMODE(status.st_mode))
