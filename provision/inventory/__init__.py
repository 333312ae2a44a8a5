"""The inventory: which hosts there are, how each is reached, which roles it gets, with which settings.

`load(source) -> Inventory`; `Inventory.select(pattern)` names hosts; `Inventory.resolve(names)` types them. The law:
every input error names its place and owner, all of them come at once, and before the first connection.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from provision.errors import InputError, Problem, nearest
from provision.inventory import connection, layers, patterns, places, sources
from provision.inventory.ansible_config import NO_CONFIG, Config
from provision.inventory.document import Map, Mark
from provision.inventory.references import Ask, References
from provision.inventory.resolve import Host, Resolution, resolve
from provision.inventory.sources import Source
from provision.inventory.spelling import closest
from provision.inventory.strangers import KnownRoles
from provision.inventory.tree import ROOT
from provision.inventory.values import holds, undoubted
from provision.inventory.vault import Vault, identity

if TYPE_CHECKING:
    from provision.inventory.explain import Node, Row

__all__ = ["Host", "Inventory", "load"]


def load(
    *given: str,
    no_exec: bool = False,
    vault_password_file: Path | None = None,
    vault_ids: Sequence[str] = (),
    ask: Ask | None = None,
    config: Config = NO_CONFIG,
) -> "Inventory":
    """Reads inventories as one, in their order: a name (./inventories/NAME.yml, or one that is shipped), hosts
    separated by commas, or the path of a YAML or INI file, a directory, a program, or anything that `ansible-inventory`
    reads. `vault_ids`: `LABEL@SOURCE`, before the password file. `config`: what ansible.cfg says. Raises InputError
    with all that is wrong."""
    files = [f"@{vault_password_file}"] if vault_password_file else []
    vault = Vault([identity(text) for text in [*vault_ids, *files, *config.vault_ids]], no_exec=no_exec, ask=ask)
    source = sources.read(places.find_all(given or config.inventory), vault, no_exec=no_exec)
    return Inventory(source, vault, config, no_exec=no_exec)


class Inventory:
    """An inventory that was read. Nothing of it is typed, and no secret is known, until `resolve`."""

    def __init__(self, source: Source, vault: Vault, config: Config, *, no_exec: bool) -> None:
        self._source = source
        self._config = config
        self._vault = vault
        self._templates: dict[layers.Layers, Any] = {}
        self._no_exec = no_exec
        self.warnings: list[str] = [*config.warnings, *source.warnings]
        """What is odd and no error; `resolve` adds to it."""

    @property
    def directory(self) -> Path:
        """Where the inventory lies, the first one of several: a site's folders of tests are relative to it."""
        return self._source.places.directories[0]

    @property
    def sources(self) -> tuple[str, ...]:
        """What was read, for a process that stands elsewhere: absolute paths, and hosts as they were named."""
        return self._source.places.absolute()

    @property
    def vault_ids(self) -> tuple[str, ...]:
        """Where the passwords of vaults are: LABEL@SOURCE, with absolute paths."""
        return tuple(map(str, self._vault.identities))

    @property
    def ansible_config(self) -> str | None:
        """The ansible.cfg that counts."""
        return str(self._config.file) if self._config.file else None

    def _layers(self, roles: Collection[str] = (), overrides: Sequence[layers.Level] = ()) -> layers.Layers:
        return layers.Layers(self._source.tree, roles, overrides, self._config.levels)

    @property
    def directories(self) -> tuple[Path, ...]:
        """Where each inventory lies."""
        return self._source.places.directories

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names of all hosts, in Ansible's order: by level of the tree of groups."""
        return tuple(self._source.tree.members(ROOT))

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of all groups, `all` first."""
        return tuple(self._source.tree.groups)

    def members(self, group: str) -> tuple[str, ...]:
        """The hosts of a group and of the groups below it."""
        return tuple(self._source.tree.members(group))

    @property
    def rollout(self) -> Any:
        """`rollout:` of the inventory, or of the variables of `all`, as it stands there; None without one."""
        if self._source.rollout is not None:
            return _untemplated(undoubted(self._source.rollout))
        root = self._source.tree.groups[ROOT]
        levels = root.variables + [variables for _, variables in root.files]
        given = [variables["rollout"] for variables in levels if "rollout" in variables]
        return _untemplated(undoubted(given[-1])) if given else None

    def by_host(self, name: str) -> dict[str, Any]:
        """The value of a variable that is nobody's setting (a rack), by host; a host without it is not in there.
        Raises InputError with all that is wrong."""
        merged = self._layers()
        problems, found = list[Problem](), dict[str, Any]()
        for host, entry in self._source.tree.hosts.items():
            values = merged.of(entry)[1]
            if name in values:
                found[host], _ = self._expanded(merged, host, values, name, problems)
        if problems:
            raise InputError(problems)
        return {host: undoubted(value) for host, value in found.items()}

    def _expanded(
        self, merged: layers.Layers, host: str, values: Map, name: str, problems: list[Problem]
    ) -> tuple[Any, Mark]:
        """A value with its templates evaluated, without looking up a secret, and its place."""
        if not holds(values[name]):
            return values[name], values.values_at[name]
        from provision.inventory.templating import Templating  # noqa: PLC0415 - and jinja2, where there is a template

        if merged not in self._templates:
            idle = References(self._source.places, self._vault, resolve=False)
            self._templates = {merged: Templating(self._source.tree, merged, idle, self._source.vaulted)}
        noted = partial(_noted, problems, host)
        found: tuple[Any, Mark] = self._templates[merged].expand(
            host, values[name], values.values_at[name], (name,), noted
        )
        return found

    def variable(self, host: str, name: str) -> Any:
        """The value of a variable that belongs to no role; None where there is none. Raises InputError."""
        merged, problems = self._layers(), list[Problem]()
        values = merged.of(self._source.tree.hosts[host])[1]
        if name not in values:
            return None
        value, _ = self._expanded(merged, host, values, name, problems)
        if problems:
            raise InputError(problems)
        return undoubted(value)

    def select(self, pattern: str | None, failed: patterns.Failed | None = None) -> list[str]:
        """The hosts that a pattern (`--limit`) means, in the order of `hosts`; all without one. Raises
        InputError for a host, group or pattern that means nothing. `failed` answers `@failed:RUN`."""
        if not self.hosts:
            hint = "write them under all: as in hosts: {web1.example.com: }"
            raise InputError([Problem("this inventory names no hosts", str(self._source.places), hint)])
        return patterns.select(self._source.tree, pattern, failed, self.warnings.append)

    def graph(self) -> "Node":
        """The tree of groups, from `all` down."""
        from provision.inventory import explain  # noqa: PLC0415 - and pydantic, where it is asked for

        return explain.graph(self._source.tree)

    def explain(self, host: str, *, role_path: Sequence[Path], overrides: Sequence[str] = ()) -> "list[Row]":
        """Every value of a host and where it comes from; secrets are hidden and none is resolved. Raises InputError
        for a host that is not there; mistakes in the values are for `resolve` to tell."""
        from provision.inventory import explain  # noqa: PLC0415 - and pydantic, where it is asked for

        tree = self._source.tree
        if host not in tree.hosts:
            close = closest(host, tree.hosts)
            hint = f"did you mean {close!r}?" if close else "see inventory --graph"
            raise InputError([Problem(f"there is no host {host!r}", hint=hint)])
        known = KnownRoles(role_path)
        merged = self._layers(known.names, layers.overrides(overrides, known.names))
        levels, values = merged.of(tree.hosts[host])
        values = self._evaluated(merged, host, values, {*connection.KNOWN, "roles"})
        wanted = values.get("roles")
        listed = [name for name in wanted if name in known.names] if isinstance(wanted, list) else []
        roles = {name: known.load(name) for name in dict.fromkeys([*listed, *(set(known.names) & values.keys())])}
        values = self._evaluated(merged, host, values, listed)
        return explain.rows(levels, values, roles, self._source.vaulted)

    def _evaluated(self, merged: layers.Layers, host: str, values: Map, used: Collection[str]) -> Map:
        """The variables of a host, with the templates of those that are used evaluated; one that is wrong stays."""
        found = values
        for name in [name for name in values if name in used and holds(values[name])]:
            problems = list[Problem]()
            value, at = self._expanded(merged, host, values, name, problems)
            if not problems:
                found = layers.copied(found) if found is values else found
                found.put(name, value, values.keys_at[name], at)
        return found

    def resolve(
        self,
        names: Sequence[str],
        *,
        role_path: Sequence[Path],
        roles: Sequence[str] | None = None,
        overrides: Sequence[str] = (),
        secrets: bool = True,
        ask: Ask | None = None,
        login: Mapping[str, Any] = MappingProxyType({}),
    ) -> list[Host]:
        """The hosts of these names, with typed settings. Raises InputError with everything that is wrong.

        `roles`: only these of a host's roles (`--roles`); `()` gives none, and looks up no role's secrets.
        `overrides`: `ROLE.KEY=VALUE` (`--set`). `secrets=False`: none is looked up, and placeholders stand for them.
        `login`: connection variables that win over the inventory's on all hosts.
        `ask`: asks a question on the terminal without echo, for `!secret prompt`, once all else was found right.
        """
        known = KnownRoles(role_path)
        problems = _unknown_roles(roles, known.names)
        levels: Sequence[layers.Level] = ()
        try:
            levels = layers.overrides(overrides, known.names)
        except InputError as error:
            problems += error.problems
        references = References(self._source.places, self._vault, no_exec=self._no_exec, ask=ask, resolve=secrets)
        merged = self._layers(known.names, levels)

        def make(found: References) -> Resolution:
            return Resolution(self._source, merged, known, found, roles, secrets, login)

        if problems:  # one look at the rest: no command is run and no question asked for secrets any more
            rest = make(references)
            rest.hosts(names)
            raise InputError([*problems, *rest.findings.problems()])
        hosts, warnings = resolve(make, references, names)
        self.warnings += [text for text in warnings if text not in self.warnings]
        given = {name for host in hosts for name in host.roles}
        unused = dict.fromkeys(setting.partition(".")[0] for setting in overrides)
        self.warnings += [
            f"--set {name}.…: no selected host has the role {name}" for name in unused if name not in given
        ]
        if missing := [name for name in roles or () if name not in given]:
            what = "no selected host has this role"
            raise InputError([Problem(f"--roles {name}: {what}", hint="add it to roles:") for name in missing])
        return hosts


def _noted(problems: list[Problem], host: str, path: tuple[Any, ...], problem: Problem) -> None:
    problems.append(Problem(f"host {host}: {problem.message}", problem.where, problem.hint))


def _untemplated(rollout: Any) -> Any:
    """`rollout:` is of no host. Raises InputError for a template in it."""
    if holds(rollout):
        what = "rollout is for the whole inventory, and there are no templates in it"
        raise InputError([Problem(what, hint="write the values themselves")])
    return rollout


def _unknown_roles(wanted: Sequence[str] | None, known: Sequence[str]) -> list[Problem]:
    problems = []
    for name in wanted or ():
        if name not in known:
            close = nearest(name, known)
            hint = f"did you mean {close!r}?" if close else f"there are: {', '.join(known)}"
            problems.append(Problem(f"--roles: no role is called {name!r}", hint=hint))
    return problems
