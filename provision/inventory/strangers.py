"""Variables that are nobody's to us, and look like ours: a role's name misspelt, a connection variable that we lack.

The law: each is told once a level, and nobody's variable stops a run that does not use it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision import shipped
from provision.errors import nearest
from provision.inventory import connection
from provision.inventory.document import Map, Seq
from provision.inventory.findings import Finding
from provision.inventory.layers import Level
from provision.inventory.spelling import within
from provision.inventory.tree import PRIORITY, ROOT, is_whole

if TYPE_CHECKING:
    from provision.role import Role

RESERVED = frozenset({"roles", "rollout"})


class KnownRoles:
    """The roles that there are, loaded when they are asked for."""

    def __init__(self, search_path: Sequence[Path]) -> None:
        self._path = search_path
        self.names = shipped.role_names(search_path)
        self._loaded: dict[str, Role] = {}
        self._misspelt: dict[str, str | None] = {}

    def load(self, name: str) -> "Role":
        if name not in self._loaded:
            from provision import role  # noqa: PLC0415 - and pydantic, where there are roles

            self._loaded[name] = role.load(name, self._path)
        return self._loaded[name]

    def misspelt(self, name: str) -> str | None:
        """The role that is at most two letters away from a variable's name (one, from a name of three), or None."""
        if name not in self._misspelt:
            near = (known for known in self.names if within(name, known, 2 if len(known) > 3 else 1))
            self._misspelt[name] = next(near, None)
        return self._misspelt[name]


class Strangers:
    """Looks through the names of variables, level by level."""

    def __init__(self, roles: KnownRoles) -> None:
        self._roles = roles
        self._harmless: set[str] = set()
        """Names that are nobody's, and are like nothing of ours."""
        self._seen: dict[int, list[Finding]] = {}

    def harmless(self, own: Sequence[Map]) -> bool:
        """Are all these variables nobody's, as far as `of` has seen them?"""
        return all(map(self._harmless.issuperset, own))

    def of(self, level: Level) -> list[Finding]:
        """Variables that are nobody's but look like ours. Once a level."""
        known = self._seen.get(id(level.variables))
        if known is None:
            known = [
                finding
                for name, at in level.variables.keys_at.items()
                if name not in self._harmless and isinstance(name, str)
                if (finding := self._near_miss(name, str(at), level))
            ]
            self._seen[id(level.variables)] = known
        return known

    def _near_miss(self, name: str, where: str, level: Level) -> Finding | None:
        value, owner = level.variables[name], level.owner
        if name == PRIORITY and not is_whole(value):
            return Finding(where, owner, f"{name} should be a whole number")
        if name == "rollout" and owner != ROOT:
            return Finding(where, owner, "rollout is for the whole inventory", "put it under the vars of all")
        if name in self._roles.names or name in RESERVED or name in connection.KNOWN:
            return None
        if name.startswith("ansible_"):
            close = None if connection.ONLY_ANSIBLES.match(name) else nearest(name, connection.KNOWN)
            return Finding(where, owner, f"{name} is not used here", f"did you mean {close}?" if close else "", True)
        meant = self._roles.misspelt(name)
        if not meant and not within(name, "roles", 2):
            self._harmless.add(name)
        elif not meant and isinstance(value, Seq):
            meant = "roles" if set(map(str, value)) & set(self._roles.names) else None
        return _misnamed(name, value, meant, where, owner) if meant else None


def _misnamed(name: str, value: Any, meant: str, where: str, owner: str) -> Finding:
    """A name close to a role's; only a mapping can be that role's settings."""
    if meant != "roles" and value is not None and not isinstance(value, Map):
        return Finding(where, owner, f"{name} is taken as nobody's", f"settings of {meant} are a mapping", True)
    return Finding(where, owner, f"{name} is no role", f"did you mean {meant!r}?")
