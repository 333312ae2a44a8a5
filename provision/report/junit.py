"""A run as JUnit's XML: one suite a host; one case a step, a level of each proof, and a question of the preflight.

The law: `failure` is what is known to be wrong, or not as asked (would-change, pending); `error` is what is not known
(unknown, unreachable); `skipped` is what was left alone. Text of hosts is made fit for XML 1.0: what it has no
characters for is shown as \\x00.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from provision.events import Error, Outcome, ResourceDone, Verdict
from provision.report.record import HostRecord, Record, checks, levels
from provision.report.text import details, headline

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAGS = {
    Outcome.FAILED: "failure",
    Outcome.WOULD_CHANGE: "failure",
    Outcome.PENDING: "failure",
    Outcome.UNKNOWN: "error",
    Outcome.UNREACHABLE: "error",
    Outcome.SKIPPED: "skipped",
    Outcome.NOT_STARTED: "skipped",
}
"""Outcomes that are not simply a case that passed."""
_VERDICTS = {"passed": Outcome.OK, "failed": Outcome.FAILED}
_ANSWERS = {
    Verdict.PASS: Outcome.OK,
    Verdict.WARN: Outcome.OK,
    Verdict.FAIL: Outcome.FAILED,
    Verdict.UNKNOWN: Outcome.UNKNOWN,
    Verdict.NOT_APPLICABLE: Outcome.SKIPPED,
}
"""Answers of the preflight as outcomes of a case."""


def junit(record: Record) -> str:
    """The document."""
    top = Element("testsuites", name=_text(f"provision {record.verb} {record.run}"), time=f"{record.seconds:.3f}")
    for host in record.hosts.values():
        top.append(_suite(host, record))
    for count in ("tests", "failures", "errors", "skipped"):
        top.set(count, str(sum(int(suite.get(count, "0")) for suite in top)))
    indent(top)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(top, encoding="unicode") + "\n"


def _suite(host: HostRecord, record: Record) -> Element:
    suite = Element("testsuite", name=_text(host.name), hostname=_text(host.name), time=f"{host.seconds:.3f}")
    suite.set("timestamp", record.started.isoformat(timespec="seconds"))
    suite.extend(_cases(host))
    suite.set("tests", str(len(suite)))
    for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(count, str(len(suite.findall(f"testcase/{tag}"))))
    return suite


def _cases(host: HostRecord) -> Iterator[Element]:
    told = False
    for answer in host.answers:
        said = _Said(_ANSWERS[answer.verdict], error=Error(answer.text, answer.fix))
        told = told or said.outcome is host.outcome
        yield _case(host.name, "preflight", answer.question, said)
    for step in host.steps:
        told = told or step.outcome is host.outcome
        keys = ", ".join(str(item.get("key")) for item in step.diff)
        shown = " ".join(part for part in (keys, step.note) if part)
        said = _Said(step.outcome, step.seconds, shown, step.error)
        yield _case(host.name, step.role, _name(step), said)
        yield from _proof(host.name, step)
    for role in host.roles:
        told = told or role.outcome is host.outcome
        yield _case(host.name, role.role, "role", _Said(role.outcome, error=Error(role.reason, role.fix)))
    if not told and host.outcome in _TAGS:
        yield _case(host.name, "host", "run", _Said(host.outcome, host.seconds, error=host.error))


def _proof(host: str, step: ResourceDone) -> Iterator[Element]:
    for name, level in levels(step):
        outcome = _VERDICTS.get(str(level.get("verdict")), Outcome.UNKNOWN)
        bad = [item for item in checks(level) if item.get("verdict") != "passed"]
        first: dict[str, Any] = dict(bad[0]) if bad else {}
        output = "\n".join(f"{item.get('name')}: {item.get('cause')}; {item.get('fix')}" for item in bad)
        error = Error(str(first.get("cause", "")), str(first.get("fix", "")), output) if bad else None
        seconds = level.get("seconds")
        took = float(seconds) if isinstance(seconds, int | float) else 0.0
        yield _case(host, f"{step.role}.proof", f"{_name(step)} level {name}", _Said(outcome, took, error=error))


def _name(step: ResourceDone) -> str:
    return step.name if step.kind == "role" else f"{step.kind} {step.name}"


@dataclass(frozen=True)
class _Said:
    """How a case came out."""

    outcome: Outcome
    seconds: float = 0.0
    shown: str = ""
    error: Error | None = None


def _case(host: str, role: str, name: str, said: _Said) -> Element:
    case = Element("testcase", classname=_text(f"{host}.{role}"), name=_text(name), time=f"{said.seconds:.3f}")
    if said.outcome in _TAGS:
        message = headline(said.error) if said.error is not None else f"{said.outcome} {said.shown}".strip()
        note = SubElement(case, _TAGS[said.outcome], message=_text(message), type=str(said.outcome))
        note.text = _text(details(said.error)) if said.error is not None else None
    return case


def _text(value: str) -> str:
    return _ILLEGAL.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), value)
