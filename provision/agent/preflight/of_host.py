"""Questions about the host itself: is there room for what comes, and does it wait for a reboot?

The law: reads only; what may hang (a network file system) is asked by a program with a time limit. A reboot is
announced, never done.
"""

import os

from ..facts import gather
from ..host import lenient
from ..host.errors import Unknown
from .of_docker import data_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

    from ..host.system import System
    from .change import Change, Judgement

MIB = 1024 * 1024
GIB = 1024 * MIB
FILES = 1000
"""Files that a file system must have room for."""
APT_FAIL, APT_WARN = 512 * MIB, 2 * GIB
"""Docker's packages take 130 MB to fetch and 450 MB unpacked."""
FILES_FAIL = MIB
"""For configuration, and for what we remember."""
ROOT_FAIL, ROOT_WARN = 256 * MIB, 5 * GIB
UNFIT = ("nfs", "nfs4", "cifs", "smb2", "smb", "overlayfs", "ecryptfs", "fuseblk")
"""File systems, as stat names them, that Docker's overlay2 cannot live on."""
REBOOT = ("/run/reboot-required", "/var/run/reboot-required")


def disk(system: "System", change: "Change") -> "Judgement":
    """Room where packages, images, configuration and our own records go."""
    files = "No space left on device: {} has {} MB free"
    places = [("/etc/docker" if change.engine else "/etc", FILES_FAIL, 0, files), (system.state, FILES_FAIL, 0, files)]
    if change.apt:
        packages = "no space left for packages: {} has {} MB free, and they take {} MB"
        places += [(path, APT_FAIL, APT_WARN, packages) for path in ("/usr", "/var/cache/apt/archives")]
    told = [_room(system, *place) for place in places]
    if change.engine:
        told += _data_root(system, change)
    for verdict in ("fail", "warn"):
        for answer in told:
            if answer is not None and answer[0] == verdict:
                return answer
    return "pass", "there is room in {}".format(", ".join(place[0] for place in places)), ""


def _data_root(system: "System", change: "Change") -> "Iterator[Judgement | None]":
    """Docker's own place: room for the images that come, and a file system that overlay2 can live on."""
    reserves = [fields["minimum_free"] for fields, _ in change.of("image")]
    root = change.wanted["data_root"] or data_root(system)
    least = max([ROOT_FAIL] + reserves)
    better = max(ROOT_WARN, least + ROOT_WARN * len(reserves))
    yield _room(system, root, least, better, "no space left for images: {} has {} MB free, and it takes {} MB")
    _, values = _file_system(system, root)
    if change.wanted["storage_driver"] == "overlay2" and values[5] in UNFIT:
        cause = "{} is on {}, and overlay2 does not work on that".format(root, values[5])
        yield "fail", cause, "choose a docker_daemon.data_root on ext4 or xfs"


def _room(system: "System", path: str, least: int, better: int, words: str) -> "Judgement | None":
    _, values = _file_system(system, path)
    fix = "free space (df -h {0}; docker system df), or give {0} another disk".format(path)
    if _read_only(system, path):
        cause = "Read-only file system: nothing can be written to {}".format(path)
        return "fail", cause, "remount it read-write (mount -o remount,rw), or repair it"
    free, files = int(values[0]) * int(values[1]), int(values[2])
    if int(values[3]) and files < FILES:
        return "fail", "{} has room for {} more files only".format(path, files), "remove files (df -i {})".format(path)
    if not int(values[4]):
        return None  # no disk, or one that is mounted on use (autofs): it is not told how much there is
    if free < least:
        return "fail", words.format(path, free // MIB, least // MIB), fix
    if free < better:
        return "warn", "{} has {} MB free, which images and updates fill soon".format(path, free // MIB), fix
    return None


def _file_system(system: "System", path: str) -> "tuple[str, list[str]]":
    """(the nearest path that there is, [free blocks, block size, free inodes, all inodes, all blocks, type])."""
    while True:
        answer = system.query(["stat", "-f", "-c", "%a %S %d %c %b %T", "--", path], timeout=10)
        if answer.ok:
            return path, answer.out.split()
        if answer.timed_out:
            raise Unknown("{} does not answer within 10 s".format(path))
        if path in ("/", ""):
            raise Unknown("the free space of {} cannot be told: {}".format(path, answer.tail(1)))
        path = os.path.dirname(path)


def _read_only(system: "System", path: str) -> bool:
    """Is the file system that holds `path` mounted read-only?"""
    best, options = "", ""
    for line in (lenient.text(system, "/proc/self/mounts") or "").splitlines():
        words = line.split()
        place = words[1] if len(words) > 3 else ""
        inside = place == "/" or path == place or path.startswith(place + "/")
        if place and inside and len(place) >= len(best):  # of two mounts on one place the later one counts
            best, options = place, words[3]
    return "ro" in options.split(",")


def reboot(system: "System", change: "Change") -> "Judgement":
    """Does the host wait for a reboot? Its packages say so, or a driver that is newer on disk than in the kernel."""
    for path in REBOOT:
        if lenient.exists(system, path):
            packages = (lenient.text(system, path + ".pkgs") or "").split()
            named = ": {}".format(", ".join(sorted(set(packages))[:5])) if packages else ""
            return "warn", "the host waits for a reboot{}".format(named), "reboot it when its work allows; we do not"
    driver = gather.nvidia(system, os.uname().release)
    loaded, disk_version = driver["driver_loaded"], driver["driver_on_disk"] or driver["library"]
    if loaded and disk_version and loaded != disk_version:
        cause = "the NVIDIA driver {} is loaded and {} is on disk".format(loaded, disk_version)
        return "warn", cause, "reboot it when its work allows; we do not"
    return "pass", "the host waits for no reboot", ""
