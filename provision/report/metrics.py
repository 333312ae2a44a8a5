"""Metrics of a run in Prometheus' text format, for node_exporter's textfile collector.

The law: only what events say is a sample; what no host has told of is left out. A run is a success where every host is
as asked (exit status 0); the time of the last one is kept from the file that was there.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from provision import gpu_fleet
from provision.events import BAD, Outcome, ResourceDone
from provision.report.record import HostRecord, Record, measured

SUCCESS = "provision_last_success_timestamp_seconds"
LEFT = {*BAD, Outcome.PENDING, Outcome.WOULD_CHANGE}
"""Outcomes of hosts that are not as asked."""
Sample = tuple[Mapping[str, str], float]


def metrics(record: Record, before: str = "") -> str:
    """The text. `before` is that of the run before this one."""
    ended = record.started.timestamp() + record.seconds
    outcomes = Counter(host.outcome for host in record.hosts.values())
    good = record.outcome is not None and not outcomes.keys() & LEFT
    success = ended if good else _last_success(before, record.verb)
    families: list[tuple[str, str, Iterable[Sample]]] = [
        ("provision_hosts", "Hosts of the last run by outcome.",
         [({"outcome": str(outcome)}, outcomes[outcome]) for outcome in Outcome]),
        ("provision_run_timestamp_seconds", "When the last run ended.", [({}, ended)]),
        ("provision_run_duration_seconds", "How long the last run took.", [({}, record.seconds)]),
        (SUCCESS, "When the last run ended after which every host was as asked.",
         [] if success is None else [({}, success)]),
        ("provision_host_pending_seconds", "Age of the oldest change that waits on the host.", _each(record, _pending)),
        ("provision_host_proof_age_seconds", "Age of the last proof that containers get the GPUs.",
         _each(record, _proof_age)),
        ("provision_gpus_proven", "GPUs of the last proof, 0 where it did not pass.", _each(record, _proven)),
        ("provision_gpu_gate_open", "1 where /run/provision/gpu-proven is there, else 0.", _each(record, _gate_open)),
        ("provision_gpu_gate_age_seconds", "Age of the oldest proof that the verdict for others rests on.",
         _each(record, _gate_age)),
        ("provision_gpu_figure", "What a GPU reached when it was last measured, in GB/s or TFLOP/s.", _figures(record)),
        ("provision_gpu_slower_than_equals", "1 where a figure is too far under that of equal GPUs of the run.",
         _slower(record)),
    ]  # fmt: skip
    return "".join(line for family in families for line in _family(*family, record.verb))


def _family(name: str, about: str, samples: Iterable[Sample], verb: str) -> Iterator[str]:
    lines = [f"{name}{_labels({'verb': verb} | dict(labels))} {_number(number)}\n" for labels, number in samples]
    if lines:
        yield f"# HELP {name} {about}\n# TYPE {name} gauge\n"
        yield from lines


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(number: float) -> str:
    return f"{number:.3f}".rstrip("0").rstrip(".")


def _last_success(before: str, verb: str) -> float | None:
    labels = re.escape(_labels({"verb": verb}))
    found = re.search(rf"^{SUCCESS}{labels} (\d+(?:\.\d+)?)$", before, re.MULTILINE)
    return float(found[1]) if found else None


def _each(record: Record, measure: Any) -> Iterator[Sample]:
    for host in record.hosts.values():
        number = measure(host, record)
        if number is not None:
            yield {"host": host.name}, number


def _pending(host: HostRecord, record: Record) -> float | None:
    ages = [item["age"] for item in (host.status or {}).get("pending", ()) if item["age"] is not None]
    return max(ages, default=None)


def _proof_age(host: HostRecord, record: Record) -> float | None:
    step = _proof(host)
    if step is None:
        age: float | None = (_told(host) or {}).get("age")
        return age
    return _age((step.proof or {}).get("time"), record)


def _age(moment: object, record: Record) -> float | None:
    """Seconds from a moment of a host to the end of the run."""
    try:
        made = datetime.strptime(str(moment), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return max(0.0, record.started.timestamp() + record.seconds - made.timestamp())


def _gate_open(host: HostRecord, record: Record) -> float | None:
    gate = _gate(host)
    return None if gate is None else int(gate.get("open") is True)


def _gate_age(host: HostRecord, record: Record) -> float | None:
    gate = _gate(host)
    if gate is None:
        return None
    age: float | None = gate["age"] if "age" in gate else _age(gate.get("time"), record)
    return age


def _gate(host: HostRecord) -> Mapping[str, Any] | None:
    """What others on the host are told, as the last probe of the run or the answer to `status` says."""
    told = [step.proof.get("gate") for step in reversed(host.steps) if step.proof is not None]
    found = next((gate for gate in told if isinstance(gate, Mapping)), None)
    return found if found is not None else (_told(host) or {}).get("gate")


def _proven(host: HostRecord, record: Record) -> float | None:
    step = _proof(host)
    if step is None:
        told = _told(host)
        return None if told is None else told["gpus"] if told["verdict"] == "passed" else 0
    proof = step.proof or {}
    gpus = proof.get("gpus")
    if not isinstance(gpus, list | tuple):
        return None
    holds = step.outcome in {Outcome.OK, Outcome.CHANGED} and proof.get("verdict") == "passed"
    return len(gpus) if holds else 0


def _figures(record: Record) -> list[Sample]:
    return [
        (_of(gpu) | {"figure": name, "unit": gpu.units[name]}, value)
        for gpu in measured(record)
        for name, value in gpu.figures.items()
    ]


def _slower(record: Record) -> list[Sample]:
    return [
        (_of(found.gpu) | {"figure": found.figure}, 1) for found in gpu_fleet.outliers(measured(record)) if found.figure
    ]


def _of(gpu: gpu_fleet.MeasuredGpu) -> dict[str, str]:
    return {"host": gpu.host, "gpu": str(gpu.index), "uuid": gpu.uuid}


def _proof(host: HostRecord) -> ResourceDone | None:
    found = (step for step in reversed(host.steps) if step.proof is not None and step.kind == "gpu_proof")
    return next(found, None)


def _told(host: HostRecord) -> Mapping[str, Any] | None:
    """The last proof, as the host has answered to `status`."""
    found: Mapping[str, Any] | None = (host.status or {}).get("proof")
    return found
