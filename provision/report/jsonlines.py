"""A run as JSON lines: nothing else is on standard output, and the last line is the summary.

The contract, schema 1. Each line has `type` and `time` (RFC 3339, UTC); OUTCOME is one of `ok changed would-change
pending failed unreachable skipped unknown not-started`; fields are only ever added.

    type           fields
    run-started    schema (1), run, verb, hosts [NAME], check BOOL
    host-started   host
    facts          host, facts {…}                       at hello, and again after a stage that changed something
    role           host, role, outcome (skipped, failed), reason, fix
    resource       host, role, kind, name, outcome, diff [{key, before, after, text|null}], note, seconds,
                   proof {…}|null, impact {level (none, reload, restart: of Docker), why [TEXT], systemd BOOL,
                   survive BOOL, containers [{…}], processes [{…}], effect TEXT}|null, rolled_back BOOL,
                   error TEXT|null, output TEXT, trace TEXT
    status         host, outcome (ok, pending), pending [{…}], unfinished {…}|null, last_run {…}|null, proof {…}|null,
                   unmanaged [{role, left}], lock {…}|null, reboot [PACKAGE]|null, interrupted {…}|null: docs/status.md
    why            host, outcome, running, config, problem, entries [{key, asked {…}|null, in_file, value, elsewhere [],
                   process [VALUE], live, agrees BOOL|null, started_with BOOL, record {…}|null, verdict TEXT}]
    unlock         host, outcome, state (free, stale, held, cleared, ended, killed), lock {…}|null
    notice         text, host where it concerns one
    preflight      host, question, verdict (pass, warn, fail, unknown, n/a), text, fix    asked before the first change,
                   of hosts with something to change; fail and unknown keep the host out
    host-checked   host, outcome, seconds, and counts as `summary` has them    in waves: has something to change, and
                   waits for its wave; then it starts anew, and its resources until here were a plan
    host-finished  host, and what `summary` has for it
    wave-started   number (from 1), of, hosts [NAME]
    wave-finished  number, of, outcomes {OUTCOME: N}, gate BOOL (may the next one start), reason TEXT, seconds
    stopped        reason, failed [NAME], waiting N (hosts not started), differences [TEXT]
    summary        run, outcome, hosts {NAME: {outcome, rolled_back BOOL, ok, changed, would_change, pending, failed,
                   skipped, unknown, seconds, error TEXT|null}}

`text` is a unified diff, where `before` and `after` are null. A secret's `before` and `after` are both
"differs (secret)". Progress, and what a check digests for a saved plan, are not part of it.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from provision.events import (
    TYPES,
    Answered,
    Error,
    Event,
    HostChecked,
    HostFinished,
    Notice,
    Outcome,
    Progress,
    ResourceDone,
    RunStarted,
    Summary,
)
from provision.report.output import Output, warn

SCHEMA = 1
COUNTED = (
    Outcome.OK,
    Outcome.CHANGED,
    Outcome.WOULD_CHANGE,
    Outcome.PENDING,
    Outcome.FAILED,
    Outcome.SKIPPED,
    Outcome.UNKNOWN,
)


class JsonLines:
    """One JSON object a line, as it happens."""

    def __init__(self, output: Output, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._output = output
        self._now = now

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress):
            return
        time = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        shown = answer(event) if isinstance(event, Answered) else {"type": TYPES[type(event)]} | fields(event)
        self._output.line(json.dumps({"type": shown["type"], "time": time} | shown, default=str))

    def tell(self, text: str) -> None:
        """What only concerns the person at the terminal is no part of the contract."""
        warn(text)

    def close(self) -> None:
        self._output.flush()

    def abandon(self) -> None:
        """Lines are whole: there is nothing to leave behind."""


def answer(event: Answered) -> dict[str, Any]:
    """A host's answer, under the name of the question. (When the host gave it by its own clock is no part of it.)"""
    told = {name: value for name, value in event.answer.items() if name != "time"}
    return {"type": event.question, "host": event.host, "outcome": event.outcome} | told


def fields(event: Event) -> dict[str, Any]:
    """An event's fields as the contract names them."""
    match event:
        case RunStarted():
            return {"schema": SCHEMA} | _shallow(event)
        case ResourceDone():
            error = event.error or Error("")
            told = {"output": error.output, "trace": error.trace}
            return _shallow(event) | {"error": str(event.error) if event.error else None} | told
        case Notice():
            return {"text": event.text} | ({"host": event.host} if event.host else {})
        case HostChecked() | HostFinished():
            checked = {"outcome": event.outcome, "seconds": event.seconds} | _counts(event.counts)
            return {"host": event.host} | (result(event) if isinstance(event, HostFinished) else checked)
        case Summary():
            hosts = {name: result(found) for name, found in event.hosts.items()}
            return {"run": event.run, "outcome": event.outcome, "hosts": hosts}
    return _shallow(event)


def _shallow(event: Event) -> dict[str, Any]:
    """Its fields as they are: what is in them is as large as a host likes."""
    return {item.name: getattr(event, item.name) for item in dataclasses.fields(event)}


def result(event: HostFinished) -> dict[str, Any]:
    """One host's result, as `summary` and `host-finished` have it."""
    ended = {"seconds": event.seconds, "error": str(event.error) if event.error else None}
    return {"outcome": event.outcome, "rolled_back": event.rolled_back} | _counts(event.counts) | ended


def _counts(counts: Mapping[str, int]) -> dict[str, Any]:
    return {str(outcome).replace("-", "_"): counts.get(outcome, 0) for outcome in COUNTED}
