"""The verb why: who owns an option of the Docker daemon.

The law: no secret of a role is looked up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from provision import report, role
from provision.cli import hosts
from provision.cli.ask_hosts import Answers
from provision.cli.options import Asked
from provision.cli.run_verb import roll_out
from provision.daemon import STAGE
from provision.daemon.options import MAPS, OPTIONS
from provision.errors import InputError, Problem
from provision.inventory.spelling import closest
from provision.questions.why import AskWhy, is_known, path_of
from provision.report.why import WhyTranscript
from provision.rollout import Job


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
    answers = Answers()
    status = roll_out("why", asked, jobs, selection, WhyTranscript(), answers)
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
