"""A lab: N hosts under one name, brought up together, with all that a client needs to reach them.

Law: what an earlier run left under the same name is removed first; `down` leaves nothing of this lab.
The engine, the network and the package cache are shared by all labs and stay up for the next one.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab import apt, cgroups, engine, image, machine
from tests.lab import network as lab_network
from tests.lab.host import File, LabHost
from tests.lab.image import HostSpec
from tests.lab.network import Network
from tests.lab.processes import LabError, call
from tests.lab.repository import AptRepository
from tests.lab.services import Proxy, Registry

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
AT_ONCE = 10  # hosts started at a time


def _silent(_line: str) -> None:
    """Nobody listens to what the lab is doing."""


@dataclass
class Lab:
    """A lab that is up. Make one with `Lab.up`; as a context manager it goes down at the end."""

    name: str
    directory: Path
    hosts: list[LabHost]
    network: Network
    _closers: list[Callable[[], None]] = field(default_factory=list)

    @classmethod
    def up(
        cls,
        name: str,
        hosts: Sequence[HostSpec],
        directory: Path,
        say: Callable[[str], None] = _silent,
    ) -> Self:
        """Start `hosts` and write key, known_hosts, ssh_config and hosts.yml into `directory`.

        Raises LabError when a host does not come up; the lab is then left standing, for a look at it.
        """
        _check_names(name, hosts)
        directory = directory.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        net, images = cls.prepare(hosts, say)
        engine.remove(engine.containers(f"provision-lab={name}"))
        public_key = _client_key(directory)
        say(f"starting {len(hosts)} hosts of lab {name}")
        with machine.lock():  # addresses are given out one lab at a time
            free = _free_addresses(net, len(hosts))
            names = {spec.name: ip for spec, ip in zip(hosts, free, strict=True)}
            made = [_create(name, spec, names, images[spec.kind], public_key) for spec in hosts]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            keys = list(pool.map(lambda host: _start(host, net), made))
        lab = cls(name, directory, made, net)
        lab._write_client_files(keys)
        for host in made:
            say(f"{host.name} is up at {host.ip}")
        return lab

    @staticmethod
    def prepare(
        hosts: Sequence[HostSpec], say: Callable[[str], None] = _silent
    ) -> tuple[Network, dict[image.Kind, str]]:
        """Have the engine, the package cache and the images of `hosts` ready, and start no host."""
        net = _ensure_shared(say)
        return net, {kind: image.ensure(kind, say) for kind in dict.fromkeys(spec.kind for spec in hosts)}

    def host(self, name: str) -> LabHost:
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabError(f"lab {self.name} has no host {name!r}")

    def apt_repository(
        self, name: str, debs: Sequence[Path], suite: str = "stable", flat: bool = False, sha1: bool = False
    ) -> AptRepository:
        """A signed repository with `debs`, served to the hosts until the lab goes down; `sha1`: by a key of old."""
        made = AptRepository(name, debs, self.network.machine, suite=suite, flat=flat, sha1=sha1)
        self._closers.append(made.close)
        return made

    def registry(self, users: Mapping[str, str] | None = None) -> Registry:
        """A container registry with TLS; with `users` (name -> password) it wants a login."""
        made = Registry(self.network.machine, users or {})
        self._closers.append(made.close)
        return made

    def proxy(self, username: str | None = None, password: str | None = None) -> Proxy:
        """An HTTP proxy that notes each request; with `username` it wants a login."""
        made = Proxy(self.network, username, password)
        self._closers.append(made.close)
        return made

    def down(self) -> None:
        """Remove the hosts with all their data, and end this lab's services."""
        while self._closers:
            self._closers.pop()()
        names = engine.containers(f"provision-lab={self.name}")
        engine.remove(names)
        for name in names:
            cgroups.remove(name)

    @property
    def inventory(self) -> Path:
        return self.directory / "hosts.yml"

    @property
    def ssh_config(self) -> Path:
        return self.directory / "ssh_config"

    @property
    def known_hosts(self) -> Path:
        return self.directory / "known_hosts"

    @property
    def private_key(self) -> Path:
        return self.directory / "id_ed25519"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def _write_client_files(self, keys: Sequence[Sequence[str]]) -> None:
        known, config, inventory = [], [], ["all:", "  hosts:"]
        options = f"-o UserKnownHostsFile={self.known_hosts}"
        for host, host_keys in zip(self.hosts, keys, strict=True):
            known += [f"{host.name},{host.ip} {key}" for key in host_keys]
            config += [f"Host {host.name}", f"  HostName {host.ip}"]
            inventory += [
                f"    {host.name}:",
                f"      ansible_host: {host.ip}",
                "      ansible_user: root",
                f"      ansible_ssh_private_key_file: {json.dumps(str(self.private_key))}",
                f"      ansible_ssh_common_args: {json.dumps(options)}",
            ]
        config += [
            "Host *",
            "  User root",
            f'  IdentityFile "{self.private_key}"',
            "  IdentitiesOnly yes",
            f'  UserKnownHostsFile "{self.known_hosts}"',
            "  StrictHostKeyChecking yes",
        ]
        for path, lines in (
            (self.known_hosts, known),
            (self.ssh_config, config),
            (self.inventory, inventory),
        ):
            path.write_text("\n".join(lines) + "\n")


