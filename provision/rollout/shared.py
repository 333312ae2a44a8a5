"""What hosts get of one another in place of the network (`--share`), made once it is known which have to be changed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from provision.errors import HostError
from provision.events import Error
from provision.rollout.hosts import Job
from provision.run import Run
from provision.transport import Pool

if TYPE_CHECKING:
    from provision.bundle.shelf import Shelf

Share = Callable[[Sequence[Job], Pool], "Shelf"]
"""For these hosts, which have something to change. Raises HostError."""


def with_bundle(run: Run, share: Share, jobs: Sequence[Job], pool: Pool) -> Run | Error:
    """The run that changes these hosts, or why none can be changed."""
    try:
        return replace(run, bundle=share(jobs, pool))
    except HostError as error:
        return Error(f"{error.cause}; nothing was changed", error.fix)
