"""GPUs beside their equals on other hosts: heard while hosts run, judged when all of them are known."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

from provision.events import BAD, Error, Event, HostFinished, Outcome, ResourceDone

if TYPE_CHECKING:
    from provision.gpu_fleet import MeasuredGpu

NAME = "beside its equals"
"""Of the step that fails where a GPU is slower than others."""


class Equals:
    """A listener, from any thread. Of each host the last proof counts."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._hosts: dict[str, tuple[str, list[MeasuredGpu]]] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, ResourceDone) and event.kind == "gpu_speed" and event.proof is not None:
            from provision import gpu_fleet  # noqa: PLC0415 - only where GPUs were measured

            found = gpu_fleet.gpus(event.host, event.proof)
            with self._lock:
                self._hosts[event.host] = (event.role, found)

    def judge(self, results: Mapping[str, HostFinished]) -> Iterator[tuple[ResourceDone, HostFinished]]:
        """For each host that is well but for such a GPU: the step that fails, and the host's end as it is then."""
        with self._lock:
            hosts = dict(self._hosts)
        if not hosts:
            return
        from provision import gpu_fleet  # noqa: PLC0415

        told: dict[str, list[str]] = {}
        for outlier in gpu_fleet.outliers(gpu for _, found in hosts.values() for gpu in found):
            told.setdefault(outlier.gpu.host, []).append(outlier.text)
        for host, texts in told.items():
            result = results.get(host)
            if result is None or result.outcome in BAD:
                continue
            error = Error(texts[0], gpu_fleet.FIX, "\n".join(texts[1:]))
            step = ResourceDone(host, hosts[host][0], "gpu_speed", NAME, Outcome.FAILED, error=error)
            yield step, replace(result, outcome=Outcome.FAILED, error=error)
