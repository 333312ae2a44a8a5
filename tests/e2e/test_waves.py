"""Twenty real hosts in four waves: one that fails its proof stops the run; fixed, a resume finishes the others."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.e2e.runner import ROOT, Ended, HostSpec, Lab, Provision, settle
from tests.lab import listing

pytestmark = pytest.mark.lab
NAMES = [f"w{number:02}" for number in range(1, 21)]
WAVES = ("--waves", "1,25%,60%,100%")
ROLE = '''
"""One file, and one that is put in place only where its proof passes."""
from provision import role
from provision.resources import File


class Settings(role.Settings):
    text: str = "hello"


def resources(facts, settings):
    yield File(path="/etc/greeting", content=settings.text + "\\n")
    proof = ("sh", "-c", "test ! -e /etc/broken", "{}")
    yield File(path="/etc/proven", content=settings.text + "\\n", validate_with=proof)
'''


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    directory = tmp_path_factory.mktemp("waves")
    with Lab.up("waves", [HostSpec(name, "bookworm") for name in NAMES], directory) as up:
        (directory / "roles").mkdir()
        (directory / "roles" / "greeting.py").write_text(ROLE)
        yield up


@pytest.fixture(scope="module")
def provision(lab: Lab) -> Provision:
    found = settle(lab, {"roles": ["greeting"]})
    found.environment = {"XDG_STATE_HOME": str(lab.directory / "state")}
    return found


def counts(ended: Ended) -> Counter[str]:
    return Counter(host["outcome"] for host in ended.summary["hosts"].values())


def test_a_host_that_fails_its_proof_in_wave_two_stops_the_run_and_a_resume_finishes(
    lab: Lab, provision: Provision
) -> None:
    lab.host("w03").write("/etc/broken", "")
    page, junit = lab.directory / "page.html", lab.directory / "junit.xml"
    first = provision.apply(*WAVES, "--report", str(page), "--junit", str(junit))
    assert first.status == 1, first.explain()
    assert counts(first) == {"changed": 4, "failed": 1, "not-started": 15}
    assert [host for host in NAMES if first.host(host)["outcome"] == "changed"] == ["w01", "w02", "w04", "w05"]
    gates = [(wave["number"], wave["of"], wave["gate"]) for wave in first.of("wave-finished")]
    assert gates == [(1, 4, True), (2, 4, False)]
    assert first.of("stopped")[0]["failed"] == ["w03"]
    for host in NAMES[5:]:
        assert lab.host(host).run(["test", "-e", "/etc/greeting"], check=False).returncode, f"{host} was touched"
    assert "w03" in page.read_text()
    assert "<failure" in junit.read_text()

    finished = {name: lab.host(name).listing() for name in ("w01", "w05")}
    again = provision("apply", "--yes", "--limit", "@failed:last")
    assert set(again.summary["hosts"]) == {"w03"}
    lab.host("w03").run(["rm", "/etc/broken"])
    run = first.summary["run"]
    second = provision("apply", "--yes", "--resume", run)
    assert second.status == 0, second.explain()
    assert counts(second) == {"changed": 16}
    assert len(second.of("wave-finished")) == 4, "a resume goes in the waves of its run"
    for name, before in finished.items():
        assert listing.differences(before, lab.host(name).listing()) == []
    assert counts(provision.apply()) == {"ok": 20}


def test_the_run_is_in_the_journal_and_in_the_hosts_own_history(lab: Lab, provision: Provision) -> None:
    words = [sys.executable, str(ROOT / "provision.py"), "runs"]
    shown = subprocess.run(
        words, capture_output=True, text=True, check=True, timeout=60, env={**os.environ, **provision.environment}
    ).stdout
    assert "4 changed, 15 not-started, 1 failed" in shown
    assert "16 changed" in shown
    history = [json.loads(line) for line in lab.host("w03").read("/var/lib/provision/history.jsonl").splitlines()]
    assert history[0]["failed"] == ["greeting: file /etc/proven"]
    assert history[-1]["changed"]
    assert len(lab.host("w01").read("/var/lib/provision/history.jsonl").splitlines()) == 1
