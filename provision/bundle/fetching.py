"""Files from repositories, fetched by apt's own methods: the proxies, logins and authorities of this machine's apt.

The law: what is there with the right digest is not fetched again; what is half there goes on where it ended, as far as
apt and the server can; nothing counts as fetched whose digest is not the asked one.
"""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from provision.bundle import files
from provision.bundle.programs import MISSING, Here, ProgramRunner
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
class ToFetch:
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
        self.programs: ProgramRunner = Here()
        self._parts = folder / PARTS
        self._say = say
        self.fetched = 0
        """Files."""
        self.bytes = 0

    def all(self, wanted: Sequence[ToFetch]) -> None:
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
        self._batch([ToFetch(uri, path)])

    def _batch(self, batch: Sequence[ToFetch]) -> None:
        parts = {self._part(item): item for item in batch}
        missing = {part: item for part, item in parts.items() if not _there(replace(item, path=self._parts / part))}
        said = ""
        if missing:
            words = [word for part, item in missing.items() for word in _words(item, part)]
            ran = self.programs.run([HELPER, *OPTIONS, "-q", "download-file", *words], self._parts, list(missing))
            if ran.status == MISSING:
                fix = "run this on a Debian or Ubuntu machine that has a network, or with --via HOST"
                raise Refused(f"there is no {HELPER} {self.programs.place}, which fetches packages", fix)
            said = ran.text
            refuse_full(said, self._parts)
        for name, item in parts.items():
            part = self._parts / name
            if not part.is_file() or (item.sha256 is not None and files.sha256(part) != item.sha256):
                part.unlink(missing_ok=True)
                raise Refused(f"{item.uri} cannot be fetched: {explained(said)}", "see the line above, then run again")
            self.fetched += 1
            self.bytes += part.stat().st_size
            item.path.parent.mkdir(parents=True, exist_ok=True)
            part.replace(item.path)

    def _part(self, item: ToFetch) -> str:
        """What it is called among the parts."""
        if item.sha256 is not None:
            return item.sha256
        (self._parts / item.path.name).unlink(missing_ok=True)  # nobody could tell whether it is of today
        return item.path.name


def _words(item: ToFetch, part: str) -> Iterator[str]:
    yield item.uri
    yield part
    yield f"SHA256:{item.sha256}" if item.sha256 else ""


def _there(item: ToFetch) -> bool:
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


def refuse_full(said: str, folder: Path) -> None:
    """Raise Refused where a program of apt's had no room here."""
    if "No space left on device" in said:
        raise Refused(f"there is no space left for {folder}", "free some, then run again: what was fetched is kept")


_TELLING = re.compile(r"(E|Err|W):|.*(40[1347]|50\d|resolv|connect|match|Mismatch)")
_EMPTY = re.compile(r"E: (status|Download Failed|Some index)|W: .*(unsandboxed|Unable to read)")


def explained(said: str) -> str:
    """apt's own words on why something failed, in a line."""
    lines = [line.strip() for line in said.splitlines()]
    told = [line for line in lines if _TELLING.match(line) and not _EMPTY.match(line)]
    return "; ".join(dict.fromkeys(told))[:400] or (lines[-1] if lines else "no output")
