"""A first apply on one bare host, out of a bundle and over the network, beside the least that it can cost.

    python -m bench.first_apply --rounds 3 --release d0d0658

The least is `dpkg` with the same files, which lie on the host already, and Docker's start. `--release REVISION` adds an
older provision, over the network. Each takes a host of its own in each round, in turn; all hosts are up from the start,
and their packages are in a cache on this machine. What counts are the ratios: hosts and controller share its cores.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from provision.bundle import manifest
from tests.e2e.runner import SETTINGS
from tests.lab import HostSpec, Lab, LabHost
from tests.lab.host import File

ROOT = Path(__file__).parents[1]
DIRECTORY = ROOT / ".lab" / "first"
Contestant = Callable[[Lab, LabHost], list[str]]
LEAST = "dpkg and Docker's start"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--release", metavar="REVISION", help="an older provision, out of git")
    options = parser.parse_args()
    runs: dict[str, Callable[[Lab, LabHost], list[str]]] = {
        LEAST: least,
        "bundle": with_bundle,
        "network": over_network,
    }
    with tempfile.TemporaryDirectory() as folder:
        if options.release:
            unpack(options.release, Path(folder))
            runs[f"release {options.release}"] = lambda lab, host: apply(Path(folder), host)
        names = [f"r{number}n{turn}" for number in range(options.rounds) for turn in range(len(runs))]
        with Lab.up("first", [HostSpec(name) for name in names], DIRECTORY, print) as lab:
            (DIRECTORY / "group_vars").mkdir(exist_ok=True)
            (DIRECTORY / "group_vars" / "all.yml").write_text(yaml.safe_dump(SETTINGS))
            make_bundle(names[0])
            report(rounds(lab, runs, options.rounds))


def rounds(lab: Lab, runs: dict[str, Contestant], count: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(count):
        for turn, (name, command) in enumerate(runs.items()):
            argv = command(lab, lab.host(f"r{number}n{turn}"))
            started = time.monotonic()
            subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "XDG_STATE_HOME": "/tmp"})
            found[name].append(time.monotonic() - started)
            print(f"round {number + 1}: {name}: {found[name][-1]:.1f} s", flush=True)
    return found


def report(found: dict[str, list[float]]) -> None:
    base = statistics.median(found[LEAST])
    load = os.getloadavg()[0]
    print(f"\n| first apply, 1 host | median, s | x {LEAST} | all, s |\n|---|--:|--:|---|")
    for name, seconds in found.items():
        median, each = statistics.median(seconds), ", ".join(f"{one:.1f}" for one in seconds)
        print(f"| {name} | {median:.1f} | {median / base:.2f} | {each} |")
    print(f"\nload at the end {load:.1f} on {os.cpu_count()} processors")


def unpack(revision: str, folder: Path) -> None:
    packed = subprocess.run(["git", "-C", str(ROOT), "archive", revision], check=True, capture_output=True).stdout
    subprocess.run(["tar", "-C", str(folder), "-x"], check=True, input=packed)


def make_bundle(host: str) -> None:
    argv = [sys.executable, str(ROOT / "provision.py"), "bundle", "-i", str(DIRECTORY), "-l", host]
    subprocess.run([*argv, "--out", str(DIRECTORY / "bundle")], check=True)


def apply(tree: Path, host: LabHost, *more: str) -> list[str]:
    words = [sys.executable, str(tree / "provision.py"), "apply", "-i", str(DIRECTORY), "--limit", host.name, "--yes"]
    return [*words, *more]


def over_network(lab: Lab, host: LabHost) -> list[str]:
    return apply(ROOT, host)


def with_bundle(lab: Lab, host: LabHost) -> list[str]:
    host.run("ip route del default", check=False)
    return apply(ROOT, host, "--bundle", str(DIRECTORY / "bundle"))


def least(lab: Lab, host: LabHost) -> list[str]:
    """The files are there before the time is taken."""
    folder = DIRECTORY / "bundle"
    paths = [folder / package.file.path for package in manifest.read(folder).packages]
    host.put({f"/root/debs/{path.name}": File(path.read_bytes()) for path in paths})
    command = "dpkg -i /root/debs/*.deb && systemctl start docker && docker version"
    return ["ssh", "-F", str(lab.ssh_config), host.name, command]


if __name__ == "__main__":
    main()
