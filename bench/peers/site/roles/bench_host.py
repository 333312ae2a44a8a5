"""The resources of the bench, for provision.py: as deploy.py and playbook.yml have them, in the same order."""

from collections.abc import Iterator
from pathlib import Path

from provision import role
from provision.resources import (
    Directory,
    DockerService,
    File,
    Group,
    GroupMembership,
    Package,
    Packages,
    Resource,
    Service,
    UserAccount,
)

FILES = Path(__file__).parents[1] / "files"
DIRECTORIES = ("/etc/docker", "/etc/docker/certs.d", "/etc/systemd/system/docker.service.d")
DAEMON_JSON = "/etc/docker/daemon.json"
DROP_IN = "/etc/systemd/system/docker.service.d/limits.conf"


class Settings(role.Settings):
    """Nothing can be set: the peers' files are as fixed."""


def resources(facts: role.Facts, settings: Settings) -> Iterator[Resource]:
    for path in DIRECTORIES:
        yield Directory(path=path)
    yield _file(DAEMON_JSON, "daemon.json")
    yield _file(DROP_IN, "limits.conf")
    yield _file("/etc/modules-load.d/docker.conf", "modules.conf")
    yield _file("/etc/sysctl.d/90-docker.conf", "sysctl.conf")
    yield _file("/etc/profile.d/docker.sh", "profile.sh")
    yield _file("/usr/local/sbin/docker-clean", "docker-clean", mode="0755")
    yield Packages(packages=(Package(name="docker.io"),), hold=True, no_start=("docker", "containerd"))
    yield Group(name="docker")
    yield UserAccount(name="alice", shell="/bin/bash")
    yield GroupMembership(group="docker", user="alice", created=True)
    yield Service(name="containerd")
    yield DockerService(files=(DAEMON_JSON, DROP_IN), also=("docker.socket",))


def _file(path: str, source: str, mode: str = "0644") -> File:
    return File(path=path, content=(FILES / source).read_text(), mode=mode)
