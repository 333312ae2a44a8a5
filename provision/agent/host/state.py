"""What the host remembers of us, in /var/lib/provision (0700): what each role asked for, what each service was
started with, when we wrote a file.

The law: no secret is kept, only digests with this host's own salt. Every change is on disk (synced, renamed) before
the call returns, so that a run that dies leaves its wishes to the next one.
"""

import json
import os

try:  # hashlib itself costs 3 ms: it loads OpenSSL
    from _sha2 import sha256  # type: ignore[import-not-found]
except ImportError:
    try:
        from _sha256 import sha256  # type: ignore[import-not-found]
    except ImportError:
        from hashlib import sha256

from .errors import Failed
from .shapes import RECORDS, SCHEMA, fits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol  # novm

    class Files(Protocol):
        """What is asked of host/system.py here."""

        state: str

        def read(self, path: str) -> "bytes | None": ...
        def stat(self, path: str) -> "os.stat_result | None": ...
        def keep(self, path: str, data: bytes) -> None: ...
        def make_directory(self, path: str, mode: int, uid: int, gid: int) -> None: ...


UNDO = "undo"
"""The folder, beside the document, with the way back of a change that is at work (rollback/transaction.py)."""


class StateFile:
    """A small JSON document in the state directory, in sections of named records."""

    def __init__(self, system: "Files", name: str = "state.json") -> None:
        self._system = system
        self._path = os.path.join(system.state, name)
        self._document: "dict[str, Any] | None" = None
        self._waits: "bool | None" = None  # whether changes wait for `commit`, where they do not go to the disk at once

    def _load(self) -> "dict[str, Any]":
        if self._document is None:
            data = self._system.read(self._path)
            try:
                document = json.loads(data.decode("ascii")) if data else {}
            except (ValueError, RecursionError):
                raise self._damaged() from None
            sections = dict({name: dict for name in RECORDS}, salt=str, schema=int)
            if not fits(document, dict) or not all(
                fits(document.get(name, kind()), kind) for name, kind in sections.items()
            ):
                raise self._damaged()
            self._document = document
        return self._document

    def _damaged(self, what: str = "") -> Failed:
        fix = "move it away; the next run then compares with the live system instead"
        return Failed("{} is damaged{}".format(self._path, what), fix)

    def _schema(self) -> int:
        return max(SCHEMA, int(self._load().get("schema", SCHEMA)))

    def newer(self) -> str:
        """What to say of a document of a newer version, which is read as far as it goes; "" where it is ours."""
        schema = self._schema()
        if schema == SCHEMA:
            return ""
        told = "{} was written by a newer version (schema {}): what this one does not know in it is left as it is"
        return told.format(self._path, schema)

    def section(self, name: str) -> "dict[str, Any]":
        """A copy of one section: {key: record}."""
        return dict(self._load().get(name, {}))

    def get(self, section: str, key: str) -> "Any":
        """One record, or None."""
        record = self._load().get(section, {}).get(key)
        if record is not None and not fits(record, RECORDS.get(section, object)):
            raise self._damaged(": {} under {} is no record of ours".format(json.dumps(key), section))
        return record

    def put(self, section: str, key: str, record: "Any") -> None:
        """Keep a record (None forgets it). Nothing is written where nothing changes."""
        records = self._load().setdefault(section, {})
        if records.get(key) == record:
            return
        if record is None:
            records.pop(key, None)
        else:
            records[key] = record
        self.save()

    def snapshot(self) -> "dict[str, Any]":
        """All that is remembered now, for `restore`."""
        return _copy(self._load())

    def restore(self, snapshot: "dict[str, Any]") -> None:
        """Forget what came after `snapshot`, but not the salt, nor when we last wrote which file: that stays true."""
        stays = {key: value for key, value in self._whole().items() if key in ("salt", "written")}
        self._document = dict(_copy(snapshot), **stays)
        self.save()

    def mend(self, snapshot: "dict[str, Any] | None") -> None:
        """Where the document is empty, cut or gone: go on with what an open change remembers of it."""
        if snapshot is not None and not self._whole():
            self._document = _copy(snapshot)

    def _whole(self) -> "dict[str, Any]":
        """The document; {} where it is damaged."""
        try:
            return self._load()
        except Failed:
            return {}

    def wait(self) -> None:
        """From now on changes stay here until `commit`, which may never come: a look that writes nothing."""
        self._waits = False

    def commit(self, system: "Files") -> None:
        """Write what waits, if anything does, through a System that may write."""
        waits, self._waits, self._system = self._waits, None, system
        if waits:
            self.save()

    def save(self) -> None:
        if self._waits is not None:
            self._waits = True
            return
        self.directory()
        text = json.dumps(dict(self._load(), schema=self._schema()), indent=1, sort_keys=True) + "\n"
        self._system.keep(self._path, text.encode("ascii"))

    def directory(self) -> str:
        """Make the state directory; return its path."""
        if self._system.stat(self._system.state) is None:
            self._system.make_directory(self._system.state, 0o700, os.geteuid(), os.getegid())
        return self._system.state

    def digest(self, data: "bytes | None") -> str:
        """sha256 of `data` (bytes, or None: absent) with this host's salt, in hexadecimal."""
        if data is None:
            return "absent"
        document = self._load()
        if "salt" not in document:
            document["salt"] = os.urandom(16).hex()
        return digest(data, document["salt"])


def digest(data: bytes, salt: str) -> str:
    """sha256 of `data` behind a salt, in hexadecimal."""
    return str(sha256(salt.encode("ascii") + data).hexdigest())


def _copy(document: "dict[str, Any]") -> "dict[str, Any]":
    from copy import deepcopy  # 1 ms: only where something goes back

    return deepcopy(document)
