"""A plan that is saved, reviewed and then applied as it is: the file of `check --out`, and what it is held against.

The law: what is applied is what was reviewed. The inventory and the roles are compared before a host is connected to,
what is on the host by the host itself (agent/run/reviewed.py); a host that differs is left alone, and told by name. No
secret is in the file: of one there is a digest that is slow to guess at.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from provision import __version__, role
from provision.errors import InputError, Problem
from provision.events import BAD, Event, HostFacts, HostFinished, Looked, Outcome, Progress, ResourceDone
from provision.inventory import Host
from provision.journal import codec
from provision.rollout.hosts import Job
from provision.rollout.order import files
from provision.run import Reviewed
from provision.secrets import Secret

CONNECTION = ("address", "port", "user", "connection", "common_args", "become")
"""What says which machine it is, and as whom; a key or password may be another one by now."""


class _PlanPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OfRole(_PlanPart):
    """Digests of one role of a host."""

    source: str
    settings: str


class Input(_PlanPart):
    """Digests of what the inventory and the roles asked of a host."""

    connection: str
    roles: dict[str, OfRole]
    """In order."""
    templates: dict[str, str]


class PlannedHost(_PlanPart):
    """One host of a plan."""

    outcome: Outcome
    error: str | None = None
    input: Input
    seen: dict[str, tuple[str, str, str]] = {}
    """By resource, as the host digested it: asked, found, stops. Nothing of a host that had no python3."""
    later: tuple[str, ...] = ()
    """Roles that are planned in detail when the others are in place."""


class SavedPlan(_PlanPart):
    """The file."""

    format: Literal["provision-plan"] = "provision-plan"
    schema_version: Literal[1] = 1
    version: str = __version__
    """Of the program that made it."""
    asked: dict[str, Any]
    """What the command line said, as a journal keeps it."""
    salt: str
    hosts: dict[str, PlannedHost]
    told: tuple[dict[str, Any], ...]
    """What the check told, as a journal has it."""

    def events(self) -> Iterator[tuple[str, Event]]:
        """Each event, with its time, as of a run's journal."""
        for record in self.told:
            if (event := codec.decode(record)) is not None:
                yield str(record.get("time", "")), event


@dataclass
class Recorder:
    """Listens to a check, and makes a plan of it."""

    salt: str = field(default_factory=lambda: secrets.token_hex(16))
    _seen: dict[str, Mapping[str, tuple[str, str, str]]] = field(default_factory=dict)
    _later: dict[str, list[str]] = field(default_factory=dict)
    _ended: dict[str, HostFinished] = field(default_factory=dict)
    _events: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        match event:
            case Looked():
                self._seen[event.host] = event.seen
            case HostFinished():
                self._ended[event.host] = event
            case ResourceDone(kind="role", outcome=Outcome.WOULD_CHANGE):
                self._later.setdefault(event.host, []).append(event.role)
        if not isinstance(event, Looked | Progress | HostFacts):
            time = datetime.now(UTC).isoformat(timespec="milliseconds")
            record = {"time": time} | codec.encode(event)
            self._events.append(json.loads(json.dumps(record, default=codec.plain)))

    def plan(self, asked: Mapping[str, Any], hosts: Iterable[Host], role_path: Sequence[Path]) -> SavedPlan:
        """The plan of a check that has ended."""
        digests = Digests(self.salt, role_path)
        planned = {
            host.name: PlannedHost(
                outcome=(ended := self._ended[host.name]).outcome,
                error=str(ended.error) if ended.error else None,
                input=digests.of(host),
                seen=dict(self._seen.get(host.name, {})),
                later=tuple(self._later.get(host.name, ())),
            )
            for host in hosts
        }
        return SavedPlan(asked=dict(asked), salt=self.salt, hosts=planned, told=tuple(self._events))


