"""What a change would do to others on the host: `none`, or a `reload` or `restart` of a service, and why."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable

    from ..types import Impact

NONE, RELOAD, RESTART = ("none", "reload", "restart")
DOCKER = "docker"


def impact(level: str, why: "Iterable[str]", systemd: bool = False, survive: bool = False) -> "Impact":
    """What a change would do to others, before anybody has looked who they are: to those who use Docker.

    Of another service a resource names that one, and who uses it, itself.
    """
    return {
        "service": DOCKER,
        "users": [],
        "level": level,
        "why": sorted(why),
        "systemd": systemd,
        "survive": survive,
        "containers": [],
        "processes": [],
        "effect": "",
    }
