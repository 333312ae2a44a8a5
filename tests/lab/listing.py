"""What is on a host's disk, with times: two listings that are equal prove that nothing was written.

Law: read-only, one pass, no Python needed on the host. Left out: what changes by itself (/proc, /sys, /run,
/dev, /tmp, /var/log) and the data of Docker.
"""

from subprocess import CompletedProcess
from typing import NamedTuple, Protocol

LEFT_OUT = ("/proc", "/sys", "/run", "/dev", "/tmp", "/var/log", "/var/lib/docker", "/var/lib/containerd")
SMALL = 64  # KiB: a file up to this size is known by its SHA-256 as well


class Entry(NamedTuple):
    """One path: type as find(1) has it (f, d, l, …), mode in octal, times in seconds since 1970."""

    type: str
    mode: str
    owner: str
    size: str
    mtime: str
    ctime: str
    target: str
    sha256: str


class Runs(Protocol):
    def run(self, command: str, *, timeout: float = ...) -> CompletedProcess[str]: ...


def take(host: Runs) -> dict[str, Entry]:
    """path -> Entry for the whole disk of a host."""
    prune = " -o ".join(f"-path {path}" for path in LEFT_OUT)
    form = r"%y\0%m\0%U:%G\0%s\0%T@\0%C@\0%l\0%p\0"
    found = host.run(f"find / \\( {prune} \\) -prune -o -printf '{form}'", timeout=120).stdout
    small = f"find / \\( {prune} \\) -prune -o -type f -size -{SMALL + 1}k -print0"
    sums = host.run(f"{small} | xargs -0 -r sha256sum -z", timeout=120).stdout
    digests = {line[66:]: line[:64] for line in sums.split("\0") if line}
    words = found.split("\0")[:-1]
    rows = (words[n : n + 8] for n in range(0, len(words), 8))
    return {row[7]: Entry._make([*row[:7], digests.get(row[7], "")]) for row in rows}


def differences(before: dict[str, Entry], after: dict[str, Entry]) -> list[str]:
    """One line a path that came, went or changed, for an assertion's message."""
    lines = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old is None or new is None:
            lines.append(f"{'+' if old is None else '-'} {path}")
        elif old != new:
            what = [f"{key} {a} -> {b}" for key, a, b in zip(Entry._fields, old, new, strict=True) if a != b]
            lines.append(f"~ {path}: {', '.join(what)}")
    return lines
