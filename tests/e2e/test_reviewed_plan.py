"""A saved plan on real hosts: what was reviewed is done, and a host that is no longer the same is left alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.runner import HostSpec, Lab, Provision, settle

pytestmark = pytest.mark.lab

ROLE = '''
"""A file, a unit that runs, and a file of the unit's."""

from provision import role
from provision.resources import File, Service, SystemdUnit
from provision.secrets import Secret

UNIT = "[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n"


class Settings(role.Settings):
    text: str | Secret = "one"


def resources(facts, settings):
    yield File(path="/etc/watched", content=settings.text)
    yield SystemdUnit(name="watched.service", content=UNIT)
    yield Service(name="watched", files=("/etc/watched",))
'''


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    specs = [HostSpec("rev1", "bookworm"), HostSpec("rev2", "trixie")]
    with Lab.up("reviewed", specs, tmp_path_factory.mktemp("reviewed")) as up:
        roles = up.directory / "roles"
        roles.mkdir()
        (roles / "watched.py").write_text(ROLE)
        yield up


@pytest.fixture(scope="module")
def site(lab: Lab) -> Provision:
    return settle(lab, {"roles": ["watched"]})


def test_what_was_reviewed_is_done_in_waves_and_nothing_is_left(site: Provision, tmp_path: Path) -> None:
    plan = str(tmp_path / "plan.json")
    assert site.check("--out", plan).status == 3
    applied = site("apply", plan, "--yes", "--waves", "1,100%")
    assert applied.status == 0, applied.explain()
    assert len(applied.resources("changed", host="rev1")) == len(applied.resources("changed", host="rev2")) == 3
    again = site("apply", plan, "--yes")
    assert again.status == 1, "it was a plan for other hosts"
    assert "is not what it was when it was reviewed" in again.host("rev1")["error"]


def test_the_host_that_somebody_changed_is_left_alone_and_the_other_is_not(
    lab: Lab, site: Provision, tmp_path: Path
) -> None:
    plan = str(tmp_path / "plan.json")
    settle(lab, {"roles": ["watched"], "watched": {"text": "two"}})
    assert site.check("--out", plan).status == 3
    lab.host("rev1").run("echo three > /etc/watched")
    applied = site("apply", plan, "--yes")
    assert applied.status == 1
    assert applied.host("rev1")["error"].startswith(
        "watched: file /etc/watched is not what it was when it was reviewed; check again with --out"
    )
    assert applied.host("rev2")["outcome"] == "changed"
    assert (lab.host("rev1").read("/etc/watched"), lab.host("rev2").read("/etc/watched")) == ("three\n", "two")
