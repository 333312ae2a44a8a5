"""The question `why`: who owns an option of the Docker daemon. Three ways: what we last wrote, what is there, what is
asked.

The law: what is asked comes from the roles themselves, with this host's facts, as in a run; where in the inventory that
stands is looked up by name, and left out where it cannot be told. A secret shows nowhere.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from provision.daemon.environment import FILE_KEYS
from provision.daemon.options import BY_FLAG, MAPS, OPTIONS
from provision.events import Outcome
from provision.facts import Facts
from provision.inventory.explain import SECRETIVE, Row
from provision.questions import Question
from provision.questions.option import AskedOption, Why
from provision.questions.verdict import verdict
from provision.resources import DaemonEnvironment, DaemonOption
from provision.role import Deferred, Refuse, Role, Settings, Skip
from provision.secrets import HIDDEN, Secret

Path = tuple[str, ...]
_LOGIN = re.compile(r"(://)[^/@\s]*@")


@dataclass(frozen=True)
class AskWhy(Question):
    """What the roles of one host ask for is found when its facts are known. `rows`: its values and where they stand."""

    name: ClassVar[str] = "why"
    path: Path
    roles: Sequence[Role]
    settings: Mapping[str, Settings]
    rows: Sequence[Row] = field(default=(), repr=False)

    def arguments(self, facts: Facts) -> Mapping[str, Any]:
        asked = {found.path for found in self._asked(facts)}
        return {
            "path": list(self.path),
            "map": self.path[0] in MAPS,
            "entries": sorted(path[1] for path in asked if len(path) > 1),
            "flags": sorted(flags_of(self.path[0])),
        }

    def read(self, facts: Facts, raw: Mapping[str, Any]) -> tuple[Outcome, dict[str, Any]]:
        found = Why.model_validate(raw)
        asked = {item.path: item for item in self._asked(facts)}
        roles = {role.name for role in self.roles}
        entries = [
            entry.model_dump(mode="json", exclude={"path"})
            | {"key": ".".join(entry.path)}
            | {"asked": asked[entry.path].told() if entry.path in asked else None}
            | {"verdict": verdict(entry, found, asked.get(entry.path), roles, is_known(self.path))}
            for entry in found.entries
        ]
        return Outcome.OK, found.model_dump(mode="json", exclude={"entries"}) | {"entries": entries}

    def _asked(self, facts: Facts) -> Iterator[AskedOption]:
        """What the roles ask for this option, as far as they can tell."""
        for role in self.roles:
            try:
                resources = list(role.resources(facts, self.settings[role.name]))
            except (Skip, Deferred, Refuse):
                continue
            for path, value in _options(resources):
                if path[: len(self.path)] == self.path or self.path == path[:1]:
                    yield AskedOption(path, role.name, value, *_origin(role.name, path, self.rows))
            if role.provides is not None:
                facts = role.provides(facts, self.settings[role.name])


def _options(resources: Sequence[Any]) -> Iterator[tuple[Path, Any]]:
    for item in resources:
        if isinstance(item, DaemonEnvironment) and item.name.lower() in FILE_KEYS:
            yield ("proxies", FILE_KEYS[item.name.lower()]), HIDDEN
        elif isinstance(item, DaemonOption) and len(item.key) == 1 and item.key[0] in MAPS and item.value:
            yield from (((*item.key, name), _shown(name, value)) for name, value in item.value.items())
        elif isinstance(item, DaemonOption):
            yield item.key, HIDDEN if item.key[0] == "proxies" else _shown(item.key[-1], item.value)


def _shown(name: str, value: Any) -> Any:
    """A value without what is, or looks like, a secret in it."""
    if isinstance(value, Secret) or SECRETIVE.search(name):
        return HIDDEN
    if isinstance(value, Mapping):
        return {key: _shown(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(name, item) for item in value]
    return _LOGIN.sub(rf"\1{HIDDEN}@", value) if isinstance(value, str) else value


def _origin(role: str, path: Path, rows: Sequence[Row]) -> tuple[str, str]:
    """(file:line:column, level) of the setting that asks for a key: it has the same name, in snake_case."""
    for row in rows:
        owner, _, setting = row.variable.partition(".")
        words = [word.strip('"').replace("_", "-") for word in setting.split(".")]
        names = [name.replace("_", "-") for part in path for name in part.split(".")]
        words = words[1:] if words[:1] == ["extra"] else words
        if owner == role and words and (words[: len(names)] == names or words == names[: len(words)]):
            return row.origin, row.level
    return "", ""


def flags_of(key: str) -> set[str]:
    """The flags of dockerd that set a key of daemon.json."""
    return ({OPTIONS[key].flag} if key in OPTIONS else set()) | ({"graph"} if key == "data-root" else set())


def path_of(key: str) -> Path:
    """A key as a person writes it: dotted for an entry of a map; a flag's name or a setting's will do."""
    top, dot, entry = key.strip().lstrip("-").partition(".")
    spelled = top.replace("_", "-")
    if top not in OPTIONS:
        top = spelled if spelled in OPTIONS or spelled in MAPS else BY_FLAG.get(spelled, top)
    return (top, entry) if dot and entry else (top,)


def is_known(path: Path) -> bool:
    return path[0] in OPTIONS or path[0] in MAPS
