"""What the lab needs of this machine: its folders, its lock, its packages and one sysctl.

Law: whatever is set on the machine is recorded first, and `restore` puts it back; installing a package
starts no service, neither now nor at the next boot.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.lab.processes import LabError, call

RUN = Path("/run/provision-lab")  # one lab engine a machine, so a fixed place; emptied by a reboot
POLICY = Path("/usr/sbin/policy-rc.d")
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_NEEDED = 8192  # at the default 128 systemd exits 255 from about the twelfth host on

NOT_ROOT = "the lab starts containers of its own: run it as root"
CAP_SYS_ADMIN = 21  # linux/capability.h

# a program that must be there -> the Debian package that brings it
TOOLS: Mapping[str, str] = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "containerd": "containerd",
    "iptables": "iptables",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "mmdebstrap": "mmdebstrap",
    "apt-cacher-ng": "apt-cacher-ng",
    "apt-ftparchive": "apt-utils",
    "gpg": "gpg",
    "gpg-agent": "gpg-agent",
    "gpgconf": "gpgconf",
    "dpkg-deb": "dpkg",
}


def cache() -> Path:
    """Where images, packages and the engine's data are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "provision-lab"


def program(name: str) -> str:
    """Path of an installed program; Debian's own in /usr first, as a local wrapper may stand before it."""
    for folder in ("/usr/bin", "/usr/sbin", "/sbin", "/bin"):
        path = Path(folder) / name
        if path.exists():
            return str(path)
    found = shutil.which(name)
    if found is None:
        raise LabError(f"{name} is not installed; install package {TOOLS.get(name, name)}")
    return found


@contextmanager
def lock(name: str = "shared") -> Iterator[None]:
    """Hold one of the lab's machine-wide locks: shared set-up is done by one process at a time."""
    RUN.mkdir(parents=True, exist_ok=True)
    with (RUN / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def lacking() -> str | None:
    """Why no hosts can be made on this machine, as a sentence that says what to do; None where they can be."""
    if os.geteuid() != 0:
        return NOT_ROOT
    if not capable():
        return "the lab needs CAP_SYS_ADMIN, as for mounts: run it on a machine, or in a container that has it"
    if (missing := _missing(TOOLS)) and not _installed("apt-get"):
        return f"the lab needs {', '.join(missing)}, and there is no apt-get here: install them"
    return None


def capable(status: Path = Path("/proc/self/status")) -> bool:
    """Has this process CAP_SYS_ADMIN? Root of an ordinary container has not."""
    effective = int(status.read_text().split("CapEff:")[1].split()[0], 16)
    return bool(effective >> CAP_SYS_ADMIN & 1)


def _missing(tools: Mapping[str, str]) -> list[str]:
    return sorted({package for tool, package in tools.items() if not _installed(tool)})


def ensure_tools(say: Callable[[str], None], tools: Mapping[str, str] = TOOLS) -> list[str]:
    """Install what is missing with apt, starting nothing; return the packages installed."""
    if os.geteuid() != 0:
        raise LabError(NOT_ROOT)
    missing = _missing(tools)
    if missing:
        say(f"installing {' '.join(missing)} with apt (no service is started)")
        install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]
        quiet = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        with _nothing_starts():
            call(["apt-get", "update", "-q"], timeout=300, env=quiet)
            call(install, timeout=900, env=quiet)
        _keep_off_at_boot(missing)
    return missing


def raise_inotify_limit() -> None:
    """Let more than a dozen systemds run; the old value is recorded for `restore`."""
    now = int(INOTIFY.read_text())
    if now < INOTIFY_NEEDED:
        record = RUN / "sysctl.json"
        if not record.exists():
            record.write_text(json.dumps({str(INOTIFY): now}))
        INOTIFY.write_text(str(INOTIFY_NEEDED))


def restore() -> None:
    """Put back the settings that the lab changed, and forget what ran; locks stay, as others may wait."""
    record = RUN / "sysctl.json"
    if record.exists():
        for path, value in json.loads(record.read_text()).items():
            Path(path).write_text(str(value))
        record.unlink()
    for path in RUN.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix != ".lock":
            path.unlink()


def _installed(tool: str) -> bool:
    try:
        program(tool)
    except LabError:
        return False
    return True


@contextmanager
def _nothing_starts() -> Iterator[None]:
    """While packages are installed invoke-rc.d is told no; the machine's own policy comes back after."""
    before = (POLICY.read_bytes(), POLICY.stat().st_mode & 0o7777) if POLICY.exists() else None
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        if before is None:
            POLICY.unlink()
        else:
            POLICY.write_bytes(before[0])
            POLICY.chmod(before[1])


def _keep_off_at_boot(packages: list[str]) -> None:
    """The services of packages the lab brought are not to start with the machine."""
    units = {
        "docker.io": ("docker.service", "docker.socket"),
        "containerd": ("containerd.service",),
        "apt-cacher-ng": ("apt-cacher-ng.service",),
        "docker-registry": ("docker-registry.service",),
        "squid": ("squid.service",),
    }
    wanted = [unit for package in packages for unit in units.get(package, ())]
    if wanted and shutil.which("systemctl"):
        call(["systemctl", "disable", "--quiet", *wanted], check=False)
