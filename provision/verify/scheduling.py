"""Which of xdist's workers runs which test: all tests of a host go to one.

The law: a worker has one connection to a host, so a host's tests are never spread.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from provision.verify.hosts import host_in


class HostScheduling(LoadScopeScheduling):  # type: ignore[misc, unused-ignore]
    """Whole hosts to whoever is free; tests of no host go by themselves."""

    def __init__(self, config: pytest.Config, log: Any, names: Sequence[str]) -> None:
        super().__init__(config, log)
        self._names = names

    def _split_scope(self, nodeid: str) -> str:
        return host_in(nodeid, self._names) or nodeid
