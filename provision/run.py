"""What all sessions of one run share: who asks, what for, and how long anything may take.

The law: plain values that can be pickled; what a host's agent has to know of them is `options`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.preflight import AskedSettings

if TYPE_CHECKING:
    from provision.agent.types import Options, ReviewedPlan, Who
    from provision.bundle.shelf import Shelf


@dataclass(frozen=True)
class TimeLimits:
    """Seconds. `silence` is six missed beats of the agent."""

    login: float = 60.0
    silence: float = 30.0
    confirm: float = 30.0
    """How long a host waits for a new connection before it puts back what may have cut it off; 0: it does not."""
    host: float = 3600.0


def always_open() -> str | None:
    """No maintenance windows: what disrupts may be done now."""
    return None


@dataclass(frozen=True)
class Reviewed:
    """What one host was found to be when its plan was reviewed, as digests: agent/run/reviewed.py."""

    salt: str
    seen: Mapping[str, tuple[str, str, str]] | None = None
    """By resource: asked, found, stops. None: this look is the one that is going to be reviewed."""
    later: tuple[str, ...] = ()
    """Roles that were not known in detail yet, since they need another's change."""

    def wired(self) -> "ReviewedPlan":
        """As it travels."""
        seen = None if self.seen is None else {name: list(digests) for name, digests in self.seen.items()}
        return {"salt": self.salt, "seen": seen, "later": list(self.later)}


@dataclass(frozen=True)
class Run:
    """What all sessions of one run share."""

    id: str
    by: str
    """user@host of the controller, shown to whom finds the host locked."""
    check: bool
    facts_only: bool = False
    """No plan: facts are all that is wanted, or a question is asked. The agent writes nothing and takes no lock."""
    limits: TimeLimits = TimeLimits()
    confirms: bool = False
    """Only to say over a new connection that the host can be reached, for the run of this id."""
    state: str = "/var/lib/provision"
    """The agent's directory on the host: root's, 0700."""
    preflight: AskedSettings | None = None
    """In a check: ask the questions before a change, where there is one to come, with what the host cannot know."""
    settle: bool = False
    """A check that is the first look of an apply: on a host in sync it is all of it, and what that host remembers of us
    is brought up to date."""
    closed: Callable[[], str | None] = always_open
    """Asked when a host is planned: why nothing that disrupts may be done now, as a clause; None where it may."""
    comment: str = ""
    """What the run is for; shown with `by`."""
    bundle: "Shelf | None" = None
    """What hosts are given in place of a network."""
    spread: bool = False
    """Over workers: where one is lost, another goes on with its hosts."""

    reviewed: Reviewed | None = None
    """Of this host: it does what was reviewed, or nothing."""

    def options(self) -> "Options":
        """For the agent."""
        run: Who = {"id": self.id, "by": self.by}
        if self.comment:
            run["comment"] = self.comment
        if self.spread:
            run["spread"] = True
        options: Options = {
            "check": self.check,
            "facts_only": self.facts_only,
            "confirm": self.limits.confirm,
            "confirms": self.confirms,
            "run": run,
            "settle": self.settle,
            "state": self.state,
        }
        if self.reviewed:
            options["reviewed"] = self.reviewed.wired()
        return options
