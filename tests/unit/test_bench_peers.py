"""The bench beside the peers: what it takes for a measurement, how it counts turns, and what it draws."""

import json
import socket
import struct
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from bench.peers import chart, report
from bench.peers.contestants import ALL
from bench.peers.measure import CannotMeasure, Cost
from bench.peers.trips import IPV4, Trips, Wire

CHANGED = {player.name: player.changed for player in ALL}
RECAP = "n1 : ok=8    changed={}    unreachable={}    failed=0    skipped=0    rescued=0    ignored=0   \n"
TOTAL = "    Grand total                                        30      {}         {}       29          \n"


@pytest.mark.parametrize(
    ("tool", "output", "changed"),
    [
        ("provision", "2 hosts: 2 ok, 0 changed in 2.5 s\n", False),
        ("provision", "2 hosts: 1 ok, 1 changed in 1 min 2 s\n", True),
        ("pyinfra", TOTAL.format("-", "-"), False),
        ("pyinfra", TOTAL.format("1", "-"), True),
        ("ansible", RECAP.format(0, 0) * 2, False),
        ("mitogen", RECAP.format(0, 0) + RECAP.format(3, 0), True),
    ],
)
def test_each_tool_says_whether_it_has_changed_something(tool: str, output: str, changed: bool) -> None:
    assert CHANGED[tool](output, 2) is changed


@pytest.mark.parametrize(
    ("tool", "output"),
    [
        ("provision", "2 hosts: 1 ok, 0 changed, 1 failed in 2.5 s\n"),
        ("provision", ""),
        ("pyinfra", TOTAL.format("1", "1")),
        ("ansible", RECAP.format(0, 0)),
        ("ansible", RECAP.format(0, 0) + RECAP.format(0, 1)),
    ],
)
def test_a_run_that_did_not_do_its_work_is_no_measurement(tool: str, output: str) -> None:
    with pytest.raises(CannotMeasure):
        CHANGED[tool](output, 2)


def frame(source: str, target: str, ports: tuple[int, int], payload: bytes) -> bytes:
    length = 40 + len(payload)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 0, 0, 64, 6, 0, *map(socket.inet_aton, (source, target)))
    return b"\0" * 12 + IPV4 + ip + struct.pack("!HHIIBBHHH", *ports, 0, 0, 5 << 4, 0, 0, 0, 0) + payload


def test_a_turn_is_that_the_controller_speaks_after_the_host() -> None:
    wire = Wire.__new__(Wire)  # without its socket, which needs root
    wire._address, wire._host_spoke, wire.turns = socket.inet_aton("10.0.0.9"), True, 0
    there, back = ("10.0.0.1", "10.0.0.9", (5000, 22)), ("10.0.0.9", "10.0.0.1", (22, 5000))
    for way, payload in ((there, b"a"), (there, b"b"), (back, b""), (there, b"c"), (back, b"d"), (there, b"e")):
        wire._look(frame(*way, payload))
    wire._look(frame("10.0.0.9", "10.0.0.1", (8000, 5001), b"another service"))
    wire._look(frame("10.0.0.8", "10.0.0.1", (22, 5002), b"another host"))
    wire._look(frame(*there, b"f"))
    assert wire.turns == 2


def results(load: float) -> report.Results:
    machine = {"processors": 2, "kernel": "6", "python": "3", "ssh": "s", "pyinfra": "p", "ansible": "a"}
    found = report.Results({**machine, "load before": load})
    for wall in (1.0, 3.0, 2.0):
        found.add("no change", 10, "provision", Cost(wall, 0.2, 50.0))
        found.add("no change", 10, "ansible", Cost(wall * 20, 8.0, 300.0))
    found.trips["provision"] = Trips(9, 1, 1)
    return found


def test_the_page_has_medians_and_ratios(tmp_path: Path) -> None:
    written = list(report.write(results(0.0), tmp_path))
    page = (tmp_path / "bench.md").read_text()
    assert "| no change | 10 | provision.py | 2.00 |  | 0.20 |  | 50 | 3 |" in page
    assert "| no change | 10 | Ansible | 40.00 | 20.0 | 8.00 | 40.0 | 300 | 3 |" in page
    assert "| provision.py | 9 | 1 | 1 |" in page
    assert "no measurement" not in page
    assert json.loads((tmp_path / "bench.json").read_text())["rounds"]["no change"]["10"]["provision"][1]["wall"] == 3.0
    assert len(written) == 3


def test_a_busy_machine_is_told(tmp_path: Path) -> None:
    list(report.write(results(5.0), tmp_path))
    assert "these numbers are no measurement" in (tmp_path / "bench.md").read_text()


def test_the_chart_is_text_and_bars_on_a_logarithmic_scale() -> None:
    bars = [chart.Bar("a & b", 0.5, "provision"), chart.Bar("c", 5.0, "ansible"), chart.Bar("d", 50.0, "ansible")]
    drawn = ElementTree.fromstring(chart.draw("title", [chart.Panel("head", bars)]))
    name = "{http://www.w3.org/2000/svg}"
    widths = [float(bar.get("width", "")) for bar in drawn.iter(f"{name}rect")]
    assert widths[1] - widths[0] == pytest.approx(widths[2] - widths[1], abs=0.2)
    texts = [text.text for text in drawn.iter(f"{name}text")]
    assert {"title", "head", "a & b", "0.50 s", "50 s", "0.1 s", "100 s"} <= set(texts)
    assert "href" not in chart.draw("title", [chart.Panel("head", bars)])
