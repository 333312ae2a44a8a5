"""Images of bare hosts: a Debian release with systemd, sshd and more or less Python, built once and kept.

Law: an image holds no host key, no package list and no cache address; its name carries a digest of its
recipe, so a changed recipe is built anew and a good one is never built twice.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.lab import apt, engine, network
from tests.lab.machine import cache, lock, program
from tests.lab.processes import LabError, call

RELEASES = ("bullseye", "bookworm", "trixie", "forky")
UNIFIED_ONLY = ("forky",)
"""Releases whose systemd takes a cgroup v2 tree alone."""
PYTHON = {"full": ("python3",), "minimal": ("python3-minimal",), "nopython": ()}
PACKAGES = [
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "sudo",
    "iproute2",
    "iptables",
    "ca-certificates",
    "debian-archive-keyring",
]
# nothing in a container for these to do; systemd-modules-load makes trixie start `degraded`
MASKED = [
    "systemd-modules-load.service",
    "systemd-udevd.service",
    "systemd-timesyncd.service",
    "console-getty.service",
    "getty.target",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
]
# At each start: host keys where none are yet, and a plain resolver file over the engine's own, whose
# 127.0.0.11 answers unknown names only after 20 s and is useless to containers inside the host.
START_UNIT = """\
[Unit]
Description=First steps of a lab host
Before=ssh.service

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
ExecStart=/bin/cp /etc/lab-resolv.conf /etc/resolv.conf

[Install]
WantedBy=multi-user.target
"""
WANTS = "etc/systemd/system/multi-user.target.wants"


class Kind(NamedTuple):
    """What tells one image from another."""

    release: str
    python: str
    packages: tuple[str, ...]


@dataclass(frozen=True)
class HostSpec:
    """A host to bring up. `python`: full, minimal (python3-minimal only: no json) or nopython.
    `packages` are installed ahead of time, never started, and kept as an image layer a package set."""

    name: str
    release: str = "bookworm"
    python: str = "full"
    packages: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        return Kind(self.release, self.python, tuple(sorted(self.packages)))

    def __post_init__(self) -> None:
        if self.release not in RELEASES:
            raise LabError(f"no such release {self.release!r}: one of {', '.join(RELEASES)}")
        if self.python not in PYTHON:
            raise LabError(f"no such python {self.python!r}: one of {', '.join(PYTHON)}")


def ensure(kind: Kind, say: Callable[[str], None]) -> str:
    """The image of a kind, built or loaded when it is not in the engine yet; returns its reference."""
    recipe = _recipe(kind.release, kind.python)
    base = f"{kind.release}-{kind.python}"
    digest = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:10]
    reference = f"provision-lab:{base}-{digest}"
    with lock(f"image-{base}"):
        if not _known(reference):
            archive = cache() / "images" / f"{base}-{digest}.tar"
            if not archive.exists():
                say(f"building image {base} (once; about half a minute)")
                for stale in (cache() / "images").glob(f"{base}-*.tar"):
                    stale.unlink()  # of an earlier recipe
                _build(kind, archive)
            say(f"loading image {base}")
            change = ("--change", 'CMD ["/sbin/init"]')
            engine.docker("import", *change, str(archive), reference, timeout=300)
        if not kind.packages:
            return reference
        layer = f"{reference}-{hashlib.sha256(' '.join(kind.packages).encode()).hexdigest()[:10]}"
        if not _known(layer):
            say(f"installing {' '.join(kind.packages)} into a layer over image {base} (once)")
            _add_packages(reference, layer, kind.packages)
        return layer


def cached() -> list[Path]:
    """The image archives kept on disk."""
    return sorted((cache() / "images").glob("*.tar"))


def _known(reference: str) -> bool:
    return engine.docker("image", "inspect", reference, check=False).returncode == 0


def _recipe(release: str, python: str) -> dict[str, object]:
    return {
        "release": release,
        "packages": [*PACKAGES, *PYTHON[python]],
        "masked": MASKED,
        "unit": START_UNIT,
        "sources": apt.sources(release),
        "options": apt.options(),
        "credentials": [str(path) for path in apt.credentials()],
    }


def _build(kind: Kind, archive: Path) -> None:
    """Bootstrap the release through the package cache into `archive`, which appears only when whole."""
    net = _network()
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="provision-lab-") as folder:
        overlay = Path(folder) / "overlay"
        _write_overlay(overlay)
        conf = Path(folder) / "apt.conf"
        conf.write_text(apt.options() + apt.proxy_options(net.machine))
        part = Path(folder) / "image.tar"
        argv = [program("mmdebstrap"), "--variant=minbase", "--quiet", f"--aptopt={conf}"]
        argv += [f"--include={','.join([*PACKAGES, *PYTHON[kind.python]])}"]
        argv += [f"--customize-hook=copy-in {' '.join(str(p) for p in sorted(overlay.iterdir()))} /"]
        argv += ['--customize-hook=rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/apt/apt.conf.d/99mmdebstrap']
        argv += [
            '--customize-hook=chroot "$1" update-ca-certificates >/dev/null 2>&1',
            kind.release,
            str(part),
        ]
        sources = apt.sources(kind.release)
        if sources:
            listed = Path(folder) / "sources.list"
            listed.write_text("\n".join(sources) + "\n")
            argv.append(str(listed))
        call(argv, timeout=900)
        shutil.move(part, archive)
        archive.chmod(0o600)


def _write_overlay(root: Path) -> None:
    """Files of our own in the image: apt's options and logins, the unit for its start, the masks."""
    conf = root / "etc/apt/apt.conf.d/80lab-machine"
    conf.parent.mkdir(parents=True)
    conf.write_text(apt.options())
    for path in apt.credentials():
        copy = root / path.relative_to("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    wants = root / WANTS
    wants.mkdir(parents=True)
    units = wants.parent
    (units / "lab-start.service").write_text(START_UNIT)
    (wants / "lab-start.service").symlink_to("/etc/systemd/system/lab-start.service")
    for name in MASKED:
        (units / name).symlink_to("/dev/null")


@contextmanager
def worked_on(base: str, script: str, *words: str) -> Iterator[str]:
    """A container of image `base` in which `script` has run (sh, no systemd) with packages at hand.

    `words` are the script's arguments. The container is removed at the end of the block.
    """
    conf = apt.proxy_options(_network().machine)
    create = ("create", "--network", engine.NETWORK, "--label", "provision-lab=work", "--env", f"APT={conf}")
    script = f'printf "%s" "$APT" >/etc/apt/apt.conf.d/90lab-work\n{script}'
    container = engine.docker(*create, base, "sh", "-c", script, "sh", *words).stdout.strip()
    try:
        engine.docker("start", "--attach", container, timeout=600)
        yield container
    finally:
        engine.remove([container])


def _add_packages(base: str, reference: str, packages: tuple[str, ...]) -> None:
    """Install `packages` over `base` with no service started, and keep the result as `reference`."""
    script = (
        "set -e; printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; "
        "export DEBIAN_FRONTEND=noninteractive; apt-get update -q; "
        'apt-get install -y -q --no-install-recommends "$@"; apt-get clean; '
        "rm -rf /var/lib/apt/lists/* /usr/sbin/policy-rc.d /etc/apt/apt.conf.d/90lab-work"
    )
    with worked_on(base, script, *packages) as container:
        engine.docker("commit", "--change", 'CMD ["/sbin/init"]', "--change", "ENV APT=", container, reference)


def _network() -> network.Network:
    net = network.chosen()
    if net is None:
        raise LabError("the lab's network is not up")
    return net
