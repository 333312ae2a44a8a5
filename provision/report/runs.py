"""Past runs as a table, and as JSON lines."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import PurePath
from typing import Any

from provision.events import Outcome
from provision.journal import Past
from provision.report.text import Line, duration, table
from provision.report.transcript import counted

COLUMNS = ("RUN", "STARTED", "TOOK", "VERB", "OUTCOME", "HOSTS", "BY", "INVENTORY", "LIMIT", "COMMENT")


def listed(found: Iterable[Past]) -> Iterator[Line]:
    """One row a run; the time is this machine's own, with its distance from UTC."""
    yield from table(COLUMNS, [_row(past) for past in found])


def _row(past: Past) -> tuple[str, ...]:
    end = _end(past)
    started = moment(str(past.told.get("time", "")))
    took = duration(float(end["seconds"])) if "seconds" in end else "-"
    return (
        past.run,
        f"{started.astimezone():%Y-%m-%d %H:%M %z}" if started else "-",
        took,
        str(past.told.get("verb", "-")),
        str(end["outcome"]),
        counted(end.get("counts") or {}) or "-",
        str(past.told.get("by") or "-"),
        ", ".join(PurePath(place).name for place in past.told.get("inventory") or ["-"]),
        str(past.told.get("limit") or "-"),
        str(past.told.get("comment") or "-"),
    )


OUTCOMES = (*map(str, Outcome), "killed", "still running")
"""How a run may stand in the list."""


def outcome(past: Past) -> str:
    """How a run ended, or that it has no end."""
    return str(_end(past)["outcome"])


def _end(past: Past) -> dict[str, Any]:
    """How the run ended; of one that did not, whether it lasts."""
    if past.end:
        return dict(past.end)
    return {"outcome": "still running" if past.lasts() else "killed"}


def listed_json(found: Iterable[Past]) -> Iterator[Line]:
    for past in found:
        end = _end(past)
        told = {name: past.told.get(name) for name in ("verb", "by", "comment", "inventory", "limit")}
        counts = {str(outcome): end.get("counts", {}).get(str(outcome), 0) for outcome in Outcome}
        shown = {"type": "run", "run": past.run, "time": past.told.get("time")} | told
        yield Line(json.dumps(shown | {"outcome": end["outcome"], "hosts": counts, "seconds": end.get("seconds")}))


def moment(text: str) -> datetime | None:
    """A time of a journal; None for what is none."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
