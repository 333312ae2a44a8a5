"""The verb status: what is pending, was done and is known, on each host.

The law: no secret of a role is looked up.
"""

from provision.cli import hosts
from provision.cli.ask_hosts import roles_given
from provision.cli.options import Asked
from provision.cli.run_verb import roll_out
from provision.questions.status import AskStatus
from provision.report.status import StatusTranscript
from provision.rollout import Job


def status(asked: Asked) -> int:
    """What is pending, was done and is known, on each host. Raises InputError before anything is connected to."""
    selection = hosts.select(asked)
    listed = roles_given(selection)
    jobs = [Job(host.target, (), {}, question=AskStatus(listed.get(host.name, ()))) for host in selection.hosts]
    return roll_out("status", asked, jobs, selection, StatusTranscript(verbose=asked.verbose))
