"""What the verbs share that ask hosts something beside their facts: status, why and unlock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from provision.cli import hosts
from provision.events import Answered, Event


@dataclass
class Answers:
    """Listens beside the view: what the hosts have answered."""

    found: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Answered):
            self.found[event.host] = event.answer

    def entries(self) -> list[Mapping[str, Any]]:
        return [entry for answer in self.found.values() for entry in answer["entries"]]


def roles_given(selection: hosts.Selection) -> Mapping[str, tuple[str, ...]]:
    """The roles that the inventory gives each host, as they stand there."""
    given = selection.source.by_host("roles")
    return {name: tuple(map(str, found)) for name, found in given.items() if isinstance(found, list)}
