"""The facts of hosts as a table, even of a host that talks nonsense."""

import io

from provision.events import Error, HostFacts, HostFinished, Outcome, RunStarted, Summary
from provision.report import Output, view
from provision.report.facts import FactsTranscript

DGX = {
    "os": {"id": "ubuntu", "version_id": "22.04"},
    "architecture": "amd64",
    "init": "systemd",
    "dgx": {"version": "6.1"},
    "nvidia": {
        "pci": [{"device_class": "0302"}] * 8 + [{"device_class": "0680"}] * 4,
        "driver_loaded": "535.1",
        "driver_on_disk": "550.2",
    },
    "docker": {"version": "24.0.7", "pid": 12},
}


def shown(facts: dict[str, object]) -> list[str]:
    stream = io.StringIO()
    told = view(Output(stream), FactsTranscript())
    end = HostFinished("dgx01", Outcome.OK, {}, 0.5)
    far = HostFinished("far", Outcome.UNREACHABLE, {}, 0.5, Error("no route", "look at the cable"))
    hosts = {"dgx01": end, "far": far}
    for event in (
        RunStarted("R", "facts", tuple(hosts), True), HostFacts("dgx01", facts), end, far,
        Summary("R", Outcome.UNREACHABLE, hosts),
    ):  # fmt: skip
        told(event)
    return stream.getvalue().splitlines()


def test_a_table() -> None:
    lines = shown(DGX)
    assert {"far: unreachable in 0.5 s", "1 host: far: no route; look at the cable"} <= set(lines)
    assert lines[2:4] == [
        "HOST   OS                           GPUS  DRIVER                        DOCKER  INIT",
        "dgx01  ubuntu 22.04 amd64, DGX 6.1  8     535.1 (550.2 after a reboot)  24.0.7  systemd",
    ]
    assert lines[-1].startswith("2 hosts: 1 ok, 1 unreachable in ")


def test_nonsense() -> None:
    nonsense = {"os": "x", "nvidia": [], "docker": {"version": "\x1b[2J1"}, "init": None, "dgx": 7}
    assert "dgx01  ?   -     -       1 (stopped)  -" in shown(nonsense)
