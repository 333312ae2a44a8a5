"""A thousand simulated hosts through waves, a budget, a resume and a run without changes: wall, CPU, peak memory.

    python -m bench.thousand_hosts                    # 1,000 hosts
    python -m bench.thousand_hosts --hosts 200 --forks 64

The hosts are processes of this machine too (bench/simulator.py), so the wall time is theirs as much as the
controller's; CPU and memory are the controller's alone.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import simulator

ROOT = Path(__file__).parents[1]
WAVES = ("--waves", "1,10%,50%,100%")


@dataclass
class Ended:
    """One run of the controller."""

    status: int
    events: list[dict[str, Any]]
    errors: str
    wall: float
    cpu: float
    """Seconds, user and system."""
    peak: float
    """MiB of resident memory."""

    @property
    def counts(self) -> Mapping[str, int]:
        return Counter(host["outcome"] for host in self.events[-1]["hosts"].values())

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]


@dataclass
class Fleet:
    """Simulated hosts, and the controller that works on them."""

    directory: Path
    names: list[str]

    def mark(self, what: str, *names: str) -> None:
        """`down` or `bad`: these hosts, and no others."""
        (self.directory / what).write_text(" ".join(names))

    def run(self, verb: str, *words: str) -> Ended:
        options = (verb, "--json", *words)
        program = [sys.executable, "-m", "bench.simulator", "controller", str(self.directory), *options]
        environment = os.environ | {"XDG_STATE_HOME": str(self.directory / "state"), "PYTHONPATH": str(ROOT)}
        with open(self.directory / "out", "w+") as out, open(self.directory / "err", "w+") as err:
            started = time.monotonic()
            process = subprocess.Popen(program, stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=environment)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            wall = time.monotonic() - started
            out.seek(0)
            err.seek(0)
            events = [json.loads(line) for line in out]
            cpu, peak = used.ru_utime + used.ru_stime, int((self.directory / "peak").read_text()) / 1024
            return Ended(process.returncode, events, err.read(), wall, cpu, peak)


@contextmanager
def fleet(hosts: int) -> Iterator[Fleet]:
    """So many hosts that answer."""
    # The folder's name is short: a socket's path may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="sim", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        directory = Path(folder)
        names = simulator.build(directory, hosts)
        program = [sys.executable, "-m", "bench.simulator", "serve", folder]
        with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
            try:
                assert server.stdout is not None
                assert server.stdout.readline() == "ready\n"
                yield Fleet(directory, names)
            finally:
                server.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--forks", type=int, default=32)
    parser.add_argument("--keep", type=Path, help="keep the HTML report of the first run there")
    options = parser.parse_args()
    with fleet(options.hosts) as found:
        old = found.names[49::50]
        found.mark("bad", *old)
        found.mark("down", *found.names[6::250])
        page = options.keep or found.directory / "page.html"
        forks = ("-i", str(found.directory / "hosts.yml"), "--forks", str(options.forks), "--yes")
        reports = ("--report", str(page), "--junit", str(found.directory / "junit.xml"))
        print(f"{'run':34} {'wall s':>7} {'CPU s':>7} {'ms a host':>9} {'peak MiB':>8}  hosts")
        tell(
            "waves; 2% bad, some down",
            found.run("apply", *forks, *WAVES, "--max-failures", "1%", *reports),
            options.hosts,
        )
        found.mark("bad")
        found.mark("down")
        tell(
            "the same, resumed",
            found.run("apply", "--resume", "last", "--forks", str(options.forks), "--yes"),
            options.hosts,
        )
        tell("no change, one pass", found.run("apply", *forks), options.hosts)
        tell("check", found.run("check", *forks[:-1]), options.hosts)
        sizes = [path.stat().st_size for path in sorted((found.directory / "state/provision/runs").iterdir())]
        print(f"journals {[f'{size / 2**20:.1f} MiB' for size in sizes]}, page {page.stat().st_size / 2**20:.2f} MiB")


def tell(title: str, ended: Ended, hosts: int) -> None:
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(ended.counts.items()))
    each = 1000 * ended.cpu / len(ended.events[-1]["hosts"])
    print(f"{title:34} {ended.wall:7.1f} {ended.cpu:7.1f} {each:9.1f} {ended.peak:8.0f}  {counts}", flush=True)


if __name__ == "__main__":
    main()
