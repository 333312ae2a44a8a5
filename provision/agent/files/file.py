"""Files and directories: content, owner, mode."""

import grp
import pwd
import stat

from ..engine.resource import Resource
from ..host.errors import Failed
from ..host.safe_files import ROOTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from typing import Any, Callable

    from ..host.system import System
    from ..types import Diff, State, Undo

TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}


def described(system: "System", path: str) -> "State | None":
    """Type, mode, owner and group of what is at `path`, or to where a link there leads; None where nothing is."""
    return _described(system.stat(system.place(path)))


def described_file(system: "System", path: str) -> "State | None":
    """The same of what is to be a regular file; Failed where something else stands there, or a link leads to that."""
    found = described(system, path)
    if found is not None and found["type"] != "file":
        what = "a directory" if found["type"] == "directory" else "a device, fifo or socket"
        if system.link(path) is not None:
            what = "a symbolic link that leads to " + what
        raise Failed("{} is {}, and is to be a file".format(path, what), "move it away")
    return found


def _described(status: "os.stat_result | None") -> "State | None":
    if status is None:
        return None
    return {
        "type": TYPES.get(stat.S_IFMT(status.st_mode), "special"),
        "mode": "{:04o}".format(stat.S_IMODE(status.st_mode)),
        "owner": _name(pwd.getpwuid, status.st_uid),
        "group": _name(grp.getgrgid, status.st_gid),
    }


def content_and_mode(system: "System", path: str, asked: "str | None") -> "State":
    """{"file": content, "mode"} of a regular file of root's.

    `asked`: its mode; a stricter one that was found counts as that. None: nothing is to be there, nor a link; then the
    type of what is stands for the content.
    """
    if asked is None:
        found = _described(system.stat(path))
        return {"file": found and found["type"], "mode": None}
    found = described_file(system, path) or {"mode": None}
    return {"file": system.text(path), "mode": asked if is_stricter(system, path, asked) else found["mode"]}


def is_stricter(system: "System", path: str, mode: str) -> bool:
    """Does a file of root's let fewer in than `mode` would?"""
    status = system.stat(system.place(path))
    return status is not None and lets_fewer_in(status, int(mode, 8), 0, 0)


def _name(look_up: "Callable[..., Any]", number: int) -> str:
    try:
        return str(look_up(number)[0])
    except KeyError:
        return str(number)


def owner_ids(system: "System", resource: "Any") -> "tuple[int, int]":
    """(uid, gid) of a resource's owner and group; Failed where there is no such account."""
    uid, gid = system.uid(resource.owner), system.gid(resource.group)
    if uid is None or gid is None:
        missing = "user {!r}".format(resource.owner) if uid is None else "group {!r}".format(resource.group)
        raise Failed(
            "{} is to belong to the {}, which does not exist here".format(resource.path, missing), "create it first"
        )
    return uid, gid


def lets_fewer_in(status: "os.stat_result", mode: int, uid: "int | None", gid: "int | None") -> bool:
    """Is a file as found stricter than asked? Then somebody has hardened the host, and that stays so."""
    found = stat.S_IMODE(status.st_mode)
    group = status.st_gid == gid or not (found >> 3) & 7 & ~mode  # its group may do no more than anybody may
    return status.st_uid == uid and found != mode and not found & ~mode and group


def rights(system: "System", path: str, mode: int, uid: int, gid: int) -> "tuple[int, int, int]":
    """(mode, uid, gid) for the next edition of a file that others write to as well: as asked, or stricter as found."""
    status = system.stat(system.place(path))
    if status is not None and lets_fewer_in(status, mode, uid, gid):
        return stat.S_IMODE(status.st_mode), uid, status.st_gid
    return mode, uid, gid


