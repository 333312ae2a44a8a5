"""A role's settings: plain data into the role's model, and the model's complaints into sentences with places.

The law: each distinct set of settings is validated once, however many hosts share it. A secret stands only where the
model has a field for one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from provision import role
from provision.errors import Problem, nearest
from provision.inventory import annotations
from provision.inventory.document import Map, Mark, Tagged, entry, locate
from provision.inventory.findings import Finding
from provision.inventory.layers import Level, owner_of
from provision.inventory.places import Places
from provision.inventory.references import Placeholder, References
from provision.inventory.values import PlainValues, dotted
from provision.secrets import Secret
from provision.sentences import meant, sentence

Wrong = tuple[tuple[Any, ...], Finding]
"""Something that is wrong, and at which path."""


@dataclass
class Checked:
    """What came of validating: the settings (None where they are wrong, or wait for a secret), and the findings."""

    settings: role.Settings | None = None
    findings: list[Finding] = field(default_factory=list)


@dataclass
class Validator:
    """Validates the settings of roles, each distinct one once. `vaulted` names the files that are secret as a whole."""

    references: References
    places: Places
    vaulted: set[str]

    def __post_init__(self) -> None:
        self._by_identity: dict[tuple[str, int, bool], Checked] = {}
        self._by_content: dict[tuple[str, str, bool], Checked] = {}
        self._kept: list[Any] = []  # an id is of use only while its object lives

    def check(
        self,
        wanted: role.Role,
        raw: Any,
        levels: Sequence[Level],
        at: Mark,
        *,
        used: bool,
        wrong: Sequence[Wrong] | None = None,
    ) -> Checked:
        """The settings of a role, as they stand in the variables of a host. `at` is their place, or that of the role's
        name where it has none. With `used=False` the host does not have the role: only what is there is judged, not
        what is missing. `wrong`: they were made from templates, and that was found to be wrong."""
        if wrong or (wrong is not None and _holds_secrets(raw)):
            return _Check(self, wanted, raw, levels, at, used).run(wrong)  # its repr does not say what is in it
        identity = (wanted.name, id(raw), used)
        known = self._by_identity.get(identity)
        if known is None:
            known = self._by_content.get(content := (wanted.name, repr(raw), used))
            if known is None or (known.findings and at.line):  # the same mistake elsewhere is another mistake
                known = _Check(self, wanted, raw, levels, at, used).run()
                self._by_content.setdefault(content, known)
            self._by_identity[identity] = known
            self._kept.append(raw)
        return known


def _holds_secrets(raw: Any) -> bool:
    return any(isinstance(value, Secret) for _, value, _ in annotations.leaves(raw, ()))


@dataclass
class _Check:
    """One validation of what stands under a role's name at one place."""

    _validator: Validator
    _role: role.Role
    _raw: Any
    _levels: Sequence[Level]
    _at: Mark
    _used: bool

    def __post_init__(self) -> None:
        self._checked = Checked()
        self._wrong_paths: set[tuple[Any, ...]] = set()

    def run(self, wrong: Sequence[Wrong] = ()) -> Checked:
        """Validates, and says what is wrong."""
        for path, finding in wrong:
            self._wrong_paths.add(path[1:])
            self._checked.findings.append(finding)
        if () in self._wrong_paths:
            return self._checked
        raw = Map() if self._raw is None else self._raw
        if not isinstance(raw, Map):
            what = f"the settings of the role {self._role.name} must be a mapping"
            hint = "write KEY: VALUE" if self._used else "or leave it: no host here has that role"
            self._find((), what, hint, warning=not self._used)
            return self._checked
        self._judge_secrets(raw)
        plain = PlainValues(self._validator.references, self._noted).value(raw, self._at, (self._role.name,))
        try:
            context = {"directory": self._validator.places.beside(self._at)}
            settings = self._role.settings.model_validate(plain, context=context)
        except ValidationError as error:
            self._complain(error)
        else:
            if all(finding.warning for finding in self._checked.findings):
                self._checked.settings = settings
        return self._checked

    def _judge_secrets(self, raw: Map) -> None:
        """A reference stands where the model has a secret; a secret in plain text is worth a warning."""
        for path, value, types in annotations.leaves(raw, (self._role.settings,)):
            reference = isinstance(value, Secret) or (isinstance(value, Tagged) and value.tag in ("secret", "vault"))
            name = dotted((self._role.name, *path))
            if reference and types and Secret not in types:
                self._wrong_paths.add(path)
                message = f"{name} is not a secret, and takes no !secret or !vault"
                self._find(path, message, "write the value itself")
            elif isinstance(value, str) and Secret in types and str not in types:
                where = locate(raw, path)
                if where is not None and where.file not in self._validator.vaulted:
                    self._find(path, f"{name} stands here in plain text", "use !secret or !vault", warning=True)

    def _noted(self, path: tuple[Any, ...], problem: Problem) -> None:
        if path[1:] not in self._wrong_paths:
            self._wrong_paths.add(path[1:])
            owner = owner_of(self._levels, path) if problem.where else ""
            self._checked.findings.append(Finding(problem.where, owner, problem.message, problem.hint))

    def _find(
        self,
        path: Sequence[Any],
        message: str,
        hint: str,
        *,
        place: Mark | None = None,
        warning: bool = False,
    ) -> None:
        owner = owner_of(self._levels, (self._role.name, *path))
        where = place or locate(self._raw, path) or self._at
        self._checked.findings.append(Finding(str(where), owner, message, hint, warning))

    def _complain(self, error: ValidationError) -> None:
        """One finding a place: what the members of a union say about one value is one sentence."""
        told: dict[tuple[Any, ...], list[ErrorDetails]] = {}
        for detail in error.errors(include_url=False):
            path = _path_in(self._raw, detail)
            waits = isinstance(detail["input"], Placeholder)  # judged when the secret is there
            unasked = not self._used and (detail["type"] == "missing" or not detail["loc"])
            if not (waits or unasked or path in self._wrong_paths):
                told.setdefault(path, []).append(detail)
        for path, details in told.items():
            self._tell(path, details)

    def _tell(self, path: tuple[Any, ...], details: list[ErrorDetails]) -> None:
        name = dotted((self._role.name, *path))
        kinds = {detail["type"] for detail in details}
        if kinds == {"extra_forbidden"}:
            known = annotations.names_at(self._role.settings, path)
            close = nearest(str(path[-1]), known)
            hint = f"did you mean {close!r}?" if close else f"there are: {', '.join(sorted(known)) or 'none'}"
            place = locate(self._raw, path, key=True)
            self._find(path, f"{name}: unknown key {str(path[-1])!r}", hint, place=place)
        elif kinds == {"missing"}:
            place = locate(self._raw, path[:-1])
            self._find(path, f"{name} is missing", f"the role {self._role.name} needs it", place=place)
        else:
            texts = list(dict.fromkeys(sentence(detail) for detail in details if detail["type"] != "extra_forbidden"))
            rest = [text.removeprefix("should be ") for text in texts[1:]]
            place = locate(self._raw, path, key=True) if details[0]["loc"][-1:] == ("[key]",) else None
            self._find(path, f"{name}: {' or '.join(texts[:1] + rest)}", meant(details[0]), place=place)


def _path_in(raw: Any, detail: ErrorDetails) -> tuple[Any, ...]:
    """The model's path without what is not in the data (a union's tag), but with the last field where it is missing."""
    path: list[Any] = []
    location = [part for part in detail["loc"] if part != "[key]"]
    for index, part in enumerate(location):
        found = entry(raw, part)
        if found is not None:
            raw = found.value
        elif not (index == len(location) - 1 and detail["type"] == "missing"):
            continue
        path.append(part)
    return tuple(path)
