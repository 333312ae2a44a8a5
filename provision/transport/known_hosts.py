"""Which host keys are trusted: OpenSSH's known_hosts files, read as OpenSSH reads them.

The law: paramiko's reader is not used (it stops at `@cert-authority` and `@revoked` lines, and knows no wildcards). A
host that has a key on file and shows another one is refused, whatever was asked for; only a host with no key at all can
be accepted, and only where that was asked for. A key accepted in this run is held to for the rest of it, even where
the file is /dev/null.
"""

import base64
import binascii
import fcntl
import fnmatch
import hashlib
import hmac
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Verdict = Literal["known", "unknown", "changed", "revoked"]


@dataclass(frozen=True)
class KnownHostsLine:
    """One line of a known_hosts file."""

    names: tuple[str, ...]
    kind: str
    """The key's type, such as ssh-ed25519."""
    blob: bytes
    file: str
    line: int
    marker: str = ""
    """"@revoked", "@cert-authority" or nothing."""

    def covers(self, name: str) -> bool:
        """Does the line speak of `name` (lower case; `[host]:port` off port 22)?"""
        if any(pattern.startswith("!") and _match(pattern[1:], name) for pattern in self.names):
            return False
        return any(_match(pattern, name) for pattern in self.names)

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class HostKeyLines:
    """What the files say about one host."""

    plain: tuple[KnownHostsLine, ...] = ()
    portless: tuple[KnownHostsLine, ...] = ()
    """Lines for the same host without its port: OpenSSH takes a key that is among them, and ignores them otherwise."""
    revoked: tuple[KnownHostsLine, ...] = ()
    authorities: tuple[KnownHostsLine, ...] = ()

    @property
    def kinds(self) -> list[str]:
        """The types of the keys on file, to ask the server for those first."""
        return list(dict.fromkeys(entry.kind for entry in self.plain + self.portless))

    def judge(self, blob: bytes) -> tuple[Verdict, KnownHostsLine | None]:
        """The verdict on a key that a server showed, and the line that decided it."""
        for entry in self.revoked:
            if entry.blob == blob:
                return "revoked", entry
        for entry in self.plain + self.portless:
            if entry.blob == blob:
                return "known", entry
        return ("changed", self.plain[0]) if self.plain else ("unknown", None)


@dataclass
class _File:
    stamp: tuple[int, int, int]
    by_name: dict[str, list[KnownHostsLine]] = field(default_factory=dict)
    others: list[KnownHostsLine] = field(default_factory=list)
    """Hashed names, patterns, markers: to be tried one by one."""

    def entries(self, name: str) -> list[KnownHostsLine]:
        return self.by_name.get(name, []) + [entry for entry in self.others if entry.covers(name)]


class KnownHosts:
    """The known_hosts files, each parsed once as long as it does not change. Thread-safe."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._accepted: list[KnownHostsLine] = []
        self._lock = threading.RLock()

    def lookup(self, name: str, files: Sequence[str]) -> HostKeyLines:
        """What `files` say about `name`: HostKeyAlias, host or [host]:port, in lower case."""
        with self._lock:
            found = self._entries(name, files)
            found += [entry for entry in self._accepted if entry.covers(name) and entry not in found]
            portless: list[KnownHostsLine] = []
            if name.startswith("[") and "]:" in name:
                portless = self._entries(name[1 : name.rindex("]:")], files)
        return HostKeyLines(
            plain=tuple(entry for entry in found if not entry.marker),
            portless=tuple(entry for entry in portless if not entry.marker),
            revoked=tuple(entry for entry in found + portless if entry.marker == "@revoked"),
            authorities=tuple(entry for entry in found if entry.marker == "@cert-authority"),
        )

    def accept(
        self, name: str, kind: str, blob: bytes, files: Sequence[str], hashed: bool
    ) -> tuple[Verdict, KnownHostsLine | None]:
        """Add a key to the first of the user's `files`, unless one is on file by now (then the verdict by that).

        Returns ("unknown", None) where the key was added. OSError: the file cannot be written.
        """
        with self._lock:
            verdict, entry = self.lookup(name, files).judge(blob)
            if verdict == "unknown":
                _append(files[0], f"{_hash(name) if hashed else name} {kind} {base64.b64encode(blob).decode()}\n")
                self._accepted.append(KnownHostsLine((name,), kind, blob, files[0], 0))
            return verdict, entry

    def _entries(self, name: str, files: Sequence[str]) -> list[KnownHostsLine]:
        return [entry for file in files for entry in self._load(file).entries(name)]

    def _load(self, file: str) -> _File:
        try:
            stat = os.stat(file)
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if file not in self._files or self._files[file].stamp != stamp:
                self._files[file] = _parse(file, Path(file).read_text(errors="replace"), stamp)
        except OSError:  # a file that is not there knows nobody: the strict direction
            return _File((0, 0, 0))
        return self._files[file]


def fingerprint(blob: bytes) -> str:
    """As `ssh-keygen -l` shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def short_kind(kind: str) -> str:
    """ED25519 for ssh-ed25519, as OpenSSH calls it in its messages."""
    return "ECDSA" if kind.startswith("ecdsa") else kind.removeprefix("ssh-").upper()


def _parse(file: str, text: str, stamp: tuple[int, int, int]) -> _File:
    parsed = _File(stamp)
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#"):
            continue
        try:
            blob = base64.b64decode(words[2])
        except (binascii.Error, ValueError):
            continue
        entry = KnownHostsLine(tuple(_names(words[0])), words[1], blob, file, number, marker)
        if marker or any(character in words[0] for character in "|*?!"):
            parsed.others.append(entry)
        else:
            for name in entry.names:
                parsed.by_name.setdefault(name, []).append(entry)
    return parsed


def _names(word: str) -> list[str]:
    return [word] if word.startswith("|") else word.lower().split(",")  # a hash is case-sensitive base64


def _match(pattern: str, name: str) -> bool:
    if pattern.startswith("|1|"):
        try:
            salt, digest = (base64.b64decode(part) for part in pattern[3:].split("|"))
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)
    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def _hash(name: str) -> str:
    salt = os.urandom(20)
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def _append(path: str, line: str) -> None:
    """One write under a lock, so that two runs cannot mix their lines; a file without a last newline gets one."""
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        os.makedirs(folder, 0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        size = os.fstat(descriptor).st_size
        unfinished = size and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, (("\n" if unfinished else "") + line).encode())
    finally:
        os.close(descriptor)
