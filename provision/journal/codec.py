"""Events to JSON and back, for the journal.

The law: whatever a later or an earlier version wrote, reading it raises nothing: an unknown type is passed over, an
unknown field too. Only masked events come here.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from provision.events import TYPES, Error, Event, HostFinished

_CLASSES = {name: kind for kind, name in TYPES.items()}


def encode(event: Event) -> dict[str, Any]:
    """An event as JSON types, but for outcomes (which are text) and nested errors and results (see `plain`)."""
    return {"type": TYPES[type(event)]} | {item.name: getattr(event, item.name) for item in fields(event)}


def plain(value: Any) -> Any:
    """What `json` does not know, as it should write it."""
    return asdict(value) if isinstance(value, Error | HostFinished) else str(value)


def decode(raw: Mapping[str, Any]) -> Event | None:
    """The event that was written so, or None for what is none of this version."""
    name = str(raw.get("type"))
    if name not in _CLASSES:
        return None
    try:
        return _adapter(name).validate_python(raw)
    except ValidationError:
        return None


@cache
def _adapter(name: str) -> TypeAdapter[Event]:
    return TypeAdapter(_CLASSES[name])
