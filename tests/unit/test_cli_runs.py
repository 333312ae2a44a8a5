"""Waves, budgets, resume and the record of runs, as the command line has them; hosts are played."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from provision import cli, journal
from provision.events import HostFacts, Outcome, ResourceDone
from tests.unit.played import Fleet, Played

ROLE = '''
"""A greeting, kept in one file."""
from provision import role
from provision.resources import File
from provision.secrets import Secret

class Settings(role.Settings):
    text: str | Secret = "hello"

def resources(facts, settings):
    yield File(path="/etc/greeting", content=settings.text)
'''
INVENTORY = "all:\n  vars: {roles: [greeting]}\n  hosts:\n    h[1:6]:\n"


class Hosts(Fleet):
    """Each host has something to change, and comes out as `ends` says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        self.ends: dict[str, str] = {}
        self.touched: list[str] = []

    def play(self, session: Played) -> None:
        name = session.name
        session.sink(HostFacts(name, {"kernel": "5.15"}))
        if not session.run.check:
            self.touched.append(name)
        outcome = "would-change" if session.run.check else self.ends.get(name, "changed")
        session.sink(ResourceDone(name, "greeting", "file", "/etc/greeting", Outcome(outcome)))


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hosts:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("PROVISION_INVENTORY", raising=False)
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles" / "greeting.py").write_text(ROLE)
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    monkeypatch.chdir(tmp_path)
    return Hosts(monkeypatch)


def run(*words: str) -> Result:
    return CliRunner().invoke(cli.provision, words, catch_exceptions=False)


def stopped(hosts: Hosts, *more: str) -> str:
    """A run in waves that h3 stops; its ID."""
    hosts.ends["h3"] = "failed"
    assert run("apply", "-i", "hosts.yml", "--forks", "1", "--waves", "1,50%,100%", *more).exit_code == 1
    hosts.ends.clear()
    touched, hosts.touched = hosts.touched, []
    assert touched == ["h1", "h2", "h3"]
    return journal.find(journal.folder(), "last").run


def test_a_stopped_run_is_resumed_where_it_stood(hosts: Hosts) -> None:
    name = stopped(hosts)
    result = run("apply", "--resume", name, "--forks", "1")
    assert result.exit_code == 0, result.stderr
    assert hosts.touched == ["h3", "h4", "h5", "h6"]
    assert "wave 1 of 3: 1 host: h3" in result.stdout, "in the waves of its run"
    again = run("apply", "--resume", "last")
    assert (again.exit_code, "nothing is left to do" in again.stderr) == (0, True)


def test_the_failed_hosts_of_a_run_can_be_named(hosts: Hosts) -> None:
    stopped(hosts)
    assert run("apply", "-i", "hosts.yml", "--limit", "@failed:last").exit_code == 0
    assert hosts.touched == ["h3"]
    result = run("apply", "-i", "hosts.yml", "--limit", "@failed:last")
    assert (result.exit_code, "no host of this inventory failed" in result.stderr) == (2, True)
    assert "no run 'nope' is recorded" in run("apply", "-i", "hosts.yml", "--limit", "@failed:nope").stderr


def test_what_changed_since_is_told(hosts: Hosts, tmp_path: Path) -> None:
    name = stopped(hosts)
    (tmp_path / "hosts.yml").write_text(INVENTORY.replace("[greeting]", "[greeting], greeting: {text: hi}"))
    result = run("apply", "--resume", name)
    assert "the inventory says something else than in run" in result.stderr
    assert result.exit_code == 0


def test_a_host_that_is_gone_is_an_error(hosts: Hosts, tmp_path: Path) -> None:
    name = stopped(hosts)
    (tmp_path / "hosts.yml").write_text(INVENTORY.replace("h[1:6]", "h[1:5]"))
    result = run("apply", "--resume", name)
    assert (result.exit_code, "no host 'h6' any more" in result.stderr) == (2, True)
    assert run("apply", "--resume", name, "--limit", "h3").exit_code == 0
    assert hosts.touched == ["h3"]


def test_what_cannot_be_resumed(hosts: Hosts) -> None:
    run("check", "-i", "hosts.yml")
    assert "that was no apply" in run("apply", "--resume", "last").stderr
    kept = journal.Journal(journal.folder(), "9-lasting", {"verb": "apply"})
    assert "still going on" in run("apply", "--resume", "last").stderr
    kept.close()
    assert "no run 'x' is recorded" in run("apply", "--resume", "x").stderr