class File(Resource):
    path: str
    content: "str | None"
    mode: str
    owner: str
    group: str
    sensitive: bool
    validate_with: "list[str] | None"

    def identity(self) -> str:
        return self.path

    def touches(self) -> "tuple[str, ...]":
        return (self.path,)

    def desired(self) -> "State":
        """type (file, or None: absent), content (text), mode (0644), owner and group (names)."""
        if self.content is None:
            return {"type": None}
        return {"type": "file", "content": self.content, "mode": self.mode, "owner": self.owner, "group": self.group}

    def actual(self, system: "System") -> "State | None":
        """As `desired`; type may be any of TYPES, content is there for a file alone. None: nothing is there."""
        if self.content is None:
            return _described(system.stat(self.path))  # a link goes, and not what it leads to
        state = described_file(system, self.path)
        if state is not None:
            state["content"] = system.text(self.path)
            if self._stays_stricter(system):
                state.update(mode=self.mode, owner=self.owner, group=self.group)
        return state

    def _stays_stricter(self, system: "System") -> bool:
        """What only root's programs read may be as strict as somebody has made it."""
        roots = self.owner == self.group == "root" and self.path.startswith(ROOTS)
        return roots and is_stricter(system, self.path, self.mode)

    def apply(self, system: "System", diff: "Diff") -> None:
        """Write it whole for its content; else owner, then mode."""
        if self.content is None:
            if diff["type"][0] == "directory":
                raise Failed("{} is a directory, and is to be no file".format(self.path), "move it away")
            return system.remove(self.path)
        uid, gid = owner_ids(system, self)
        if "content" in diff or "type" in diff:
            data = self.content.encode("utf-8", "surrogateescape")
            mode = int(self.mode, 8)
            if self._stays_stricter(system):
                mode, uid, gid = rights(system, self.path, mode, uid, gid)
            system.write(self.path, data, mode, uid, gid, lambda staged: self._validate(system, staged))
            return None
        if "owner" in diff or "group" in diff:
            system.set_owner(self.path, uid, gid)
        # Changing the owner clears the set-uid bits, so the mode comes last and always.
        system.set_mode(self.path, int(self.mode, 8))
        return None

    def foresee(self, system: "System") -> None:
        data = None if self.content is None else self.content.encode("utf-8", "surrogateescape")
        system.foreseen[self.path] = data

    def prove(self, system: "System") -> None:
        if self.validate_with is not None and self.content is not None:
            data = self.content.encode("utf-8", "surrogateescape")
            system.try_out(self.path, data, int(self.mode, 8), lambda staged: self._validate(system, staged))

    def _validate(self, system: "System", staged: str) -> None:
        if self.validate_with is None:
            return
        result = system.query([staged if word == "{}" else word for word in self.validate_with])
        if not result.ok:
            cause = "{} would not be valid: {}".format(self.path, result.tail(1))
            raise Failed(cause, "nothing was changed; correct the setting", result.tail())

    def when_dropped(self) -> "Undo | None":
        if self.content is None:
            return None
        fields = {name: getattr(self, name) for name in self.fields}
        return "file", dict(fields, content=None, validate_with=None)


class Directory(Resource):
    path: str
    mode: str
    owner: str
    group: str

    def identity(self) -> str:
        return self.path

    def desired(self) -> "State":
        """type (directory), mode (0755), owner and group (names)."""
        return {"type": "directory", "mode": self.mode, "owner": self.owner, "group": self.group}

    def actual(self, system: "System") -> "State | None":
        """As `desired`. None: nothing is there."""
        return described(system, self.path)

    def apply(self, system: "System", diff: "Diff") -> None:
        """Make it, or set owner and mode; what is in it stays."""
        uid, gid = owner_ids(system, self)
        if "type" in diff:
            if diff["type"][0] is not None:
                raise Failed("{} is a {}, and is to be a directory".format(self.path, diff["type"][0]), "move it away")
            system.make_directory(self.path, int(self.mode, 8), uid, gid)
            return
        if "owner" in diff or "group" in diff:
            system.set_owner(self.path, uid, gid)
        system.set_mode(self.path, int(self.mode, 8))

    def when_removed(self, role: str) -> "Undo | None":
        return None if self.found is not None else ("directory_gone", {"path": self.path})


class DirectoryGone(Resource):
    """A directory that we made, and that goes with the role that asked for it, unless there is something in it."""

    path: str

    def identity(self) -> str:
        return self.path

    def desired(self) -> "State":
        return {"empty": False}

    def actual(self, system: "System") -> "State":
        status = system.stat(self.path)
        return {"empty": status is not None and stat.S_ISDIR(status.st_mode) and not system.names(self.path)}

    def apply(self, system: "System", diff: "Diff") -> None:
        system.remove(self.path)
