"""A run as one page for a browser: self-contained, without a link to anywhere.

The law: what comes from a host is data, never markup. It travels as JSON in which no tag can begin, the page's script
puts it in as text only, and a content security policy lets nothing run but that script and load nothing at all. Hosts
that say the same share one entry, so that the page of 1,000 hosts stays small.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from html import escape
from importlib import resources
from typing import Any

from provision.events import BAD, Outcome, ResourceDone, Verdict, worst
from provision.questions.status import Status
from provision.report import status
from provision.report.record import HostRecord, Record, checks, levels, measured
from provision.report.speed import speeds
from provision.report.text import details, headline

DIFFERENT = frozenset({Outcome.CHANGED, Outcome.WOULD_CHANGE, Outcome.PENDING})


def page(record: Record) -> str:
    """The whole page."""
    parts = {name: _part(name) for name in ("page.html", "style.css", "script.js")}
    filled = {
        "{{title}}": escape(f"provision {record.verb} {record.run}"),
        "{{style-hash}}": _hash(parts["style.css"]),
        "{{script-hash}}": _hash(parts["script.js"]),
        "{{style}}": parts["style.css"],
        "{{data}}": _harmless(data(record)),
        "{{script}}": parts["script.js"],
    }
    before, after = "", parts["page.html"]
    for mark, text in filled.items():  # in the order of the page: what was filled in is not looked at again
        head, found, after = after.partition(mark)
        assert found, mark
        before += head + text
    return before + after


def _part(name: str) -> str:
    return resources.files("provision.report").joinpath("page", name).read_text("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()


def _harmless(value: Any) -> str:
    """JSON in which no tag, comment or entity can begin."""
    text = json.dumps(value, separators=(",", ":"), default=str)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


class _Shared:
    """Entries that several hosts have in common, each once; hosts by their number."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self.entries: list[dict[str, Any]] = []

    def add(self, entry: Mapping[str, Any], host: int) -> int:
        """The number of the entry."""
        key = json.dumps(entry, sort_keys=True, default=str)
        place = self._places.setdefault(key, len(self.entries))
        if place == len(self.entries):
            self.entries.append({**entry, "hosts": []})
        if host not in self.entries[place]["hosts"][-1:]:
            self.entries[place]["hosts"].append(host)
        return place

    def largest_first(self) -> list[dict[str, Any]]:
        return sorted(self.entries, key=lambda entry: -len(entry["hosts"]))


def data(record: Record) -> dict[str, Any]:
    """What the page shows, as JSON types: see script.js."""
    shared = {name: _Shared() for name in ("steps", "changes", "failures", "gpus", "groups")}
    hosts = [_host(number, host, shared) for number, host in enumerate(record.hosts.values())]
    numbers = {name: number for number, name in enumerate(record.hosts)}
    return {
        "run": {
            "id": record.run,
            "verb": record.verb,
            "started": record.started.isoformat(timespec="seconds"),
            "seconds": record.seconds,
            "outcome": record.outcome,
            "notices": record.notices,
        },
        "outcomes": list(Outcome),
        "bad": sorted(BAD),
        "columns": status.COLUMNS[1:] if any(host.status for host in record.hosts.values()) else [],
        "roles": list(dict.fromkeys(role for host in hosts for role in host["roles"])),
        "hosts": hosts,
        "steps": [{key: entry[key] for key in ("role", "step", "note")} for entry in shared["steps"].entries],
        "changes": shared["changes"].largest_first(),
        "failures": sorted(
            shared["failures"].largest_first(), key=lambda entry: entry["outcome"] == Outcome.NOT_STARTED
        ),
        "gpus": shared["gpus"].largest_first(),
        "speed": speeds(measured(record), numbers),
        "groups": _apart(shared["groups"].largest_first()),
        "waves": [
            {**vars(wave), "hosts": [numbers[name] for name in wave.hosts if name in numbers]} for wave in record.waves
        ],
        "stopped": vars(record.stopped) if record.stopped else None,
    }


