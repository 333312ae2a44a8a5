"""What a host gets of a bundle: asked for piece by piece over the wire, and kept in a cache under its sha256.

The law: a file stands under its digest only when it has it. What has come of one before a cut is kept, and the rest is
asked for. The cache has a size limit, and the disk keeps room. This file travels only where there is a bundle.
"""

import errno
import hashlib
import os
import time
from collections import deque

from .errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Iterator

    from .system import System

FOLDER = "cache"
LIMIT = 4 << 30
"""Bytes that the cache may have."""
SPARE = 128 << 20
"""Bytes that stay free on its disk."""
PIECE = 1 << 20
AHEAD = 8
"""Pieces asked for and not there yet: what a line of 100 ms takes in at 80 MB/s, and all that waits in our memory."""
TOLD_EVERY = 1.0
"""Seconds."""
VERIFY = "`provision bundle verify DIR` tells what else is; make the bundle again"


class Piece:
    """One file: its digest, its bytes, and its name for people."""

    def __init__(self, sha256: str, size: int, name: str) -> None:
        self.sha256 = sha256
        self.size = size
        self.name = name


class _Part:
    """A file that is on its way."""

    def __init__(self, system: "System", folder: str, wanted: Piece) -> None:
        self.wanted = wanted
        self._system = system
        self._place = os.path.join(folder, wanted.sha256)
        self._path = self._place + ".part"
        self._digest = hashlib.sha256()
        status = system.stat(self._path)
        if status is not None and status.st_size > wanted.size:
            system.remove(self._path)
            status = None
        self.kept = status.st_size if status is not None else 0
        if self.kept:
            self._digest.update(system.read(self._path, wanted.size) or b"")

    def take(self, data: bytes) -> None:
        try:
            self._system.append(self._path, data)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                self._system.remove(self._path)  # or the next run would find the disk full still
            raise OSError(error.errno, os.strerror(error.errno or 0), os.path.dirname(self._path)) from None
        self._digest.update(data)

    def end(self) -> bool:
        """Is it in place? False: what was kept of it was of another file, and it is to be asked for from its start."""
        if self._digest.hexdigest() == self.wanted.sha256:
            self._system.rename(self._path, self._place)
            return True
        self._system.remove(self._path)
        if self.kept:
            return False
        cause = "{} of the bundle was changed: its sha256 is {} and not {}".format(
            self.wanted.name, self._digest.hexdigest(), self.wanted.sha256
        )
        raise Failed(cause, VERIFY)


