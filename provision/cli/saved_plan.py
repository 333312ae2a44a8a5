"""`check --out FILE` and `apply FILE`: a plan that is saved, reviewed, and then applied as it is.

The law: what the file says is asked; the command line may only narrow the hosts and say how the run goes. A check that
was interrupted leaves no file.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from provision import report
from provision.cli import resume
from provision.cli.hosts import Selection, mask
from provision.cli.options import Asked
from provision.errors import InputError, Problem
from provision.rollout import Job
from provision.run import Reviewed
from provision.secrets import HIDDEN

if TYPE_CHECKING:
    from provision.rollout.review import Recorder, SavedPlan


def complete(asked: Asked) -> "tuple[Asked, SavedPlan | None]":
    """What was asked, with the rest as the plan has it; and the plan. Raises InputError."""
    _refuse_mixed(asked)
    if asked.plan is None:
        return asked, None
    from provision.rollout import review  # only for a saved plan

    plan = review.read(asked.plan)
    told = plan.asked
    kept: dict[str, Any] = {name: told.get(name) for name in ("user", "become") if getattr(asked, name) is None}
    kept["roles"] = tuple(told["roles"]) if told.get("roles") is not None else None
    overrides = tuple(told.get("overrides") or ())
    if hidden := [text.partition("=")[0] for text in overrides if HIDDEN in text and not asked.overrides]:
        what, hint = f"the secret of --set {hidden[0]} is not in the plan", "give every --set of that check again"
        raise InputError([Problem(what, str(asked.plan), hint)])
    kept["overrides"] = asked.overrides or overrides
    return replace(asked, **kept, **resume.origins(asked, told)), plan


def _refuse_mixed(asked: Asked) -> None:
    """What does not go together is a mistake of the command line."""
    if asked.out is not None and asked.executor is not None:
        raise click.UsageError("--out does not go with --executor: only workers know the secrets then")
    if asked.out is not None and not asked.out.absolute().parent.is_dir():
        raise InputError(f"--out: there is no folder {asked.out.parent}; make it first")
    given = {"--roles": asked.roles, "--resume": asked.resume, "--executor": asked.executor}
    if asked.plan is not None and (odd := [name for name, value in given.items() if value is not None]):
        raise click.UsageError(f"{odd[0]} does not go with a plan that is applied")


def recorded(asked: Asked, jobs: list[Job], selection: Selection) -> "tuple[list[Job], Recorder | None]":
    """The jobs of a check, and who makes a plan of it, where that is asked for. Raises InputError."""
    if asked.out is None:
        return jobs, None
    for inventory in map(Path, selection.source.sources):
        if inventory.resolve() in asked.out.resolve().parents:
            what = f"--out: {asked.out} would be read as a part of the inventory {inventory}"
            raise InputError([Problem(what, hint="save it elsewhere")])
    from provision.rollout.review import Recorder

    recorder = Recorder()
    return [replace(job, reviewed=Reviewed(recorder.salt)) for job in jobs], recorder


def save(recorder: "Recorder", asked: Asked, selection: Selection) -> bool:
    """Write the plan; False where that was not possible."""
    from provision.rollout import review

    assert asked.out is not None
    told = resume.told(asked, selection.hosts, mask(selection.hosts), selection.source)
    try:
        review.write(asked.out, recorder.plan(told, selection.hosts, selection.role_path))
    except OSError as error:
        report.warn(f"--out: {asked.out} could not be written: {error.strerror}")
        return False
    return True


def bound(plan: "SavedPlan", jobs: Iterable[Job], selection: Selection) -> list[Job]:
    """The jobs of an apply, each bound to what was reviewed."""
    from provision.rollout import review

    return review.bound(plan, jobs, selection.hosts, selection.role_path)
