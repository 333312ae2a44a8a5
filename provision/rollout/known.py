"""The facts of hosts in short, from what they say: they may have to tell why some hosts fail and others do not."""

from collections.abc import Iterable
from threading import Lock

from provision.events import Event, HostFacts
from provision.fact_summary import Traits, differences, traits


class Known:
    """A listener to sessions, from any thread."""

    def __init__(self, *, keeps: bool) -> None:
        self._keeps = keeps
        self._lock = Lock()
        self._traits: dict[str, Traits] = {}

    def __call__(self, event: Event) -> None:
        if self._keeps and isinstance(event, HostFacts):
            found = traits(event.facts)
            with self._lock:
                self._traits[event.host] = found

    def differences(self, failed: Iterable[str], good: Iterable[str]) -> tuple[str, ...]:
        """In what hosts that failed differ from those that did not."""
        return tuple(map(str, differences(self._of(failed), self._of(good))))

    def _of(self, hosts: Iterable[str]) -> list[Traits]:
        with self._lock:
            return [self._traits[host] for host in hosts if host in self._traits]
