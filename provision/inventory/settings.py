"""A role's settings: plain data into the role's model, and the model's complaints into sentences with places.

The law: each distinct set of settings is validated once, however many hosts share it. A secret stands only where the
model has a field for one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from provision import role
from provision.errors import Problem, nearest
from provision.inventory.document import Map, Mark, Seq, Tagged, locate
from provision.inventory.findings import Finding
from provision.inventory.layers import Level, owner_of
from provision.inventory.references import Placeholder, References
from provision.inventory.values import Plain, dotted
from provision.secrets import Secret


@dataclass
class Checked:
    """What came of validating: the settings (None where they are wrong, or wait for a secret), and the findings."""

    raw: Any
    settings: role.Settings | None = None
    findings: list[Finding] = field(default_factory=list)


class Validator:
    """Validates the settings of roles, each distinct one once."""

    def __init__(self, references: References, directory: Path, vaulted: set[str]) -> None:
        self._references = references
        self._directory = directory
        self._vaulted = vaulted
        self._by_identity: dict[tuple[str, int, bool], Checked] = {}
        self._by_content: dict[tuple[str, str, bool], Checked] = {}
        self._kept: list[Any] = []  # an id is of use only while its object lives

    def check(
        self, wanted: role.Role, merged: Map, levels: Sequence[Level], at: Mark, *, used: bool
    ) -> Checked:
        """The settings of a role out of a host's merged variables. `at` is the place of a role that has no settings at
        all. With `used=False` the host does not have the role: only what is there is judged, not what is missing."""
        raw = merged.get(wanted.name)
        identity = (wanted.name, id(raw), used)
        known = self._by_identity.get(identity)
        if known is None:
            known = self._by_content.get(content := (wanted.name, repr(raw), used))
            place = merged.values_at.get(wanted.name, at)
            if known is None or (
                known.findings and place.line
            ):  # the same mistake elsewhere is another mistake
                known = _Check(self, wanted, merged, levels, at, used).run()
                self._by_content.setdefault(content, known)
            self._by_identity[identity] = known
            self._kept.append(raw)
        return known

    @property
    def references(self) -> References:
        return self._references

    @property
    def directory(self) -> Path:
        return self._directory

    def in_vault(self, file: str) -> bool:
        """Is everything from this file secret anyway?"""
        return file in self._vaulted


class _Check:
    """One validation."""

    def __init__(
        self,
        validator: Validator,
        wanted: role.Role,
        merged: Map,
        levels: Sequence[Level],
        at: Mark,
        used: bool,
    ) -> None:
        self._validator = validator
        self._role = wanted
        self._merged = merged
        self._levels = levels
        self._at = merged.values_at.get(wanted.name, at)
        self._used = used
        self._checked = Checked(merged.get(wanted.name))

    def run(self) -> Checked:
        raw = self._checked.raw
        if raw is not None and not isinstance(raw, Map):
            self._find((), str(self._at), f"the settings of the role {self._role.name} must be a mapping", "")
            return self._checked
        plain = Plain(self._validator.references, self._noted).value(
            Map() if raw is None else raw, self._at, (self._role.name,)
        )
        if self._checked.findings:
            return self._checked
        try:
            context = {"directory": self._validator.directory}
            self._checked.settings = self._role.settings.model_validate(plain, context=context)
        except ValidationError as error:
            self._complain(error)
        if self._checked.settings is not None:
            self._judge_secrets(self._checked.settings)
        return self._checked

    def _noted(self, path: tuple[Any, ...], problem: Problem) -> None:
        self._find(path[1:], problem.where, problem.message, problem.hint)

    def _find(self, path: Sequence[Any], where: str, message: str, hint: str, warning: bool = False) -> None:
        owner = owner_of(self._levels, (self._role.name, *path))
        self._checked.findings.append(Finding(where, owner, message, hint, warning))

    def _complain(self, error: ValidationError) -> None:
        """One finding a place: what the members of a union say about one value is one sentence."""
        told: dict[tuple[tuple[Any, ...], str], list[ErrorDetails]] = {}
        for detail in error.errors(include_url=False):
            if isinstance(detail["input"], Placeholder):
                continue  # judged when the secret is there
            if not self._used and (detail["type"] == "missing" or not detail["loc"]):
                continue
            path = _path_in(self._checked.raw, detail)
            told.setdefault((path, "missing" if detail["type"] == "missing" else ""), []).append(detail)
        for (path, _), details in told.items():
            self._tell(path, details)

    def _tell(self, path: tuple[Any, ...], details: list[ErrorDetails]) -> None:
        name = dotted((self._role.name, *path))
        first = details[0]
        model = self._role.settings
        if first["type"] == "extra_forbidden" and len(details) == 1:
            known = _fields_near(model, path)
            close = nearest(str(path[-1]), known)
            hint = f"did you mean {close!r}?" if close else f"there are: {', '.join(sorted(known)) or 'none'}"
            self._find(path, self._place(path, key=True), f"{name}: unknown key {path[-1]!r}", hint)
        elif isinstance(first["input"], Secret) and not _takes_secret(model, path):
            self._find(path, self._place(path), *_NO_SECRET(name))
        elif first["type"] == "missing":
            self._find(
                path, self._place(path[:-1]), f"{name} is missing", f"the role {self._role.name} needs it"
            )
        else:
            texts = list(
                dict.fromkeys(_sentence(detail) for detail in details if detail["type"] != "extra_forbidden")
            )
            self._find(path, self._place(path), f"{name}: {' or '.join(texts)}", _choice(first))

    def _place(self, path: Sequence[Any], key: bool = False) -> str:
        return str(locate(self._checked.raw, path, key=key) or self._at)

    def _judge_secrets(self, settings: role.Settings) -> None:
        for path, annotation in _secrets_in(settings, ()):
            given = _at(self._checked.raw, path)
            if (
                isinstance(given, Tagged)
                and given.tag in ("secret", "vault")
                and not mentions_secret(annotation)
            ):
                self._find(path, self._place(path), *_NO_SECRET(dotted((self._role.name, *path))))
            elif isinstance(given, str) and mentions_secret(annotation):
                where = locate(self._checked.raw, path)
                if where is not None and not self._validator.in_vault(where.file):
                    message = f"{dotted((self._role.name, *path))} stands here in plain text"
                    self._find(path, str(where), message, "use !secret or !vault", warning=True)
        if any(not finding.warning for finding in self._checked.findings):
            self._checked.settings = None


def _NO_SECRET(name: str) -> tuple[str, str]:  # noqa: N802
    return f"{name} is not a secret, and takes no !secret or !vault", "write the value itself"


def _path_in(raw: Any, detail: ErrorDetails) -> tuple[Any, ...]:
    """The model's path without what is not in the data (a union's tag), but with the last field where it is missing."""
    path: list[Any] = []
    location = [part for part in detail["loc"] if part != "[key]"]
    for index, part in enumerate(location):
        last = index == len(location) - 1 and detail["type"] == "missing"
        if isinstance(raw, Map) and part in raw:
            raw = raw[part]
        elif isinstance(raw, Seq) and isinstance(part, int) and part < len(raw):
            raw = raw[part]
        elif not last:
            continue
        path.append(part)
    return tuple(path)


def _at(raw: Any, path: Sequence[Any]) -> Any:
    for part in path:
        if not (
            isinstance(raw, Map)
            and part in raw
            or isinstance(raw, Seq)
            and isinstance(part, int)
            and part < len(raw)
        ):
            return None
        raw = raw[part]
    return raw


def _sentence(detail: ErrorDetails) -> str:
    message = re.sub(r"^(Value error|Assertion failed), ", "", detail["msg"]).strip()
    message = message.removeprefix("Input ") if message.startswith("Input should") else message
    return message[:1].lower() + message[1:] if not message[:2].isupper() else message


def _choice(detail: ErrorDetails) -> str:
    """For a value that is none of a few: the one that was probably meant."""
    expected = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
    close = nearest(detail["input"], expected) if isinstance(detail["input"], str) else None
    if close:
        return f"did you mean {close!r}?"
    number = isinstance(detail["input"], int | float) and not isinstance(detail["input"], bool)
    return "quote it" if detail["type"] == "string_type" and number else ""


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def mentions_secret(annotation: Any) -> bool:
    """May a value of this type be a secret itself, or hold one in a list or mapping (not in a model's own field)?"""
    if annotation is Secret:
        return True
    return any(mentions_secret(argument) for argument in get_args(annotation))


def _fields_near(model: type[BaseModel], path: Sequence[Any]) -> set[str]:
    """The names that could stand where the last part of `path` stands."""
    models = _models_at(model, path[:-1])
    return {field.alias or name for found in models for name, field in found.model_fields.items()}


def _models_at(model: type[BaseModel], path: Sequence[Any]) -> set[type[BaseModel]]:
    models = {model}
    for part in path:
        fields = [found.model_fields[part] for found in models if part in found.model_fields]
        models = {inner for info in fields for inner in _models_in(info.annotation)} or models
    return models


def _takes_secret(model: type[BaseModel], path: Sequence[Any]) -> bool:
    """Does the model's nearest field on this path take a secret?"""
    for end in range(len(path), 0, -1):
        for found in _models_at(model, path[: end - 1]):
            if path[end - 1] in found.model_fields:
                return mentions_secret(found.model_fields[path[end - 1]].annotation)
    return False


def _secrets_in(
    value: Any, path: tuple[Any, ...], annotation: Any = None
) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every secret in validated settings: its path, and the annotation of the field that holds it."""
    if isinstance(value, Secret):
        yield path, annotation
    elif isinstance(value, BaseModel):
        for name, info in type(value).model_fields.items():
            yield from _secrets_in(getattr(value, name), (*path, info.alias or name), info.annotation)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _secrets_in(item, (*path, key), annotation)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _secrets_in(item, (*path, index), annotation)
