"""Hosts of the lab as each tool wants to be told of them: inventories for so many of them, beside the site's files.

The law: all tools get the same hosts, the same key, the same known_hosts (strict), and may do as many hosts at a time
as there are.
"""

import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.lab import Lab, LabHost, engine
from tests.lab.machine import program
from tests.lab.processes import call

ROOT = Path(__file__).parents[2]
SITE = Path(__file__).with_name("site")
LISTS = ("var/lib/apt/lists", "var/cache/apt", "var/lib/apt/periodic")
AT_ONCE = 'Acquire::Retries::Delay "false";\n'
"""The lab's package cache refuses now and then (503). apt 2.6 may then forget a retry that is put off, and stand still
for good: this tool's own options prevent that, and the peers' runs would never end."""
STAMP = "/var/lib/apt/periodic/update-success-stamp"


@dataclass(frozen=True)
class Fleet:
    """The first `count` hosts of a lab."""

    directory: Path
    hosts: Sequence[LabHost]
    ssh_config: Path
    sockets: Path
    """A folder with a path short enough for sockets."""

    @property
    def count(self) -> int:
        return len(self.hosts)

    @property
    def ours(self) -> Path:
        return self.directory / "ours.yml"

    @property
    def ansible(self) -> Path:
        return self.directory / "ansible.yml"

    @property
    def pyinfra(self) -> Path:
        return self.directory / "pyinfra.py"

    @classmethod
    def write(cls, lab: Lab, count: int) -> "Fleet":
        directory = lab.directory / f"{count}-hosts"
        shutil.copytree(SITE, directory, dirs_exist_ok=True)
        everything = yaml.safe_load(lab.inventory.read_text())["all"]["hosts"]
        hosts = {host.name: everything[host.name] for host in lab.hosts[:count]}
        sockets = Path(tempfile.gettempdir()) / "provision-bench"
        sockets.mkdir(mode=0o700, exist_ok=True)
        made = cls(directory, lab.hosts[:count], lab.ssh_config, sockets)
        made.ours.write_text(yaml.safe_dump({"all": {"vars": {"roles": ["bench_host"]}, "hosts": hosts}}))
        made.ansible.write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        login = {
            "ssh_user": "root",
            "ssh_key": str(lab.private_key),
            "ssh_known_hosts_file": str(lab.known_hosts),
            "ssh_strict_host_key_checking": "yes",
        }
        pairs = [(host.name, {"ssh_hostname": host.ip, **login}) for host in lab.hosts[:count]]
        made.pyinfra.write_text(f"hosts = {pairs!r}\n")
        return made


def prepare_first_apply(lab: Lab) -> None:
    """Fresh hosts have no lists, in a folder of today: Ansible would take them for today's, and get no new ones."""

    def prepare(host: LabHost) -> None:
        host.run(["touch", "-d", "2 days ago", "/var/lib/apt/lists"])
        host.write("/etc/apt/apt.conf.d/95bench", AT_ONCE)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(prepare, lab.hosts))


def with_lists(lab: Lab) -> None:
    """Give all hosts apt's lists, from the one that gets them: as hosts in use have them, and recent."""
    first, *others = lab.hosts
    folder = Path(STAMP).parent
    first.run(f"apt-get update -q && apt-get check -q && mkdir -p {folder} && touch {STAMP}", timeout=300)
    archive = lab.directory / "lists.tar"
    docker = [program("docker"), "--host", f"unix://{engine.SOCKET}"]
    pack = f"tar -C / -cf - {' '.join(LISTS)}"
    call(["sh", "-c", f'exec "$@" >{archive}', "sh", *docker, "exec", first.container, "sh", "-c", pack], timeout=300)

    def unpack(host: LabHost) -> None:
        into = [*docker, "exec", "-i", host.container, "tar", "-C", "/", "-xf", "-"]
        call(["sh", "-c", f'exec "$@" <{archive}', "sh", *into], timeout=300)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(unpack, others))
    archive.unlink()
