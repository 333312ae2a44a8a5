"""A thousand hosts through waves, a budget and a resume, over the real protocol: the real agent behind a local socket.

In CI all of them; elsewhere so many as show the same in seconds (PROVISION_SIMULATED_HOSTS says another number).
"""

import os
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.thousand_hosts import Fleet, fleet

HOSTS = int(os.environ.get("PROVISION_SIMULATED_HOSTS", "1000" if os.environ.get("CI") == "true" else "60"))
MEMORY = 60 + 32 + HOSTS * 0.1
"""MiB: 60 for the program, 1 for each of 32 hosts in flight, and what is kept of each host to the end."""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="THE SIMULATOR NEEDS ROOT: the agent works as nobody else")


@pytest.fixture(scope="module")
def hosts() -> Iterator[Fleet]:
    with fleet(HOSTS) as found:
        yield found


def test_waves_stop_resume_and_then_nothing_is_left(hosts: Fleet) -> None:
    common = ("-i", str(hosts.directory / "hosts.yml"), "--yes")
    page, junit = hosts.directory / "page.html", hosts.directory / "junit.xml"
    bad = hosts.names[19::20]
    hosts.mark("bad", *bad)
    hosts.mark("down", hosts.names[4])

    words = ("--waves", "1,50%,100%", "--max-failures", "2", "--report", str(page), "--junit", str(junit))
    first = hosts.run("apply", *common, *words)
    assert first.status == 1, first.errors
    outcomes = {name: host["outcome"] for name, host in first.events[-1]["hosts"].items()}
    assert len(outcomes) == HOSTS
    assert outcomes[hosts.names[4]] == "unreachable"
    failed = [name for name, outcome in outcomes.items() if outcome == "failed"]
    assert failed
    assert set(failed) <= set(bad)
    assert first.counts["not-started"] >= HOSTS // 2 - 1
    touched = {event["host"] for event in first.of("resource") if event["outcome"] in ("changed", "failed")}
    assert touched == {name for name, outcome in outcomes.items() if outcome in ("changed", "failed")}
    assert [wave["gate"] for wave in first.of("wave-finished")] == [True, False]
    assert first.of("stopped")[0]["waiting"] == first.counts["not-started"]
    assert page.stat().st_size < 200_000 + HOSTS * 1000
    assert len(ElementTree.parse(junit).getroot()) == HOSTS

    hosts.mark("bad")
    hosts.mark("down")
    second = hosts.run("apply", "--resume", "last", "--yes")
    assert second.status == 0, second.errors
    done = {name for name, outcome in outcomes.items() if outcome == "changed"}
    assert set(second.events[-1]["hosts"]) == set(hosts.names) - done, "finished hosts are not touched again"
    assert second.counts == {"changed": HOSTS - len(done)}

    third = hosts.run("apply", *common)
    assert third.counts == {"ok": HOSTS}, third.errors
    for ended in (first, second, third):
        assert ended.peak < MEMORY
    recorded = sorted(Path(hosts.directory / "state/provision/runs").glob("*.jsonl"))
    assert len(recorded) == 3
