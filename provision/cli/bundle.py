"""The verb bundle: whom it is for, asked of the hosts or named; then made, or verified.

The law: hosts are only looked at. What a role would install on one that nobody could ask is planned for a bare host.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from provision import report
from provision.bundle import checking, manifest
from provision.bundle.making import Made, Maker
from provision.bundle.needs import Member, assumed, named
from provision.bundle.programs import Here, OnHost, ProgramRunner
from provision.bundle.stand_in import files_of
from provision.cli import hosts
from provision.cli.bundle_hosts import ask
from provision.cli.options import Asked
from provision.errors import HostError, InputError, Problem, ProvisionError
from provision.report.text import clean
from provision.rollout import Job, order
from provision.target import Target
from provision.transport import Pool


def make(asked: Asked, out: Path, releases: Sequence[str], via: str | None = None, also: Sequence[str] = ()) -> int:
    """Make or renew a bundle; `via`: the host that fetches; `also`: settings with which hosts are planned once more.
    Raises InputError before anything is connected to."""
    kinds = [named(text) for text in releases]
    selection = hosts.select(asked, secrets=not kinds)
    jobs = order.jobs(selection.hosts, selection.role_path, asked.roles)
    others = [job for setting in also for job in _with(asked, setting, secrets=not kinds)]
    fetches = _host(asked, via) if via is not None else None
    output = report.Output(sys.stdout)

    def say(text: str) -> None:
        output.line(json.dumps({"type": "progress", "text": text}) if asked.as_json else clean(text))

    if kinds:
        members = [
            Member(system.codename, facts, files_of(facts), b"", has_python=False, plan=job.stages)
            for system, architecture in kinds
            for facts in [assumed(system, architecture)]
            for job in _distinct([*jobs, *others])
        ]
    else:
        members, problems = _asked(asked, jobs)
        if problems:
            report.warn(*problems, "no bundle was made: correct that, leave those hosts out (--limit), or use --for")
            return 1
        known = {member.name: member for member in members}
        members += [replace(known[job.target.name], plan=job.stages) for job in others]
    try:
        with _programs(asked, fetches) as programs:
            made = Maker(out, say, lambda members: programs).make(members)
    except HostError as error:
        report.warn(str(error))
        return 1
    for text in _summary(out, made):
        say(text)
    return 0


def _with(asked: Asked, setting: str, *, secrets: bool) -> list[Job]:
    """The jobs of all hosts with one more setting. Raises InputError."""
    selection = hosts.select(replace(asked, overrides=(*asked.overrides, setting)), secrets=secrets)
    return order.jobs(selection.hosts, selection.role_path, asked.roles)


def _host(asked: Asked, name: str) -> Target:
    """The one host of the inventory that is called so. Raises InputError."""
    found = hosts.select(replace(asked, limit=name)).hosts
    if len(found) != 1:
        raise InputError([Problem(f"--via {name} is {len(found)} hosts of the inventory", hint="name one")])
    return found[0].target


@contextmanager
def _programs(asked: Asked, fetches: Target | None) -> Iterator[ProgramRunner]:
    """Where the programs run that fetch."""
    if fetches is None:
        yield Here()
        return
    pool = Pool(accept_new_host_keys=asked.accept_new_host_keys, on_host_key=report.warn)
    try:
        connection = pool.connect(fetches)
        try:
            yield OnHost(connection, fetches)
        finally:
            connection.close()
    finally:
        pool.close()


def verify(folder: Path, as_json: bool) -> int:
    """Is a bundle whole and signed? 1 where it is not. Raises InputError where there is none."""
    output = report.Output(sys.stdout)
    found = checking.findings(folder, manifest.read(folder), lambda text: None if as_json else output.line(clean(text)))
    if as_json:
        output.line(json.dumps({"type": "bundle", "folder": str(folder), "findings": found}))
    else:
        report.warn(*found)
        if not found:
            output.line("every signature, list and package belongs to the other")
    return 1 if found else 0


def _distinct(jobs: Iterable[Job]) -> list[Job]:
    """One for each set of roles and settings: hosts that nobody asks do not differ in anything else."""
    found = dict[str, Job]()
    for job in jobs:
        known = [role for role in job.roles if role.name in job.settings]  # others cannot be judged without secrets
        key = repr([(role.name, job.settings[role.name]) for role in known])
        found.setdefault(key, replace(job, roles=known))
    return list(found.values())


def _asked(asked: Asked, jobs: Sequence[Job]) -> tuple[list[Member], list[str]]:
    """What the hosts are, and why some could not be asked."""
    pool = Pool(accept_new_host_keys=asked.accept_new_host_keys, on_host_key=report.warn)

    def one(job: Job) -> Member | str:
        try:
            return ask(job, pool)
        except (HostError, ProvisionError) as error:
            return f"{job.target.name}: {error}"

    try:
        with ThreadPoolExecutor(max(1, min(asked.forks, len(jobs)))) as workers:
            answers = list(workers.map(one, jobs))
    finally:
        pool.close()
    members = [answer for answer in answers if isinstance(answer, Member)]
    return members, [answer for answer in answers if isinstance(answer, str)]


def _summary(out: Path, made: Made) -> Iterable[str]:
    sizes = {package.file.sha256: package.file.size for package in made.manifest.packages}
    for target in made.manifest.targets:
        size = sum(sizes[digest] for digest in target.packages)
        yield f"{target.label}: {len(target.packages)} packages, {size / 1e6:.1f} MB"
    for image in made.manifest.images:
        yield f"{image.reference} for {image.architecture}: {sum(file.size for file in image.files) / 1e6:.1f} MB"
    for address in made.elsewhere:
        yield f"not in it: {address}, which a role fetches by itself"
    size = sum(file.size for file in made.manifest.files())
    yield f"{out}: {size / 1e6:.1f} MB in all, {made.bytes / 1e6:.1f} MB of it fetched now"