@dataclass
class Digests:
    """Of what is asked of hosts."""

    salt: str
    role_path: Sequence[Path]
    _secrets: dict[Secret, str] = field(default_factory=dict)
    _sources: dict[str, str] = field(default_factory=dict)

    def of(self, host: Host) -> Input:
        target = asdict(host.target)
        return Input(
            connection=self._digest([target[name] for name in CONNECTION]),
            roles={
                name: OfRole(source=self._source(name), settings=self._digest(self._plain(settings)))
                for name, settings in host.settings.items()
            },
            templates=self._templates,
        )

    @cached_property
    def _templates(self) -> dict[str, str]:
        return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files(self.role_path).items()}

    def _source(self, name: str) -> str:
        if name not in self._sources:
            path = role.load(name, self.role_path).path
            self._sources[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._sources[name]

    def _digest(self, value: Any) -> str:
        return hashlib.sha256((self.salt + json.dumps(value, sort_keys=True, default=str)).encode()).hexdigest()

    def _plain(self, value: Any) -> Any:
        """As JSON types, with a digest in place of each secret."""
        if isinstance(value, Secret):
            return self._slow(value)
        if isinstance(value, BaseModel):
            return {name: self._plain(item) for name, item in value}
        if isinstance(value, Mapping):
            return {str(key): self._plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
        return value

    def _slow(self, secret: Secret) -> str:
        if secret not in self._secrets:
            data, salt = secret.reveal().encode(), self.salt.encode()
            self._secrets[secret] = hashlib.scrypt(data, salt=salt, n=2**14, r=8, p=1).hex()
        return self._secrets[secret]


def difference(before: Input, now: Input) -> str:
    """Why what is asked of a host is not what was reviewed, or ""."""
    if before.connection != now.connection:
        return "the inventory reaches it in another way than when it was reviewed"
    if list(before.roles) != list(now.roles):
        return f"the inventory gives it other roles than were reviewed: {_changed(before.roles, now.roles)}"
    for name, of_role in now.roles.items():
        if before.roles[name].source != of_role.source:
            return f"the role {name} is not the one that was reviewed"
        if before.roles[name].settings != of_role.settings:
            return f"the inventory's settings of {name} are not those that were reviewed"
    for name in sorted({*before.templates, *now.templates}):
        if before.templates.get(name) != now.templates.get(name):
            return f"the {'kind' if name.startswith('kinds/') else 'template'} {name} is not the one that was reviewed"
    return ""


def _changed(before: Iterable[str], now: Iterable[str]) -> str:
    old, new = list(before), list(now)
    words = [f"+{name}" for name in new if name not in old] + [f"-{name}" for name in old if name not in new]
    return ", ".join(words) or "in another order"


def bound(plan: SavedPlan, jobs: Iterable[Job], hosts: Iterable[Host], role_path: Sequence[Path]) -> list[Job]:
    """The jobs, each bound to what was reviewed of its host; or refused, with the reason."""
    digests = Digests(plan.salt, role_path)
    return [_bound(plan, job, plan.hosts[host.name], digests.of(host)) for job, host in zip(jobs, hosts, strict=True)]


def _bound(plan: SavedPlan, job: Job, planned: PlannedHost, now: Input) -> Job:
    if planned.outcome in BAD:
        return replace(job, refused=f"nothing of it was reviewed: it was {planned.outcome} ({planned.error})")
    if refused := difference(planned.input, now):
        return replace(job, refused=refused)
    return replace(job, reviewed=Reviewed(plan.salt, planned.seen, planned.later))


def write(path: Path, plan: SavedPlan) -> None:
    """Write the file (0600), whole or not at all. Raises OSError."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "w", encoding="ascii") as file:
            json.dump(plan.model_dump(mode="json"), file, indent=1)
            file.write("\n")
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def read(path: Path) -> SavedPlan:
    """The plan in a file. Raises InputError."""
    try:
        with open(path, "rb") as file:
            open_to_others = os.fstat(file.fileno()).st_mode & 0o022
            raw = json.load(file)
    except OSError as error:
        raise InputError([Problem(f"cannot be read: {error.strerror}", str(path))]) from None
    except ValueError:
        raise InputError([Problem("is no plan: it is not JSON", str(path), "make one with check --out")]) from None
    if not isinstance(raw, dict) or raw.get("format") != "provision-plan":
        raise InputError([Problem("is no plan", str(path), "make one with check --out")])
    if open_to_others:
        hint = "make it anew; a plan is for its owner alone to write"
        raise InputError(
            [Problem("others may have changed this plan: it is writable by its group or all", str(path), hint)]
        )
    if raw.get("version") != __version__ or raw.get("schema_version") != 1:
        what = f"was made by provision {raw.get('version')!s:.40}, and this is {__version__}"
        raise InputError([Problem(what, str(path), "check again with --out")])
    try:
        return SavedPlan.model_validate(raw)
    except ValidationError as error:
        at = error.errors(include_url=False)[0]
        what = f"is a damaged plan: {'.'.join(map(str, at['loc']))}: {at['msg']}"
        raise InputError([Problem(what, str(path), "check again with --out")]) from None
