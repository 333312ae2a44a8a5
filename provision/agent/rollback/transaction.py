"""Changes that stand or fall together: a daemon's files, and the service that must come up with them.

The law: what each file was is in a journal on the host's disk before the first of them is changed; when one of the
group fails, or the host loses its power, or nobody can reach it any more, every file goes back to that, and a service
that ran before runs again with it. What the host remembers of us goes back as well, or the next run would take the old
values for somebody else's. The journal is enough for that: neither room on a disk nor what we remember is needed. A run
that finds the journal of one that died goes on from there: its way back leads to what was there before the first of the
two. Undoing twice is harmless, and so is one that dies at any of its steps: it is closed by one rename, as its last.
"""

import base64
import contextlib
import json
import os

from ..engine import kinds
from ..host import shapes, times
from ..host.errors import Failed
from ..host.state import UNDO
from . import before

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol, Sequence  # novm

    from ..engine.resource import Resource
    from ..host.system import System
    from ..types import Record, Who

    class Restarts(Protocol):
        """A service, as a change that goes back needs it."""

        kind: str
        fields: "tuple[str, ...]"

        def identity(self) -> str: ...
        def actual(self, system: "System") -> "dict[str, Any] | None": ...
        def go_back(self, system: "System", ran: "bool | None") -> None: ...


MISSING = object()
DONE = "done.json"
"""The journal once nothing is to be put back any more: what still has a second name."""


class Transaction:
    """One group of changes. `open` it; then `begin`, and at its end `commit`, or `undo` and `close`."""

    def __init__(self, system: "System", record: "Record", service: "Restarts | None" = None) -> None:
        self._system = system
        self.record = record
        made: "Any" = _service(record) if record["service"] else None
        self._service: "Restarts | None" = service or made

    @classmethod
    def open(cls, system: "System", service: "Restarts | None", run: "Who") -> "Transaction":
        """`service`: the resource that has to come up, or None. Goes on with what an earlier run left open."""
        transaction = cls.left(system, service)
        if transaction is not None:
            return transaction
        tidy(system)
        record: "Record" = {"run": run, "since": times.now(), "service": None, "files": [], "touched": False}
        record.update(ran=None, memory=None, deadline=None, salt=os.urandom(16).hex())
        if service is not None:
            fields = {name: getattr(service, name) for name in service.fields}
            record.update(service=fields, kind=service.kind)
        return cls(system, record, service)

    @classmethod
    def left(cls, system: "System", service: "Restarts | None" = None) -> "Transaction | None":
        """The one that a run left open on this host, or None."""
        record = _read(system, path_of(system))
        if record is MISSING:
            return None
        try:
            _check(record)
            transaction = cls(system, record, service)
        except (ValueError, TypeError, RecursionError):
            raise _damaged(path_of(system)) from None
        salt = record.setdefault("salt", os.urandom(16).hex())
        record["files"] = [before.complete(system, entry, salt) for entry in record["files"]]
        return transaction

    def begin(self, resources: "Sequence[Resource]") -> None:
        """Read what these are about to change, and put it on disk. After that each write says so here first."""
        record, system = self.record, self._system
        record["deadline"] = None  # that of a run which died: this one goes on from there
        if record["ran"] is None:
            record["ran"] = _runs(self._service, system)
            record["memory"] = system.state_file.snapshot()
        paths = [entry["path"] for entry in record["files"] if self._is_ours(entry)]
        kept = [entry for entry in record["files"] if entry["path"] in paths]
        asked = [path for resource in resources for path in resource.touches()]
        lost = [entry["path"] for entry in record["files"] if entry not in kept]
        new = [path for path in dict.fromkeys(lost + asked) if path not in paths]
        record["files"] = kept + [before.entry_of(system, path, record["salt"]) for path in new]
        self._keep()
        try:
            for entry in record["files"]:
                before.keep(system, entry, record["salt"])
        except OSError:
            self.drop()
            raise
        system.journal = self

    def drop(self) -> None:
        """Nothing was changed after all; what an earlier run has changed stays open."""
        self._system.journal = None
        if not any(wrote for entry in self.record["files"] for wrote in entry["wrote"].values()):
            self.commit()

    def writes(self, name: str, what: "bytes | str") -> None:
        """About to put this there: contents (bytes), or a link's target (str)."""
        made = before.digest(what, self.record["salt"])
        for entry in self.record["files"]:
            if made not in entry["wrote"].get(name, [made]):
                entry["wrote"][name].append(made)
                self._keep()

    def touches_service(self) -> None:
        """From here on the service may not be what it was."""
        if not self.record["touched"]:
            self.record["touched"] = True
            try:
                self._keep()
            except OSError:
                self.record["touched"] = False
                raise

    def due(self, deadline: "float | None") -> None:
        """Note until when somebody has to confirm that the host can be reached; None: nobody has to."""
        self.record["deadline"] = deadline
        self._keep()

    def changed_by_others(self) -> "list[str]":
        """Files that are neither what they were before the change nor what we made of them."""
        return [entry["path"] for entry in self.record["files"] if not self._is_ours(entry)]

    def is_undone(self) -> bool:
        """Is every file what it was?"""
        return all(before.is_back(self._system, entry, self.record["salt"]) for entry in self.record["files"])

    def undo(self, booting: bool = False) -> str:
        """Put everything back; return what was done, as a clause. Raises Failed where the way back fails.

        What the host remembers waits for `close`. `booting`: the service is about to be started by the host itself.
        """
        memory = self._system.state_file
        self._system.journal = None
        memory.wait()
        try:
            for entry in reversed(self.record["files"]):
                before.put_back(self._system, entry, self.record["salt"])
            self.remember()
            return "the files are as they were" + ("" if booting else self._service_back())
        except (Failed, OSError):
            with contextlib.suppress(OSError):
                memory.commit(self._system)
            raise

    def _service_back(self) -> str:
        service, ran = self._service, self.record["ran"]
        if service is None or not self.record["touched"]:
            return ""
        service.go_back(self._system, ran)
        how = "runs with them again" if ran else "is stopped, as it was"
        return ", and {} {}".format(service.identity(), how)

    def remember(self) -> None:
        """What we remember is what it was, but that these files were written just now."""
        system = self._system
        if self.record["memory"] is not None:
            system.state_file.restore(self.record["memory"])
        for entry in self.record["files"]:
            if entry["data"] is not None:
                system.wrote(entry["path"], base64.b64decode(entry["data"]))

    def close(self) -> None:
        """It was undone: write what waits, then `commit`. OSError where there is no room: then it stays open."""
        self._system.state_file.commit(self._system)
        self.commit()

    def commit(self) -> None:
        """It stands, or was put back: from here on, in one step, there is nothing to put back."""
        system = self._system
        system.journal = None
        with contextlib.suppress(FileNotFoundError):
            system.rename(path_of(system), _done(system))
        tidy(system)

    def folders(self) -> "list[str]":
        """The directories that the way back needs."""
        return sorted({os.path.dirname(name) for entry in self.record["files"] for name in entry["was"]})

    def restores_unit(self) -> bool:
        """Is a unit or a drop-in among what goes back?"""
        return any(entry["path"].startswith("/etc/systemd/") for entry in self.record["files"])

    def _is_ours(self, entry: "Record") -> bool:
        return not before.foreign(self._system, entry, self.record["salt"])

    def _keep(self) -> None:
        folder = os.path.join(self._system.state_file.directory(), UNDO)
        if self._system.stat(folder) is None:
            self._system.make_directory(folder, 0o700, os.geteuid(), os.getegid())
        self._system.keep(path_of(self._system), json.dumps(self.record).encode("ascii"))