def _host(number: int, host: HostRecord, shared: Mapping[str, _Shared]) -> dict[str, Any]:
    outcomes: dict[str, list[Outcome]] = {}
    steps = []
    for step in host.steps:
        outcomes.setdefault(step.role, []).append(step.outcome)
        told = {"role": step.role, "step": _name(step), "note": step.note or str(step.error or "")}
        steps.append([shared["steps"].add(told, number), step.outcome, round(step.seconds, 2)])
        if step.outcome in DIFFERENT and step.kind != "role":
            difference = {"role": step.role, "step": _name(step), "outcome": step.outcome}
            shared["changes"].add(difference | {"diff": [dict(item) for item in step.diff], "note": step.note}, number)
        if levels(step):
            shared["gpus"].add(_proof(step, host), number)
    for role in host.roles:
        outcomes.setdefault(role.role, []).append(role.outcome)
    if host.outcome in BAD:
        shared["failures"].add(_failure(host), number)
    if host.traits:
        shared["groups"].add({"traits": dict(host.traits)}, number)
    answer = Status.model_validate(host.status) if host.status else None
    reasons = {role.role: _told(role.reason, role.fix) for role in host.roles}
    return {
        "name": host.name,
        "outcome": host.outcome,
        "seconds": round(host.seconds, 2),
        "began": round(host.began, 2),
        "wave": host.wave,
        "rolled_back": host.rolled_back,
        "error": headline(host.error) if host.error else "",
        "roles": {role: worst(found) for role, found in outcomes.items()},
        "reasons": reasons,
        "steps": steps,
        "notices": [*host.notices, *_warnings(host)],
        "told": status.row(host.name, answer)[1:] if answer else [],
        "says": [text for text, _ in status.said(answer)] if answer else [],
    }


def _warnings(host: HostRecord) -> Iterable[str]:
    """What the preflight had against a host."""
    for answer in host.answers:
        if answer.verdict in (Verdict.WARN, Verdict.FAIL, Verdict.UNKNOWN):
            yield f"preflight {answer.verdict}: {answer.question}: {_told(answer.text, answer.fix)}"


def _told(reason: str, fix: str) -> str:
    """Why, and what to do."""
    return f"{reason}; {fix}" if fix else reason


def _name(step: ResourceDone) -> str:
    return step.name if step.kind == "role" else f"{step.kind} {step.name}"


def _failure(host: HostRecord) -> dict[str, Any]:
    if host.error is None:
        return {"outcome": host.outcome, "cause": str(host.outcome), "fix": "", "said": ""}
    cause = host.error.cause.strip().split("\n", 1)[0]
    return {"outcome": host.outcome, "cause": cause, "fix": host.error.fix, "said": details(host.error)}


def _proof(step: ResourceDone, host: HostRecord) -> dict[str, Any]:
    """What a proof measured, in short: what hosts of one kind have in common."""
    proof = step.proof or {}
    found = [
        {
            "level": name,
            "verdict": str(level.get("verdict")),
            "bad": [
                {key: str(item.get(key, "")) for key in ("name", "cause", "fix")}
                for item in checks(level)
                if item.get("verdict") != "passed"
            ],
        }
        for name, level in levels(step)
    ]
    docker = proof.get("docker")
    return {
        "gpus": _gpus(proof.get("gpus")) or host.traits.get("GPUs", "none"),
        "driver": _word(proof.get("driver")),
        "cuda": _word(proof.get("cuda")),
        "docker": _word(docker.get("version")) if isinstance(docker, Mapping) else "-",
        "levels": found,
        "warnings": [str(text) for text in _listed(proof.get("warnings"))],
    }


def _gpus(found: Any) -> str:
    """`8 x NVIDIA H100 80GB HBM3 (80 GiB)`."""
    counted: dict[str, int] = {}
    for gpu in _listed(found):
        if isinstance(gpu, Mapping):
            memory = gpu.get("memory")
            total = memory.get("total") if isinstance(memory, Mapping) else None
            size = f" ({round(total / 2**30)} GiB)" if isinstance(total, int) else ""
            name = f"{_word(gpu.get('name'))}{size}"
            counted[name] = counted.get(name, 0) + 1
    return ", ".join(f"{count} x {name}" for name, count in counted.items())


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else ()


def _word(value: Any) -> str:
    return str(value) if isinstance(value, str | int | float) else "-"


def _apart(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each group with the traits in which it is not like the largest one."""
    for group in groups:
        usual = groups[0]["traits"]
        group["apart"] = [name for name, value in group["traits"].items() if usual.get(name) != value]
    return groups
