"""One command: bring up the lab, install the peers, run the same resources with all of them, and write the tables.

    make bench-peers                                        # about 30 minutes on two idle processors
    python -m bench.peers --without ansible@50              # without the longest rounds: about 20
    python -m bench.peers --hosts 1,2 --rounds 1 --first-rounds 1 --output .lab/bench-peers

The law: the tools take turns within each round, so that whatever else the machine does meets all of them.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from bench.peers import contestants, report
from bench.peers.contestants import Contestant
from bench.peers.fleet import ROOT, Fleet, prepare_first_apply, with_lists
from bench.peers.measure import CannotMeasure, Cost, run
from bench.peers.trips import Trips, count, talkative
from tests.lab import HostSpec, Lab

DIRECTORY = ROOT / ".lab" / "bench-peers"
BARE = ("python3-apt",)
READY = (*BARE, "docker.io")
"""Installed ahead on the hosts of the rounds without changes; first applies start on hosts without Docker."""
AT_MOST = 10
"""Hosts of a first apply, unless --first-hosts says otherwise."""
STARTED = time.monotonic()


def main() -> None:
    options = _options()
    players = [player for player in contestants.ALL if player.name in options.peers]
    results = report.Results(machine=_machine())
    try:
        for player in players:
            if player.packages:
                contestants.install(player.packages, say)
        _no_change(options, players, results)
        _first_apply(options, [player for player in players if player.applies], results)
    except CannotMeasure as error:  # what has been measured is kept
        results.problem = str(error)
    results.minutes = round((time.monotonic() - STARTED) / 60, 1)
    for path in report.write(results, options.output):
        say(f"wrote {path}")
    print("\n" + report.table(results))
    if results.problem:
        sys.exit(f"bench: {results.problem}")


def _no_change(options: argparse.Namespace, players: list[Contestant], results: report.Results) -> None:
    names = [f"n{number:02}" for number in range(1, max(options.hosts) + 1)]
    say(f"no change: bringing up {len(names)} hosts")
    with Lab.up("bench-peers", [HostSpec(name, packages=READY) for name in names], DIRECTORY) as lab:
        say("apt's lists for all of them, and the first apply")
        with_lists(lab)
        ours = contestants.ALL[0]
        _once(ours, Fleet.write(lab, len(names)))
        one = Fleet.write(lab, 1)
        with talkative(lab.hosts[0]):
            for player in players:
                _settle(player, one)
                results.trips[player.name] = trips = _trips(player, one)
                say(f"{player.title}, 1 host, counted: {trips.turns} turns, {trips.commands} commands")
        for number in options.hosts:
            fleet = Fleet.write(lab, number)
            for turn in range(1, options.rounds + 1):
                for player in players:
                    if (player.name, number) not in options.without:
                        cost = _once(player, fleet, change=False)
                        results.add("no change", number, player.name, cost)
                        _tell(f"no change, round {turn}", player, number, cost)


def _first_apply(options: argparse.Namespace, players: list[Contestant], results: report.Results) -> None:
    if options.first_rounds and options.first_hosts:
        _fill_the_cache()
    for number in options.first_hosts if options.first_rounds else ():
        specs = [HostSpec(f"f{index:02}", packages=BARE) for index in range(1, number + 1)]
        for turn in range(1, options.first_rounds + 1):
            for player in players:
                if (player.name, number) in options.without:
                    continue
                with Lab.up("bench-peers", specs, DIRECTORY) as lab:
                    prepare_first_apply(lab)
                    cost = _once(player, Fleet.write(lab, number), change=True)
                results.add("first apply", number, player.name, cost)
                _tell(f"first apply, round {turn}", player, number, cost)


def _fill_the_cache() -> None:
    """Or the first tool would wait for packages that the others find in the lab's cache."""
    say("first apply: packages into the lab's cache")
    with Lab.up("bench-peers", [HostSpec("f00", packages=BARE)], DIRECTORY) as lab:
        get = "apt-get install -qy --download-only --no-install-recommends"
        lab.hosts[0].run(f"apt-get update -q && {get} {' '.join(READY)}", timeout=600)


def _once(player: Contestant, fleet: Fleet, change: bool | None = None) -> Cost:
    """One run. With `change`: it must have changed something, or nothing."""
    argv, environment = player.call(fleet)
    cost, output = run(argv, environment, fleet.directory)
    changed = player.changed(output, fleet.count)
    if change is not None and player.applies and changed is not change:
        raise CannotMeasure(f"{player.title} changed {'something' if changed else 'nothing'}:\n{output[-3000:]}")
    return cost


def _settle(player: Contestant, fleet: Fleet) -> None:
    """What a tool finds to do where another one has done all that was asked is its own bookkeeping: once."""
    _once(player, fleet)


def _trips(player: Contestant, fleet: Fleet) -> Trips:
    return count(fleet.hosts[0], lambda: _once(player, fleet, change=False))


def _tell(what: str, player: Contestant, hosts: int, cost: Cost) -> None:
    where = f"{hosts} host{'s' if hosts > 1 else ''}"
    say(f"{what}, {where}, {player.title}: {cost.wall:.2f} s, CPU {cost.cpu:.2f} s, {cost.memory:.0f} MB")


def say(line: str) -> None:
    seconds = int(time.monotonic() - STARTED)
    print(f"{seconds // 60:3d}:{seconds % 60:02d}  {line}", flush=True)


def _machine() -> dict[str, object]:
    versions = {}
    for name, packages in (("pyinfra", contestants.PYINFRA), ("ansible", contestants.ANSIBLE)):
        versions[name] = " ".join(packages)
    ssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=False).stderr.strip()
    return {
        "processors": os.cpu_count(),
        "kernel": os.uname().release,
        "python": sys.version.split()[0],
        "ssh": ssh.partition(",")[0],
        "load before": round(os.getloadavg()[0], 1),
        **versions,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__.splitlines()[0])
    names = [player.name for player in contestants.ALL]
    parser.add_argument("--hosts", type=_numbers, default=[1, 10, 50], help="of the rounds without changes: 1,10,50")
    parser.add_argument("--rounds", type=int, default=3, help="without changes (3)")
    parser.add_argument("--first-hosts", type=_numbers, help=f"of first applies: those of --hosts up to {AT_MOST}")
    parser.add_argument("--first-rounds", type=int, default=2, help="first applies (2); 0: none")
    parser.add_argument("--peers", type=lambda text: text.split(","), default=names, help=",".join(names))
    parser.add_argument(
        "--without", type=_pair, action="append", default=[], metavar="PEER@HOSTS", help="leave out: ansible@50"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "docs", help="for bench.json, bench.md, bench.svg (docs)")
    options = parser.parse_args()
    unknown = sorted(set(options.peers) - set(names))
    if unknown:
        parser.error(f"no such peer: {', '.join(unknown)}")
    if options.first_hosts is None:
        options.first_hosts = [number for number in options.hosts if number <= AT_MOST]
    return options


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _pair(text: str) -> tuple[str, int]:
    name, _, hosts = text.partition("@")
    return name, int(hosts)


if __name__ == "__main__":
    main()
