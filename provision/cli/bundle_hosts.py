"""A host asked for what a bundle has to know: its facts, and its apt's sources, keys, preferences and dpkg's status.

The law: reads only, through sh and tar, for it has to work on a host that has no python3 yet; a login and its
password are no part of what is read.
"""

import io
import re
import secrets
import tarfile
import time
from collections.abc import Mapping
from threading import Event as Flag

from provision.bundle.needs import Member, assumed
from provision.errors import HostTimeout, Refused
from provision.events import Event, HostFacts
from provision.facts import Facts, Os
from provision.login import NoPython
from provision.rollout import Job
from provision.run import Run
from provision.session import Session
from provision.transport import Connection, Pool

PATHS = (
    *("etc/os-release", "etc/apt/sources.list", "etc/apt/sources.list.d", "etc/apt/preferences"),
    *("etc/apt/preferences.d", "etc/apt/trusted.gpg", "etc/apt/trusted.gpg.d", "etc/apt/keyrings"),
    *("usr/share/keyrings", "var/lib/dpkg/status"),
)
STATUS, RELEASE = "var/lib/dpkg/status", "etc/os-release"
LIMIT = 120.0
"""Seconds."""
MOST = 64 << 20
"""Bytes, packed and unpacked."""


def ask(job: Job, pool: Pool) -> Member:
    """What one host is. Raises HostError, ProtocolError."""
    connection = pool.connect(job.target)
    try:
        files = _files(connection)
        status = files.pop(STATUS, b"")
        if not status:
            raise Refused("it has no /var/lib/dpkg/status", "ask only Debian and Ubuntu hosts")
        facts, has_python = _facts(job, connection)
    finally:
        connection.close()
    return Member(job.target.name, facts or _assumed(files, status), files, status, has_python, job.stages)


def _facts(job: Job, connection: Connection) -> tuple[Facts | None, bool]:
    found = list[Facts]()

    def hear(event: Event) -> None:
        if isinstance(event, HostFacts):
            found.append(Facts.model_validate(event.facts))

    try:
        Session(job.target, connection, None, Run("bundle", "", check=True, facts_only=True), hear, Flag()).execute()
    except NoPython:
        return None, False
    return found[0], True


def _assumed(files: Mapping[str, bytes], status: bytes) -> Facts:
    """The facts of a host without python3, as far as its files tell."""
    text = files.get(RELEASE, b"").decode("utf-8", "replace")
    values = {key: value.strip("\"'") for key, _, value in (line.partition("=") for line in text.splitlines())}
    dpkg = re.search(rb"(?:^|\n)Package: dpkg\n(?:[^\n]+\n)*?Architecture: (\S+)", status)
    system = Os(
        id=values.get("ID", ""), version_id=values.get("VERSION_ID", ""), codename=values.get("VERSION_CODENAME", "")
    )
    return assumed(system, dpkg[1].decode() if dpkg else "amd64")


def _files(connection: Connection) -> dict[str, bytes]:
    marker = f"provision-{secrets.token_hex(8)}"
    script = f"echo {marker}; cd / && tar -chf - {' '.join(PATHS)} 2>/dev/null | gzip -1"
    channel = connection.open(f"sh -c '{script}'")
    end, data = time.monotonic() + LIMIT, b""
    try:
        while piece := channel.receive(max(0.01, end - time.monotonic())):
            data += piece
            if len(data) > MOST:
                raise Refused(f"its files of apt and dpkg have more than {MOST >> 20} MiB", "look at /etc/apt on it")
    except TimeoutError:
        raise HostTimeout(f"its files of apt were not read within {LIMIT:g} s", "look at its disk") from None
    finally:
        channel.close()
    packed = data.partition(f"{marker}\n".encode())[2]
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
            return {entry.name: _content(tar, entry) for entry in tar if entry.isfile()}
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Refused(f"its files of apt cannot be read: {error}", "look whether it has tar and gzip") from None


def _content(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    if entry.size > MOST:
        raise Refused(f"/{entry.name} has {entry.size} bytes", "look at it")
    file = tar.extractfile(entry)
    return file.read() if file is not None else b""
