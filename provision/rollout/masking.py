"""No known secret in what a run says: the second net, for whatever slipped through taint.

The law: every text of an event is masked before anybody hears it.
"""

import json
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
    if isinstance(value, str):
        return mask.text(value)
    return value if _has_none(value, mask) else _inside(value, mask)


def _has_none(value: Any, mask: Mask) -> bool:
    """Is it plain that there is no secret in it? One look at all of it as JSON costs a tenth of one at each value."""
    try:
        return not mask.is_in(json.dumps(value))
    except TypeError:  # events of hosts, in the summary
        return False


def _inside(value: Any, mask: Mask) -> Any:
    if isinstance(value, dict):
        # The names of hosts, in the summary, are what their events go by.
        kept = {key: key if isinstance(item, Event) else _clean(key, mask) for key, item in value.items()}
        return {kept[key]: _inside(item, mask) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_inside(item, mask) for item in value)
    return _clean(value, mask)
