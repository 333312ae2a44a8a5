"""The verbs that ask hosts, in process: what goes out, exit statuses, and the one question; hosts are played."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from provision import cli
from provision.cli import apply
from provision.events import Answered
from tests.unit.played import Fleet, Played
from tests.unit.test_questions import ENTRY, FACTS, LOCK, PENDING, STATUS, WHY

INVENTORY = """\
all:
  vars:
    roles: [docker_daemon, registry_login]
    registry_login:
      registries:
        nvcr.io: {username: x, password: !secret env:NO_SUCH_VARIABLE}
  children:
    web:
      vars:
        docker_daemon:
          bip: 192.168.127.1/24
      hosts:
        web[1:2]:
    db:
      hosts:
        far:
"""


class Hosts(Fleet):
    """What each host answers."""

    unreachable = ("far",)

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        self.answers: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.runs: list[Any] = []

    def play(self, session: Played) -> None:
        self.runs.append(session.run)
        name, question = session.name, session.planner
        arguments = dict(question.arguments(FACTS))
        self.asked.append((name, question.name, arguments))
        outcome, told = question.answered(FACTS, self.answer(name, question.name, arguments))
        session.sink(Answered(name, question.name, outcome, told))

    def answer(self, name: str, question: str, arguments: dict[str, Any]) -> dict[str, Any]:
        given = self.answers.get(name, {})
        if question == "status":
            return STATUS | given
        if question == "why":
            return WHY | {"entries": [ENTRY | {"path": arguments["path"]} | given]}
        held = given.get("lock")
        if held is None:
            return {"state": "free", "lock": None}
        return {"state": "ended" if arguments["end"] else "held", "lock": held}


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    return Hosts(monkeypatch)


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    return tmp_path


def run(verb: str, inventory: Path, *words: str, limit: str = "web", **more: Any) -> Result:
    given = [verb, *words, "-i", str(inventory), "--limit", limit, "--forks", "1"]
    return CliRunner().invoke(cli.provision, given, catch_exceptions=False, **more)


def lines(result: Result, kind: str) -> list[dict[str, Any]]:
    return [item for item in map(json.loads, result.stdout.splitlines()) if item["type"] == kind]


def test_status_asks_each_host_with_the_roles_that_it_has_and_needs_no_secret_of_them(
    inventory: Path, hosts: Hosts
) -> None:
    result = run("status", inventory)
    assert result.exit_code == 0, result.output
    assert hosts.asked == [
        (name, "status", {"roles": ["docker_daemon", "registry_login"]}) for name in ("web1", "web2")
    ]
    assert {(item.facts_only, item.check) for item in hosts.runs} == {(True, True)}


def test_something_pending_is_exit_3_and_a_host_that_was_not_read_is_exit_1(inventory: Path, hosts: Hosts) -> None:
    hosts.answers["web2"] = {"pending": [PENDING]}
    result = run("status", inventory)
    assert result.exit_code == 3
    assert "web2: pending docker_daemon for 2 h: 3 containers use GPUs" in result.stdout
    assert run("status", inventory, limit="all").exit_code == 1


def test_status_as_json_is_one_object_a_host_and_the_summary(inventory: Path, hosts: Hosts) -> None:
    hosts.answers["web2"] = {"pending": [PENDING]}
    result = run("status", inventory, "--json")
    first, second = lines(result, "status")
    assert (first["host"], first["outcome"], first["pending"]) == ("web1", "ok", [])
    assert second["pending"] == [PENDING]
    assert second["time"] != STATUS["time"], "the time of a line is this machine's"
    (summary,) = lines(result, "summary")
    assert summary["hosts"]["web2"]["pending"] == 1
    assert lines(result, "facts") == []


def test_why_says_who_owns_a_key_and_where_that_is_asked(inventory: Path, hosts: Hosts) -> None:
    hosts.answers["web1"] = {"record": {"role": "docker_daemon", "unchanged": True}}
    result = run("why", inventory, "bip", limit="web1")
    assert result.exit_code == 0, result.output
    place = f"{inventory / 'hosts.yml'}:11:16"
    words = f"web1: bip is set by role docker_daemon ({place}), stands in /etc/docker/daemon.json as we wrote it, and"
    assert words in result.stdout


def test_why_takes_an_override_into_account(inventory: Path, hosts: Hosts) -> None:
    result = run("why", inventory, "bip", "--set", "docker_daemon.bip=10.9.0.1/24", limit="web1")
    assert "bip is set by role docker_daemon (--set" in result.stdout


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_key_that_nobody_knows_is_exit_1(inventory: Path, hosts: Hosts, words: tuple[str, ...]) -> None:
    nothing = {"in_file": False, "value": None, "live": None, "agrees": None}
    hosts.answers.update(web1=nothing, web2=nothing)
    result = run("why", inventory, "new-thing", *words)
    assert result.exit_code == 1
    assert "is called 'new-thing', and none of these hosts has it" in result.stderr
    assert run("why", inventory, "mtu").exit_code == 0
    hosts.answers["web2"] = {"value": "x"}
    assert run("why", inventory, "new-thing", *words).exit_code == 0, "a host knows it"


def test_a_misspelt_key_is_refused_before_any_host_is_asked(inventory: Path, hosts: Hosts) -> None:
    result = run("why", inventory, "bib")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.strip() == "no option of the Docker daemon is called 'bib'; did you mean 'bip'?"
    assert hosts.asked == []
    assert run("why", inventory, "bib", "--set", "docker_daemon.extra={bib: 1}").exit_code == 0, "the inventory asks so"


def test_unlock_looks_and_ends_nothing_without_yes(inventory: Path, hosts: Hosts) -> None:
    assert run("unlock", inventory).exit_code == 0
    hosts.answers["web2"] = {"lock": LOCK}
    result = run("unlock", inventory)
    assert result.exit_code == 3
    assert "web2: held since" in result.stdout
    assert not any(arguments["end"] for _, _, arguments in hosts.asked)


def test_unlock_with_yes_ends_what_holds_a_host(inventory: Path, hosts: Hosts) -> None:
    hosts.answers["web2"] = {"lock": LOCK}
    result = run("unlock", inventory, "--yes", "--force")
    assert result.exit_code == 0
    assert "web2: run r1 of alice@ctl was ended" in result.stdout
    wanted = {"end": True, "force": True, "run": None}
    assert hosts.asked == [("web1", "unlock", wanted), ("web2", "unlock", wanted)]


@pytest.mark.parametrize(("typed", "ended"), [("y\n", True), ("n\n", False)])
def test_on_a_terminal_unlock_asks_and_ends_only_the_run_that_was_shown(
    inventory: Path, hosts: Hosts, monkeypatch: pytest.MonkeyPatch, typed: str, ended: bool
) -> None:
    hosts.answers["web2"] = {"lock": LOCK}
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    result = run("unlock", inventory, input=typed)
    assert "end what holds web2? [y/N]" in result.stderr
    assert [item for item in hosts.asked if item[2]["end"]] == (
        [("web2", "unlock", {"end": True, "force": False, "run": "r1"})] if ended else []
    )


@pytest.mark.parametrize("given", ["  kernel \x1b[31mroll\nout ", "kernel [31mroll out"])
def test_a_comment_is_one_clean_line(given: str, inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = list[str]()

    def converge(verb: str, asked: Any) -> int:
        told.append(asked.comment)
        return 0

    monkeypatch.setattr(apply, "converge", converge)
    assert run("apply", inventory, "--comment", given).exit_code == 0
    assert told == ["kernel [31mroll out"]
    assert run("apply", inventory, "--comment", "x" * 201).exit_code == 2


def test_status_writes_metrics_and_a_page(inventory: Path, hosts: Hosts) -> None:
    hosts.answers["web2"] = {"pending": [PENDING]}
    path = inventory / "provision.prom"
    page = inventory / "page.html"
    assert run("status", inventory, "--metrics", str(path), "--report", str(page)).exit_code == 3
    assert "pending docker_daemon for " in page.read_text()
    text = path.read_text()
    assert 'provision_hosts{verb="status",outcome="pending"} 1\n' in text
    assert f'provision_host_pending_seconds{{verb="status",host="web2"}} {PENDING["age"]:g}\n' in text
