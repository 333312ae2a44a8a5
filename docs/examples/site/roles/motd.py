"""What people read when they log in."""

from collections.abc import Iterator

from provision import role
from provision.resources import File, Resource


class Settings(role.Settings):
    text: str
    """One line."""


def resources(facts: role.Facts, settings: Settings) -> Iterator[Resource]:
    yield File(path="/etc/motd", content=settings.text + "\n")
