"""One option of the Docker daemon: what a role asks for, and what a host answers about it."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, JsonValue

from provision.questions import Answer, Text


class Stands(Answer):
    """A flag, or a variable, that sets the option: where, and who brought that file."""

    value: Text
    file: Text
    package: Text
    role: Text
    """Of ours, for which we wrote it."""


class OptionRecord(Answer):
    """We wrote this key, for a role of ours."""

    role: Text
    unchanged: bool


class OptionEntry(Answer):
    """One option, or one entry of an option that is a map."""

    path: Annotated[tuple[Text, ...], Field(min_length=1, max_length=2)]
    in_file: bool
    value: JsonValue
    elsewhere: Annotated[tuple[Stands, ...], Field(max_length=100)]
    process: Annotated[tuple[Text, ...], Field(max_length=100)]
    """The values of its flag with which the running daemon was started."""
    live: JsonValue
    """As the daemon itself tells; None where it does not."""
    agrees: bool | None
    """Is what stands in the file in effect?"""
    started_with: bool
    """The file is the one with which we know the daemon to have been started."""
    record: OptionRecord | None


class Why(Answer):
    """`problem`: why daemon.json (`config`) cannot be read."""

    running: bool
    config: Text
    problem: Text
    entries: Annotated[tuple[OptionEntry, ...], Field(max_length=1000)]


@dataclass(frozen=True)
class AskedOption:
    """What a role of this host asks for."""

    path: tuple[str, ...]
    role: str
    value: Any
    origin: str
    """file:line:column; "" where that cannot be told."""
    level: str

    def told(self) -> dict[str, Any]:
        """As JSON types."""
        return {"role": self.role, "value": self.value, "origin": self.origin, "level": self.level}

    def __str__(self) -> str:
        place = self.origin or (f"its {self.level}" if self.level == "default" else self.level)
        return f"role {self.role} ({place})" if place else f"role {self.role}"
