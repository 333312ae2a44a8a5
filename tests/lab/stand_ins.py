"""Vendor packages without the vendors: packages of their names, versions and files, made of Debian's parts.

Law: each is a stand-in and says so in its description. What they cannot show: the vendor's own code; the
API of each answers with the version of Debian's daemon inside.
"""

import re
import tempfile
from pathlib import Path

from tests.lab.debs import fetch, repack, unit_scripts
from tests.lab.machine import program
from tests.lab.processes import call

SHIM = Path(__file__).with_name("dockerd_1_12.pl")
ENGINES = "docker (<< 1.5~), docker.io, lxc-docker, lxc-docker-virtual-package"
OWN_CONTAINERD = re.compile(r"^(containerd|runc|lsb-base|sysvinit-utils)\b")
NEITHER_DEFAULTS = {  # no official package ships what reads /etc/default/docker under systemd
    "/etc/default/docker": None,
    "/etc/init.d/docker": None,
}


def docker_engine(into: Path, version: str = "1.12.6-0~ubuntu-trusty", release: str = "bookworm") -> list[Path]:
    """`docker-engine` 1.12: a newer daemon behind a shim with the old one's command line (the .pl beside).

    Its unit, as the vendor's, does not read /etc/default/docker. Installs on `release` with Debian's sources.
    """
    with tempfile.TemporaryDirectory(prefix="provision-lab-") as folder:
        parts = _parts(release, Path(folder), ("docker.io",))
        unit = _unit(parts[0])
        text = _vendor_unit(_read(parts[0], unit), "/usr/bin/dockerd -H fd://")
        text = text.replace("Type=notify", "Type=notify\nNotifyAccess=all")  # the shim is the main process
        deb = repack(
            parts,
            into,
            package="docker-engine",
            version=version,
            description=f"stand-in for docker-engine 1.12 made of Debian {release}'s docker.io\n"
            " For tests only. Its dockerd is a shim in front of a newer daemon: it checks and drops\n"
            " --disable-legacy-registry and refuses options that 1.12 did not know.",
            move={"/usr/sbin/dockerd": "/usr/lib/docker-engine-stand-in/dockerd"},
            replace={**NEITHER_DEFAULTS, "/usr/bin/dockerd": SHIM.read_bytes(), unit: text},
            fields={
                "Depends": _depends(parts[0], "containerd, runc"),
                "Recommends": "ca-certificates, xz-utils",
                "Conflicts": f"{ENGINES}, docker-ce, docker-ce-cli, docker-engine-cs",
                "Replaces": f"{ENGINES}, docker-engine-cs",
                "Breaks": None,
                "Suggests": None,
            },
            scripts=unit_scripts(("docker.service", "docker.socket"), group="docker"),
        )
    return [deb]


def docker_ce(
    into: Path,
    version: str = "5:29.2.1-1~debian.12~bookworm",
    containerd: str = "2.2.1-1~debian.12~bookworm",
    release: str = "bookworm",
) -> list[Path]:
    """`docker-ce`, `docker-ce-cli` and `containerd.io`, with the vendor's relations between them."""
    with tempfile.TemporaryDirectory(prefix="provision-lab-") as folder:
        client = "docker.io" if release in ("bullseye", "bookworm") else "docker-cli"
        names = ("docker.io", client, "containerd", "runc")
        files = fetch(release, tuple(dict.fromkeys(names)), Path(folder))
        daemon = files["docker.io"]
        unit = _unit(daemon)
        text = "stand-in for {} made of Debian {}'s parts\n For tests only; nothing of it is the vendor's."
        moved = {"/usr/sbin/dockerd": "/usr/bin/dockerd", "/usr/sbin/docker-proxy": "/usr/bin/docker-proxy"}
        dropped = {path: None for path in _files(daemon) if "completion" in path or path == "/usr/bin/docker"}
        start = "/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock"
        ce = repack(
            daemon,
            into,
            package="docker-ce",
            version=version,
            description=text.format("docker-ce", release),
            move=moved,
            replace={**NEITHER_DEFAULTS, **dropped, unit: _vendor_unit(_read(daemon, unit), start)},
            fields={
                "Depends": _depends(daemon, "containerd.io (>= 1.7.27), docker-ce-cli, nftables"),
                "Recommends": "apparmor, ca-certificates, docker-ce-rootless-extras, git, procps, xz-utils",
                "Conflicts": f"{ENGINES}, docker-engine, docker-engine-cs",
                "Replaces": "docker-engine",
                "Breaks": None,
                "Suggests": "cgroupfs-mount | cgroup-lite",
            },
            scripts=unit_scripts(("docker.service", "docker.socket"), group="docker"),
        )
        cli = repack(
            files[client],
            into,
            package="docker-ce-cli",
            version=version,
            description=text.format("docker-ce-cli", release),
            only=["/usr/bin/docker"],
            fields={
                "Pre-Depends": None,
                "Depends": "libc6",
                "Recommends": "docker-buildx-plugin, docker-compose-plugin",
                "Suggests": None,
                "Conflicts": f"{ENGINES}, docker-cli, docker-engine, docker-engine-cs",
                "Breaks": "docker-ce (<< 5:0)",
                "Replaces": "docker-ce (<< 5:0)",
            },
            scripts={},
        )
        io = repack(
            [files["containerd"], files["runc"]],
            into,
            package="containerd.io",
            version=containerd,
            description=text.format("containerd.io", release),
            fields={
                "Depends": "libc6, libseccomp2 (>= 2.5.0)",
                "Provides": "containerd, runc",
                "Conflicts": "containerd, runc",
                "Replaces": "containerd, runc",
                "Breaks": None,
                "Suggests": None,
            },
            scripts=unit_scripts(("containerd.service",)),
        )
    return [ce, cli, io]


def _parts(release: str, folder: Path, names: tuple[str, ...]) -> list[Path]:
    """The named packages of a release, and docker-cli where the client is a package of its own."""
    if release not in ("bullseye", "bookworm"):
        names = (*names, "docker-cli")
    return list(fetch(release, names, folder).values())


def _vendor_unit(text: str, start: str) -> str:
    """Debian's unit as the vendor writes it: its own ExecStart, no EnvironmentFile, no DOCKER_OPTS."""
    text = re.sub(r"(?m)^EnvironmentFile=.*\n", "", text)
    return re.sub(r"(?m)^ExecStart=.*$", f"ExecStart={start}", text)


def _depends(deb: Path, added: str) -> str:
    """What its binaries need, without Debian's containerd and runc, and `added`."""
    known = call([program("dpkg-deb"), "--field", str(deb), "Depends"]).stdout.strip().split(", ")
    return ", ".join([*(word for word in known if not OWN_CONTAINERD.match(word)), added])


def _files(deb: Path) -> list[str]:
    """Absolute paths of the files in a package."""
    lines = call([program("dpkg-deb"), "--contents", str(deb)]).stdout.splitlines()
    paths = (line.split(maxsplit=5)[5].partition(" -> ")[0].removeprefix(".") for line in lines)
    return [path for path in paths if not path.endswith("/")]


def _unit(deb: Path) -> str:
    """Where the package has docker.service: /lib or /usr/lib, by release."""
    return next(path for path in _files(deb) if path.endswith("/docker.service"))


def _read(deb: Path, path: str) -> str:
    script = 'dpkg-deb --fsys-tarfile "$1" | tar -xO "$2"'
    return call(["sh", "-c", script, "sh", str(deb), f".{path}"]).stdout
