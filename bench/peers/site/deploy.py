"""The resources of the bench, for pyinfra: as roles/bench_host.py has them, in the same order."""

from pathlib import Path

from pyinfra import host
from pyinfra.facts.server import Command
from pyinfra.operations import apt, files, server, systemd

FILES = Path(__file__).parent / "files"

for path in ("/etc/docker", "/etc/docker/certs.d", "/etc/systemd/system/docker.service.d"):
    files.directory(name=path, path=path, user="root", group="root", mode="755")


def put(source: str, path: str, mode: str = "644"):
    return files.put(name=path, src=str(FILES / source), dest=path, user="root", group="root", mode=mode)


daemon = put("daemon.json", "/etc/docker/daemon.json")
drop_in = put("limits.conf", "/etc/systemd/system/docker.service.d/limits.conf")
put("modules.conf", "/etc/modules-load.d/docker.conf")
put("sysctl.conf", "/etc/sysctl.d/90-docker.conf")
put("profile.sh", "/etc/profile.d/docker.sh")
put("docker-clean", "/usr/local/sbin/docker-clean", mode="755")

apt.packages(name="docker.io", packages=["docker.io"], no_recommends=True, update=True, cache_time=86400)
if "docker.io" not in (host.get_fact(Command, command="apt-mark showhold") or ""):  # pyinfra has no operation for holds
    server.shell(name="hold docker.io", commands=["apt-mark hold docker.io"])

server.group(name="group docker", group="docker")
server.user(name="alice", user="alice", shell="/bin/bash", groups=["docker"], append=True)

systemd.service(name="containerd", service="containerd.service", running=True, enabled=True)
systemd.service(name="docker", service="docker.service", running=True, enabled=True)
systemd.service(
    name="docker reads its files",
    service="docker.service",
    restarted=True,
    daemon_reload=True,
    _if=lambda: daemon.did_change() or drop_in.did_change(),
)
