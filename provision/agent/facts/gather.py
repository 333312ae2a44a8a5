"""What can be known of the host cheaply: read from /etc, /proc, /sys and the kernel, almost without a process.

The law: reads only, as root or not; a missing thing is None and never an exception; no secret ever enters. The result
is plain JSON that `provision.facts.Facts` takes.
"""

import _socket as socket  # what socket is made of; the rest of it costs each host 3 ms
import os
import re
import resource as limits
import sys
import time

from ..docker import engine_facts
from ..host import lenient
from ..host.results import PATH
from ..packages import dpkg
from .network import network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

    from ..host.system import System
    from ..packages.dpkg import DpkgPackage

ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "i686": "i386",
    "i386": "i386",
    "armv7l": "armhf",
    "ppc64le": "ppc64el",
    "s390x": "s390x",
    "riscv64": "riscv64",
}
"""uname's machine as dpkg names it; for a host where dpkg itself does not tell."""
CAP_SYS_RESOURCE = 1 << 24
ALL_USERS = "0 0 4294967295"
"""The uid_map of the first user namespace."""
NVIDIA = "10de"
LIBRARY = r"libnvidia-ml\.so\.(\d+\.[\d.]+)$"
MAX_LINKS = 8
RESOLVERS = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")


def gather(system: "System") -> "dict[str, Any]":
    """All facts of this host, as plain JSON types."""
    uname = os.uname()
    installed = _installed(system)
    facts = {
        "hostname": uname.nodename,
        "os": _os(system),
        "architecture": _architecture(installed, uname.machine),
        "kernel": uname.release,
        "init": init(system),
        "python": sys.version.split()[0],
        "apt_version": installed["apt"].version if "apt" in installed else None,
        "boot_id": lenient.word(system, "/proc/sys/kernel/random/boot_id"),
        "can_raise_limits": _can_raise_limits(system),
        "memlock_hard": limits.getrlimit(limits.RLIMIT_MEMLOCK)[1],
        "dmi_vendor": lenient.word(system, "/sys/class/dmi/id/sys_vendor"),
        "dmi_product": lenient.word(system, "/sys/class/dmi/id/product_name"),
        "dgx": _dgx(system),
        "nvidia": nvidia(system, uname.release),
        "docker": engine_facts.docker(system, installed),
        "resolvers": _resolvers(system),
        "ssh_client": _ssh_client(system),
        "time": time.time(),
    }
    facts.update(network(system))
    return facts


def _installed(system: "System") -> "dict[str, DpkgPackage]":
    try:
        return dpkg.packages(system, engine_facts.PACKAGES + ("apt", "dpkg"))
    except OSError:
        return {}


def _os(system: "System") -> "dict[str, str]":
    values = lenient.assignments(lenient.text(system, "/etc/os-release") or lenient.text(system, "/usr/lib/os-release"))
    return {
        "id": values.get("ID", ""),
        "version_id": values.get("VERSION_ID", ""),
        "codename": values.get("UBUNTU_CODENAME") or values.get("VERSION_CODENAME", ""),
        "name": values.get("PRETTY_NAME", ""),
    }


def _architecture(installed: "dict[str, DpkgPackage]", machine: str) -> str:
    """dpkg's own package says what userland this is: a 32-bit one may run on a 64-bit kernel."""
    if "dpkg" in installed and installed["dpkg"].architecture:
        return str(installed["dpkg"].architecture)
    return ARCHITECTURES.get(machine, machine)


def init(system: "System") -> str:
    """What manages services now: sd_booted(3), else upstart if it answers, else sysv (which may be nothing at all)."""
    if lenient.exists(system, "/run/systemd/system"):
        return "systemd"
    if lenient.exists(system, "/sbin/initctl"):
        answer = system.query(["/sbin/initctl", "version"], timeout=5)
        if answer.ok and "upstart" in answer.out:
            return "upstart"
    return "sysv"


def _can_raise_limits(system: "System") -> bool:
    """CAP_SYS_RESOURCE in the bounding sets, in the first user namespace: only there does it raise hard limits."""
    if (lenient.text(system, "/proc/self/uid_map") or ALL_USERS).split() != ALL_USERS.split():
        return False
    for process in ("self", "1"):
        words = (lenient.text(system, "/proc/{}/status".format(process)) or "").split()
        if "CapBnd:" in words and not int(words[words.index("CapBnd:") + 1], 16) & CAP_SYS_RESOURCE:
            return False
    return True


def _dgx(system: "System") -> "dict[str, str] | None":
    content = lenient.text(system, "/etc/dgx-release")
    if content is None:
        return None
    values = lenient.assignments(content)
    return {
        "name": values.get("DGX_NAME", ""),
        "platform": values.get("DGX_PLATFORM", ""),
        "version": values.get("DGX_OTA_VERSION") or values.get("DGX_SWBUILD_VERSION", ""),
    }


