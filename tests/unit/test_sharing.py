"""`apply --share`: one host fetches for all of its release, another one where it cannot, and nothing is left."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from provision.bundle.needs import Member
from provision.cli import sharing
from provision.cli.sharing import Share
from provision.errors import HostError, Unreachable
from provision.rollout import Job
from provision.target import Target
from provision.transport.local import LocalConnection
from tests.lab.repository import AptRepository
from tests.unit.bundle.conftest import FACTS, installed, member, repository

__all__ = ["member", "repository"]


class Pool:
    """Hosts that are this machine, but for those that are down."""

    def __init__(self, *down: str) -> None:
        self._down = down
        self.asked = list[str]()

    def connect(self, target: Target) -> LocalConnection:
        self.asked.append(target.name)
        if target.name in self._down:
            raise Unreachable(f"{target.name} is down")
        return LocalConnection()


@pytest.fixture
def share(tmp_path: Path) -> Iterator[Share]:
    made = Share(tmp_path / "state", 4, None, lambda host, text: None)
    yield made
    made.close()
    assert list((tmp_path / "state").iterdir()) == []


@pytest.fixture
def hosts(member: Callable[..., Member], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Job]]:
    """Jobs of hosts that want `app`; {name: dpkg's status}."""

    def make(**status: str) -> list[Job]:
        found = {name: member("app", name=name, status=text) for name, text in status.items()}

        def ask(job: Job, pool: Any) -> Member:
            if job.target.name not in found:
                raise Unreachable("no")
            return found[job.target.name]

        monkeypatch.setattr(sharing, "ask", ask)
        return [Job(Target(name, name, connection="local"), (), {}) for name in status]

    return make


def test_what_hosts_lack_is_fetched_once_and_no_more(
    share: Share, hosts: Callable[..., list[Job]], repository: AptRepository
) -> None:
    pool: Any = Pool()
    repository.requests.clear()
    whole = installed("base") + installed("lib")
    shelf = share(hosts(web1=whole, web2=whole + installed("app")), pool)
    assert [package["name"] for package in shelf.listing(FACTS)["packages"].values()] == ["app"], "web2 has it"
    assert len([path for path in repository.requests if path.endswith(".deb")]) == 1
    assert shelf.told(FACTS) == {"problem": None, "images": False}, "images come from where they always come from"
    assert pool.asked == ["web1"]


def test_where_one_host_cannot_fetch_another_does(share: Share, hosts: Callable[..., list[Job]]) -> None:
    pool: Any = Pool("web1")
    share(hosts(web1="", web2=""), pool)
    assert pool.asked == ["web1", "web2"]


def test_where_none_can_it_is_said_who_was_asked(share: Share, hosts: Callable[..., list[Job]]) -> None:
    pool: Any = Pool("web1", "web2")
    with pytest.raises(HostError, match=r"on web1, which fetches for the others: web1 is down"):
        share(hosts(web1="", web2=""), pool)
    assert pool.asked == ["web1", "web2", "web1"]
