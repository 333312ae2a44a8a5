"""From a tree and a choice of hosts and roles to typed hosts: the last step before the first connection.

The law: everything that is wrong is found and told at once; commands and questions for secrets come after that.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.errors import InputError, Problem, nearest
from provision.inventory import connection
from provision.inventory.document import Map, Mark, Seq, Tagged
from provision.inventory.findings import Finding, Findings
from provision.inventory.layers import Layers, Level, owner_of
from provision.inventory.references import References
from provision.inventory.sources import Source
from provision.inventory.strangers import KnownRoles, Strangers
from provision.inventory.tree import HostEntry, HostGroup
from provision.inventory.values import PlainValues, holds
from provision.inventory.wrong import Wrong as Unfit
from provision.target import Target

if TYPE_CHECKING:
    from provision import role
    from provision.inventory.settings import Validator, Wrong
    from provision.inventory.templating import Templating

COMMAND_LINE = Mark("command line")


@dataclass(frozen=True)
class Host:
    """One host, ready to be planned for: how it is reached, and the settings of each role that it gets in this run."""

    name: str
    groups: tuple[str, ...]
    """All its groups, `all` first, in the order in which their variables apply."""
    target: Target
    roles: tuple[str, ...]
    """The roles of this run, in order; and, where one of them has a say in the Docker daemon, or installs it, the
    others that have a say: or the run would drop what those asked for."""
    settings: "Mapping[str, role.Settings]"
    """By role. A role is absent only where secrets are not resolved and its settings cannot be judged without them."""


@dataclass
class Resolution:
    """One pass over the chosen hosts. `wanted` None means every role that a host has."""

    source: Source
    layers: Layers
    roles: KnownRoles
    references: References
    wanted: Sequence[str] | None
    check_files: bool
    login: Mapping[str, Any] = field(default_factory=dict)
    """Connection variables of the command line (-u, -b, -k, -K): they win over the inventory's, on all hosts."""

    def __post_init__(self) -> None:
        self.findings = Findings()
        self._idle = References(self.source.places, self.references.vault, resolve=False)
        self._validators: dict[bool, Validator] = {}
        self._targets: dict[tuple[tuple[str, int], ...], Target] = {}
        self._made: dict[bool, Templating] = {}
        self._strangers = Strangers(self.roles)
        self._found: list[Finding] = []
        """What is wrong with the host in hand."""
        self._alike: dict[tuple[HostGroup, ...], tuple[Host, list[Finding]]] = {}
        """By their groups, one of the hosts that have nothing of their own that counts, and what is wrong with it."""
        self._role_lists: dict[int, tuple[Any, tuple[str, ...], list[Finding]]] = {}

    def _templates(self, *, live: bool) -> "Templating":
        """Made, and jinja2 imported, for an inventory with templates."""
        if live not in self._made:
            from provision.inventory.templating import Templating  # noqa: PLC0415

            references = self.references if live else self._idle
            self._made[live] = Templating(self.source.tree, self.layers, references, self.source.vaulted)
        return self._made[live]

    def _validator(self, *, live: bool) -> "Validator":
        """Made, and pydantic imported, where there are roles."""
        if live not in self._validators:
            from provision.inventory.settings import Validator  # noqa: PLC0415

            references = self.references if live else self._idle
            self._validators[live] = Validator(references, self.source.places, self.source.vaulted)
        return self._validators[live]

    def hosts(self, names: Sequence[str]) -> list[Host]:
        """The hosts, typed. What is wrong is in `findings`."""
        hosts = [self._host(name) for name in names]
        idle = [host.name for host in hosts if not host.roles]
        if idle and self.wanted is None:
            told = idle[0] + (f" and {len(idle) - 1} more" if len(idle) > 1 else "")
            self.findings.add(Finding("", "", f"nothing is asked of {told}", "list its roles under roles:", True))
        return hosts

    def _host(self, name: str) -> Host:
        entry = self.source.tree.hosts[name]
        lineage = self.source.tree.lineage(entry)
        known = self._alike.get(lineage)
        if known is not None and self._strangers.harmless(entry.variables):
            like, found = known
            try:
                target = _renamed(like.target, name)
            except Unfit:
                pass  # told below
            else:
                self.findings.add(*found)
                return Host(name, like.groups, target, like.roles, like.settings)
        host, merged = self._made_anew(name, entry, lineage)
        if known is None and self._strangers.harmless(entry.variables) and self._is_of_groups(merged):
            self._alike[lineage] = host, self._found
        self.findings.add(*self._found)
        return host

    def _is_of_groups(self, merged: Map) -> bool:
        """Is all that was made of a host's variables the same for each host of its groups, but for the name? Only
        where it has no variables of its own that count."""
        used = (name for name in merged if name in connection.KNOWN or name in self.roles.names or name == "roles")
        own = any(name in connection.OWN or holds(merged[name]) for name in used)
        return not own and not any(finding.owner.startswith("host ") for finding in self._found)

    def _made_anew(self, name: str, entry: HostEntry, lineage: tuple[HostGroup, ...]) -> tuple[Host, Map]:
        """The host, and its variables; what is wrong is in `_found`."""
        self._found = []
        levels, merged = self.layers.of(entry)
        for level in levels:
            self._found += self._strangers.of(level)
        roles = self._roles_of(name, merged, levels)
        chosen = self._chosen(roles)
        settings: dict[str, role.Settings] = {}
        for known in (
            *roles,
            *(found for found in self.roles.names if found in merged and found not in roles),
        ):
            self._settings(known, name, merged, levels, settings, used=known in roles, chosen=known in chosen)
        groups = tuple(group.name for group in lineage)
        return Host(name, groups, self._target(name, merged, levels), chosen, settings), merged

    def _chosen(self, roles: tuple[str, ...]) -> tuple[str, ...]:
        if self.wanted is None:
            return roles
        asked = [name for name in roles if name in self.wanted]
        daemon = any(self.roles.load(name).daemon or self.roles.load(name).installs for name in asked)
        return tuple(name for name in roles if name in asked or (daemon and self.roles.load(name).daemon))

    def _settings(
        self,
        name: str,
        host: str,
        merged: Map,
        levels: Sequence[Level],
        settings: "dict[str, role.Settings]",
        *,
        used: bool,
        chosen: bool,
    ) -> None:
        raw, at = merged.get(name), merged.keys_at.get("roles", Mark("inventory"))
        at = merged.values_at.get(name, at)
        found: list[Wrong] | None = None
        if holds(raw):
            if not used:
                return  # what nobody uses is not evaluated
            found = told = []

            def noted(path: tuple[Any, ...], problem: Problem) -> None:
                told.append((path, Finding(problem.where, f"host {host}", problem.message, problem.hint)))

            raw, at = self._templates(live=chosen).expand(host, raw, at, (name,), noted)
        checked = self._validator(live=chosen).check(self.roles.load(name), raw, levels, at, used=used, wrong=found)
        self._found += checked.findings
        if chosen and checked.settings is not None:
            settings[name] = checked.settings

    def _target(self, name: str, merged: Map, levels: Sequence[Level]) -> Target:
        """How to reach a host. Hosts of one group are reached alike, but for their addresses, and read once."""
        alike = self._reached_alike(merged)
        known = self._targets.get(alike) if alike is not None else None
        if known is not None:
            with contextlib.suppress(Unfit):
                return _renamed(known, name)
        target, found = self._read_target(name, merged, levels)
        if alike is not None and not found:
            self._targets[alike] = target
        self._found += found
        return target

    def _reached_alike(self, merged: Map) -> tuple[tuple[str, int], ...] | None:
        """What is equal for hosts that are reached alike; None where that is not known before it is read."""
        found = []
        for key in merged.keys() & connection.KNOWN:
            value = merged[key]
            if key in connection.OWN or isinstance(value, Tagged) or holds(value):
                return None
            found.append((key, id(value)))
        return None if self.login or len(self.source.places.directories) > 1 else tuple(sorted(found))

    def _read_target(self, name: str, merged: Map, levels: Sequence[Level]) -> tuple[Target, list[Finding]]:
        found: list[Finding] = []

        def wrong(variable: str, message: str, hint: str, warning: bool) -> None:
            if variable in self.login:
                found.append(Finding(str(COMMAND_LINE), "", f"{variable}: {message}", hint, warning))
                return
            where = merged.values_at.get(variable, self.source.tree.hosts[name].at)
            owner = owner_of(levels, (variable,)) if variable else f"host {name}"
            found.append(Finding(str(where), owner, f"{variable}: {message}" if variable else message, hint, warning))

        def noted(path: tuple[Any, ...], problem: Problem) -> None:
            owner = owner_of(levels, path[:1]) if problem.where else ""
            found.append(Finding(problem.where, owner, problem.message, problem.hint))

        plain = PlainValues(self.references, noted)

        def templated(path: tuple[Any, ...], problem: Problem) -> None:
            found.append(Finding(problem.where, f"host {name}" if problem.where else "", problem.message, problem.hint))

        overridden = {known for name in self.login for known in (name, *connection.VARIABLES[name])}
        given = {
            key: self._templates(live=True).expand(name, value, merged.values_at[key], (key,), templated)
            if holds(value)
            else (value, merged.values_at[key])
            for key, value in merged.items()
            if key in connection.KNOWN and key not in overridden
        }
        values = {key: plain.value(value, at, (key,)) for key, (value, at) in given.items()}
        for key in connection.SECRET_NAMES & values.keys():
            value, at = given[key]
            if isinstance(value, str) and at.file not in self.source.vaulted:
                wrong(key, "stands here in plain text", "use !secret or !vault", True)
        values |= {key: plain.value(value, COMMAND_LINE, (key,)) for key, value in self.login.items()}
        reader = connection.ConnectionReader(
            values, lambda key: merged.values_at.get(key, COMMAND_LINE), self.source.places, self.check_files, wrong
        )
        return reader.target(name), found

    def _roles_of(self, host: str, merged: Map, levels: Sequence[Level]) -> tuple[str, ...]:
        def noted(path: tuple[Any, ...], problem: Problem) -> None:
            self._found.append(Finding(problem.where, f"host {host}", problem.message, problem.hint))

        given = merged.get("roles")
        if holds(given):
            given, _ = self._templates(live=True).expand(host, given, merged.values_at["roles"], ("roles",), noted)
            if given is None or (isinstance(given, Seq) and None in given):
                return ()
        if given is None:
            return ()
        known = self._role_lists.get(id(given))
        if known is None:
            roles, findings = self._role_list(given, merged.values_at["roles"], owner_of(levels, ("roles",)))
            known = self._role_lists[id(given)] = given, roles, findings
        self._found += known[2]
        return known[1]

    def _role_list(self, given: Any, at: Mark, owner: str) -> tuple[tuple[str, ...], list[Finding]]:
        if not isinstance(given, Seq):
            return (), [Finding(str(at), owner, "roles: must be a list", "as in roles: [docker_engine, docker_daemon]")]
        roles: dict[str, None] = {}
        findings = []
        for index, name in enumerate(given):
            where = str(given.items_at[index])
            if not isinstance(name, str):
                hint = "as in roles: [docker_engine, docker_daemon]"
                findings.append(Finding(where, owner, f"roles: {name!r} is no name of a role", hint))
            elif name in roles:
                findings.append(Finding(where, owner, f"roles: {name} is listed twice"))
            elif name in self.roles.names:
                roles[name] = None
            else:
                findings.append(Finding(where, owner, f"roles: no role is called {name!r}", self._meant(name)))
        return tuple(roles), findings

    def _meant(self, name: str) -> str:
        close = nearest(name, self.roles.names)
        return f"did you mean {close!r}?" if close else f"there are: {', '.join(self.roles.names)}"


def _renamed(like: Target, name: str) -> Target:
    """How a host is reached that has nothing of its own but its name. Raises Wrong for a name that is no address."""
    made = object.__new__(Target)  # as dataclasses.replace would, in a fifth of the time
    vars(made).update(vars(like), name=name, address=connection.address(name))
    return made


def resolve(
    make: Callable[[References], Resolution], references: References, names: Sequence[str]
) -> tuple[list[Host], list[str]]:
    """The hosts and the warnings. Raises InputError. Two passes where a command or a question is needed for a secret:
    the first proves the rest of the input."""
    while True:
        resolution = make(references)
        hosts = resolution.hosts(names)
        if problems := resolution.findings.problems():
            raise InputError(problems)
        if not references.pending:
            return hosts, resolution.findings.warnings() + list(references.warnings)
        references.settle()
