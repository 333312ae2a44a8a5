"""The question `status`: what is pending on a host, what was done last, and who holds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from provision.events import Outcome
from provision.facts import Facts
from provision.questions import Age, Answer, Question, Text, Texts


class Pending(Answer):
    """A change that a role has put off until it may disturb the host."""

    role: Text
    run: Text
    by: Text
    since: Text
    age: Age
    reason: Text
    resources: Texts
    staged: Texts


class Unfinished(Answer):
    """A change that was begun and not yet found good: its run goes on, or has left it."""

    run: Text
    by: Text
    since: Text
    age: Age
    deadline: Text


class LastRun(Answer):
    """The last run that changed anything, failed or had to wait; one that found all as asked leaves no trace."""

    run: Text
    by: Text
    comment: Text
    time: Text
    age: Age
    seconds: float
    changed: int
    failed: Texts
    waits: Texts = ()
    """What it left to wait; none from an older agent."""


class Gate(Answer):
    """What others on the host are told: is /run/provision/gpu-proven there, and how old is what it rests on?"""

    verdict: Text
    open: bool
    age: Age


class LastProof(Answer):
    """The last proof that containers get the GPUs. Whether it still holds, only a run that asks for one tells."""

    verdict: Text
    time: Text
    age: Age
    gpus: int
    levels: Texts
    failed: Texts
    gate: Gate | None = None
    """None where nothing was proven since the boot, and from an older agent."""


class Unmanaged(Answer):
    """A role that wrote something here, and that the inventory does not give this host any more."""

    role: Text
    left: Texts


class LockHolder(Answer):
    """Who holds the host; or, where nobody does, who died holding it."""

    held: bool
    pid: int | None
    run: Text
    by: Text
    comment: Text
    since: Text
    age: Age
    orphan: bool
    """Its controller is gone, and it is only ending the step in hand."""


class InterruptedRun(Answer):
    """The last run was cut off in this step."""

    run: Text
    by: Text
    step: Text
    cause: Text
    """Why that step failed then, or ""."""


class Status(Answer):
    """All of it. `reboot` is the packages that want one; None where none is due."""

    time: Text
    pending: Annotated[tuple[Pending, ...], Field(max_length=100)]
    unfinished: Unfinished | None
    last_run: LastRun | None
    proof: LastProof | None
    unmanaged: Annotated[tuple[Unmanaged, ...], Field(max_length=100)]
    lock: LockHolder | None
    reboot: Texts | None
    interrupted: InterruptedRun | None

    @property
    def running(self) -> bool:
        """Is a run at work on the host?"""
        return self.lock is not None and self.lock.held

    @property
    def quiet(self) -> bool:
        """Is there nothing that a person should look at?"""
        failed = self.last_run is not None and self.last_run.failed
        disproven = self.proof is not None and self.proof.verdict != "passed"
        told = (self.pending, self.unfinished, failed, disproven, self.unmanaged, self.lock, self.interrupted)
        return not any(told) and self.reboot is None

    @property
    def outcome(self) -> Outcome:
        """Pending, where something waits for the next run."""
        left = self.unfinished is not None and not self.running
        return Outcome.PENDING if self.pending or left else Outcome.OK


@dataclass(frozen=True)
class AskStatus(Question):
    """`roles`: those that the inventory gives the host."""

    name: ClassVar[str] = "status"
    roles: Sequence[str]

    def arguments(self, facts: Facts) -> Mapping[str, Any]:
        return {"roles": list(self.roles)}

    def read(self, facts: Facts, raw: Mapping[str, Any]) -> tuple[Outcome, dict[str, Any]]:
        found = Status.model_validate(raw)
        return found.outcome, found.model_dump(mode="json")
