"""A file system: mounted now, and at boot by /etc/fstab.

The law: it is mounted first, and only what could be mounted comes into fstab: a line that cannot be mounted stops the
next boot. Nothing is ever unmounted, mounted over another file system, or mounted over files.
"""

import os
import re
import stat

from ..engine import impact
from ..engine.resource import Resource
from ..host.errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from ..types import Diff, Impact, State, Undo

FSTAB = "/etc/fstab"
BOOTED = "/run/systemd/system"
FLAGS = {"ro": "rw", "nosuid": "suid", "nodev": "dev", "noexec": "exec"}
"""Options that the kernel shows of every file system, and what takes each back."""
IMPLIED = {
    "user": ("noexec", "nosuid", "nodev"),
    "users": ("noexec", "nosuid", "nodev"),
    "owner": ("nosuid", "nodev"),
    "group": ("nosuid", "nodev"),
}
NAMED = {"UUID": "by-uuid", "LABEL": "by-label", "PARTUUID": "by-partuuid", "PARTLABEL": "by-partlabel"}


class Mount(Resource):
    path: str
    source: str
    fstype: str
    options: str
    absent: bool

    def identity(self) -> str:
        return self.path

    def touches(self) -> "tuple[str, ...]":
        return (FSTAB,)

    def _entry(self) -> str:
        return " ".join((self.source, self.path, self.fstype, self.options))

    def _live(self) -> bool:
        return not self.absent and "noauto" not in self.options.split(",")

    def desired(self) -> "State":
        """fstab (the first four fields, or None), mounted ("SOURCE TYPE") and flags, unless noauto."""
        state = {"fstab": None if self.absent else self._entry()}
        if self._live():
            state.update(mounted="{} {}".format(self.source, self.fstype), flags=flags(self.options))
        return state

    def actual(self, system: "System") -> "State | None":
        """As `desired`."""
        lines = [words for words in map(fields_of, _lines(system)) if words is not None and self._ours(words)]
        state = {"fstab": "\n".join(" ".join(words[:4]) for words in lines) or None}
        found = mounted(system, self.path) if self._live() else None
        if found is not None:
            state.update(mounted=self._mounted(system, *found[:2]), flags=flags(found[2]))
        return state

    def _mounted(self, system: "System", source: str, fstype: str) -> str:
        """What is mounted, in the words of `desired` where it is the same."""
        if {"bind", "rbind"} & set(self.options.split(",")):  # the kernel shows the file system that it is part of
            same, fstype = _same_place(system, self.source, self.path), self.fstype
        else:
            same = same_source(system, source, self.source)
        return "{} {}".format(self.source if same else source, self._type(fstype))

    def _ours(self, words: "list[str]") -> bool:
        return words[1] == self.path and (not self.absent or words[0] == self.source)

    def _type(self, found: str) -> str:
        """`nfs` is mounted as nfs4, and `auto` as what it is."""
        return self.fstype if self.fstype in ("auto", "nfs") and found != "autofs" else found

    def impact(self, system: "System", diff: "Diff") -> "Impact | None":
        """systemd makes its mount units from fstab, so it reads its configuration anew."""
        return impact.impact(impact.NONE, [FSTAB], systemd=True) if "fstab" in diff else None

    def apply(self, system: "System", diff: "Diff") -> None:
        """Mount or remount it, write its line into fstab."""
        if "mounted" in diff:
            self._mount(system, diff["mounted"][0])
        elif "flags" in diff:
            options = ",".join(["remount", _explicit(self.options)])
            system.run(["mount", "-t", self.fstype, "-o", options, self.source, self.path], timeout=60)
        if "fstab" in diff:
            self._write(system)
            if system.stat(BOOTED) is not None:
                system.run(["systemctl", "daemon-reload"], timeout=90)

    def _mount(self, system: "System", found: "str | None") -> None:
        if found is not None:
            cause = "on {} another file system is mounted: {}".format(self.path, found)
            raise Failed(cause, "unmount it, then run again")
        status = system.stat(self.path)
        if status is None:
            system.make_directory(self.path)
        elif not stat.S_ISDIR(status.st_mode):
            raise Failed("{} is no directory to mount on".format(self.path), "move it away")
        elif system.names(self.path):
            raise Failed("{} is not empty, and a mount would hide that".format(self.path), "move away what is in it")
        system.run(["mount", "-t", self.fstype, "-o", self.options, self.source, self.path], timeout=60)

    def _write(self, system: "System") -> None:
        """fstab with our line in the place of the first for this mount point, or at its end."""
        kept, placed = [], self.absent
        for line in _lines(system):
            words = fields_of(line)
            if words is None or not self._ours(words):
                kept.append(line)
            elif not placed:
                kept.append(" ".join([self._entry()] + (words[4:6] or ["0", "0"])))
                placed = True
        if not placed:
            kept.append(self._entry() + " 0 0")
        text = "".join(line + "\n" for line in kept)
        status = system.stat(system.place(FSTAB))
        rights = (0o644, 0, 0) if status is None else (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
        system.write(FSTAB, text.encode("utf-8", "surrogateescape"), *rights)

    def when_dropped(self) -> "Undo | None":
        if self.absent:
            return None
        return "mount", dict({name: getattr(self, name) for name in self.fields}, absent=True)


def _lines(system: "System") -> "list[str]":
    text = system.text(system.place(FSTAB)) or ""
    return text[: -1 if text.endswith("\n") else None].split("\n") if text else []


def fields_of(line: str) -> "list[str] | None":
    """The fields of a line of fstab or /proc/mounts, unescaped; None where it is none."""
    words = [re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), word) for word in line.split()]
    return None if len(words) < 3 or words[0].startswith("#") else words + (["defaults"] if len(words) == 3 else [])


def mounted(system: "System", path: str) -> "tuple[str, str, str] | None":
    """(source, type, options) of what is seen at a mount point: the last that was mounted there; None for nothing."""
    lines = (system.text("/proc/self/mounts") or "").splitlines()
    found = [words for words in map(fields_of, lines) if words is not None and words[1] == path]
    return (found[-1][0], found[-1][2], found[-1][3]) if found else None


def flags(options: str) -> str:
    """Those of FLAGS that these options mean, in one word."""
    found = set()
    for option in options.split(","):
        found |= set(IMPLIED.get(option, ())) | ({option} & set(FLAGS))
        found -= {flag for flag, off in FLAGS.items() if off == option}
    return ",".join(sorted(found))


def _explicit(options: str) -> str:
    """The options with each flag that they do not mean switched off."""
    meant = flags(options).split(",")
    return ",".join([options] + [off for flag, off in sorted(FLAGS.items()) if flag not in meant])


def same_source(system: "System", found: str, asked: str) -> bool:
    """Do these two name the same device?"""
    return found == asked or _device(system, found) == _device(system, asked)


def _same_place(system: "System", one: str, other: str) -> bool:
    left, right = system.stat(one), system.stat(other)
    return left is not None and right is not None and (left.st_dev, left.st_ino) == (right.st_dev, right.st_ino)


def _device(system: "System", source: str) -> str:
    """A device without links and tags; anything else as it is."""
    tag, equals, value = source.partition("=")
    path = "/dev/disk/{}/{}".format(NAMED[tag], value.strip('"')) if equals and tag in NAMED else source
    target = system.link(path) if path.startswith("/dev/") else None
    return path if target is None else os.path.normpath(os.path.join(os.path.dirname(path), target))
