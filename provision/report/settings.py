"""What can be set for a role, and what fields a kind of resource has, made from the code: names, types,
defaults and docs; as text and as JSON lines."""

import inspect
import json
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from provision import resources
from provision.report.text import Line, clean, table
from provision.resources import Resource
from provision.role import Role, document
from provision.secrets import Secret

WIDTH = 78
KINDS: dict[str, type[Resource]] = {
    name: kind
    for name in sorted(resources.__all__)
    if inspect.isclass(kind := getattr(resources, name)) and issubclass(kind, Resource) and kind is not Resource
}
"""The kinds of resource, by the name that a role writes."""
_NAMES: tuple[tuple[Any, str], ...] = (
    (None, "nothing"),
    (type(None), "nothing"),
    (str, "text"),
    (int, "number"),
    (float, "number"),
    (bool, "true | false"),
    (Secret, "secret"),
    (Any, "anything"),
    (JsonValue, "anything"),
    (IPv4Address, "address"),
    (IPv4Interface, "address/bits"),
    (IPv4Network, "network/bits"),
)


def listed(roles: Iterable[Role]) -> list[Line]:
    """One row a role: what it is for."""
    return table(("ROLE", "WHAT IT IS FOR"), [(role.name, role.doc.split("\n\n")[0]) for role in roles])


def described(roles: Iterable[Role]) -> Iterator[Line]:
    """Each role with all its settings, those inside of settings included."""
    for number, role in enumerate(roles):
        if number:
            yield Line("")
        yield from _described(role.name, role.doc, role.settings, f"{role.name}.")


def kinds_listed(kinds: Mapping[str, type[Resource]]) -> list[Line]:
    """One row a kind of resource that roles may yield."""
    rows = [(name, _doc(kind).split("\n\n")[0].replace("\n", " ")) for name, kind in kinds.items()]
    return table(("KIND", "WHAT IT IS"), rows)


def kinds_described(kinds: Mapping[str, type[Resource]]) -> Iterator[Line]:
    """Each of these kinds with all its fields, those inside of fields included."""
    for number, (name, kind) in enumerate(kinds.items()):
        if number:
            yield Line("")
        yield from _described(name, _doc(kind), kind)


def kinds_json(kinds: Mapping[str, type[Resource]]) -> Iterator[Line]:
    for name, kind in kinds.items():
        yield Line(json.dumps({"type": "kind", "kind": name, "doc": _doc(kind), "fields": _rows(kind)}))


def _doc(kind: type[Resource]) -> str:
    return inspect.cleandoc(kind.__doc__ or "")


def _described(title: str, doc: str, model: type[BaseModel], prefix: str = "") -> Iterator[Line]:
    yield Line(clean(title), "strong")
    yield from _paragraphs(doc, 2)
    yield Line("")
    document(model)
    fields = list(_fields(model))
    if not fields:
        yield Line("  It has no settings.")
    for name, info in fields:
        yield Line(clean(f"  {prefix}{name}: {_field_type(info)}{_default(info)}"), "place")
        yield from _paragraphs(info.description or "", 6)


def as_json(roles: Iterable[Role]) -> Iterator[Line]:
    for role in roles:
        settings = _rows(role.settings)
        told = {"type": "role", "role": role.name, "doc": role.doc, "path": str(role.path), "settings": settings}
        yield Line(json.dumps(told, default=str))


def _rows(model: type[BaseModel]) -> list[dict[str, Any]]:
    document(model)
    return [
        {"name": name, "type": _field_type(info), "required": info.is_required(), "doc": info.description}
        | ({} if info.is_required() else {"default": _plain(info.get_default(call_default_factory=True))})
        for name, info in _fields(model)
    ]


def _fields(model: type[BaseModel], prefix: str = "", seen: tuple[Any, ...] = ()) -> Iterator[tuple[str, FieldInfo]]:
    """Every field of a model, those of models inside after it: `registries.<key>.username`."""
    for name, info in model.model_fields.items():
        path = f"{prefix}{info.alias or name}"
        yield path, info
        for inner, step in _models(info.annotation):
            if inner not in seen:
                yield from _fields(inner, f"{path}{step}.", (*seen, model, inner))


def _models(annotation: Any, step: str = "") -> Iterator[tuple[type[BaseModel], str]]:
    """The models that a value of this type may hold, and the way there: `.<key>` in mappings, `[]` in lists."""
    annotation = annotation if annotation is JsonValue else getattr(annotation, "__value__", annotation)
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation, step
    origin = get_origin(annotation)
    if isinstance(origin, type) and issubclass(origin, Collection):
        step += ".<key>" if issubclass(origin, Mapping) else "[]"
    for argument in get_args(annotation):
        yield from _models(argument, step)


def type_name(annotation: Any) -> str:
    """A type as people say it: text, number, list of text, one | of | these."""
    if annotation is not JsonValue:
        annotation = getattr(annotation, "__value__", annotation)  # type X = …
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is None:
        return _class_name(annotation)
    if origin is Literal:
        return " | ".join(found if isinstance(found, str) else json.dumps(found) for found in arguments)
    if origin is Annotated:
        return type_name(_as_written(arguments))
    named = [type_name(argument) for argument in arguments if argument is not ...]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"mapping of {named[0]} to {named[1]}"
    choice = " or ".join(dict.fromkeys(name for name in named if name != "nothing"))
    return f"list of {choice}" if isinstance(origin, type) and issubclass(origin, Collection) else choice


def _field_type(info: FieldInfo) -> str:
    return type_name(_as_written((info.annotation, *info.metadata)))


def _as_written(arguments: tuple[Any, ...]) -> Any:
    """The type of Annotated[type, …] as people write it: a validator that takes more forms tells which."""
    forms = (getattr(item, "json_schema_input_type", PydanticUndefined) for item in arguments[1:])
    return next((form for form in forms if form is not PydanticUndefined), arguments[0])


def _class_name(annotation: Any) -> str:
    for known, name in _NAMES:
        if annotation is known:
            return name
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return "mapping"
    return getattr(annotation, "__name__", str(annotation))


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return " (required)"
    default = _plain(info.get_default(call_default_factory=True))
    return "" if default is None else f" = {json.dumps(default, ensure_ascii=False, default=str)}"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return value if isinstance(value, bool | int | float | str | list | tuple | dict | None) else str(value)


def _paragraphs(text: str, depth: int) -> Iterator[Line]:
    for number, paragraph in enumerate(inspect.cleandoc(text).split("\n\n") if text else ()):
        if number:
            yield Line("")
        for part in textwrap.wrap(" ".join(paragraph.split()), WIDTH - depth):
            yield Line(" " * depth + clean(part))