def test_a_secret_of_set_is_not_recorded_and_has_to_be_given_again(hosts: Hosts) -> None:
    Path("roles/greeting.py").write_text(ROLE.replace("str | Secret", "Secret").replace('"hello"', "Secret('none')"))
    given = ("--set", "greeting.text=!secret file:word")
    Path("word").write_text("s3cret-word")
    name = stopped(hosts, *given)
    assert "s3cret-word" not in (journal.folder() / f"{name}.jsonl").read_text()
    assert run("apply", "--resume", name).exit_code == 0


def test_secrets_are_masked_in_the_journal(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREETING", "s3cret-word")
    variables = "all:\n  vars: {roles: [greeting], greeting: {text: !secret env:GREETING}}\n  hosts:\n    h1:\n"
    Path("hosts.yml").write_text(variables)
    assert run("apply", "-i", "hosts.yml").exit_code == 0
    for file in journal.folder().glob("*.jsonl"):
        assert "s3cret-word" not in file.read_text()


RUNS = {
    "1": {"verb": "check", "by": "alice@ctl", "inventory": ["/x/dgx.yml"], "time": "2020-11-20T10:00:00Z"},
    "2": {"verb": "apply", "by": "alice@lab", "inventory": ["/x/dgx.yml"], "time": "2020-11-22T10:00:00Z"}
    | {"limit": "rack1:!h2", "comment": "Kernel"},
    "3": {"verb": "apply", "by": "bob@ctl", "inventory": ["/y/web", "/y/db.ini"], "time": "2020-11-25T10:00:00Z"},
}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("", "123"),
        ("--by alice", "12"),
        ("--by ALICE@ctl", "1"),
        ("--by @ctl", "13"),
        ("-i dgx", "12"),
        ("-i db.ini", "3"),
        ("-i /y/web", "3"),
        ("-l rack1", "2"),
        ("--comment kern*", "2"),
        ("--verb apply", "23"),
        ("--outcome failed", "2"),
        ("--outcome killed", "13"),
        ("--host h1", "2"),
        ("--host h?", "2"),
        ("--host h9", ""),
        ("--since 2020-11-25T10:00:00Z", "3"),
        ("--since 2020-11-25T11:30:00+02:00", "3"),
        ("--since 10d", ""),
        ("--since 2000w", "123"),
        ("-n 2", "23"),
        ("--verb apply -n 1 --by alice", "2"),
    ],
)
def test_the_list_of_runs_is_filtered(filters: str, found: str, hosts: Hosts) -> None:
    hosts.ends["h1"] = "failed"
    run("apply", "-i", "hosts.yml", "--limit", "h1,h2")
    (played,) = journal.runs(journal.folder())
    own = played.path.read_text("ascii").splitlines(keepends=True)
    played.path.unlink()
    for name, told in RUNS.items():
        rest = own[1:] if name == "2" else []
        head = json.loads(own[0]) | {"limit": None, "comment": ""} | told | {"run": name}
        (journal.folder() / f"{name}.jsonl").write_text(json.dumps(head) + "\n" + "".join(rest))
    result = run("runs", "--json", *filters.split())
    assert result.exit_code == 0
    assert [json.loads(line)["run"] for line in result.stdout.splitlines()] == list(found)
    assert found or "none of the 3 that are recorded is like that" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("runs --since yesterday", "'yesterday' is no time: write an age, as in 12h or 3d, or a date"),
        ("runs --since 999999w", "'999999w' is no time"),
        ("runs --outcome fail", "--outcome: no run ends as 'fail'; did you mean 'failed'?"),
        ("runs --by alice show last", "what is given before `show` chooses from the list"),
    ],
)
def test_a_wrong_filter_is_told(words: str, said: str, hosts: Hosts) -> None:
    result = run(*words.split())
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr


def test_where_no_run_is_recorded_that_is_said(hosts: Hosts) -> None:
    assert "no runs: none is recorded yet" in run("runs").stderr


def test_runs_are_listed_and_shown_again(hosts: Hosts) -> None:
    name = stopped(hosts, "--comment", "the first try", "--limit", "all")
    listed = run("runs").stdout.splitlines()
    assert listed[0].split() == [
        "RUN",
        "STARTED",
        "TOOK",
        "VERB",
        "OUTCOME",
        "HOSTS",
        *["BY", "INVENTORY", "LIMIT", "COMMENT"],
    ]
    assert re.search(r" \d\d:\d\d [+-]\d{4}  ", listed[1]), "a time without its zone"
    assert re.search(r"\S+@\S+ +hosts.yml +all +the first try$", listed[1])
    assert name in listed[1]
    assert "2 changed, 3 not-started, 1 failed" in listed[1]
    [told] = [json.loads(line) for line in run("runs", "--json").stdout.splitlines()]
    assert (told["run"], told["hosts"]["not-started"]) == (name, 3)
    shown = run("runs", "show", name).stdout
    assert "h3: failed greeting: file /etc/greeting" in shown
    assert "stopped: 1 host has failed, and --max-failures is 1; 3 hosts not started" in shown
    last = [json.loads(line) for line in run("runs", "show", "last", "--json").stdout.splitlines()][-1]
    assert (last["type"], last["hosts"]["h3"]["outcome"]) == ("summary", "failed")
    assert run("runs", "show", "nope").exit_code == 2


