"""Files from repositories, fetched by apt's own methods: the proxies, logins and authorities of this machine's apt.

The law: what is there with the right digest is not fetched again; what is half there goes on where it ended, as far as
apt and the server can; nothing counts as fetched whose digest is not the asked one.
"""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from provision.bundle import files
from provision.errors import Refused

HELPER = "/usr/lib/apt/apt-helper"
OPTIONS = (
    *("-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2", "-o", "Acquire::Retries::Delay=false"),
    *("-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20"),
)
PARTS = ".parts"
"""Folder in the bundle for what is half fetched."""
BATCH = 16
"""Files of one call, which apt fetches several at a time where they are of several servers."""
LIMIT = 1800
"""Seconds for one call."""


@dataclass(frozen=True)
class Wanted:
    """One file to fetch."""

    uri: str
    path: Path
    sha256: str | None = None
    """None: not known yet; whoever asks has it verified."""
    size: int = 0
    """Bytes; 0: not known."""


Told = Callable[[str], None]
"""Takes a line for the person who waits."""


class Fetcher:
    """Fetches, and counts what came over the network."""

    def __init__(self, folder: Path, say: Told) -> None:
        self._parts = folder / PARTS
        self._say = say
        self.fetched = 0
        """Files."""
        self.bytes = 0

    def all(self, wanted: Sequence[Wanted]) -> None:
        """Have all of them in place. Raises Refused with the first that cannot be had."""
        missing = [item for item in wanted if not _there(item)]
        total, done = sum(item.size for item in missing), 0
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            self._batch(batch)
            done += sum(item.path.stat().st_size for item in batch)
            if total:
                count = f"{start + len(batch)} of {len(missing)} files"
                self._say(f"fetched {count}, {done / 1e6:.1f} of {total / 1e6:.1f} MB")

    def one(self, uri: str, path: Path) -> None:
        """Fetch a file of unknown digest anew, whatever is there. Raises Refused."""
        self._batch([Wanted(uri, path)])

    def _batch(self, batch: Sequence[Wanted]) -> None:
        self._parts.mkdir(parents=True, exist_ok=True)
        parts = [self._part(item) for item in batch]
        words = [word for item, part in zip(batch, parts, strict=True) for word in _words(item, part)]
        said = run([HELPER, *OPTIONS, "-q", "download-file", *words])
        for item, part in zip(batch, parts, strict=True):
            if not part.is_file() or (item.sha256 is not None and files.sha256(part) != item.sha256):
                part.unlink(missing_ok=True)
                raise Refused(f"{item.uri} cannot be fetched: {explained(said)}", "see the line above, then run again")
            self.fetched += 1
            self.bytes += part.stat().st_size
            item.path.parent.mkdir(parents=True, exist_ok=True)
            part.replace(item.path)

    def _part(self, item: Wanted) -> Path:
        if item.sha256 is not None:
            return self._parts / item.sha256
        part = self._parts / item.path.name
        part.unlink(missing_ok=True)  # nobody could tell whether it is of today
        return part


def _words(item: Wanted, part: Path) -> Iterator[str]:
    yield item.uri
    yield str(part)
    yield f"SHA256:{item.sha256}" if item.sha256 else ""


def _there(item: Wanted) -> bool:
    return item.path.is_file() and (item.sha256 is None or files.sha256(item.path) == item.sha256)


def run(argv: Sequence[str], environment: dict[str, str] | None = None) -> str:
    """What a program of apt's says, whatever its status. Raises Refused where there is none, or it does not end."""
    try:
        done = subprocess.run(
            argv,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C", **(environment or {})},
        )
    except FileNotFoundError:
        fix = "run this on a Debian or Ubuntu machine that has a network"
        raise Refused(f"there is no {argv[0]} here, and apt itself resolves what hosts would install", fix) from None
    except subprocess.TimeoutExpired:
        raise Refused(f"{argv[0]} did not end within {LIMIT} s", "look at the network, then run again") from None
    return done.stdout + done.stderr + (f"\nE: status {done.returncode}" if done.returncode else "")


_TELLING = re.compile(r"(E|Err|W):|.*(40[1347]|50\d|resolv|connect|match|Mismatch)")
_EMPTY = re.compile(r"E: (status|Download Failed|Some index)|W: .*(unsandboxed|Unable to read)")


def explained(said: str) -> str:
    """apt's own words on why something failed, in a line."""
    lines = [line.strip() for line in said.splitlines()]
    told = [line for line in lines if _TELLING.match(line) and not _EMPTY.match(line)]
    return "; ".join(dict.fromkeys(told))[:400] or (lines[-1] if lines else "no output")