def nvidia(system: "System", kernel: str) -> "dict[str, Any]":
    """NVIDIA hardware and driver, as `provision.facts.Nvidia` takes it."""
    return {
        "pci": _pci(system),
        "driver_loaded": lenient.word(system, "/sys/module/nvidia/version") or None,
        "driver_on_disk": _on_disk(system, kernel),
        "library": _library(system),
        "programs": driver_programs(system),
    }


def _pci(system: "System") -> "list[dict[str, str]]":
    """NVIDIA's devices. /proc/bus/pci/devices is one read, a big host has 500 directories in /sys, so it goes first."""
    listed = lenient.text(system, "/proc/bus/pci/devices")
    places = {_place(line) for line in (listed or "").splitlines() if "\t{}".format(NVIDIA) in line[:9]}
    devices = []
    for address in lenient.names(system, "/sys/bus/pci/devices") if places or listed is None else ():
        folder = "/sys/bus/pci/devices/" + address
        known = listed is None or address.partition(":")[2] in places
        if known and lenient.word(system, folder + "/vendor") == "0x" + NVIDIA:
            device, device_class = (lenient.word(system, folder + name)[2:6] for name in ("/device", "/class"))
            devices.append({"address": address, "device": device, "device_class": device_class})
    return devices


def _place(line: str) -> str:
    """The line "1700\\t10de2330…": bus and device-function, in hexadecimal, as the 17:00.0 of /sys."""
    number = int(line[:4], 16)
    return "{:02x}:{:02x}.{}".format(number >> 8, number >> 3 & 31, number & 7)


def _on_disk(system: "System", kernel: str) -> "str | None":
    """The version DKMS built for this kernel, when it is one; a prebuilt module would have to be read whole: None."""
    versions = [name for name in lenient.names(system, "/var/lib/dkms/nvidia") if re.match(r"\d+\.", name)]
    built = [name for name in versions if lenient.exists(system, "/var/lib/dkms/nvidia/{}/{}".format(name, kernel))]
    return built[0] if len(built) == 1 else None


def _library(system: "System") -> "str | None":
    match = re.search(LIBRARY, library_path(system) or "")
    return match.group(1) if match else None


def library_path(system: "System") -> "str | None":
    """The file behind libnvidia-ml.so.1 as the dynamic linker finds it, links followed; None where there is none."""
    for directory in _library_directories(system):
        path = directory + "/libnvidia-ml.so.1"
        for _ in range(MAX_LINKS):
            target = system.link(path)
            if target is None or re.search(LIBRARY, path):
                break
            path = os.path.join(os.path.dirname(path), target)
        if re.search(LIBRARY, path):
            return os.path.normpath(path)
    return None


def driver_programs(system: "System") -> "str | None":
    """The folder of the driver's own nvidia-smi where it is beside its library and on no usual PATH, or None."""
    library = library_path(system)
    folder = os.path.normpath(os.path.join(os.path.dirname(library), "../bin")) if library else None
    if folder is None or folder in PATH.split(":") or not lenient.exists(system, folder + "/nvidia-smi"):
        return None
    return folder


def _library_directories(system: "System") -> "Iterator[str]":
    """ld.so.conf(5) and the built-in ones; then where containers and some GPU clouds put the driver."""
    for name in lenient.names(system, "/etc/ld.so.conf.d"):
        for line in (lenient.text(system, "/etc/ld.so.conf.d/" + name) or "").splitlines():
            if line.startswith("/"):
                yield line.strip()
    for directory in ("x86_64-linux-gnu", "aarch64-linux-gnu"):
        yield "/usr/lib/" + directory
    for directory in ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/nvidia/lib64"):
        yield directory


def _resolvers(system: "System") -> "list[str]":
    found = []
    for path in RESOLVERS:
        for line in (lenient.text(system, path) or "").splitlines():
            words = line.split()
            address = _ip(words[1]) if words[:1] == ["nameserver"] and words[1:] else None
            if address and address not in found:
                found.append(address)
    return found


def _ip(word: str) -> "str | None":
    """An address without its %interface, or None when it is none."""
    address = word.partition("%")[0]
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_ntop(family, socket.inet_pton(family, address))
        except OSError:
            continue
    return None


def _ssh_client(system: "System") -> "str | None":
    """Of SSH_CONNECTION: ours, or (sudo strips it) that of the nearest ancestor that has one; None without SSH."""
    line = os.environ.get("SSH_CONNECTION", "")
    pid = os.getppid()
    while not line and pid > 1:
        environ = lenient.text(system, "/proc/{}/environ".format(pid)) or ""
        line = "".join(item[15:] for item in environ.split("\0") if item.startswith("SSH_CONNECTION="))
        pid = _parent(system, pid)
    return _ip(line.split()[0]) if line.split() else None


def _parent(system: "System", pid: int) -> int:
    after_name = (lenient.text(system, "/proc/{}/stat".format(pid)) or "").rpartition(")")[2].split()
    return int(after_name[1]) if len(after_name) > 1 else 0
