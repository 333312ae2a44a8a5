"""What a role's model says about one place in its data: which types may stand there, and whether a secret may.

The law: reads types only. Types are walked as pydantic reads them: models, unions, `Annotated`, mappings and lists.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from provision.inventory.document import Map, Seq
from provision.secrets import Secret

Types = tuple[Any, ...]
"""Not a set: the metadata of `Annotated` need not be hashable."""


def members(annotation: Any) -> Types:
    """The alternatives of a type, unions and aliases opened."""
    if hasattr(annotation, "__value__"):  # type X = ...
        return members(annotation.__value__)
    origin = get_origin(annotation)
    if origin is Annotated:
        return members(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return tuple(inner for argument in get_args(annotation) for inner in members(argument))
    return (annotation,)


def fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """A model's fields under the names that users write."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def below(annotation: Any, part: Any) -> Types:
    """The types that may stand at `part` (a field, a key or an index) of a value of this type."""
    if annotation is Any:
        return (Any,)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        info = fields(annotation).get(part)
        return members(info.annotation) if info else ()
    origin, arguments = get_origin(annotation), get_args(annotation)
    if not isinstance(origin, type) or not issubclass(origin, Collection) or not arguments:
        return ()
    inner = arguments[1:] if issubclass(origin, Mapping) else (found for found in arguments if found is not ...)
    return tuple(found for argument in inner for found in members(argument))


def at(model: type[BaseModel], path: Iterable[Any]) -> Types:
    """The types that may stand at `path` of the model's data; none where the model does not know the path."""
    types: Types = (model,)
    for part in path:
        types = tuple(found for annotation in types for found in below(annotation, part))
    return types


def names_at(model: type[BaseModel], path: Sequence[Any]) -> set[str]:
    """The field names that may stand beside the last part of `path`."""
    models = (found for found in at(model, path[:-1]) if isinstance(found, type) and issubclass(found, BaseModel))
    return {name for found in models for name in fields(found)}


def leaves(data: Any, types: Types, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any, Types]]:
    """Every scalar of the data, with its path and the types that may stand there."""
    if isinstance(data, Map):
        for key, item in data.items():
            inner = tuple(found for annotation in types for found in below(annotation, key))
            yield from leaves(item, inner, (*path, key))
    elif isinstance(data, Seq):
        for index, item in enumerate(data):
            inner = tuple(found for annotation in types for found in below(annotation, index))
            yield from leaves(item, inner, (*path, index))
    else:
        yield path, data, types


def holds_secrets(annotation: Any, seen: Types = ()) -> bool:
    """Is there a place for a secret anywhere below this type?"""
    if annotation is Secret:
        return True
    if any(annotation is known for known in seen):
        return False
    seen = (*seen, annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(holds_secrets(info.annotation, seen) for info in annotation.model_fields.values())
    inner = [*get_args(annotation), *(found for found in members(annotation) if found is not annotation)]
    return any(holds_secrets(found, seen) for found in inner)
