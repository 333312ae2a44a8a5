"""From roles and facts to stages of resources. Pure: no I/O, and the same input gives the same plan.

A stage is one role's resources. What an earlier role does changes what a later one must know, so each role is planned
with the facts as the roles before it will have made them (`provides`); a role for which that is not enough is
deferred, and planned when the agent has come to it and sent fresh facts. The Docker daemon has one owner: options of
all roles are folded into one stage after the last role that has any (provision/daemon.py).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from provision import daemon, faults
from provision.errors import Refused, RoleFault
from provision.facts import Facts, Os
from provision.resources import (
    DaemonEnvironment,
    DaemonInput,
    DaemonOption,
    Directory,
    DockerCurrent,
    DockerLive,
    DockerService,
    File,
    JsonKeys,
    Resource,
    Service,
)
from provision.role import Deferred, Refuse, Role, Settings, Skip, installing, of_daemon
from provision.templates import Templates

if TYPE_CHECKING:
    from provision.agent.types import StagePlan

CONFIGURATION = "/etc/docker/daemon.json"


@dataclass(frozen=True)
class Stage:
    """One role's part of a plan: its resources; or why it is skipped; or what must be in place before it is known."""

    role: str
    resources: tuple[Resource, ...] = ()
    skipped: str | None = None
    deferred: str | None = None
    transaction: bool = False
    """Its resources stand or fall together: when one fails, the host puts back what the others changed."""
    needs: tuple[str, ...] = ()
    """Roles without whose change this one makes no sense: where one of them has to wait, so does this."""
    disrupt: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """May it disturb those who use a service? By its name: (never, idle or always; the setting that says so)."""
    modules: tuple[str, ...] = ()
    """Sources of the site's own kinds that the role uses."""
    host_roles: tuple[str, ...] = field(default=(), compare=False)
    """All that the host is asked for, in this run or not: what waits there for another role waits in vain."""
    remove: bool = False
    """What the host remembers of the role goes."""

    def wired(self, closed: str | None) -> "StagePlan":
        """The stage as it travels; `closed` says why nothing may be disturbed at all now."""
        return {
            "role": self.role,
            "replan": self.deferred is not None,
            "remove": self.remove,
            "transaction": self.transaction,
            "needs": list(self.needs),
            "disrupt": {"policies": dict(self.disrupt), "closed": closed},
            "resources": [{"kind": resource.kind, "fields": resource.fields()} for resource in self.resources],
        }


class RefusedByRole(Refused):
    """A role that must not go on with this host."""

    def __init__(self, role: str, cause: str, fix: str) -> None:
        super().__init__(cause, fix)
        self.role = role


@dataclass
class _Daemon:
    """What the roles want of the Docker daemon, and after how many stages the last of them has spoken."""

    owner: Role | None
    engine: Role | None
    templates: Sequence[Path] = ()
    options: list[tuple[str, DaemonOption]] = field(default_factory=list)
    environment: list[tuple[str, DaemonEnvironment]] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    after: int = -1
    deferred: str | None = None
    refusal: RefusedByRole | None = None
    """Of a role outside the run: no matter, unless the daemon is folded, for which its options are then unknown."""

    @property
    def role(self) -> str:
        """The role that the daemon's stage is of."""
        return self.owner.name if self.owner is not None else daemon.STAGE


def plan(
    roles: Sequence[Role],
    settings: Mapping[str, Settings],
    facts: Facts,
    in_run: Collection[str] | None = None,
    templates: Sequence[Path] = (),
) -> tuple[Stage, ...]:
    """The stages for one host. `roles` are all of the host's roles, in order; `in_run` those of this run (None: all);
    `templates` the folders that win over the shipped one.

    A role that is not in this run has no stage, but its daemon options are folded in: or the run would drop them.
    Raises RefusedByRole.
    """
    disrupt = _disrupt(roles, settings)
    stages: list[Stage] = []
    wanted = _Daemon(of_daemon(roles), installing(roles), templates)
    view = facts
    for role in roles:
        chosen = in_run is None or role.name in in_run
        try:
            stage = replace(_stage(role, settings[role.name], view), disrupt=disrupt)
        except RefusedByRole as refusal:
            if chosen:
                raise
            wanted.refusal = refusal
            continue
        kept = _take_daemon(stage, wanted, len(stages) if chosen else wanted.after)
        if chosen:
            stages.append(kept)
        if role.provides is not None and stage.skipped is None:
            view = role.provides(view, settings[role.name])
    if wanted.owner is not None or wanted.after >= 0:
        stages = [_gated(stage, wanted.engine, facts) for stage in stages]
    names = tuple(in_run) if in_run is not None else tuple(r.name for r in roles)
    return _asked_for(_with_upgrade(_with_daemon(stages, wanted, view, names), wanted, facts), roles, wanted)


