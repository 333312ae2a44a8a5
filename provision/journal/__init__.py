"""The journal: what each run did, in one file a run, under XDG_STATE_HOME/provision/runs (0700).

JSON lines and not SQLite: a run only ever appends, and one `write` a line is crash-safe without a log of its own (a
killed controller loses nothing, a power cut at most the last lines); runs of several terminals share no lock; and `jq`
and `tail -f` read it. What a database would add, questions over many runs, nobody asks. The law: only masked events
come here; a journal that cannot be written never ends a run, it says so at the end; a line that is torn or of another
version is passed over. While a run lasts it holds a lock on its file.
"""

import contextlib
import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from provision.errors import InputError, Problem
from provision.events import BAD, Event, HostFinished, HostStarted, Outcome, Progress, RunStarted, Summary, WaveFinished
from provision.journal import codec

SCHEMA = 1
KEPT = 200
"""Runs; the oldest go when there are more."""
BYTES = 512 * 1024 * 1024
"""Of all runs together; the oldest go when it is more. A run of 1,000 hosts takes 5 to 15 MiB."""
TAIL = 4096
"""Bytes; the last line, which says how the run ended, is shorter."""
SYNCED = (RunStarted, WaveFinished, Summary)
"""Events after which all is on disk. In between, a power cut costs some lines: a resume does those hosts again."""
FINISHED = frozenset({Outcome.OK, Outcome.CHANGED, Outcome.SKIPPED})
"""Outcomes of hosts that a resume does not touch."""


def folder() -> Path:
    """Where runs are kept."""
    given = os.environ.get("XDG_STATE_HOME", "")
    # The specification says to ignore a relative path.
    top = Path(given) if given.startswith("/") else Path.home() / ".local" / "state"
    return top / "provision" / "runs"


class Journal:
    """Writes one run. A listener to events, in one thread at a time."""

    def __init__(self, where: Path, run: str, told: Mapping[str, Any]) -> None:
        """`told` is what a resume has to know of the run; no secrets, plain JSON types."""
        self.problem: str | None = None
        """Why the journal is incomplete."""
        self._fd = -1
        self._started = datetime.now(UTC)
        try:
            where.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._fd = os.open(where / f"{run}.jsonl", flags, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            _forget(where)
        except OSError as error:
            self._fail(error)
        self._write({"type": "journal", "schema": SCHEMA, "run": run} | dict(told))

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress):
            return
        self._write(codec.encode(event))
        if isinstance(event, Summary):
            counts = dict(Counter(str(result.outcome) for result in event.hosts.values()))
            seconds = (datetime.now(UTC) - self._started).total_seconds()
            self._write({"type": "ended", "outcome": event.outcome, "counts": counts, "seconds": round(seconds, 1)})
        if isinstance(event, SYNCED) and self._fd >= 0:
            try:
                os.fsync(self._fd)
            except OSError as error:
                self._fail(error)

    def close(self) -> None:
        """End the journal; harmless when called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, record: dict[str, Any]) -> None:
        if self._fd < 0:
            return
        line = json.dumps(record | {"time": _now()}, default=codec.plain, separators=(",", ":")) + "\n"
        data = line.encode("ascii")
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        name = f": {error.filename}" if error.filename else ""
        self.problem = f"this run is not recorded, or not to its end: {error.strerror}{name}"
        self.close()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _forget(where: Path) -> None:
    """Remove the oldest runs, for their number or their size; never the newest."""
    size = 0
    for age, path in enumerate(sorted(where.glob("*.jsonl"), reverse=True)):
        with contextlib.suppress(OSError):
            size += path.stat().st_size
            if age >= KEPT or (age and size > BYTES):
                path.unlink()


@dataclass(frozen=True)
class Past:
    """A run as its journal has it."""

    path: Path
    told: Mapping[str, Any] = field(repr=False)
    """What was told when the run began; {} where the file is damaged."""

    @property
    def run(self) -> str:
        return self.path.stem

    def events(self) -> Iterator[tuple[str, Event]]:
        """Each event with its time (RFC 3339, UTC), in order."""
        for record in self._records():
            event = codec.decode(record)
            if event is not None:
                yield str(record.get("time", "")), event

    def _records(self) -> Iterator[Mapping[str, Any]]:
        with open(self.path, encoding="ascii", errors="replace") as file:
            for line in file:
                record = _record(line)
                if record:
                    yield record

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """All hosts of the run, in its order."""
        return next((event.hosts for _, event in self.events() if isinstance(event, RunStarted)), ())

    @cached_property
    def results(self) -> Mapping[str, Outcome]:
        """How each host ended. One that started and has no end is unknown, one that did not is not-started."""
        found = dict.fromkeys(self.hosts, Outcome.NOT_STARTED)
        for _, event in self.events():
            if isinstance(event, HostFinished):
                found[event.host] = event.outcome
            elif isinstance(event, HostStarted):
                found[event.host] = Outcome.UNKNOWN
        return found

    def failed(self) -> list[str]:
        """The hosts that failed, were not reached, or of which nothing is known."""
        return [host for host, outcome in self.results.items() if outcome in BAD - {Outcome.NOT_STARTED}]

    def unfinished(self) -> list[str]:
        """The hosts that a resume has to go on with."""
        return [host for host, outcome in self.results.items() if outcome not in FINISHED]

    @cached_property
    def end(self) -> Mapping[str, Any]:
        """outcome, counts and seconds of a run that ended; {} of one that did not."""
        with open(self.path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            last = file.read().decode("ascii", "replace").strip().rpartition("\n")[2]
        record = _record(last)
        return record if record.get("type") == "ended" else {}

    def lasts(self) -> bool:
        """Is the run still going on?"""
        with open(self.path, "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False


def _record(line: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def runs(where: Path) -> list[Past]:
    """All runs that are kept, the newest last."""
    return [_past(path) for path in sorted(where.glob("*.jsonl"))]


def _past(path: Path) -> Past:
    with open(path, encoding="ascii", errors="replace") as file:
        return Past(path, _record(file.readline()))


def find(where: Path, name: str) -> Past:
    """The run of that ID, or of the one ID that begins so; `last` is the newest. Raises InputError."""
    paths = sorted(where.glob("*.jsonl"))
    found = paths[-1:] if name == "last" else [path for path in paths if name and path.stem.startswith(name)]
    exact = [path for path in found if path.stem == name]
    if len(exact or found) != 1:
        raise InputError([Problem(_missing(name, found), hint="see `provision.py runs`")])
    return _past((exact or found)[0])


def _missing(name: str, found: Sequence[Path]) -> str:
    if name == "last":
        return "no run is recorded yet"
    return f"{len(found)} runs begin with {name!r}" if found else f"no run {name!r} is recorded"
