"""The lab's container engine: a containerd and a dockerd of its own, beside any that the user runs.

Law: data root, exec root, sockets, pid files and bridges are the lab's; no firewall rule and no global
forwarding switch of the machine is touched. A system containerd is never adopted.
"""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess

from tests.lab import machine, network
from tests.lab.machine import RUN, cache, program
from tests.lab.processes import Daemon, LabError, call

SOCKET = RUN / "docker.sock"
NETWORK = "provision-lab"
CONTAINERD = Daemon("containerd", RUN / "containerd.json", RUN / "containerd.log")
DOCKERD = Daemon("dockerd", RUN / "dockerd.json", RUN / "dockerd.log")

# Granted by name, as --privileged asks for CAP_SYS_RESOURCE, which a container or small VM may not have.
# Left out on purpose: SYS_TIME, SYS_MODULE and SYS_RAWIO reach through to this machine's clock, kernel and
# devices. Docker 20.10's client knows no BPF, PERFMON and CHECKPOINT_RESTORE.
CAPABILITIES = (  # in the order of their bits; - is one not granted
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
    "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER - - SYS_CHROOT SYS_PTRACE "
    "SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE - SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE "
    "AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ"
)


def docker(
    *words: str,
    timeout: float = 60,
    check: bool = True,
    input: str | None = None,  # noqa: A002 - as subprocess.run names it
) -> CompletedProcess[str]:
    """The docker client, speaking to the lab's engine only."""
    argv = [program("docker"), "--host", f"unix://{SOCKET}", *words]
    return call(argv, timeout=timeout, check=check, input=input)


def running() -> bool:
    return DOCKERD.running() and SOCKET.exists()


def ensure() -> network.Network:
    """Have the engine and its network up; the caller holds the machine-wide lock."""
    RUN.mkdir(parents=True, exist_ok=True)
    machine.raise_inotify_limit()
    net = network.ensure()
    if not DOCKERD.running():
        _start(net)
    _ensure_network(net)
    network.reject_beyond_bridge()
    return net


def containers(label: str) -> list[str]:
    """Names of the lab's containers that carry `label` (key or key=value), running or not."""
    words = ("ps", "--all", "--filter", f"label={label}", "--format", "{{.Names}}")
    return sorted(docker(*words).stdout.split())


def remove(names: Sequence[str]) -> None:
    """Remove containers with their volumes, whatever their state."""
    if names:
        docker("rm", "--force", "--volumes", *names, timeout=120)


def stop() -> None:
    """End the engine: every host, its network, both daemons. Images stay in the cache."""
    if running():
        remove(containers("provision-lab"))
        docker("network", "rm", NETWORK, check=False)
    DOCKERD.stop()
    CONTAINERD.stop()
    _unmount_leftovers()


def host_capabilities() -> list[str]:
    """The capabilities to grant: those above that are in this machine's bounding set."""
    status = Path("/proc/self/status").read_text()
    bounding = int(status.split("CapBnd:")[1].split()[0], 16)
    return [name for bit, name in enumerate(CAPABILITIES.split()) if name != "-" and bounding >> bit & 1]


def _start(net: network.Network) -> None:
    containerd_socket = RUN / "containerd.sock"
    data = cache() / "engine"
    _forget_other_subnet(data, net)
    if not CONTAINERD.running():
        containerd_socket.unlink(missing_ok=True)  # one left by a crash would look ready
        config = RUN / "containerd.toml"
        config.write_text(_containerd_config(data / "containerd", containerd_socket))
        CONTAINERD.start([program("containerd"), "--config", str(config)])
        _wait(CONTAINERD, containerd_socket.exists)
    config = RUN / "dockerd-daemon.json"  # an empty one: /etc/docker/daemon.json belongs to the user's engine
    config.write_text("{}")
    for stale in (SOCKET, RUN / "dockerd.pid"):
        stale.unlink(missing_ok=True)
    DOCKERD.start(
        [
            program("dockerd"),
            f"--config-file={config}",
            f"--host=unix://{SOCKET}",
            f"--pidfile={RUN / 'dockerd.pid'}",
            f"--data-root={data / 'docker'}",
            f"--exec-root={RUN / 'exec'}",
            f"--containerd={containerd_socket}",
            f"--bridge={network.SPARE_BRIDGE}",
            "--iptables=false",
            "--ip-forward=false",
            "--ip-masq=false",
            "--userland-proxy=false",
            "--exec-opt=native.cgroupdriver=cgroupfs",
        ]
    )
    _wait(DOCKERD, lambda: SOCKET.exists() and docker("version", check=False).returncode == 0)


def _containerd_config(root: Path, socket: Path) -> str:
    return (
        f"version = 2\nroot = {json.dumps(str(root))}\nstate = {json.dumps(str(RUN / 'containerd'))}\n"
        'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f"[grpc]\naddress = {json.dumps(str(socket))}\n"
    )


def _wait(daemon: Daemon, ready: Callable[[], bool], limit: float = 60) -> None:
    end = time.monotonic() + limit
    while not ready():
        if not daemon.running():
            raise LabError(f"the lab's {daemon.name} ended at its start:\n{daemon.tail()}")
        if time.monotonic() > end:
            raise LabError(f"the lab's {daemon.name} is not ready after {limit:g} s:\n{daemon.tail()}")
        time.sleep(0.1)


def _forget_other_subnet(data: Path, net: network.Network) -> None:
    """Drop what dockerd remembers of networks on another subnet: it would set them up again."""
    known = data / "subnet"
    if not known.exists() or known.read_text() != str(net.whole):
        shutil.rmtree(data / "docker" / "network", ignore_errors=True)
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_text(str(net.whole))


def _unmount_leftovers() -> None:
    """What a daemon that was killed left mounted; one that ended in order leaves nothing."""
    ours = (f"{RUN / 'exec'}/", f"{cache() / 'engine'}/")
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for path in reversed([path for path in mounted if path.startswith(ours)]):
        call([program("umount"), path], check=False)


def _ensure_network(net: network.Network) -> None:
    if docker("network", "inspect", NETWORK, check=False).returncode == 0:
        return
    docker(
        "network",
        "create",
        f"--subnet={net.hosts}",
        f"--gateway={net.machine}",
        f"--opt=com.docker.network.bridge.name={network.BRIDGE}",
        "--opt=com.docker.network.bridge.enable_ip_masquerade=false",
        NETWORK,
    )


def erase_data() -> None:
    """Remove the stopped engine's data root: containers, layers and imported images."""
    if DOCKERD.running():
        raise LabError("the lab's engine runs: `python3 -m tests.lab down --all` first")
    shutil.rmtree(cache() / "engine", ignore_errors=True)
