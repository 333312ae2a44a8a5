"""Where the time of a no-change run goes: the controller's milestones, with wall and CPU since its start.

    python -m bench.no_change --keep                     # leaves its hosts and their inventory in .lab/bench
    python -m bench.where .lab/bench                     # milestones
    python -m bench.where .lab/bench --limit n1 --count  # instructions of the whole run, by valgrind

Instructions are the same on a busy machine as on an idle one, to 1 %; times are not. Under valgrind a run takes fifty
times as long: one host, and ConnectTimeout=200 in its ansible_ssh_common_args.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
STARTED = time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inventory")
    parser.add_argument("--limit", default="all")
    parser.add_argument("--count", action="store_true", help="count instructions instead")
    options = parser.parse_args()
    words = ["apply", "--inventory", options.inventory, "--limit", options.limit, "--yes", "--forks", "64"]
    if options.count:
        print(f"{instructions(words) / 1e6:.0f} million instructions")
    else:
        run(words)


def instructions(words: list[str]) -> int:
    """Of the controller alone. Python's hashes are fixed, and its compiled code is there from a first run."""
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    for before in ([], valgrind):
        argv = [*before, sys.executable, str(ROOT / "provision.py"), *words]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(argv)} ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    counted = re.search(r"I +refs: +([0-9,]+)", done.stderr)
    assert counted is not None, done.stderr
    return int(counted[1].replace(",", ""))


def run(words: list[str]) -> None:
    """The real command line in this process, with a line on standard error at each milestone."""
    from provision import cli

    told("command line imported")
    from provision.cli import hosts, run_verb
    from provision.session import Session
    from provision.transport import connect, ssh_config
    from provision.transport.pool import Pool

    told("verb imported")
    milestone(hosts, "select", "inventory and settings")
    milestone(ssh_config, "_ssh_g", "ssh -G")
    milestone(connect, "tcp", "a line is open")
    milestone(Pool, "connect", "a host is logged in")
    milestone(Session, "_greet", "a host's plan is sent")
    milestone(Session, "execute", "a host is done")
    milestone(run_verb.Rollout, "execute", "all hosts are done")
    sys.argv = ["provision.py", *words]
    cli.main()


def milestone(owner: Any, name: str, label: str) -> None:
    """From now on the end of each call of `owner.name` is told."""
    inner: Callable[..., Any] = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        try:
            return inner(*arguments, **named)
        finally:
            told(label)

    setattr(owner, name, wrapped)


def told(label: str) -> None:
    wall, cpu = (time.perf_counter() - STARTED) * 1000, time.process_time() * 1000
    print(f"{wall:8.0f} ms {cpu:8.0f} ms CPU  {label}", file=sys.stderr)


if __name__ == "__main__":
    main()
