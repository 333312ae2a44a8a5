"""`apply --share`: what one host of a release fetches, all hosts of that release get over their SSH connections.

It is a bundle, made between the first look and the first change, for the hosts that have something to change, and
fetched on one of them: with the sources, keys, proxies and logins that these hosts have. Images are not shared.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from provision.bundle.making import Maker
from provision.bundle.needs import Member
from provision.bundle.programs import OnHost, Programs
from provision.bundle.shelf import Shelf
from provision.cli.asking_for import ask
from provision.errors import HostError, ProvisionError, Refused
from provision.rollout import Job
from provision.transport import Pool

TRIES = 3
"""Hosts of a release that are asked to fetch, one after the other, where one cannot."""


class Share:
    """Makes the bundle of a run in a folder that is kept for the next one."""

    def __init__(self, folder: Path, forks: int, rate: float | None, say: Callable[[str, str], None]) -> None:
        """`rate`: bytes a second to all hosts; `say`: told of the host that fetches, and what it does."""
        self._folder = folder
        self._forks = forks
        self._rate = rate
        self._say = say

    def __call__(self, jobs: Sequence[Job], pool: Pool) -> Shelf:
        """What these hosts lack. Raises HostError: nothing was changed anywhere."""
        members = self._members(jobs, pool)
        targets = {job.target.name: job.target for job in jobs}
        for number in range(TRIES):
            with ExitStack() as stack:

                def programs(of_release: Sequence[Member], number: int = number, stack: ExitStack = stack) -> Programs:
                    name = self._fetches = of_release[number % len(of_release)].name
                    connection = pool.connect(targets[name])
                    stack.callback(connection.close)
                    return OnHost(connection, targets[name])

                try:
                    Maker(self._folder, self._tell, programs, mends=False).make(members)
                    break
                except HostError as error:
                    if number == TRIES - 1:
                        raise Refused(f"on {self._fetches}, which fetches for the others: {error}") from None
        return Shelf(self._folder, self._rate, images=False)

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


def folder(top: Path, sources: Sequence[str]) -> Path:
    """Where the bundle of an inventory is kept."""
    return top / "share" / hashlib.sha256("\0".join(sources).encode()).hexdigest()[:16]
