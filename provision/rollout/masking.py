"""No known secret in what a run says: the second net, for whatever slipped through taint.

The law: every text of an event is masked before anybody hears it.
"""

from dataclasses import fields, replace
from threading import Lock
from typing import Any

from provision.events import Error, Event, Outcome, Sink, Verdict
from provision.secrets import Mask


def masked(sink: Sink, mask: Mask, lock: Lock) -> Sink:
    """One event at a time, and no known secret in any of its texts."""

    def tell(event: Event) -> None:
        said = clean(event, mask)
        with lock:
            sink(said)

    return tell


def clean(value: Any, mask: Mask) -> Any:
    """An event, an error, or what stands in one, with every known secret hidden."""
    return _clean(value, mask) if mask else value


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
