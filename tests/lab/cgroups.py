"""A cgroup v2 tree for a host whose systemd takes no other (258 and newer), also on a machine that has v1.

Law: each such host is in a cgroup and a cgroup namespace of its own, so that it sees a whole tree and touches no other.
"""

from pathlib import Path

from tests.lab.machine import program
from tests.lab.processes import call

UNIFIED = Path("/sys/fs/cgroup/cgroup.controllers")
INIT = """\
set -e
mkdir /run/cgroup2; mount -t cgroup2 none /run/cgroup2
mkdir -p /run/cgroup2/{name}; echo $$ >/run/cgroup2/{name}/cgroup.procs
umount /run/cgroup2
exec unshare --cgroup sh -c 'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; exec /sbin/init'
"""
REMOVE = 'mount -t cgroup2 none /mnt; [ ! -d "/mnt/$1" ] || find "/mnt/$1" -depth -type d -exec rmdir {} +'


def init(name: str) -> list[str]:
    """The first process of a host's container, in place of its image's own; none on a machine that has v2 itself."""
    return [] if UNIFIED.exists() else ["sh", "-c", INIT.format(name=name)]


def remove(name: str) -> None:
    """Remove what is left of the tree of a host that is gone."""
    if not UNIFIED.exists():
        call([program("unshare"), "--mount", "sh", "-c", REMOVE, "sh", name])
