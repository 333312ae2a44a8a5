"""A file from a URL, by its sha256.

The law: nothing stands at the path whose digest is not the asked one. The download goes to a sibling that is renamed
once its digest is right; it ends within its time limit, however slowly the server answers.
"""

import hashlib
import http.client
import stat
import time
import urllib.error
import urllib.request

from ..engine.resource import Resource
from ..host.errors import Failed, TimedOut
from .file import described_file, owner_ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

    from ..host.system import System
    from ..types import Diff, State, Undo

PIECE = 256 * 1024


class Download(Resource):
    path: str
    url: str
    sha256: str
    mode: str
    owner: str
    group: str
    timeout: int
    absent: bool

    def identity(self) -> str:
        return self.path

    def desired(self) -> "State":
        """type (file, or None), sha256, mode, owner, group."""
        if self.absent:
            return {"type": None, "sha256": None}
        return {"type": "file", "sha256": self.sha256, "mode": self.mode, "owner": self.owner, "group": self.group}

    def actual(self, system: "System") -> "State | None":
        """As `desired`; None: nothing, or another file where it is to be absent."""
        if self.absent:
            status = system.stat(self.path)
            is_file = status is not None and stat.S_ISREG(status.st_mode)
            # Anything else is somebody else's.
            return {"type": "file"} if is_file and system.sha256(self.path) == self.sha256 else None
        state = described_file(system, self.path)
        if state is not None:
            state["sha256"] = system.sha256(system.place(self.path))
        return state

    def apply(self, system: "System", diff: "Diff") -> None:
        """Fetch it and check its sum; or owner and mode."""
        if self.absent:
            return system.remove(self.path)
        uid, gid = owner_ids(system, self)
        if "type" in diff or "sha256" in diff:
            system.progress("fetching {}".format(self.url))
            system.receive(system.place(self.path), self._fetch, int(self.mode, 8), uid, gid)
            return None
        if "owner" in diff or "group" in diff:
            system.set_owner(self.path, uid, gid)
        system.set_mode(self.path, int(self.mode, 8))  # last: a new owner clears the set-uid bits
        return None

    def _fetch(self, file: "IO[bytes]") -> None:
        """Write what the server sends to `file`; raises where it is not what was asked for."""
        end = time.monotonic() + self.timeout
        digest, size = hashlib.sha256(), 0
        try:
            with urllib.request.urlopen(self.url, timeout=min(60, self.timeout)) as answer:
                for piece in iter(lambda: answer.read1(PIECE), b""):
                    self._in_time(end)
                    digest.update(piece)
                    size += len(piece)
                    file.write(piece)
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, ValueError) as error:
            raise self._not_fetched(error) from None
        except OSError as error:
            if error.errno is not None:  # the disk's
                raise
            raise self._not_fetched(error) from None  # a socket's time limit has no number
        if digest.hexdigest() != self.sha256:
            cause = "{} has the sha256 {} ({} bytes) and not {}".format(self.url, digest.hexdigest(), size, self.sha256)
            raise Failed(cause, "it is another file than the one you meant: correct the sum, or the address")

    def _in_time(self, end: float) -> None:
        if time.monotonic() > end:
            cause = "{} was not fetched within {} s".format(self.url, self.timeout)
            raise TimedOut(cause, "look at the line to that server, or raise the timeout")

    def _not_fetched(self, error: Exception) -> Failed:
        fix = "look at the address, the proxy and the route from this host"
        return Failed("{} cannot be fetched: {}".format(self.url, error), fix)

    def when_dropped(self) -> "Undo | None":
        if self.absent:
            return None
        return "download", dict({name: getattr(self, name) for name in self.fields}, absent=True)
