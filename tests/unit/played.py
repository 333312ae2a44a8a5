"""Hosts that are played: what stands for the pool, its connections and the sessions of a run that needs no host."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from provision.cli import run_verb
from provision.errors import Unreachable
from provision.events import Sink
from provision.rollout import hosts
from provision.run import Run
from provision.target import Target


@dataclass
class Played:
    """A session, as provision.session.Session is made."""

    play: Callable[["Played"], None]
    target: Target
    connection: Any
    planner: Any
    run: Run
    sink: Sink
    cancel: Any
    reached: Any = None

    @property
    def name(self) -> str:
        """The host's."""
        return self.target.name

    def execute(self) -> None:
        self.play(self)


class Fleet:
    """Subclasses say what a host does in `play`, and may name those that cannot be reached."""

    unreachable: tuple[str, ...] = ()

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(run_verb, "Pool", self.pool)
        monkeypatch.setattr(hosts, "Session", self.session)

    def play(self, session: Played) -> None:
        """What happens in a session; many run at a time, each in a thread of its own."""
        raise NotImplementedError

    def pool(self, *, accept_new_host_keys: bool, on_host_key: Any) -> "Fleet":
        return self

    def session(self, *given: Any) -> Played:
        return Played(self.play, *given)

    def connect(self, target: Target) -> "Fleet":
        if target.name in self.unreachable:
            raise Unreachable(f"no route to {target.name}", "look at the cable")
        return self

    def close(self) -> None: ...