def tidy(system: "System") -> None:
    """Files of a change that is over lose their second name."""
    data = system.read(_done(system))
    if data is None:
        return
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):  # it holds nothing back
        for entry in json.loads(data.decode("ascii"))["files"]:
            before.forget(system, entry)
    system.remove(_done(system))


def _read(system: "System", path: str) -> "Any":
    data = system.read(path)
    try:
        return MISSING if data is None else json.loads(data.decode("ascii"))
    except (ValueError, RecursionError):
        raise _damaged(path) from None


def _damaged(path: str) -> Failed:
    return Failed("{} is damaged".format(path), "look at what it would restore, then move it away")


def _service(record: "Record") -> "Resource":
    """The service that the journal names, as the kind that it is."""
    fields = dict(record["service"])
    if "ready" in fields:  # as release 0.1.0 wrote it: one kind for all services
        platform = fields.pop("ready") is not None
        fields.update(options=fields.pop("live") or {}) if platform else fields.update(in_use=(), may_cut=False)
        return kinds.make("docker_service" if platform else "service", fields)
    return kinds.make(record.get("kind", "service"), fields)


def _check(record: "Any") -> None:
    if not shapes.fits(record, shapes.JOURNAL):
        raise ValueError("no journal of ours")
    for entry in record["files"]:
        if entry["data"] is not None:
            base64.b64decode(entry["data"], validate=True)
            if None in (entry["mode"], entry["uid"], entry["gid"]):
                raise ValueError("a file without its owner or mode")


def path_of(system: "System") -> str:
    return os.path.join(system.state, UNDO, "journal.json")


def _done(system: "System") -> str:
    return os.path.join(system.state, UNDO, DONE)


def _runs(service: "Restarts | None", system: "System") -> bool:
    state = service.actual(system) if service is not None else None
    return state is not None and state["running"]
