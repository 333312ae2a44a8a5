"""A first apply on bare hosts, out of a bundle and over the network, beside the least that it can cost, and others.

    python -m bench.first_apply --release d0d0658               # one host, three rounds
    python -m bench.first_apply --hosts 10 --thin --only network,bundle
    python -m bench.first_apply --peers                         # bench/peers's fifteen resources, and its tools

The least is `dpkg` with the same files, which lie on the host already, and Docker's start. `--release REVISION` adds an
older provision, over the network. Each contestant takes bare hosts of its own in each round, in turn; packages are in a
cache on this machine. What counts are the ratios: hosts and controller share its cores. CPU is the same on a busy
machine, about; wall is not.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

import yaml

from bench.line import Line
from bench.peers import contestants
from bench.peers.fleet import Fleet, prepare_first_apply
from provision.bundle import manifest
from tests.e2e.runner import SETTINGS
from tests.lab import HostSpec, Lab, LabHost, engine
from tests.lab.host import File
from tests.lab.processes import call

ROOT = Path(__file__).parents[1]
DIRECTORY = ROOT / ".lab" / "first"
BUNDLE = ROOT / ".lab" / "first-bundle"
LOG = ROOT / ".lab" / "first.log"
STATE = ROOT / ".lab" / "first-state"
LEAST = "dpkg and Docker's start"
THIN = "25mbit"
"""Of the line to the repository."""
SCRIPT = """set -e; export DEBIAN_FRONTEND=noninteractive; mkdir -p /etc/docker
echo '{"bip": "192.168.127.1/24", "storage-driver": "overlay2"}' >/etc/docker/daemon.json
apt-get update -q; apt-get install -qy --no-install-recommends docker.io; apt-mark hold docker.io
systemctl enable docker; systemctl restart docker; docker version"""


@dataclass
class Cost:
    """Of one run on all its hosts."""

    wall: float
    controller: float
    """CPU seconds of the command."""
    hosts: float
    """CPU seconds of all hosts together."""
    outside: float
    """MB that came from the repository."""
    wire: float
    """MB that came to the hosts over the network in all."""


Prepare = Callable[[Lab], tuple[list[list[str]], dict[str, str]]]
"""Readies the hosts; the commands to run at the same time, and what they have in their environment."""


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        runs = _contestants(options, Path(folder))
        print("the cache and the bundle", flush=True)
        with _hosts(1, options.peers) as lab:
            lab.hosts[0].run("apt-get update -q && apt-get install -qy --download-only docker.io", timeout=600)
            _make_bundle(lab)
        found: dict[str, list[Cost]] = {name: [] for name in runs}
        for number in range(1, options.rounds + 1):
            for name, prepare in runs.items():
                cost = _measured(options, prepare)
                found[name].append(cost)
                print(f"round {number}: {name}: {cost.wall:.1f} s", flush=True)
    _report(options, found)


def _contestants(options: argparse.Namespace, folder: Path) -> dict[str, Prepare]:
    runs: dict[str, Prepare] = {
        LEAST: _least,
        "script": lambda lab: ([_ssh(lab, host, SCRIPT) for host in lab.hosts], {}),
        "bundle": _with_bundle,
        "network": lambda lab: ([_apply(ROOT, lab)], {}),
        "share": lambda lab: ([_apply(ROOT, lab, "--share")], {}),
    }
    if options.release:
        _unpack(options.release, folder)
        runs[f"release {options.release}"] = lambda lab: ([_apply(folder, lab)], {})
    if options.peers:
        runs |= {player.name: _peer(player) for player in contestants.ALL[1:] if player.applies}
    return {name: runs[name] for name in (options.only or runs)}


@contextmanager
def _hosts(count: int, peers: bool) -> Iterator[Lab]:
    packages = ("python3-apt",) if peers else ()
    with Lab.up("first", [HostSpec(f"f{number}", packages=packages) for number in range(count)], DIRECTORY) as lab:
        if peers:
            prepare_first_apply(lab)
            (DIRECTORY / "hosts.yml").write_text(Fleet.write(lab, count).ours.read_text())
            (DIRECTORY / "roles").unlink(missing_ok=True)
            (DIRECTORY / "roles").symlink_to(DIRECTORY / f"{count}-hosts" / "roles")
        else:
            (DIRECTORY / "group_vars").mkdir(exist_ok=True)
            (DIRECTORY / "group_vars" / "all.yml").write_text(yaml.safe_dump(SETTINGS))
        yield lab


def _measured(options: argparse.Namespace, prepare: Prepare) -> Cost:
    with _hosts(options.hosts, options.peers) as lab, Line(lab.hosts, THIN if options.thin else None) as line:
        commands, environment = prepare(lab)
        before = Cost(0.0, _spent(), _cpu(lab.hosts), line.from_repository(), line.received())
        started = time.monotonic()
        env = os.environ | {"XDG_STATE_HOME": str(STATE)} | environment
        with LOG.open("w") as log:
            running = [subprocess.Popen(argv, stdout=log, stderr=log, env=env, cwd=DIRECTORY) for argv in commands]
            bad = [process.args for process in running if process.wait()]
        wall = time.monotonic() - started
        if bad:
            sys.exit(f"{bad[0]} failed: see {LOG}")
        after = Cost(wall, _spent(), _cpu(lab.hosts), line.from_repository(), line.received())
        return Cost(*(late - early for late, early in zip(astuple(after), astuple(before), strict=True)))


def _spent() -> float:
    used = os.times()
    return used.children_user + used.children_system


def _cpu(hosts: Sequence[LabHost]) -> float:
    return sum(_cpu_of(host) for host in hosts)


def _cpu_of(host: LabHost) -> float:
    pid = engine.docker("inspect", "-f", "{{.State.Pid}}", host.container).stdout.strip()
    groups = dict(line.split(":", 2)[1:] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines())
    one = next((name for name in groups if "cpuacct" in name.split(",")), None)
    if one is not None:
        return int(Path(f"/sys/fs/cgroup/cpuacct{groups[one]}/cpuacct.usage").read_text()) / 1e9
    text = Path(f"/sys/fs/cgroup{groups[''].removesuffix('/init.scope')}/cpu.stat").read_text()
    return int(text.split()[1]) / 1e6


def _report(options: argparse.Namespace, found: dict[str, list[Cost]]) -> None:
    base = statistics.median(cost.wall for cost in next(iter(found.values())))
    first, line = next(iter(found)), " behind the thin line" if options.thin else ""
    print(
        f"\n| first apply, {options.hosts} host(s){line} | median, s | x {first} | all, s | CPU of hosts, s |", end=""
    )
    print(" of controller, s | MB of repository | MB in all |\n|---|--:|--:|---|--:|--:|--:|--:|")
    for name, costs in found.items():
        median, each = statistics.median(cost.wall for cost in costs), " ".join(f"{cost.wall:.1f}" for cost in costs)
        rest = [statistics.median(column) for column in list(zip(*map(astuple, costs), strict=True))[1:]]
        controller, hosts, outside, wire = (f"{value:.1f}" for value in rest)
        print(f"| {name} | {median:.1f} | {median / base:.2f} | {each} | {hosts} | {controller} | {outside} | {wire} |")
    print(f"\nload at the end {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")


# -- contestants


def _apply(tree: Path, lab: Lab, *more: str) -> list[str]:
    forks = ("--forks", str(len(lab.hosts)))
    return [sys.executable, str(tree / "provision.py"), "apply", "-i", str(DIRECTORY), "--yes", *forks, *more]


def _with_bundle(lab: Lab) -> tuple[list[list[str]], dict[str, str]]:
    for host in lab.hosts:
        host.run("ip route del default", check=False)
    return [_apply(ROOT, lab, "--bundle", str(BUNDLE))], {}


def _least(lab: Lab) -> tuple[list[list[str]], dict[str, str]]:
    """The files are there before the time is taken."""
    paths = [BUNDLE / package.file.path for package in manifest.read(BUNDLE).packages]
    for host in lab.hosts:
        host.put({f"/root/debs/{path.name}": File(path.read_bytes()) for path in paths})
    command = "dpkg -i /root/debs/*.deb && systemctl start docker && docker version"
    return [_ssh(lab, host, command) for host in lab.hosts], {}


def _peer(player: contestants.Contestant) -> Prepare:
    def prepare(lab: Lab) -> tuple[list[list[str]], dict[str, str]]:
        argv, environment = player.call(Fleet.write(lab, len(lab.hosts)))
        return [argv], environment

    return prepare


def _ssh(lab: Lab, host: LabHost, command: str) -> list[str]:
    return ["ssh", "-F", str(lab.ssh_config), host.name, command]


def _unpack(revision: str, folder: Path) -> None:
    packed = call(["git", "-C", str(ROOT), "rev-parse", revision]).stdout.strip()
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", packed], check=True, capture_output=True).stdout
    subprocess.run(["tar", "-C", str(folder), "-x"], check=True, input=archive)


def _make_bundle(lab: Lab) -> None:
    argv = [sys.executable, str(ROOT / "provision.py"), "bundle", "-i", str(DIRECTORY), "--out", str(BUNDLE)]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"XDG_STATE_HOME": str(STATE)})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.first_apply", description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, default=1, help="at once (1)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--release", metavar="REVISION", help="an older provision, out of git")
    parser.add_argument("--thin", action="store_true", help=f"the repository is behind a line of {THIN}")
    parser.add_argument("--peers", action="store_true", help="the resources of bench/peers, and its tools beside us")
    parser.add_argument("--only", type=lambda text: text.split(","), metavar="NAME,…", help="these contestants")
    return parser.parse_args()


if __name__ == "__main__":
    main()
