"""Looks for secrets where none may be: on a host's disk, in its processes during a run, and in what a run says."""

import base64
import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import yaml

from tests.e2e.runner import Ended
from tests.lab import LabHost

SAMPLER = """
import glob, os
def read(path):
    with open(path, "rb") as file:
        return file.read()
seen = set()
open("/dev/shm/sampling", "w").close()
while not os.path.exists("/dev/shm/stop"):
    for process in glob.glob("/proc/[0-9]*"):
        try:
            groups = read(process + "/cgroup")
            texts = [(kind.encode(), read(process + "/" + kind)) for kind in ("cmdline", "environ")]
        except OSError:
            continue
        try:  # systemd's child moves into its group between our looks, and only then becomes the program
            groups += read(process + "/cgroup")
        except OSError:
            pass
        mark = b"docker.service" if b"/docker.service" in groups else b"elsewhere"
        for kind, text in texts:
            seen.add(kind + b" " + mark + b" " + text.replace(b"\\n", b" "))
with open("/dev/shm/sample", "wb") as file:
    file.write(b"\\n".join(seen))
"""


class SecretTag(str):
    """A `!secret` reference, for yaml.safe_dump."""


yaml.SafeDumper.add_representer(SecretTag, lambda dumper, value: dumper.represent_scalar("!secret", str(value)))


def encodings(secret: str, *users: str) -> list[str]:
    """The forms in which a secret could show: as it is, percent, systemd's doubled percent, JSON, base64."""
    percent = quote(secret, safe="")
    forms = [secret, quote(secret), percent, percent.replace("%", "%%"), json.dumps(secret)[1:-1]]
    for text in (secret, *(f"{user}:{secret}" for user in users)):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            forms.append(encode(text.encode()).decode().rstrip("="))
    return sorted(set(forms))


@contextlib.contextmanager
def sampled(host: LabHost) -> Iterator[None]:
    """Collect the arguments and environments of all of a host's processes, over and over, for the time of the block.

    Each is a line of /dev/shm/sample: `cmdline` or `environ`, `docker.service` or `elsewhere`, and the text.
    """
    host.run("rm -f /dev/shm/stop /dev/shm/sample /dev/shm/sampling")
    host.write("/root/sampler.py", SAMPLER)
    host.run("setsid python3 /root/sampler.py </dev/null >/dev/null 2>&1 &")
    host.run("for i in $(seq 100); do [ -e /dev/shm/sampling ] && exit 0; sleep 0.05; done; exit 1")
    try:
        yield
    finally:
        host.run(
            "touch /dev/shm/stop; for i in $(seq 100); do [ -e /dev/shm/sample ] && break; sleep 0.1; done; sleep 0.2"
        )


def assert_silent(ended: Ended, forms: Iterable[str]) -> None:
    """Neither what the run said, nor its events, show any of `forms`."""
    for form in forms:
        assert form not in ended.stdout, f"{form!r} shows in the events"
        assert form not in ended.stderr, f"{form!r} shows on stderr"


def files_with(host: LabHost, forms: Iterable[str]) -> set[str]:
    """Every file of the host that holds one of `forms`: disk, /run, /tmp, journal and the sample of its processes."""
    skip = " ".join(f"--exclude-dir={name}" for name in ("proc", "sys"))
    found = host.run(f"grep -rlaF {skip} -f - / 2>/dev/null", input="\n".join(forms) + "\n", check=False, timeout=300)
    return set(found.stdout.split())


def said_by(host: LabHost, forms: Iterable[str]) -> list[str]:
    """Which of `forms` show in the journal or in what systemd tells everybody of docker.service."""
    text = host.run("journalctl --no-pager -a; systemctl show docker.service", timeout=60).stdout
    return [form for form in forms if form in text]


def files_here_with(folder: Path, forms: Iterable[str]) -> list[Path]:
    """Files of the controller's own state that hold one of `forms`."""
    known = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in known if any(form.encode() in path.read_bytes() for form in forms)]
