"""The facts of hosts as a table: one row a host, as soon as all have answered.

The law: facts come from a host that may lie, so nothing in them is taken for granted, not even its type.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from provision.events import HostFacts, HostFinished, Outcome, Summary
from provision.report.text import Line, table
from provision.report.transcript import Transcript

COLUMNS = ("HOST", "OS", "GPUS", "DRIVER", "DOCKER", "INIT")


class FactsTranscript(Transcript):
    """The story of the verb facts."""

    def __init__(self) -> None:
        super().__init__()
        self._found: dict[str, Mapping[str, Any]] = {}

    def facts(self, event: HostFacts) -> Iterator[Line]:
        self._found[event.host] = event.facts
        yield from ()

    def finished(self, event: HostFinished) -> Iterator[Line]:
        if event.outcome is not Outcome.OK:
            yield from super().finished(event)

    def summary(self, event: Summary) -> Iterator[Line]:
        rows = [_row(name, self._found[name]) for name in event.hosts if name in self._found]
        if rows:
            yield from table(COLUMNS, rows)
        yield from super().summary(event)

    @property
    def told(self) -> Sequence[Outcome]:
        return (Outcome.OK,)


def _row(host: str, facts: Mapping[str, Any]) -> tuple[str, ...]:
    nvidia, docker = _mapping(facts.get("nvidia")), _mapping(facts.get("docker"))
    return (host, _os(facts), _gpus(nvidia), _driver(nvidia), _docker(docker), str(facts.get("init") or "-"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _os(facts: Mapping[str, Any]) -> str:
    os, dgx = _mapping(facts.get("os")), _mapping(facts.get("dgx"))
    found = f"{os.get('id') or '?'} {os.get('version_id') or ''} {facts.get('architecture') or ''}"
    return " ".join(found.split()) + (f", DGX {dgx.get('version') or ''}".rstrip() if dgx else "")


def _gpus(nvidia: Mapping[str, Any]) -> str:
    devices = nvidia.get("pci")
    classes = [_mapping(device).get("device_class") for device in devices] if isinstance(devices, list) else []
    return str(sum(found in ("0300", "0302") for found in classes)) if classes else "-"


def _driver(nvidia: Mapping[str, Any]) -> str:
    loaded, on_disk = nvidia.get("driver_loaded"), nvidia.get("driver_on_disk")
    if loaded and on_disk and loaded != on_disk:
        return f"{loaded} ({on_disk} after a reboot)"
    return str(loaded or (f"{on_disk} (not loaded)" if on_disk else "-"))


def _docker(docker: Mapping[str, Any]) -> str:
    version, snap = docker.get("version"), " (snap)" if docker.get("snap") else ""
    if not version:
        return f"-{snap}" if snap else "-"
    return f"{version}{snap}" + ("" if docker.get("pid") else " (stopped)")
