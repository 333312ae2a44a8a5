"""What is about to be changed on this host, as the questions before it are asked about it."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence, Tuple

    from ..host.errors import Failed
    from ..types import Asks, Item, ResourceResult

    Judgement = Tuple[str, str, str]
    """Verdict (pass, warn, fail, unknown, n/a), what was found, what to do."""
    Found = Tuple[str, Item, ResourceResult]
    """A resource that would change: its role, itself, and its diff."""

ENGINE_ROLES = ("docker_engine", "docker_daemon", "nvidia_docker")


class Offers:
    """What apt could install: {name: versions}, {name: candidate or None}, names whose versions were read just now."""

    def __init__(self, known: "dict[str, list[str]]", newest: "dict[str, str | None]", fresh: "set[str]") -> None:
        self.known = known
        self.newest = newest
        self.fresh = fresh
        self.refused: "Failed | None" = None  # the Failed of a simulation


class Change:
    """What is about to be done here: the resources that would change, and what the controller adds to that."""

    def __init__(self, wanted: "Asks", found: "Sequence[Found]") -> None:
        self.wanted = wanted
        self._found = found  # (role, item, result)
        self.offers: "Offers | None" = None  # what apt could install once the sources of this run are there

    def of(self, *kinds: str) -> "list[tuple[dict[str, Any], ResourceResult]]":
        """(fields, result) of the resources of these kinds that would change."""
        return [(item["fields"], result) for _, item, result in self._found if item["kind"] in kinds]

    def brings(self, kinds: "Sequence[str]") -> bool:
        """Would a role that is not about the engine change something of these kinds?"""
        return any(item["kind"] in kinds and role not in ENGINE_ROLES for role, item, _ in self._found)

    @property
    def packages(self) -> "dict[str, tuple[str, str]]":
        """{name: (what is there, what is asked)} of packages that would come, go or change their version."""
        changes = {}
        for fields, result in self.of("packages"):
            names = [package["name"] for package in fields["packages"]] + list(fields["replace"])
            for item in result["diff"]:
                if item["key"] in names and item["after"] != "{}, held".format(item["before"]):
                    changes[item["key"]] = (item["before"], item["after"])
        return changes

    @property
    def apt(self) -> bool:
        """Will apt or dpkg be at work?"""
        return bool(self.of("packages", "deb", "apt_source"))

    @property
    def engine(self) -> bool:
        """Is anything of the container engine about to change?"""
        services = self.of("docker_service")
        roles = [role for role, _, _ in self._found if role in ENGINE_ROLES]
        return bool(services or roles or self.wanted["deferred"])
