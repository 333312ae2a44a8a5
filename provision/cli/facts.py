"""The verb facts: what hosts are, changing nothing."""

from provision.cli import hosts
from provision.cli.options import Asked
from provision.cli.run_verb import roll_out
from provision.report.facts import FactsTranscript
from provision.rollout import Job


def facts(asked: Asked) -> int:
    """What hosts are. Raises InputError before anything is connected to."""
    selection = hosts.select(asked)
    jobs = [Job(host.target, (), {}) for host in selection.hosts]
    return roll_out("facts", asked, jobs, selection, FactsTranscript())
