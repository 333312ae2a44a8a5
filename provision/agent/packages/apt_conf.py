"""Files of apt's configuration, and whether apt goes by them.

The law: a file is put in place only when apt's own parser takes it, because one syntax error anywhere ends every apt on
the host. It is parsed alone, so that a broken file can be replaced by a good one. Values may hold a password: they are
compared here and never shown; another file that wins is named by file and line.
"""

import os
import re

from ..engine.resource import Resource
from ..files.file import File
from ..host.errors import Failed, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

    from ..host.system import System
    from ..types import Diff, State, Undo

PARTS = "/etc/apt/apt.conf.d"
MAIN = "/etc/apt/apt.conf"
WRAPPER = 'Dir::Etc::parts "/dev/null";\nDir::Etc::main "/dev/null";\n#include "{}";\n'
TOKEN = re.compile(
    r"(?P<comment>//[^\n]*|/\*.*?\*/|#(?!clear|include)[^\n]*)|(?P<string>\"[^\"\n]*\")|(?P<mark>[{};])|(?P<word>[^\s{};\"]+)",
    re.S,
)


class AptConf(File):
    owner = group = "root"
    validate_with = None

    def _validate(self, system: "System", staged: str) -> None:
        # APT_CONFIG is read before all other files: here it keeps apt from reading any of them.
        wrapper = "/run/provision-apt-{}.conf".format(os.urandom(6).hex())
        system.write(wrapper, WRAPPER.format(staged).encode("utf-8"), 0o600, os.geteuid(), os.getegid())
        try:
            result = system.query(["apt-config", "dump"], env={"APT_CONFIG": wrapper})
        finally:
            system.remove(wrapper)
            system.state_file.put("written", wrapper, None)
        if not result.ok:
            why = "; ".join(line[3:] for line in result.err.splitlines() if line.startswith("E: "))
            why = why.replace(staged, self.path)
            raise Failed(
                "apt would not read {}: {}".format(self.path, why or "no reason given"),
                "nothing was changed; correct the setting",
            )

    def when_dropped(self) -> "Undo | None":
        if self.content is None:
            return None
        return "apt_conf", {"path": self.path, "content": None, "mode": self.mode, "sensitive": self.sensitive}


class AptEffective(Resource):
    path: str
    values: "dict[str, str]"
    probe = True

    def identity(self) -> str:
        return self.path

    def desired(self) -> "State":
        """Each name of apt's configuration: its value."""
        return {name: self.values[name] for name in self.values}

    def taints(self, key: str) -> bool:
        return True

    def actual(self, system: "System") -> "State | None":
        """What apt goes by. Failed where a file that apt reads later than ours wins: writing ours would not help."""
        try:
            found = effective(system)
        except Unknown:
            if self.path not in system.foreseen:
                raise
            found = {}  # a check, and ours is about to be written: it may be what apt cannot read
        for name, value in sorted(self.values.items()):
            other = later(system, self.path, name)
            if other is not None and other[2] != value:
                fix = "remove that line, or set it in {} alone".format(self.path)
                raise Failed("{}:{} sets {} too, and wins over {}".format(other[0], other[1], name, self.path), fix)
        return {name: found.get(name.lower()) for name in self.values}

    def apply(self, system: "System", diff: "Diff") -> None:
        """Always Failed: another file wins."""
        names = ", ".join(sorted(diff))
        raise Failed(
            "apt does not go by {} for {}".format(self.path, names), "look at `apt-config dump` and /etc/apt/apt.conf.d"
        )


def effective(system: "System") -> "dict[str, str]":
    """{name in lower case: value} of apt's whole configuration."""
    result = system.query(["apt-config", "dump"])
    if not result.ok:
        raise Unknown("apt-config dump failed: {}".format(result.tail(1)))
    pairs = re.findall(r'^(\S+) "(.*)";$', result.out, re.M)
    return {name.lower(): value for name, value in pairs}


def later(system: "System", path: str, name: str) -> "tuple[str, int, str | None] | None":
    """(file, line, value) of the last file that sets `name`, or what goes before it, after `path` is read; or None."""
    names = [entry for entry in system.names(PARTS) if re.match(r"[A-Za-z0-9_.-]+$", entry)]
    parts = [
        PARTS + "/" + entry for entry in names if ("." not in entry or entry.endswith(".conf")) and entry[0] != "."
    ]
    found = None
    for other in [part for part in parts if part > path] + [MAIN]:
        for key, line, value in settings(system.text(other) or ""):
            if key == name.lower():
                found = (other, line, value)
    return found or automatic(system, parts + [MAIN], name)


def automatic(system: "System", files: "list[str]", name: str) -> "tuple[str, int, None] | None":
    """(file, line, None) of a program that picks the proxy for each host: apt asks it before it looks at the proxy."""
    if not name.lower().endswith("::proxy"):
        return None
    keys = (name.lower() + "-auto-detect", name.lower() + "autodetect")
    for file in files:
        for key, line, value in settings(system.text(file) or ""):
            if key in keys and value:
                return file, line, None
    return None


def settings(text: str) -> "Iterator[tuple[str, int, str]]":
    """(name in lower case, line, value) of each assignment in the text of an apt.conf file, nested blocks included."""
    stack, words, value, line = [], [], None, 1
    for match in TOKEN.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        kind, token = match.lastgroup, match.group()
        if kind == "word":
            words.append(token)
        elif kind == "string":
            value = token[1:-1]
        elif token == "{":
            stack.append("::".join(words))
            words, value = [], None
        elif token == "}":
            if stack:
                stack.pop()
            words, value = [], None
        elif token == ";":
            if words:
                if value is None and len(words) > 1:
                    value = words[-1]  # apt takes a value without quotation marks as well
                yield "::".join([part for part in stack if part] + words[:1]).lower(), line, value or ""
            words, value = [], None
