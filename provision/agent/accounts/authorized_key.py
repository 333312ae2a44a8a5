"""A public key in a user's ~/.ssh/authorized_keys.

The law: the file is the user's: other lines stay byte by byte, and no link in the user's directories is followed. sshd
takes no key from a file or directory that others may write to (StrictModes), so that is put right with it.
"""

import os
import re
import stat

from ..engine.resource import Resource
from ..host.errors import Failed
from .users import account

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pwd

    from ..host.system import System
    from ..types import Diff, State, Undo

TYPE = re.compile(r"(?:sk-)?(?:ssh|ecdsa)-[A-Za-z0-9@.-]+$")
WORD = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^\s"])+')
"""One word of a line; blanks within quotes are part of it."""


class AuthorizedKey(Resource):
    user: str
    key: str
    absent: bool

    def identity(self) -> str:
        return "{} of {}".format(self._parsed()[1][-16:], self.user)

    def _parsed(self) -> "tuple[str, str]":
        return parsed(self.key) or ("", self.key)  # the controller has seen that it is one

    def desired(self) -> "State":
        """options: [those of its line], or None: absent; others_may_write: false."""
        if self.absent:
            return {"options": None}
        return {"options": [self._parsed()[0]], "others_may_write": False}

    def actual(self, system: "System") -> "State | None":
        """The options of each line that has this key; None where there is none."""
        entry = account(self.user)
        if entry is None:
            return None  # a run that checks may make the account as well
        path = _path(entry)
        found = system.read_unlinked(path)
        if found is None:
            return None
        lines = [parsed(line) for line in _lines(found[0])]
        options = [words[0] for words in lines if words is not None and words[1] == self._parsed()[1]]
        open_ones = [place for place in (os.path.dirname(path), path) if _others_may_write(system, place, entry)]
        return {"options": options or None, "others_may_write": bool(open_ones)}

    def apply(self, system: "System", diff: "Diff") -> None:
        """Put its line into authorized_keys, and keep others from writing there."""
        entry = account(self.user)
        if entry is None:
            raise Failed(
                "there is no account {} on this host".format(self.user), "create it first, or correct the name"
            )
        path = _path(entry)
        if not self.absent:
            _make_private(system, os.path.dirname(path), entry)
        found = system.read_unlinked(path)
        data, mode = (b"", 0o600) if found is None else (found[0], stat.S_IMODE(found[1].st_mode) & ~0o022)
        if "options" in diff:
            data = self._changed(data)
        system.write(path, data, mode, entry.pw_uid, entry.pw_gid)

    def _changed(self, data: bytes) -> bytes:
        """The file with our line in the place of the first that has the key, or at its end."""
        kept, placed = [], self.absent
        for line in _lines(data):
            words = parsed(line)
            if words is None or words[1] != self._parsed()[1]:
                kept.append(line)
            elif not placed:
                kept.append(self.key)
                placed = True
        if not placed:
            kept.append(self.key)
        return "".join(line + "\n" for line in kept).encode("utf-8", "surrogateescape")

    def when_dropped(self) -> "Undo | None":
        return None if self.absent else ("authorized_key", {"user": self.user, "key": self.key, "absent": True})


def parsed(line: str) -> "tuple[str, str] | None":
    """(options, type and key) of a line of authorized_keys; None where it is none: a comment, an empty line."""
    words = WORD.findall(line.strip())
    if not words or words[0].startswith("#"):
        return None
    at = 0 if TYPE.match(words[0]) else 1
    if len(words) < at + 2 or not TYPE.match(words[at]):
        return None
    return ("" if at == 0 else words[0]), "{} {}".format(words[at], words[at + 1])


def _lines(data: bytes) -> "list[str]":
    text = data.decode("utf-8", "surrogateescape")
    return text[: -1 if text.endswith("\n") else None].split("\n") if text else []


def _path(entry: "pwd.struct_passwd") -> str:
    return os.path.join(entry.pw_dir, ".ssh", "authorized_keys")


def _others_may_write(system: "System", path: str, entry: "pwd.struct_passwd") -> bool:
    status = system.stat(path)
    return status is not None and (status.st_uid not in (0, entry.pw_uid) or bool(status.st_mode & 0o022))


def _make_private(system: "System", directory: str, entry: "pwd.struct_passwd") -> None:
    if system.stat(entry.pw_dir) is None:
        raise Failed("{}, the home of a user, is not there".format(entry.pw_dir), "create it, then run again")
    status = system.stat(directory)
    if status is None:
        system.make_directory(directory, 0o700, entry.pw_uid, entry.pw_gid)
    elif _others_may_write(system, directory, entry):
        system.set_owner(directory, entry.pw_uid, entry.pw_gid)
        system.set_mode(directory, stat.S_IMODE(status.st_mode) & ~0o022)
