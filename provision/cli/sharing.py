"""`apply --share`: what one host of a release fetches, all hosts of that release get over their SSH connections.

It is a bundle, made between the first look and the first change, for the hosts that have something to change, and
fetched on one of them: with the sources, keys, proxies and logins that these hosts have. Images are not shared.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from provision.bundle.making import Maker
from provision.bundle.needs import Member
from provision.bundle.programs import OnHost, ProgramRunner
from provision.bundle.shelf import Shelf
from provision.cli.bundle_hosts import ask
from provision.errors import HostError, ProvisionError, Refused
from provision.rollout import Job
from provision.transport import Pool

PREFIX = "share."
LEFT = 24 * 3600
"""Seconds after which such a folder is nobody's any more."""
TRIES = 3
"""Hosts of a release that are asked to fetch, one after the other, where one cannot."""


class Share:
    """Makes the bundle of a run in a folder that is gone after it: `close` it."""

    def __init__(self, top: Path, forks: int, rate: float | None, say: Callable[[str, str], None]) -> None:
        """`top`: where that folder is; `rate`: bytes a second to all hosts; `say`: told of the host that fetches, and
        what it does."""
        self._top = top
        self._folder: Path | None = None
        self._forks = forks
        self._rate = rate
        self._say = say

    def __call__(self, jobs: Sequence[Job], pool: Pool) -> Shelf:
        """What these hosts lack. Raises HostError: nothing was changed anywhere."""
        folder = self._folder = _made(self._top)
        members = self._members(jobs, pool)
        targets = {job.target.name: job.target for job in jobs}
        for number in range(TRIES):
            with ExitStack() as stack:

                def programs(
                    of_release: Sequence[Member], number: int = number, stack: ExitStack = stack
                ) -> ProgramRunner:
                    name = self._fetches = of_release[number % len(of_release)].name
                    connection = pool.connect(targets[name])
                    stack.callback(connection.close)
                    return OnHost(connection, targets[name])

                try:
                    Maker(folder, self._tell, programs, mends=False).make(members)
                    break
                except HostError as error:
                    if number == TRIES - 1:
                        raise Refused(f"on {self._fetches}, which fetches for the others: {error}") from None
        return Shelf(folder, self._rate, images=False)

    def close(self) -> None:
        """Its folder goes."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _tell(self, text: str) -> None:
        self._say(self._fetches, f"fetching for all: {text}")

    def _members(self, jobs: Sequence[Job], pool: Pool) -> list[Member]:
        """Hosts that cannot be asked are left out: what is wrong with them is told when their turn comes."""

        def one(job: Job) -> Iterator[Member]:
            try:
                yield ask(job, pool)
            except (HostError, ProvisionError):
                return

        with ThreadPoolExecutor(max(1, min(self._forks, len(jobs)))) as workers:
            return [member for found in workers.map(lambda job: list(one(job)), jobs) for member in found]


def _made(top: Path) -> Path:
    """A new folder; those of runs that were killed go."""
    try:
        top.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in top.glob(f"{PREFIX}*"):
            if time.time() - path.stat().st_mtime > LEFT:
                shutil.rmtree(path, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=PREFIX, dir=top))
    except OSError as error:
        raise Refused(
            f"{error.filename or top}: {error.strerror}", "set XDG_STATE_HOME to where there is room"
        ) from None