def test_a_program_is_told_of_the_run_and_its_failure_changes_nothing(hosts: Hosts, tmp_path: Path) -> None:
    (tmp_path / "tell").write_text('#!/bin/sh\necho "$1" >> log\ncat >> log\nexit 3\n')
    (tmp_path / "tell").chmod(0o755)
    words = ("apply", "-i", "hosts.yml", "--comment", "driver", "--waves", "1,100%")
    result = run(*words, "--on-event", "./tell 'to; ops'")
    assert result.exit_code == 0
    assert result.stderr.count("--on-event") == 1
    assert "warning: --on-event: ./tell failed at 6 of 6 events (first at start: ended with status 3" in result.stderr
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[::2] == ["to; ops"] * 6
    told = [json.loads(line) for line in lines[1::2]]
    assert [item["event"] for item in told] == ["start", "wave", "wave", "wave", "wave", "end"]
    assert {(item["verb"], item["comment"]) for item in told} == {("apply", "driver")}
    assert told[-1]["outcomes"] == {"changed": 6}


def test_a_program_of_on_event_that_cannot_run_is_bad_input(hosts: Hosts) -> None:
    for words, said in (
        (("--on-event", "./nothing"), "--on-event: there is no program './nothing' here; give its path"),
        (("--on-event", "/bin/true", "--no-exec"), "--on-event is a program, and --no-exec forbids those"),
        (("--on-event", ""), "name a program"),
        (("--on-event", "tell 'ops"), "No closing quotation"),
    ):
        result = run("check", "-i", "hosts.yml", *words)
        assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
    assert hosts.touched == []


def test_reports_of_a_run_and_of_a_past_one(hosts: Hosts, tmp_path: Path) -> None:
    stopped(hosts, "--report", "now.html", "--junit", "now.xml")
    assert run("runs", "show", "--report", "then.html", "--junit", "then.xml").exit_code == 0
    for name in ("now", "then"):
        assert "h3" in (tmp_path / f"{name}.html").read_text()
        assert len(ElementTree.parse(tmp_path / f"{name}.xml").findall("testsuite")) == 6


def test_a_report_that_cannot_be_written_is_exit_1_and_the_run_is_whole(hosts: Hosts, tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    result = run("apply", "-i", "hosts.yml", "--report", "page.html")
    assert (result.exit_code, "could not be written" in result.stderr) == (1, True)
    assert len(hosts.touched) == 6


def test_every_mistake_of_the_rollout_comes_before_the_first_connection(hosts: Hosts, tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("rollout: {wave: [1], spread: rack}\n" + INVENTORY)
    words = ("--waves", "1,2", "--max-failures", "0", "--limit", "nope", "--report", "no/x.html")
    result = run("apply", "-i", "hosts.yml", *words)
    assert result.exit_code == 2
    for part in (
        "hosts.yml:1:11: rollout.wave: no such setting; did you mean waves:?", "--waves 1,2: the last wave is 2",
        "--max-failures: 0 is not possible", "no host or group 'nope'", "--report: there is no folder no",
    ):  # fmt: skip
        assert part in result.stderr, result.stderr
    assert hosts.touched == []


def test_the_inventory_asks_for_waves_and_racks(hosts: Hosts, tmp_path: Path) -> None:
    racks = "".join(f"    h{number}: {{rack: r{number % 2}}}\n" for number in range(1, 7))
    rollout = "rollout: {waves: [1, 100%], spread: rack, order: reverse_inventory}\n"
    (tmp_path / "hosts.yml").write_text(rollout + "all:\n  vars: {roles: [greeting]}\n  hosts:\n" + racks)
    result = run("apply", "-i", "hosts.yml", "--json")
    waves = [json.loads(line) for line in result.stdout.splitlines()]
    assert [sorted(wave["hosts"]) for wave in waves if wave["type"] == "wave-started"] == [
        ["h6"], ["h4", "h5"], ["h2", "h3"], ["h1"]
    ]  # fmt: skip
