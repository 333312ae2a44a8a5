"""The results: every round as JSON, medians and ratios as Markdown, and a chart (chart.py).

The law: what was not measured has no number; what was measured on a busy machine says so.
"""

import json
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench import inventory
from bench.peers import chart
from bench.peers.contestants import ALL
from bench.peers.measure import Cost
from bench.peers.trips import Trips

OURS = ALL[0].name
BUSY = 0.3
"""Processes that want to run, for each processor, before we begin."""


@dataclass
class Results:
    """All rounds: by what was done, the number of hosts, and the tool."""

    machine: dict[str, object]
    rounds: dict[str, dict[int, dict[str, list[Cost]]]] = field(default_factory=dict)
    trips: dict[str, Trips] = field(default_factory=dict)
    minutes: float = 0.0
    problem: str = ""
    """Why it was broken off."""

    def add(self, what: str, hosts: int, tool: str, cost: Cost) -> None:
        self.rounds.setdefault(what, {}).setdefault(hosts, {}).setdefault(tool, []).append(cost)

    def median(self, what: str, hosts: int, tool: str, column: str) -> float | None:
        rows = self.rounds.get(what, {}).get(hosts, {}).get(tool)
        return statistics.median(getattr(row, column) for row in rows) if rows else None

    @property
    def busy(self) -> bool:
        load, processors = float(str(self.machine["load before"])), int(str(self.machine["processors"]))
        return load > BUSY * processors


def write(results: Results, directory: Path) -> Iterator[Path]:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("bench.json", json.dumps(asdict(results), indent=1) + "\n"),
        ("bench.md", _page(results) + inventory.kept(directory / "bench.md")),
        ("bench.svg", _chart(results)),
    ):
        (directory / name).write_text(text)
        yield directory / name


def table(results: Results) -> str:
    """One row for each tool and number of hosts."""
    lines = [
        "| what | hosts | tool | wall, s | x ours | controller CPU, s | x ours | memory, MB | rounds |",
        "|---|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    for what, by_hosts in results.rounds.items():
        for hosts, by_tool in by_hosts.items():
            for tool in ALL:
                if tool.name in by_tool:
                    lines.append(_row(results, what, hosts, tool.name, tool.title))
    return "\n".join(lines) + "\n"


def _row(results: Results, what: str, hosts: int, tool: str, title: str) -> str:
    cells = [what, str(hosts), title]
    for column in ("wall", "cpu"):
        value, ours = (results.median(what, hosts, name, column) for name in (tool, OURS))
        cells.append("" if value is None else f"{value:.2f}")
        cells.append("" if not value or not ours or tool == OURS else f"{value / ours:.1f}")
    memory = results.median(what, hosts, tool, "memory")
    cells += ["" if memory is None else f"{memory:.0f}", str(len(results.rounds[what][hosts][tool]))]
    return f"| {' | '.join(cells)} |"


def _trips(results: Results) -> str:
    lines = ["| tool | turns | commands started by sshd | connections |", "|---|--:|--:|--:|"]
    for tool in ALL:
        if tool.name in results.trips:
            trips = results.trips[tool.name]
            lines.append(f"| {tool.title} | {trips.turns} | {trips.commands} | {trips.connections} |")
    return "\n".join(lines) + "\n"


def _page(results: Results) -> str:
    machine = results.machine
    busy = "**The machine was busy with other work: these numbers are no measurement.**\n\n" if results.busy else ""
    if results.problem:
        busy += f"**It was broken off: {results.problem.splitlines()[0]}**\n\n"
    return f"""# Beside the peers

{busy}Made by `make bench-peers` ({results.minutes:g} minutes), which anybody can run again. The same fifteen
resources on the same hosts of the lab, in one run, the tools in turn; medians. `bench/peers/__init__.py` says what is
not the same, and `bench/peers/site/` is what each tool was given.

![](bench.svg)

{table(results)}
Wall is from the start of the command to its end; hosts and controller share one machine with {machine["processors"]}
processors, so a good part of it is the hosts' own work. CPU (user and system) and memory (the peak of anonymous memory)
are those of the controller's processes, with all their children and the connections that they leave open in the
background. First applies start on hosts without Docker; the packages are in a cache on this machine.

## Round trips

One host, no change, counted on the wire: a turn is that the controller sends something after the host has said
something, login and key exchange included. Each costs the time of one round trip to the host, which on this one machine
is nothing.

{_trips(results)}
Linux {machine["kernel"]}, Python {machine["python"]}, {machine["ssh"]}, {machine["pyinfra"]}, {machine["ansible"]};
load before the run {machine["load before"]}.
"""


def _chart(results: Results) -> str:
    panels = []
    for what, by_hosts in results.rounds.items():
        for hosts, by_tool in by_hosts.items():
            bars = [
                chart.Bar(tool.title, value, tool.name)
                for tool in ALL
                if tool.name in by_tool and (value := results.median(what, hosts, tool.name, "wall"))
            ]
            panels.append(chart.Panel(f"{what}, {hosts} host{'s' if hosts > 1 else ''}", bars))
    return chart.draw(
        "Seconds, fifteen resources on each host (logarithmic: each line is ten times the one before)", panels
    )