@dataclass(frozen=True)
class Removal:
    """Roles to take from a host, in the order in which they came."""

    roles: tuple[str, ...]
    daemon: bool
    """May one of them have had a say in the Docker daemon?"""
    loaded: tuple[Role, ...] = ()  # those of them that are on disk still


def removal(
    removed: Removal,
    staying: Sequence[Role],
    settings: Mapping[str, Settings],
    facts: Facts,
    templates: Sequence[Path] = (),
) -> tuple[Stage, ...]:
    """The stages that take roles from one host, the last first. What each brought, the host remembers; the Docker
    daemon comes first of all, with what the `staying` roles want of it. Raises RefusedByRole."""
    roles = [*staying, *removed.loaded]
    disrupt = _disrupt(roles, settings)
    wanted, view = _Daemon(of_daemon(roles), installing(roles), templates), facts
    own = [name for name in reversed(removed.roles) if not (removed.daemon and name == wanted.role)]
    modules = {role.name: role.modules for role in removed.loaded}
    rest = tuple(Stage(name, disrupt=disrupt, remove=True, modules=modules.get(name, ())) for name in own)
    if not removed.daemon:
        return rest
    for role in staying:
        stage = _stage(role, settings[role.name], view)
        _take_daemon(stage, wanted, 0)
        if role.provides is not None and stage.skipped is None:
            view = role.provides(view, settings[role.name])
    try:
        resources = _daemon_without(removed.roles, wanted, facts)
    except Refuse as refuse:
        raise RefusedByRole(wanted.role, refuse.cause, refuse.fix) from None
    theirs = any(wanted.role in roles for roles in facts.docker.written.values())
    if theirs and wanted.role not in (*removed.roles, *(item.name for item in staying)):  # its own files stay
        kept = tuple(item for item in resources if not isinstance(item, File | Directory))
        return (Stage(UPGRADED, kept, transaction=True, disrupt=disrupt, remove=True), *rest)
    gone = wanted.role in removed.roles or not staying
    return (Stage(wanted.role, resources, transaction=True, disrupt=disrupt, remove=gone), *rest)


def _daemon_without(removed: Sequence[str], wanted: _Daemon, facts: Facts) -> tuple[Resource, ...]:
    """The daemon's files without what these roles wanted; and its restart, unless it goes itself."""
    if facts.docker.version is None:
        return (JsonKeys(path=CONFIGURATION, keys=(), roles=tuple(removed)),)
    engine = wanted.engine.name if wanted.engine is not None else None
    roles = daemon.DaemonRoles(tuple(removed), wanted.role, engine)
    resources = daemon.merge_options(wanted.options, wanted.environment, facts, roles, Templates(wanted.templates))
    if engine in removed:
        return tuple(item for item in resources if not isinstance(item, Service | DockerService | DockerLive))
    return tuple(_watching(item, wanted.inputs) for item in resources)


def _disrupt(roles: Sequence[Role], settings: Mapping[str, Settings]) -> dict[str, tuple[str, str]]:
    return {
        role.disrupts: (getattr(settings.get(role.name), "disrupt", "idle"), f"{role.name}.disrupt")
        for role in roles
        if role.disrupts
    }


def _stage(role: Role, settings: Settings, facts: Facts) -> Stage:
    try:
        found = tuple(role.resources(facts, settings))
        stage = Stage(role.name, found, transaction=role.transaction, needs=role.needs, modules=role.modules)
    except Skip as skip:
        return Stage(role.name, skipped=str(skip))
    except Deferred as deferred:
        return Stage(role.name, deferred=deferred.after)
    except Refuse as refuse:
        raise RefusedByRole(role.name, refuse.cause, refuse.fix) from None
    if not role.daemon and any(isinstance(item, OF_THE_DAEMON) for item in stage.resources):
        cause = f"the role {role.name} yields options of the Docker daemon without saying so"
        raise RoleFault(faults.place(role.path), cause, "write DAEMON = True below its imports", always=True)
    return stage


OF_THE_DAEMON = (DaemonOption, DaemonEnvironment, DaemonInput)
TYPICAL = Facts(os=Os(id="ubuntu", version_id="22.04", codename="jammy"), architecture="amd64", init="systemd")


def fault(role: Role, settings: Settings) -> RoleFault | None:
    """What is wrong in a role's own code whatever the facts of a host are, as far as that shows without a host."""
    try:
        _stage(role, settings, TYPICAL)
    except RoleFault as found:
        return found if found.always else None
    except RefusedByRole:
        return None
    return None


