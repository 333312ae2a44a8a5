"""One line of a file that others write to as well.

The law: all other lines stay byte by byte, and so do mode and owner. No link is followed: who means the file that a
link points to names that file. The file must exist: a file with nothing but our line is rarely what was meant.
"""

import re
import stat

from ..engine.resource import Resource
from ..host.errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from ..types import Diff, State, Undo

LIMIT = 16 * 1024 * 1024


class LineInFile(Resource):
    path: str
    line: str
    match: "str | None"
    absent: bool

    def identity(self) -> str:
        return "{} in {}".format(self.line, self.path)

    def touches(self) -> "tuple[str, ...]":
        return (self.path,)

    def desired(self) -> "State":
        """lines: [the line], or [] where it has to go."""
        return {"lines": [] if self.absent else [self.line]}

    def actual(self, system: "System") -> "State | None":
        """lines: those of the file that are ours, by `match`."""
        text = self._text(system)
        return {"lines": [] if text is None else [line for line in map(_bare, _lines(text)) if self._ours(line)]}

    def _text(self, system: "System") -> "str | None":
        if self.path in system.foreseen:
            data = system.foreseen[self.path]
        else:
            data = (system.read_unlinked(self.path, LIMIT) or (None,))[0]
        return None if data is None else data.decode("utf-8", "surrogateescape")

    def _ours(self, line: str) -> bool:
        return line == self.line or self.match is not None and re.search(self.match, line) is not None

    def apply(self, system: "System", diff: "Diff") -> None:
        """Put it in the place of the first of them, or at the end; all other lines stay."""
        found = system.read_unlinked(self.path, LIMIT)
        if found is None:
            fix = "ask for that file, or for the package that brings it, before this"
            raise Failed("there is no {} to put a line into".format(self.path), fix)
        data, status = found
        text = self._changed(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        system.write(self.path, text, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)

    def foresee(self, system: "System") -> None:
        text = self._text(system)
        if text is not None:
            system.foreseen[self.path] = self._changed(text).encode("utf-8", "surrogateescape")

    def _changed(self, text: str) -> str:
        """The text as asked: our line in the place of the first that it replaces, or at the end."""
        lines, placed = [], self.absent
        for line in _lines(text):
            if not self._ours(_bare(line)):
                lines.append(line)
            elif not placed:
                lines.append(self.line + line[len(_bare(line)) :])
                placed = True
        if not placed:
            if lines and not lines[-1].endswith("\n"):
                lines[-1] += "\n"
            lines.append(self.line + "\n")
        return "".join(lines)

    def when_dropped(self) -> "Undo | None":
        if self.absent:
            return None
        return "line_in_file", {"path": self.path, "line": self.line, "match": None, "absent": True}


def _lines(text: str) -> "list[str]":
    """With their ends. str.splitlines would also split at form feeds and the like."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _bare(line: str) -> str:
    return line.rstrip("\r\n")
