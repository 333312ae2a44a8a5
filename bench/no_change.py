"""A run that changes nothing, on ten hosts, beside ten parallel `ssh HOST true`: wall and CPU of the controller.

    make bench                                  # ten lab hosts, five rounds
    python -m bench.no_change --hosts 20 --rounds 3

Both are measured in turn in the same rounds. The `ssh` side is the bare login: no command could cost less. CPU is that
of the controller's processes alone; on this one machine the hosts' own work competes for the same cores. Python may
keep its compiled code, as it does for anybody who has not turned that off.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.lab import HostSpec, Lab

ROOT = Path(__file__).parents[1]
DIRECTORY = ROOT / ".lab" / "bench"
SETTINGS = ROOT / "tests" / "demo" / "settings.yml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", action="store_true", help="leave the hosts up for another measurement")
    options = parser.parse_args()
    specs = [HostSpec(f"n{number}", "bookworm") for number in range(1, options.hosts + 1)]
    lab = Lab.up("bench", specs, DIRECTORY, print)
    (DIRECTORY / "group_vars").mkdir(exist_ok=True)
    shutil.copy(SETTINGS, DIRECTORY / "group_vars" / "all.yml")
    print("first apply (installs Docker)", flush=True)
    first = measured(apply())
    print(f"  {first[0]:.1f} s", flush=True)
    ours, theirs = [], []
    for _ in range(options.rounds):
        ours.append(measured(apply()))
        theirs.append(parallel_ssh(lab))
    report(len(specs), ours, theirs)
    if not options.keep:
        lab.down()


def apply() -> list[str]:
    inventory = str(DIRECTORY)
    return [sys.executable, str(ROOT / "provision.py"), "apply", "--inventory", inventory, "--yes", "--forks", "64"]


def measured(argv: list[str]) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds, peak memory in MB of one process and its children."""
    started, before = time.monotonic(), os.times()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, errors = process.communicate()
    after = os.times()
    if process.returncode != 0:
        sys.exit(f"{' '.join(argv)} ended with {process.returncode}: {errors.decode()[-2000:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - started, cpu, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def parallel_ssh(lab: Lab) -> tuple[float, float, float]:
    started, before = time.monotonic(), os.times()
    command = ["ssh", "-F", str(lab.ssh_config)]
    processes = [subprocess.Popen([*command, host.name, "true"], stdin=subprocess.DEVNULL) for host in lab.hosts]
    for process in processes:
        if process.wait() != 0:
            sys.exit("ssh failed")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - started, cpu, 0.0


def report(hosts: int, ours: list[tuple[float, float, float]], theirs: list[tuple[float, float, float]]) -> None:
    def median(rows: list[tuple[float, float, float]], column: int) -> float:
        return statistics.median(row[column] for row in rows)

    wall, ssh_wall = median(ours, 0), median(theirs, 0)
    print(f"\n{hosts} hosts, {len(ours)} rounds, medians       wall      controller CPU a host")
    print(f"provision.py apply, no change      {wall:7.2f} s   {median(ours, 1) / hosts * 1000:7.1f} ms")
    print(f"{hosts} parallel `ssh HOST true`        {ssh_wall:7.2f} s   {median(theirs, 1) / hosts * 1000:7.1f} ms")
    print(f"ratio {wall / ssh_wall:.2f}, peak memory {ours[-1][2]:.0f} MB")
    print("all rounds, ours: " + " ".join(f"{row[0]:.2f}" for row in ours), end="; ")
    print("ssh: " + " ".join(f"{row[0]:.2f}" for row in theirs))


if __name__ == "__main__":
    main()