class Parcels:
    """A bundle, as a host sees it. `told`: what the plan says of it; `ended`: what the wire raises at its end."""

    def __init__(self, link: "Any", told: "dict[str, Any]", ended: "type[Exception]") -> None:
        self._link = link
        self._ended = ended
        self.problem: "str | None" = told["problem"]  # why there is nothing in it for this host
        self.images: bool = told["images"]  # are images taken from it, too?
        self.proof: "Any" = None  # that its packages are their vendors': bundled.py's, while something is installed
        self._listing: "dict[str, Any] | None" = None
        self._sound: "set[str]" = set()
        self._cut = False

    @property
    def listing(self) -> "dict[str, Any]":
        """What there is for hosts like this one, asked for once: provision/bundle/shelf.py says what is in it."""
        if self.problem is not None:
            raise Failed(self.problem, "make a bundle for it, too: provision bundle --for OS:RELEASE/ARCH")
        if self._listing is None:
            self._link.send({"type": "listing"})
            self._listing = self._next()
        return self._listing

    def receive(self, system: "System", wanted: "Iterable[Piece]", watch: "Callable[[], None]" = lambda: None) -> None:
        """Have all of these in the cache. Raises Failed with the name of what is missing or was changed; `watch` is
        called at each piece, and may raise Failed, too."""
        files = list({item.sha256: item for item in wanted}.values())
        folder = self._folder(system)
        missing = [item for item in files if not self._there(system, folder, item)]
        if missing:
            _make_room(system, folder, missing, {item.sha256 for item in files})
        while missing:
            missing = self._bring(system, folder, missing, watch)

    def path(self, system: "System", sha256: str) -> str:
        """Where a file of the cache is."""
        return os.path.join(system.state, FOLDER, sha256)

    def forget(self, system: "System", digests: "Iterable[str]") -> None:
        """These are needed no more: Docker has them now."""
        for digest in digests:
            system.remove(self.path(system, digest))

    def _folder(self, system: "System") -> str:
        folder = os.path.join(system.state_file.directory(), FOLDER)
        if system.stat(folder) is None:
            system.make_directory(folder, 0o700, os.geteuid(), os.getegid())
        return folder

    def _there(self, system: "System", folder: str, item: Piece) -> bool:
        """Is it in the cache, and sound? What lay there since another run is read anew."""
        path = os.path.join(folder, item.sha256)
        if item.sha256 not in self._sound and system.stat(path) is not None:
            if system.sha256(path) == item.sha256:
                self._sound.add(item.sha256)
            else:
                system.remove(path)
        return item.sha256 in self._sound

    def _bring(
        self, system: "System", folder: str, missing: "list[Piece]", watch: "Callable[[], None]"
    ) -> "list[Piece]":
        """Ask for these, a few pieces ahead; those that have to be asked for from their start once more."""
        again, told, done = [], 0.0, 0
        total = sum(item.size for item in missing)
        pieces = self._pieces(system, folder, missing)
        waiting: "deque[tuple[_Part, int, bool]]" = deque()
        self._ask(pieces, waiting)
        while waiting:
            part, length, last = waiting.popleft()
            try:
                data = self._piece(part, length)
                part.take(data)
                if last and not part.end():
                    again.append(part.wanted)
                watch()
            except (Failed, OSError):
                for _ in waiting if not self._cut else ():  # they are on their way: the wire is not ours alone
                    self._next()
                raise
            if last and part.wanted not in again:
                self._sound.add(part.wanted.sha256)
            done += length
            self._ask(pieces, waiting)
            if time.monotonic() - told > TOLD_EVERY:
                told = time.monotonic()
                system.progress("receiving {}: {} of {} MB".format(part.wanted.name, done >> 20, total >> 20))
        return again

    def _pieces(
        self, system: "System", folder: str, missing: "list[Piece]"
    ) -> "Iterator[tuple[_Part, int, int, bool]]":
        """(part, offset, length, is it the last) of all that is to come."""
        for wanted in missing:
            part = _Part(system, folder, wanted)
            offset = part.kept
            while True:
                length = min(PIECE, wanted.size - offset)
                yield part, offset, length, offset + length >= wanted.size
                offset += length
                if offset >= wanted.size:
                    break

    def _ask(self, pieces: "Iterator[tuple[_Part, int, int, bool]]", waiting: "deque[tuple[_Part, int, bool]]") -> None:
        asked = []
        while len(waiting) < AHEAD:
            piece = next(pieces, None)
            if piece is None:
                break
            part, offset, length, last = piece
            waiting.append((part, length, last))
            asked.append([part.wanted.sha256, offset, length])
        if asked:
            self._link.send({"type": "fetch", "pieces": asked})

    def _piece(self, part: _Part, length: int) -> bytes:
        message = self._next()
        data = message.get("data")
        if message["type"] != "piece" or not isinstance(data, bytes) or len(data) != length:
            cause = "{} cannot be had from the bundle: {}".format(part.wanted.name, message.get("cause", "too short"))
            raise Failed(cause, VERIFY)
        return data

    def _next(self) -> "dict[str, Any]":
        if not self._cut:
            try:
                message: "dict[str, Any]" = self._link.next()
                return message
            except self._ended:
                self._cut = True  # the wire says so once: whoever asked again would wait for ever
        raise Failed("the transfer was cut", "run again: what has come is kept")


def _make_room(system: "System", folder: str, missing: "list[Piece]", wanted: "set[str]") -> None:
    """Drop what was used longest ago, as far as the limit wants it. Raises Failed where the disk has no room."""
    coming = sum(item.size for item in missing)
    kept = [(status.st_mtime, status.st_size, name) for name, status in _files(system, folder)]
    total = sum(size for _, size, _ in kept)
    for _, size, name in sorted(kept):
        if total + coming > LIMIT and name.partition(".")[0] not in wanted:
            system.remove(os.path.join(folder, name))
            total -= size
    coming -= sum(size for _, size, name in kept if name.endswith(".part") and name.partition(".")[0] in wanted)
    free = system.free(folder)
    if free < coming + SPARE:
        cause = "{} MB are to come from the bundle, and {} has {} MB free".format(coming >> 20, folder, free >> 20)
        raise Failed(cause, "free {} MB there, then run again".format((coming + SPARE - free) >> 20))


def _files(system: "System", folder: str) -> "Iterator[tuple[str, os.stat_result]]":
    for name in system.names(folder):
        status = system.stat(os.path.join(folder, name))
        if status is not None:
            yield name, status