def _take_daemon(stage: Stage, wanted: _Daemon, position: int) -> Stage:
    """Move a stage's daemon options into `wanted`; return the stage without them."""
    options = [(stage.role, item) for item in stage.resources if isinstance(item, DaemonOption)]
    environment = [(stage.role, item) for item in stage.resources if isinstance(item, DaemonEnvironment)]
    inputs = [item.path for item in stage.resources if isinstance(item, DaemonInput)]
    if options or environment or inputs or stage.role == wanted.role:
        wanted.after = position
        wanted.deferred = wanted.deferred or stage.deferred
    wanted.options += options
    wanted.environment += environment
    wanted.inputs += inputs
    rest = tuple(item for item in stage.resources if not isinstance(item, OF_THE_DAEMON))
    return replace(stage, resources=rest)


def _asked_for(stages: tuple[Stage, ...], roles: Sequence[Role], wanted: _Daemon) -> tuple[Stage, ...]:
    """The stages, each with all that the host is asked for; what is not among that, none of them needs."""
    daemons = {wanted.role} if wanted.options or wanted.environment or wanted.inputs else set()
    asked = {role.name for role in roles} | {stage.role for stage in stages} | daemons
    known = tuple(sorted(asked))
    return tuple(
        replace(stage, host_roles=known, needs=tuple(name for name in stage.needs if name in asked)) for stage in stages
    )


UPGRADED = "docker"
"""The stage of a run without the daemon's own that asks whether an upgrade of Docker is live, or takes out keys."""


def _with_upgrade(stages: tuple[Stage, ...], wanted: _Daemon, facts: Facts) -> tuple[Stage, ...]:
    """The stages; and where the daemon's own is not among them, whether it runs the program that is on disk."""
    if not stages or facts.docker.pid is None or any(stage.role == wanted.role for stage in stages):
        return stages
    ours = wanted.engine is not None or wanted.owner is not None
    return (*stages, Stage(UPGRADED, (DockerCurrent(ours=ours),), disrupt=stages[0].disrupt))


def _gated(stage: Stage, engine: Role | None, facts: Facts) -> Stage:
    """The stage that installs Docker, with what keeps Docker from starting before it is configured."""
    if engine is None or stage.role != engine.name or not stage.resources:
        return stage
    return replace(stage, resources=(*daemon.closed(facts), *stage.resources))


def _with_daemon(stages: list[Stage], wanted: _Daemon, facts: Facts, in_run: tuple[str, ...]) -> tuple[Stage, ...]:
    """The stages with the daemon's own after the last contributor's; docker_daemon's other resources go into it."""
    if wanted.after < 0:
        return tuple(stages)
    if wanted.refusal is not None:
        raise wanted.refusal
    disrupt = next((stage.disrupt for stage in stages), {})
    own = next((stage for stage in stages if stage.role == wanted.role), Stage(wanted.role, disrupt=disrupt))
    if own.skipped is not None:
        return tuple(stages)
    engine = wanted.engine.name if wanted.engine is not None else None
    contributors = [role for role, _ in (*wanted.options, *wanted.environment)]
    needs = dict.fromkeys([*([engine] if engine else ()), *own.needs, *contributors])
    needed = tuple(role for role in needs if role != own.role)
    folded = replace(own, deferred=own.deferred or wanted.deferred, needs=needed)
    if folded.deferred is None:
        try:
            roles = daemon.DaemonRoles(in_run, wanted.role, engine)
            resources = daemon.merge_options(
                wanted.options, wanted.environment, facts, roles, Templates(wanted.templates)
            )
            watched = tuple(_watching(resource, wanted.inputs) for resource in resources)
            folded = replace(folded, resources=own.resources + watched, transaction=True)
        except Deferred as deferred:
            folded = replace(folded, resources=(), deferred=deferred.after)
        except Refuse as refuse:
            raise RefusedByRole(own.role, refuse.cause, refuse.fix) from None
    # A contributor may stand before the engine (a proxy); its files need the engine, and come before its first start.
    after = max([wanted.after, *(number for number, stage in enumerate(stages) if stage.role == engine)])
    before = [stage for stage in stages[: after + 1] if stage.role != own.role]
    return (*before, folded, *(stage for stage in stages[after + 1 :] if stage.role != own.role))


def _watching(resource: Resource, inputs: Sequence[str]) -> Resource:
    """The daemon's service also goes stale when one of these files comes or changes."""
    if not isinstance(resource, DockerService):
        return resource
    return resource.model_copy(update={"files": (*resource.files, *inputs)})
