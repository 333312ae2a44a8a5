"""What a command costs: wall, CPU and memory of all its processes together, those it leaves behind included.

The law: the processes run in control groups of their own, so that a connection that Ansible leaves open in the
background counts too; what is left is ended before the next command. Memory is anonymous memory (no files, no shared
libraries): its peak in 20 samples a second, which cost one read each.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
NAME = "provision-bench"
INTO = 'for group in $GROUPS_OF_BENCH; do echo $$ >"$group/cgroup.procs" || exit 125; done; exec "$@"'
SAMPLE = 0.05
LIMIT = 1800.0


@dataclass(frozen=True)
class Cost:
    """Of one command."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds, user and system."""
    memory: float
    """MB at the peak."""


class CannotMeasure(Exception):
    """This machine does not tell, or the command failed: no number is better than a wrong one."""


class Groups:
    """The control groups of a command, version 1 or 2. As a context manager it removes them."""

    def __init__(self) -> None:
        two = (ROOT / "cgroup.controllers").exists()
        parents = [ROOT] if two else [ROOT / kind / _own(kind) for kind in ("cpuacct", "memory")]
        self.paths = [parent / NAME for parent in parents]
        try:
            if two:
                (ROOT / "cgroup.subtree_control").write_text("+cpu +memory")
            for path in self.paths:
                path.mkdir(exist_ok=True)
        except OSError as error:
            raise CannotMeasure(f"control groups cannot be used here ({error}): run it as root") from None
        self._cpu, self._memory = self.paths[0], self.paths[-1]
        self._two = two

    def cpu(self) -> float:
        if self._two:
            return _field(self._cpu / "cpu.stat", "usage_usec") / 1e6
        return int((self._cpu / "cpuacct.usage").read_text()) / 1e9

    def memory(self) -> float:
        return _field(self._memory / "memory.stat", "anon" if self._two else "total_rss") / 1e6

    def end_rest(self) -> None:
        """End what the command left behind."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for _ in range(50):
                left = (self._cpu / "cgroup.procs").read_text().split()
                if not left:
                    return
                for pid in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), number)
                time.sleep(0.05)
        raise CannotMeasure("processes of the command do not end")

    def __enter__(self) -> "Groups":
        return self

    def __exit__(self, *_: object) -> None:
        for path in self.paths:
            with contextlib.suppress(OSError):
                path.rmdir()


def run(argv: Sequence[str], environment: Mapping[str, str], directory: Path) -> tuple[Cost, str]:
    """Run a command to its end: its cost, and what it said. CannotMeasure where it failed."""
    with Groups() as groups:
        before, peak = groups.cpu(), [groups.memory()]
        over = threading.Event()
        sampler = threading.Thread(target=_sample, args=(groups, peak, over), daemon=True)
        sampler.start()
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        env |= {**environment, "GROUPS_OF_BENCH": " ".join(map(str, groups.paths))}
        started = time.monotonic()
        try:
            done = subprocess.run(
                ["sh", "-c", INTO, "sh", *argv],
                env=env,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=LIMIT,
                check=False,
            )
            wall = time.monotonic() - started
        finally:
            over.set()
            sampler.join()
            groups.end_rest()
        cost = Cost(wall, groups.cpu() - before, max(peak))
    if done.returncode != 0:
        raise CannotMeasure(f"{Path(argv[0]).name} ended with status {done.returncode}:\n{done.stdout[-3000:]}")
    return cost, done.stdout


def _sample(groups: Groups, peak: list[float], over: threading.Event) -> None:
    while not over.wait(SAMPLE):
        peak[0] = max(peak[0], groups.memory())


def _own(kind: str) -> str:
    """The control group that we are in, below which ours goes (version 1)."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kinds, path = line.split(":", 2)
        if kind in kinds.split(","):
            return path.lstrip("/")
    raise CannotMeasure(f"there is no control group of kind {kind} here")


def _field(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        if line.startswith(f"{name} "):
            return int(line.split()[1])
    raise CannotMeasure(f"{path} has no {name}")