def down_all() -> None:
    """Take every lab down, end the engine and the package cache, and undo what was set on the machine."""
    with machine.lock():
        engine.stop()
        apt.stop_proxy()
        lab_network.remove()
        machine.restore()


def _check_names(name: str, hosts: Sequence[HostSpec]) -> None:
    for word in (name, *(spec.name for spec in hosts)):
        if not NAME.fullmatch(word):
            raise LabError(f"{word!r} is no name for a lab or host: use a-z, 0-9 and -")
    if not hosts or len({spec.name for spec in hosts}) != len(hosts):
        raise LabError("a lab wants at least one host, and each host its own name")


def _ensure_shared(say: Callable[[str], None]) -> Network:
    with machine.lock():
        machine.ensure_tools(say)
        if not engine.running():
            say("starting the lab's own container engine and package cache")
        net = engine.ensure()
        apt.ensure_proxy(net.machine)
    return net


def _client_key(directory: Path) -> str:
    key = directory / "id_ed25519"
    if not key.exists():
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "provision-lab", "-f", str(key)]
        call([machine.program(words[0]), *words[1:]])
    return key.with_suffix(".pub").read_text().strip()


def _free_addresses(net: Network, count: int) -> list[str]:
    words = ("ps", "--all", "--filter", "label=provision-lab", "--format", '{{.Label "provision-lab-ip"}}')
    taken = set(engine.docker(*words).stdout.split())
    free = [ip for ip in net.addresses() if ip not in taken]
    if len(free) < count:
        raise LabError("the lab's network has no free address left: take some labs down")
    return free[:count]


def _create(lab: str, spec: HostSpec, names: Mapping[str, str], reference: str, public_key: str) -> LabHost:
    """Create, without starting it, the container that is to be the host."""
    container = f"{lab}.{spec.name}"
    ip = names[spec.name]
    words = [
        "create",
        "--tty",  # gives systemd a console, whose last lines are what a failed start leaves
        f"--name={container}",
        f"--hostname={spec.name}",
        f"--label=provision-lab={lab}",
        f"--label=provision-lab-host={spec.name}",
        f"--label=provision-lab-ip={ip}",
        f"--network={engine.NETWORK}",
        f"--ip={ip}",
        *(f"--add-host={name}:{address}" for name, address in names.items()),
        "--cgroupns=host",
        "--security-opt=seccomp=unconfined",
        "--security-opt=apparmor=unconfined",
        "--security-opt=systempaths=unconfined",
        "--tmpfs=/run",
        "--tmpfs=/run/lock",
        "--tmpfs=/tmp:exec",
        "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw",
        "--volume=/var/lib/docker",  # nested overlay2 needs a file system that is no overlay
        "--env=container=docker",
        "--stop-signal=SIGRTMIN+3",
        *(f"--cap-add={name}" for name in engine.host_capabilities()),
    ]
    engine.docker(*words, reference, *(cgroups.init(container) if spec.release in image.UNIFIED_ONLY else []))
    return LabHost(spec.name, ip, container, public_key)


def _start(host: LabHost, net: Network) -> list[str]:
    """Give the host what is its own, start it, wait for it; returns its public host keys."""
    resolver = f"nameserver {net.machine}\n"  # nothing answers there: names outside the lab fail at once
    host.put(
        {
            "/etc/lab-resolv.conf": File(resolver.encode()),
            "/root/.ssh/authorized_keys": File(host.public_key.encode() + b"\n", 0o600),
            "/etc/apt/apt.conf.d/90lab-cache": File(apt.proxy_options(net.machine).encode()),
        }
    )
    engine.docker("start", host.container)
    host.wait_ready()
    return host.host_keys()
