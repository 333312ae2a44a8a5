"""Events without secrets, one at a time: what every listener of a run gets.

The law: whatever an event is made of, each of its texts is masked; and nobody listens to two events at once.
"""

from dataclasses import fields, replace
from threading import Lock
from typing import Any

from provision.events import Error, Event, Outcome, Sink, Verdict
from provision.secrets import Mask


def masked_sink(sink: Sink, mask: Mask, lock: Lock) -> Sink:
    """One event at a time, and no known secret in any of its texts."""

    def masked(event: Event) -> None:
        clean = _clean(event, mask) if mask else event
        with lock:
            sink(clean)

    return masked


def _clean(value: Any, mask: Mask) -> Any:
    if isinstance(value, Event | Error):
        return replace(value, **{item.name: _clean(getattr(value, item.name), mask) for item in fields(value)})
    if isinstance(value, Outcome | Verdict) or not isinstance(value, str | dict | list | tuple):
        return value
    if isinstance(value, dict):
        return {key: _clean(item, mask) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_clean(item, mask) for item in value)
    return mask.text(value)
