"""The programs that fetch for a bundle, apt-helper and skopeo: run here, or on a host that has the network.

The law: a program runs in a folder of its own, and what it makes there is had here afterwards under the same names,
each file whole or not at all. Nothing stays on the host. Whether a file is the asked one, its digest says.
"""

import os
import secrets
import shlex
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from provision import as_root
from provision.errors import Refused
from provision.target import Target
from provision.transport import Connection

LIMIT = 3600
"""Seconds for one call."""
MISSING = 127
"""The status where there is no such program, as a shell has it."""
OUT, ERR, STATUS = "out", "err", "status"
SCRIPT = """\
umask 077
d=$(mktemp -d /var/tmp/provision.XXXXXX) && cd "$d" || {{ echo {mark}; exit 1; }}
trap 'rm -rf "$d"' EXIT
trap 'exit 1' HUP INT PIPE TERM
mkdir -p {folders}
LC_ALL=C {program} >{out} 2>{err} </dev/null
echo $? >{status}
set -- {out} {err} {status}
for name in {names}; do [ -f "$name" ] && set -- "$@" "$name"; done
echo {mark}
tar -cf - "$@" 2>/dev/null
"""


@dataclass(frozen=True)
class ProgramResult:
    """How a program ended."""

    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """All that it said, for people."""
        end = f"\nE: status {self.status}" if self.status else ""
        return self.out.decode("utf-8", "replace") + self.err + end


class ProgramRunner(Protocol):
    """Where programs run."""

    place: str
    """For people: `here`, or `on HOST`."""

    def run(self, argv: Sequence[str], folder: Path, names: Sequence[str] = ()) -> ProgramResult:
        """Run a program; afterwards `folder` has those of the files `names` (paths below it) that it made. Raises
        Refused where it does not end, and HostError where the host is lost."""


class Here:
    """On this machine, in the folder itself: what is half there is gone on with."""

    place = "here"

    def run(self, argv: Sequence[str], folder: Path, names: Sequence[str] = ()) -> ProgramResult:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            done = subprocess.run(
                argv,
                check=False,
                capture_output=True,
                timeout=LIMIT,
                stdin=subprocess.DEVNULL,
                cwd=folder,
                env={**os.environ, "LC_ALL": "C"},
            )
        except FileNotFoundError:
            return ProgramResult(MISSING, b"", f"there is no {argv[0]} here")
        except subprocess.TimeoutExpired:
            raise Refused(f"{argv[0]} did not end within {LIMIT} s", "look at the network, then run again") from None
        return ProgramResult(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))


class OnHost:
    """On a host, as root: its own proxies, logins and authorities count."""

    def __init__(self, connection: Connection, target: Target) -> None:
        self._connection = connection
        self._target = target
        self.place = f"on {target.name}"

    def run(self, argv: Sequence[str], folder: Path, names: Sequence[str] = ()) -> ProgramResult:
        mark = f"provision-{secrets.token_hex(8)}"
        script = SCRIPT.format(
            mark=mark,
            folders=shlex.join(dict.fromkeys(str(Path(name).parent) for name in (OUT, *names))),
            program=shlex.join(argv),
            names=shlex.join(names) or '""',
            out=OUT,
            err=ERR,
            status=STATUS,
        )
        came = as_root.run(self._connection, self._target, script.encode(), LIMIT)
        said = dict[str, bytes]()
        try:
            stream: Any = _Stream(came, f"{mark}\n".encode())
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                for entry in tar:
                    if entry.name in (OUT, ERR, STATUS):
                        file = tar.extractfile(entry)
                        said[entry.name] = file.read() if file is not None else b""
                    elif entry.name in names and entry.isfile():
                        _place(tar, entry, folder / entry.name)
        except tarfile.TarError as error:
            raise Refused(f"{self._target.name}: what it fetched did not come: {error}", "run again") from None
        finally:
            came.close()
        if not said.get(STATUS, b"").strip().isdigit():
            raise Refused(f"{self._target.name}: what it fetched did not come: a full /var/tmp, or a cut", "run again")
        return ProgramResult(int(said[STATUS]), said.get(OUT, b""), said.get(ERR, b"").decode("utf-8", "replace"))


def _place(tar: tarfile.TarFile, entry: tarfile.TarInfo, path: Path) -> None:
    source = tar.extractfile(entry)
    assert source is not None, "a regular file"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        while data := source.read(1 << 20):
            file.write(data)
    part.replace(path)


class _Stream:
    """What comes after a mark, as a file to read from."""

    def __init__(self, came: Iterator[bytes], mark: bytes) -> None:
        self._came = came
        self._mark = mark
        self._kept = b""
        self._begun = False

    def read(self, size: int) -> bytes:
        while len(self._kept) < size or not self._begun:
            data = next(self._came, b"")
            if not data:
                break
            self._kept += data
            if not self._begun and self._mark in self._kept:
                self._begun, self._kept = True, self._kept.partition(self._mark)[2]
        if not self._begun:
            last = self._kept.decode("utf-8", "replace").strip().splitlines() or ["no output"]
            raise Refused(f"a script did not run there: {last[-1][-300:]}", "try a login by hand")
        found, self._kept = self._kept[:size], self._kept[size:]
        return found
