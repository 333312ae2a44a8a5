"""Is this the host that it should be? The decision on a host key, and its words.

The law: strict. Unknown is refused unless new keys were asked for; changed and revoked are refused always.
"""

import base64
import os
import subprocess
from collections.abc import Callable

from provision.errors import Unreachable
from provision.transport.known_hosts import HostKeyLines, KnownHosts, KnownHostsLine, Verdict, fingerprint, short_kind
from provision.transport.ssh_config import Resolved


class HostKeys:
    """The decisions of one run. Thread-safe."""

    def __init__(self, accept_new: bool, on_host_key: Callable[[str], None]) -> None:
        self.accept_new = accept_new
        self.on_host_key = on_host_key
        self._known = KnownHosts()

    def lookup(self, settings: Resolved) -> HostKeyLines:
        """What the user's and the system's known_hosts say about a host."""
        files = settings.files("userknownhostsfile") + settings.files("globalknownhostsfile")
        return self._known.lookup(settings.known_hosts_name, files)

    def verify(self, settings: Resolved, kind: str, blob: bytes) -> None:
        """Return if the host may be trusted. Unreachable: it may not, and why."""
        verdict, entry = self.lookup(settings).judge(blob)
        if verdict == "unknown" and self.accept_new:
            verdict, entry = self._accept(settings, kind, blob)
        if verdict == "unknown":
            raise unknown(settings, short_kind(kind), fingerprint(blob))
        if entry and verdict == "changed":
            raise changed(settings.known_hosts_name, short_kind(kind), fingerprint(blob), entry.where)
        if entry and verdict == "revoked":
            raise revoked(settings, short_kind(kind), fingerprint(blob), entry.where)

    def _accept(self, settings: Resolved, kind: str, blob: bytes) -> tuple[Verdict, KnownHostsLine | None]:
        files = settings.files("userknownhostsfile") or [os.devnull]
        try:
            verdict, entry = self._known.accept(
                settings.known_hosts_name, kind, blob, files, hashed=settings.is_set("hashknownhosts")
            )
        except OSError as error:
            raise Unreachable(
                f"the new host key of {settings.label} cannot be added to {files[0]}: {error.strerror}",
                "make that file writable, or set UserKnownHostsFile",
            ) from error
        if verdict != "unknown":  # another thread, or another run, was first
            return verdict, entry
        self.tell(settings, kind, fingerprint(blob))
        return "known", None

    def tell(self, settings: Resolved, kind: str, print_: str) -> None:
        """Say that a key was added."""
        file = (settings.files("userknownhostsfile") or [os.devnull])[0]
        self.on_host_key(f"added {short_kind(kind)} key {print_} for {settings.known_hosts_name} to {file}")


def _keyscan(settings: Resolved) -> str:
    port = f"-p {settings.port} " if settings.port != 22 else ""
    file = (settings.files("userknownhostsfile") or ["~/.ssh/known_hosts"])[0]
    return f"`ssh-keyscan {port}{settings.hostname} >> {file}`"


def scan(settings: Resolved, kind: str) -> str:
    """The fingerprint of the key of a type (ED25519) that the host shows now; "" where that cannot be seen.

    The ssh program does not tell the fingerprint of a key that it refuses; ssh-keyscan sees what is not behind a proxy.
    """
    if settings.is_set("proxyjump") or settings.is_set("proxycommand"):
        return ""
    command = ["ssh-keyscan", "-T", "5", "-p", str(settings.port), "-t", kind.lower(), "--", settings.hostname]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False
        )
        blobs = [base64.b64decode(line.split()[2]) for line in done.stdout.splitlines() if not line.startswith("#")]
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError):  # only a courtesy of the error message
        return ""
    return fingerprint(blobs[0]) if blobs else ""


def unknown(settings: Resolved, kind: str, print_: str) -> Unreachable:
    """`print_` may be empty where the ssh program did not tell it."""
    file = (settings.files("userknownhostsfile") or ["known_hosts"])[0]
    key = f"{kind} key {print_}".strip() if print_ else "host key"
    return Unreachable(
        f"the {key} of {settings.known_hosts_name} is not in {file}",
        f"compare it with the host's own, then add it with {_keyscan(settings)} or run `check --accept-new-host-keys`",
    )


def unknown_name(name: str, kind: str) -> Unreachable:
    """For a host that only its name in known_hosts is known of: a jump host of the ssh program's."""
    return Unreachable(
        f"the {kind} key of {name} is not in known_hosts", f"log in there once by hand to add it: `ssh {name}`"
    )


def changed(name: str, kind: str, print_: str, where: str) -> Unreachable:
    file, _, line = where.rpartition(":")
    fix = f"`sed -i {line}d {file}`" if line != "0" else "run it again"
    return Unreachable(
        f"{name} shows the {kind} key {print_}, but {where} has another key for it:"
        " another host answers, or it was installed anew",
        f"if it was installed anew, remove the old key with {fix} and add the new one",
    )


def revoked(settings: Resolved, kind: str, print_: str, where: str) -> Unreachable:
    return Unreachable(
        f"{settings.known_hosts_name} shows the {f'{kind} key {print_}'.strip()}, which {where} marks as revoked",
        "give the host new host keys (ssh-keygen -A)",
    )
