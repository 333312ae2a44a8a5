"""What a host can be asked in place of being planned: status, why, unlock.

The law: a host may lie, so an answer is checked before anybody reads it: types, lengths, and how much of it there is.
A question is plain data and pure functions; who holds the conversation is the session.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from provision.errors import ProtocolError
from provision.events import Outcome
from provision.facts import Facts

Text = Annotated[str, Field(max_length=2000)]
Texts = Annotated[tuple[Text, ...], Field(max_length=1000)]
Age = Annotated[float, Field(allow_inf_nan=False)] | None
"""Seconds by the host's own clock; negative where a clock was set back; None where it cannot be told."""


class Answer(BaseModel):
    """The base of what hosts answer."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Question(ABC):
    """One question to one host."""

    name: ClassVar[str]

    @abstractmethod
    def arguments(self, facts: Facts) -> Mapping[str, Any]:
        """What goes with the question, as JSON types."""

    def answered(self, facts: Facts, raw: Mapping[str, Any]) -> tuple[Outcome, dict[str, Any]]:
        """What the answer means for the host, and the answer itself, checked, as JSON types. Raises ProtocolError."""
        try:
            return self.read(facts, raw)
        except ValidationError as error:
            detail = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, detail["loc"]))
            raise ProtocolError(f"the host's answer to {self.name} is malformed: {place}: {detail['msg']}") from None

    @abstractmethod
    def read(self, facts: Facts, raw: Mapping[str, Any]) -> tuple[Outcome, dict[str, Any]]:
        """As `answered`, but raises pydantic's ValidationError."""
