"""An inventory of 10,000 hosts, read by us and by `ansible-inventory --list`: wall, CPU and memory.

    make bench-inventory                        # needs ansible-inventory on PATH; writes docs/bench.md
    python -m bench.inventory --hosts 1000 --rounds 1

Both read the same files in turn, in the same rounds: YAML, and INI. 200 racks below 10 sites, each with a file in
group_vars; ours types every connection variable as well, and prints hosts with their groups as JSON.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEADING = "## Inventories"
RACKS, SITES = 200, 10
OURS, THEIRS = "provision.py inventory --json", "ansible-inventory --list"


@dataclass(frozen=True)
class Cost:
    """One run of a command: seconds, seconds of processors (user and system), MB."""

    wall: float
    cpu: float
    memory: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "bench.md")
    options = parser.parse_args()
    if shutil.which("ansible-inventory") is None:
        raise SystemExit("ansible-inventory is not on PATH: pip install ansible-core")
    rounds: dict[tuple[str, str], list[Cost]] = {}
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        files = list(written(Path(folder), options.hosts))
        for _ in range(options.rounds):
            for form, file in files:
                for name, argv in commands(file):
                    rounds.setdefault((form, name), []).append(measured(argv))
                    print(form, name, rounds[form, name][-1], flush=True)
    before, _, ours = options.page.read_text("utf-8").partition(f"\n{HEADING}")
    _, heading, after = ours.partition("\n## ")
    options.page.write_text(before + section(rounds, options.hosts, load) + heading + after)


def commands(file: Path) -> list[tuple[str, list[str]]]:
    """What is run, and its name in the table."""
    ours = [sys.executable, str(ROOT / "provision.py"), "inventory", "-i", str(file), "--json"]
    return [(OURS, ours), (THEIRS, ["ansible-inventory", "-i", str(file), "--list"])]


def written(folder: Path, hosts: int) -> Iterator[tuple[str, Path]]:
    """The same hosts in both forms, each with its variables."""
    names = {rack: [f"n{n:05}.example.com" for n in range(rack, hosts, RACKS)] for rack in range(RACKS)}
    yaml = "all:\n  vars: {ansible_user: ubuntu, ansible_become: true}\n  children:\n"
    ini = "[all:vars]\nansible_user=ubuntu\nansible_become=true\n"
    for site in range(SITES):
        racks = range(site, RACKS, SITES)
        yaml += f"    site{site}:\n      children:\n"
        ini += f"[site{site}:children]\n" + "".join(f"rack{rack}\n" for rack in racks)
        for rack in racks:
            yaml += f"        rack{rack}:\n          hosts:\n"
            yaml += "".join(f"            {name}: {{bmc: 10.1.{rack}.1}}\n" for name in names[rack])
            ini += f"[rack{rack}]\n" + "".join(f"{name} bmc=10.1.{rack}.1\n" for name in names[rack])
    for form, name, text in (("YAML", "hosts.yml", yaml), ("INI", "hosts.ini", ini)):
        variables = folder / form / "group_vars"
        variables.mkdir(parents=True)
        (folder / form / name).write_text(text)
        (variables / "all.yml").write_text("ntp: [10.0.0.1, 10.0.0.2]\nansible_timeout: 20\n")
        for rack in range(RACKS):
            (variables / f"rack{rack}.yml").write_text(f"rack: {rack}\nansible_port: {2200 + rack}\n")
        yield form, folder / form / name


def measured(argv: list[str]) -> Cost:
    """Runs a command whose output nobody reads."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.monotonic()
    with subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(argv)} ended with status {process.returncode}")
    return Cost(time.monotonic() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def section(rounds: dict[tuple[str, str], list[Cost]], hosts: int, load: float) -> str:
    """A part of docs/bench.md: medians."""
    lines = [
        "",
        HEADING,
        "",
        f"Made by `make bench-inventory`: {hosts:,} hosts in {RACKS} racks below {SITES} sites, with a file of",
        f"group_vars for each rack; medians of {len(next(iter(rounds.values())))} rounds, the commands in turn.",
        f"CPU is of user and system; load before: {load:.0f}, on {os.cpu_count()} processors.",
        "",
        "| form | command | wall, s | CPU, s | x ours | memory, MB |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for (form, name), costs in rounds.items():
        wall, cpu, memory = (
            statistics.median(values) for values in zip(*((c.wall, c.cpu, c.memory) for c in costs), strict=True)
        )
        ours = statistics.median(cost.cpu for cost in rounds[form, OURS])
        ratio = "" if name == OURS else f"{cpu / ours:.1f}"
        lines.append(f"| {form} | `{name}` | {wall:.1f} | {cpu:.2f} | {ratio} | {memory:.0f} |")
    return "\n".join([*lines, ""])


def kept(page: Path) -> str:
    """That part of a page that is written anew otherwise."""
    _, heading, text = page.read_text("utf-8").partition(f"\n{HEADING}") if page.exists() else ("", "", "")
    return heading + text


if __name__ == "__main__":
    main()
