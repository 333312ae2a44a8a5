"""A plan that is saved, reviewed and applied: what is compared before a host is connected to, and what the file is."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision.events import Looked, Outcome, ResourceDone
from tests.unit.played import Fleet, Played
from tests.unit.test_cli import ROLE, run

INVENTORY = """\
all:
  vars:
    roles: [greeting, other]
    greeting: {text: !secret "env:GREETING"}
  hosts:
    web1: {ansible_host: 10.0.0.1}
    web2: {ansible_host: 10.0.0.2}
"""
SEEN = {"greeting: file /etc/greeting": ("a", "b", "")}


class Hosts(Fleet):
    """Each would change its greeting."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        self.asked: dict[str, Any] = {}

    def play(self, session: Played) -> None:
        reviewed = session.run.reviewed
        self.asked[session.name] = reviewed
        outcome = Outcome.WOULD_CHANGE if session.run.check else Outcome.CHANGED
        diff = ({"key": "mode", "before": "0600", "after": "0644", "text": None},)
        session.sink(ResourceDone(session.name, "greeting", "file", "/etc/greeting", outcome, diff))
        if reviewed is not None and reviewed.seen is None:
            session.sink(Looked(session.name, SEEN))


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    return Hosts(monkeypatch)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GREETING", "s3cret-word")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "roles").mkdir()
    (tmp_path / "templates").mkdir()
    for name in ("greeting", "other"):
        (tmp_path / "roles" / f"{name}.py").write_text(ROLE)
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    return tmp_path


@pytest.fixture
def plan(site: Path, hosts: Hosts) -> Path:
    path = site / "plan.json"
    assert run("check", "-i", site / "hosts.yml", "--out", path).exit_code == 3
    hosts.asked.clear()
    return path


def test_the_file_is_its_owners_and_holds_no_secret(plan: Path) -> None:
    assert stat.S_IMODE(plan.stat().st_mode) == 0o600
    text = plan.read_text()
    assert "s3cret-word" not in text
    assert json.loads(text)["hosts"]["web1"]["seen"] == {name: list(found) for name, found in SEEN.items()}
    assert [path.name for path in plan.parent.glob(".plan*")] == []


def test_hosts_are_told_what_was_reviewed(plan: Path, hosts: Hosts) -> None:
    result = run("apply", plan)
    assert result.exit_code == 0, result.output
    assert {name: dict(found.seen) for name, found in hosts.asked.items()} == {"web1": SEEN, "web2": SEEN}


def test_a_plan_is_applied_to_some_of_its_hosts(plan: Path, hosts: Hosts) -> None:
    assert run("apply", plan, "--limit", "web2").exit_code == 0
    assert list(hosts.asked) == ["web2"]


def test_a_plan_that_is_only_checked_changes_nothing(plan: Path) -> None:
    assert run("apply", plan, "--check").exit_code == 3


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(site: Path) -> None:
        path = site / name
        path.write_text(path.read_text().replace(old, new) if path.exists() else new)

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (edit("hosts.yml", "10.0.0.1}", "10.0.0.9}"), "the inventory reaches it in another way"),
        (
            edit("hosts.yml", "10.0.0.1}", "10.0.0.1, greeting: {path: /etc/x}}"),
            "the inventory's settings of greeting are not those that were reviewed",
        ),
        (
            edit("hosts.yml", "10.0.0.1}", "10.0.0.1, roles: [greeting]}"),
            "gives it other roles than were reviewed: -other",
        ),
        (
            edit("hosts.yml", "10.0.0.1}", "10.0.0.1, roles: [other, greeting]}"),
            "gives it other roles than were reviewed: in another order",
        ),
    ],
)
def test_what_the_inventory_says_otherwise_keeps_one_host_out(
    change: Callable[[Path], None], reason: str, plan: Path, hosts: Hosts
) -> None:
    change(plan.parent)
    result = run("apply", plan)
    assert result.exit_code == 1
    assert f"web1: failed in 0.0 s: {reason}" in result.stdout or reason in result.stdout
    assert "check again with --out" in result.stdout
    assert list(hosts.asked) == ["web2"], "web1 was not connected to"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (edit("roles/other.py", "hello", "hullo"), "the role other is not the one that was reviewed"),
        (edit("templates/x.j2", "", "x"), "the template x.j2 is not the one that was reviewed"),
    ],
)
def test_another_role_or_template_keeps_all_hosts_out(
    change: Callable[[Path], None], reason: str, plan: Path, hosts: Hosts
) -> None:
    change(plan.parent)
    result = run("apply", plan)
    assert result.exit_code == 1
    assert reason in result.stdout
    assert not hosts.asked


def test_another_secret_is_another_setting(plan: Path, hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREETING", "another-word")
    result = run("apply", plan)
    assert "settings of greeting are not those that were reviewed" in result.stdout
    assert not hosts.asked


def test_a_host_that_is_gone_is_named(plan: Path, hosts: Hosts) -> None:
    edit("hosts.yml", "    web1: {ansible_host: 10.0.0.1}\n", "")(plan.parent)
    result = run("apply", plan)
    assert (result.exit_code, result.stderr) == (
        2,
        f"{plan}: the inventory has no host 'web1' any more; give --limit for those that are left\n",
    )
    assert not hosts.asked


def test_a_host_of_which_nothing_was_reviewed_is_not_touched(
    site: Path, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "unreachable", ("web1",), raising=False)
    assert run("check", "-i", site / "hosts.yml", "--out", site / "p").exit_code == 1
    monkeypatch.setattr(hosts, "unreachable", (), raising=False)
    hosts.asked.clear()
    result = run("apply", site / "p")
    assert result.exit_code == 1
    assert "nothing of it was reviewed: it was unreachable (no route to web1; look at the cable)" in result.stdout
    assert list(hosts.asked) == ["web2"]


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        ("no json", 0o600, "is no plan: it is not JSON"),
        ("{}", 0o600, "is no plan; make one with check --out"),
        ('{"format": "provision-plan", "schema_version": 1, "version": "99"}', 0o600, "was made by provision 99"),
        ('{"format": "provision-plan", "schema_version": 1, "version": "0.1.0"}', 0o600, "is a damaged plan: asked"),
        ('{"format": "provision-plan"}', 0o620, "others may have changed this plan"),
    ],
)
def test_what_is_no_plan_of_ours_is_said(content: str, mode: int, said: str, tmp_path: Path, hosts: Hosts) -> None:
    path = tmp_path / "p"
    path.write_text(content)
    path.chmod(mode)
    result = run("apply", path)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{path}: {said}"), result.stderr


@pytest.mark.parametrize("words", [("--roles", "greeting"), ("--resume", "last"), ("--executor", "dask+local")])
def test_what_a_plan_says_is_not_said_twice(words: tuple[str, str], plan: Path) -> None:
    result = run("apply", plan, *words)
    assert (result.exit_code, f"{words[0]} does not go with a plan" in result.output) == (2, True)


def test_a_plan_is_not_saved_where_it_would_be_read_as_inventory(site: Path, hosts: Hosts) -> None:
    result = run("check", "-i", site, "--out", site / "plan.json")
    assert (result.exit_code, "would be read as a part of the inventory" in result.stderr) == (2, True)
    assert not hosts.asked


def test_a_saved_plan_is_shown_as_the_check_was(plan: Path) -> None:
    shown = run("runs", "show", plan, "--diff")
    assert shown.exit_code == 0
    assert "web1: would-change greeting: file /etc/greeting (mode)\n    mode: 0600 -> 0644\n" in shown.stdout
