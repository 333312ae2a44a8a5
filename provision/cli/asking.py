"""The verbs that ask hosts something beside their facts: status, why and unlock.

The law: of the inventory they need how hosts are reached and which roles those have; no secret of a role is looked up.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import click

from provision import report, role
from provision.cli import hosts
from provision.cli.interrupt import INTERRUPTED
from provision.cli.options import Asked
from provision.cli.rolling import roll_out
from provision.daemon import STAGE
from provision.daemon.options import MAPS, OPTIONS
from provision.errors import InputError, Problem
from provision.events import Answered, Event
from provision.inventory.spelling import closest
from provision.questions.status import AskStatus
from provision.questions.unlock import LEFT, AskUnlock
from provision.questions.why import AskWhy, is_known, path_of
from provision.report.status import StatusStory
from provision.report.unlock import UnlockStory
from provision.report.why import WhyStory
from provision.rollout import Job


@dataclass
class _Answers:
    """Listens beside the view: what the hosts have answered."""

    found: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Answered):
            self.found[event.host] = event.answer

    def entries(self) -> list[Mapping[str, Any]]:
        return [entry for answer in self.found.values() for entry in answer["entries"]]


def status(asked: Asked) -> int:
    """What is pending, was done and is known, on each host. Raises InputError before anything is connected to."""
    selection = hosts.select(asked)
    listed = _roles(selection)
    jobs = [Job(host.target, (), {}, question=AskStatus(listed.get(host.name, ()))) for host in selection.hosts]
    return roll_out("status", asked, jobs, selection, StatusStory(verbose=asked.verbose))


def why(key: str, asked: Asked) -> int:
    """Who owns an option of the Docker daemon. Raises InputError before anything is connected to."""
    path = path_of(key)
    selection = hosts.select(replace(asked, roles=(), overrides=()))
    found = selection.source
    settled = found.resolve(
        [host.name for host in selection.hosts],
        role_path=selection.role_path,
        overrides=asked.overrides,
        secrets=False,
    )
    names = dict.fromkeys(name for host in settled for name in host.roles)
    loaded = {name: role.load(name, selection.role_path) for name in names}
    jobs, rows_of = (
        [],
        {
            host.name: found.explain(host.name, role_path=selection.role_path, overrides=asked.overrides)
            for host in selection.hosts
        },
    )
    _refuse_misspelt(path, [row.variable for rows in rows_of.values() for row in rows])
    for host, typed in zip(selection.hosts, settled, strict=True):
        question = AskWhy(path, [loaded[name] for name in typed.roles], typed.settings, rows_of[host.name])
        jobs.append(Job(host.target, (), {}, question=question))
    answers = _Answers()
    status = roll_out("why", asked, jobs, selection, WhyStory(), answers)
    if status or is_known(path) or any(map(_knows, answers.entries())):
        return status
    return _unknown(path[0])


def _refuse_misspelt(path: tuple[str, ...], variables: Iterable[str]) -> None:
    """Raises InputError for a key that is almost one of ours, unless the inventory asks for it as it is written."""
    name = path[0]
    close = None if is_known(path) else closest(name, [*OPTIONS, *MAPS])
    extra = f"{STAGE}.extra.{name}"
    if close and not any(variable == extra or variable.startswith(f"{extra}.") for variable in variables):
        raise InputError(
            [Problem(f"no option of the Docker daemon is called {name!r}", hint=f"did you mean {close!r}?")]
        )


def _knows(entry: Mapping[str, Any]) -> bool:
    """Is the key set, asked for or remembered there, or does the daemon tell of it?"""
    return any(entry[name] for name in ("in_file", "elsewhere", "asked", "record")) or entry["live"] is not None


def _unknown(name: str) -> int:
    """Neither in our table nor on any of the hosts: told last, since any host might have known it."""
    report.warn(f"no option of the Docker daemon that we know is called {name!r}, and none of these hosts has it")
    return 1


def unlock(asked: Asked, force: bool) -> int:
    """Who holds hosts; ended with --yes or after the question. Raises InputError before anything is connected to."""
    selection = hosts.select(asked)
    targets = {host.name: host.target for host in selection.hosts}

    def ask(questions: Mapping[str, AskUnlock], answers: _Answers) -> int:
        jobs = [Job(targets[name], (), {}, question=question) for name, question in questions.items()]
        return roll_out("unlock", asked, jobs, selection, UnlockStory(), answers)

    answers = _Answers()
    if asked.yes:
        return ask({name: AskUnlock(end=True, force=force) for name in targets}, answers)
    status = ask({name: AskUnlock(end=False) for name in targets}, answers)
    held = {name: answer for name, answer in answers.found.items() if answer["state"] in LEFT}
    if not held or status == INTERRUPTED or asked.as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return status
    click.confirm(f"end what holds {', '.join(held)}?", abort=True, err=True)
    ending = {name: AskUnlock(end=True, force=force, run=answer["lock"]["run"]) for name, answer in held.items()}
    return ask(ending, answers)


def _roles(selection: hosts.Selection) -> Mapping[str, tuple[str, ...]]:
    """The roles that the inventory gives each host, as they stand there."""
    given = selection.source.by_host("roles")
    return {name: tuple(map(str, found)) for name, found in given.items() if isinstance(found, list)}
