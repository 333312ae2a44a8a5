"""The verbs that ask hosts something beside their facts: status, why and unlock.

The law: of the inventory they need how hosts are reached and which roles those have; no secret of a role is looked up.
"""

from collections.abc import Mapping

from provision.cli import hosts
from provision.cli.options import Asked
from provision.cli.rolling import roll_out
from provision.questions.status import AskStatus
from provision.report.status import StatusStory
from provision.rollout import Job


def status(asked: Asked) -> int:
    """What is pending, was done and is known, on each host. Raises InputError before anything is connected to."""
    selection = hosts.select(asked)
    listed = _roles(selection)
    jobs = [Job(host.target, (), {}, question=AskStatus(listed.get(host.name, ()))) for host in selection.hosts]
    return roll_out("status", asked, jobs, selection, StatusStory(verbose=asked.verbose))


def _roles(selection: hosts.Selection) -> Mapping[str, tuple[str, ...]]:
    """The roles that the inventory gives each host, as they stand there."""
    given = selection.source.by_host("roles")
    return {name: tuple(map(str, found)) for name, found in given.items() if isinstance(found, list)}
