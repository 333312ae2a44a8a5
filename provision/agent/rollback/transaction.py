"""Changes that stand or fall together: a daemon's files, and the service that must come up with them.

The law: what each file was is in a journal on the host's disk before the first of them is changed; when one of the
group fails, or the host loses its power, or nobody can reach it any more, every file goes back to that, and a service
that ran before runs again with it. What the host remembers of us goes back as well, or the next run would take the old
values for somebody else's. A run that finds the journal of one that died goes on from there: its way back leads to what
was there before the first of the two. Undoing twice is harmless.
"""

import base64
import json
import os
import stat

from ..engine import kinds
from ..host import shapes, times
from ..host.errors import Failed
from ..host.state import UNDO

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


class Transaction:
    """One group of changes. `open` it; then `begin`, and at its end `commit` or `undo`."""

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
        record: "Record" = {"run": run, "since": times.now(), "service": None, "files": []}
        if service is not None:
            fields = {name: getattr(service, name) for name in service.fields}
            record.update(service=fields, kind=service.kind)
        return cls(system, dict(record, ran=None, touched=False, memory=None, deadline=None), service)

    @classmethod
    def left(cls, system: "System", service: "Restarts | None" = None) -> "Transaction | None":
        """The one that a run left open on this host, or None."""
        data = system.read(path_of(system))
        if data is None:
            return None
        try:
            record = json.loads(data.decode("ascii"))
            _check(record)
            return cls(system, record, service)
        except (ValueError, TypeError, RecursionError):
            fix = "look at what it would restore, then move it away"
            raise Failed("{} is damaged".format(path_of(system)), fix) from None

    def begin(self, resources: "Sequence[Resource]") -> None:
        """Read what these are about to change, and put it on disk."""
        record, system = self.record, self._system
        record["deadline"] = None  # that of a run which died: this one goes on from there
        if record["ran"] is None:
            record["ran"] = _runs(self._service, system)
            record["memory"] = system.memory.snapshot()
        known = {entry["path"] for entry in record["files"]}
        for resource in resources:
            record["files"] += [_before(system, path) for path in resource.touches() if path not in known]
        self._keep()

    def touches_service(self) -> None:
        """From here on the service may not be what it was."""
        if not self.record["touched"]:
            self.record["touched"] = True
            self._keep()

    def due(self, deadline: "float | None") -> None:
        """Note until when somebody has to confirm that the host can be reached; None: nobody has to."""
        self.record["deadline"] = deadline
        self._keep()

    def undo(self, booting: bool = False) -> str:
        """Put everything back; return what was done, as a clause. Raises Failed where the way back fails.

        `booting`: the service is about to be started by the host itself.
        """
        record, system = self.record, self._system
        for entry in reversed(record["files"]):
            _restore(system, entry)
        system.memory.restore(record["memory"])
        service = self._service
        clause = "the files are as they were"
        if service is not None and record["touched"] and not booting:
            service.go_back(system, record["ran"])
            clause += ", and {} {}".format(
                service.identity(),
                "runs with them again" if record["ran"] else "is stopped, as it was",
            )
        self.commit()
        return clause

    def commit(self) -> None:
        """It stands, or was put back: the journal goes."""
        self._system.remove(path_of(self._system))

    def restores_unit(self) -> bool:
        """Is a unit or a drop-in among what goes back?"""
        return any(entry["path"].startswith("/etc/systemd/") for entry in self.record["files"])

    def _keep(self) -> None:
        folder = os.path.join(self._system.memory.directory(), UNDO)
        if self._system.stat(folder) is None:
            self._system.make_directory(folder, 0o700, os.geteuid(), os.getegid())
        self._system.keep(path_of(self._system), json.dumps(self.record).encode("ascii"))


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


def _before(system: "System", path: str) -> "Record":
    """A file as it is, that behind a link included: contents, mode and owner; nothing of these where there is none."""
    link = system.link(path)
    entry = {"path": path, "data": None, "mode": None, "uid": None, "gid": None, "link": link}
    try:
        status = system.stat(system.place(path))
    except Failed:  # nobody writes where such a link leads: it is only removed
        return entry
    if link is not None and (status is None or not stat.S_ISREG(status.st_mode)):
        return entry  # a link to a directory or device: only the link itself is ever ours
    data = system.read(path)
    if data is None or status is None:
        return entry
    packed = base64.b64encode(data).decode("ascii")
    return dict(entry, data=packed, mode=status.st_mode & 0o7777, uid=status.st_uid, gid=status.st_gid)


def _restore(system: "System", entry: "Record") -> None:
    path = entry["path"]
    try:
        link = entry.get("link")  # absent in a journal of an earlier version
        if link is not None and system.link(path) != link:
            system.make_link(link, path)
        if entry["data"] is not None:
            system.write(path, base64.b64decode(entry["data"]), entry["mode"], entry["uid"], entry["gid"])
        elif link is None:
            system.remove(path)
    except OSError as error:
        raise Failed("{} could not be put back: {}".format(path, os.strerror(error.errno or 0)), "do it by hand")


def _runs(service: "Restarts | None", system: "System") -> bool:
    state = service.actual(system) if service is not None else None
    return state is not None and state["running"]
