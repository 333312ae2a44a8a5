"""The verb unlock: who holds hosts, and the end of such a run."""

import sys
from collections.abc import Mapping

import click

from provision.cli import hosts
from provision.cli.ask_hosts import Answers
from provision.cli.interrupt import INTERRUPTED
from provision.cli.options import Asked
from provision.cli.run_verb import roll_out
from provision.questions.unlock import LEFT, AskUnlock
from provision.report.unlock import UnlockTranscript
from provision.rollout import Job


def unlock(asked: Asked, force: bool) -> int:
    """Who holds hosts; ended with --yes or after the question. Raises InputError before anything is connected to."""
    selection = hosts.select(asked)
    targets = {host.name: host.target for host in selection.hosts}

    def ask(questions: Mapping[str, AskUnlock], answers: Answers) -> int:
        jobs = [Job(targets[name], (), {}, question=question) for name, question in questions.items()]
        return roll_out("unlock", asked, jobs, selection, UnlockTranscript(), answers)

    answers = Answers()
    if asked.yes:
        return ask({name: AskUnlock(end=True, force=force) for name in targets}, answers)
    status = ask({name: AskUnlock(end=False) for name in targets}, answers)
    held = {name: answer for name, answer in answers.found.items() if answer["state"] in LEFT}
    if not held or status == INTERRUPTED or asked.as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return status
    click.confirm(f"end what holds {', '.join(held)}?", abort=True, err=True)
    ending = {name: AskUnlock(end=True, force=force, run=answer["lock"]["run"]) for name, answer in held.items()}
    return ask(ending, answers)
