"""The fold (law 7): what all roles want of the Docker daemon, as the resources of one host.

The law: pure. Each option in one place (layout.py); only keys that a role asks for are touched; every file is in place
before Docker's first start and before any restart; then it is read back from the running daemon. What leaves a file
goes before what enters the other one, so that a run that dies in between leaves a daemon that starts.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from provision.daemon import environment as environment_of
from provision.daemon import gate
from provision.daemon.layout import (
    DEFAULT_FILE,
    DROP_INS,
    EARLY,
    LATE,
    Layout,
    exec_start,
    flag_of,
    flags_for,
    flags_to_move,
    read_layout,
    validator,
)
from provision.daemon.options import MAPS, OPTIONS
from provision.daemon.refusals import refuse
from provision.errors import InputError, Problem
from provision.facts import Facts
from provision.resources import (
    DaemonEnvironment,
    DaemonFlags,
    DaemonOption,
    Directory,
    DockerLive,
    DockerService,
    File,
    Flag,
    JsonKeys,
    Key,
    Reload,
    Resource,
    Service,
)
from provision.role import Deferred, Refuse
from provision.templates import Templates

STAGE = "docker_daemon"
"""The stage of the daemon on a host that has no role of its own for it."""
NOBODY = ""
"""The role of a key that was somebody else's flag and had to move: it is in no run, so no run drops it."""


@dataclass(frozen=True)
class DaemonRoles:
    """The roles of a run, as far as the daemon is concerned."""

    in_run: tuple[str, ...]
    owner: str = STAGE
    """The one that the daemon's configuration belongs to."""
    engine: str | None = None
    """The one that installs Docker, where the host has one."""


def merge_options(
    options: Sequence[tuple[str, DaemonOption]],
    environment: Sequence[tuple[str, DaemonEnvironment]],
    facts: Facts,
    roles: DaemonRoles,
    templates: Templates | None = None,
) -> list[Resource]:
    """The daemon's resources for one host, from (role, option) and (role, variable) pairs of all of its roles.

    Raises InputError where two roles ask for different values, Refuse where this host's engine cannot do what is asked,
    and Deferred where its version is not known before the role that installs it is done.
    """
    wanted = merge_keys(options)
    if facts.docker.version is None:
        return _without_engine({role for role, _ in options}, facts, roles)
    nested = _nested(wanted)
    layout = read_layout(facts, nested)
    stays = {key: value for key, value in facts.docker.configured.items() if key not in facts.docker.written}
    refuse(nested, stays, {**layout.default_flags, **layout.unit_flags}, layout.version)
    templates = templates or Templates()
    proxies = environment_of.place(environment, facts, layout.version, templates)
    keys = [] if layout.legacy else [key for key in wanted.values() if key.path[0] not in layout.left]
    keys += [] if layout.legacy else _carried(layout, nested)
    keys += proxies.keys
    secret = any(key.secret for key in keys)
    unwanted = nested if layout.legacy else layout.left
    json_keys = JsonKeys(
        path=layout.config,
        keys=tuple(keys),
        absent=tuple((name,) for name in unwanted),
        roles=roles.in_run,
        mode="0600" if secret else "0644",
        sensitive=secret,
        validate_with=None if layout.legacy else validator(layout, facts, secret),
    )
    flags = _flags(layout, wanted, nested)
    daemon_flags = DaemonFlags(
        path=DEFAULT_FILE,
        flags=flags,
        absent=flags_to_move(layout, nested),
        variables=dict(proxies.variables),
        export=not layout.systemd,
        roles=roles.in_run,
    )
    drop_ins = list(_drop_ins(layout, bool(flags), templates, facts, roles.engine))
    written = [json_keys, daemon_flags, *drop_ins] if layout.legacy else [daemon_flags, *drop_ins, json_keys]
    live = _live(layout, wanted, nested, dict(proxies.live))
    service = DockerService(
        files=_files(layout, facts, bool(flags)),
        also=("docker.socket",) if layout.systemd else (),
        options=live,
        reload=None if layout.legacy else _reload(layout),
    )
    under = _containerd(layout, facts)
    return [*written, *proxies.files, *gate.opened(facts), *under, service, DockerLive(options=live)]


SOCKET = "/run/containerd/containerd.sock"
CONTAINERD = frozenset({"containerd", "containerd.io", "moby-containerd"})
"""Packages with a containerd.service."""


def _containerd(layout: Layout, facts: Facts) -> list[Resource]:
    """The packages' containerd, where the daemon is told to use it: it runs, and runs the program that is on disk.

    A unit that is still to come with its packages tells it to.
    """
    told = layout.unit_flags.get("containerd", [""])[-1].removeprefix("/var")
    coming = facts.docker.unit is None and facts.docker.daemon is None
    if not (layout.systemd and (coming or told == SOCKET) and CONTAINERD & facts.docker.packages.keys()):
        return []
    return [Service(name="containerd", enabled=None, platform="docker")]


def _without_engine(asking: set[str], facts: Facts, roles: DaemonRoles) -> list[Resource]:
    if roles.engine in roles.in_run:
        raise Deferred(str(roles.engine))
    if facts.docker.daemon is not None:
        raise Refuse(
            f"the version of {facts.docker.daemon} cannot be told", f"run `{facts.docker.daemon} --version` on the host"
        )
    if roles.owner not in asking and roles.owner not in roles.in_run:
        return []
    fix = f"include {roles.engine} in this run" if roles.engine else "add a role that installs it"
    raise Refuse("Docker is not installed on this host", fix)


def merge_keys(options: Sequence[tuple[str, DaemonOption]]) -> dict[tuple[str, ...], Key]:
    """One key per path, in the order asked. InputError where two roles differ."""
    wanted: dict[tuple[str, ...], Key] = {}
    problems = []
    for role, option in options:
        for key in _entries(role, option):
            before = wanted.setdefault(key.path, key)
            if before.value != key.value:
                problems.append(
                    f"{before.role} and {role} ask for different values of the Docker daemon's {'.'.join(key.path)}:"
                    f" {before.value!r} and {key.value!r}"
                )
    for path, key in wanted.items():
        for length in range(1, len(path)):
            whole = wanted.get(path[:length])
            if whole is not None:
                problems.append(
                    f"{whole.role} sets all of the Docker daemon's {'.'.join(whole.path)}, and {key.role} a part of it"
                )
    if problems:
        raise InputError([Problem(problem, hint="let one of the two have it") for problem in problems])
    return wanted


def _entries(role: str, option: DaemonOption) -> Iterator[Key]:
    if option.key[0] in MAPS and len(option.key) == 1 and isinstance(option.value, dict):
        for name, value in option.value.items():
            yield Key(path=(*option.key, name), value=value, role=role)
    else:
        yield Key(path=option.key, value=option.value, role=role)


def _nested(wanted: dict[tuple[str, ...], Key]) -> dict[str, Any]:
    """The keys as one daemon.json object."""
    result: dict[str, Any] = {}
    for path, key in wanted.items():
        place = result
        for part in path[:-1]:
            place = place.setdefault(part, {})
        place[path[-1]] = key.value
    return result


def _carried(layout: Layout, nested: dict[str, Any]) -> list[Key]:
    """Other people's entries of a map (ulimits, log options) whose flag leaves for daemon.json: they come along."""
    found = []
    for key in ("default-ulimits", "log-opts"):
        flag = OPTIONS[key].flag
        given = (layout.unit_flags.get(flag, []) if flag in layout.taken else []) + layout.default_flags.get(flag, [])
        entries = dict(value.partition("=")[::2] for value in given) if key in nested else {}
        for name, text in entries.items():
            if name not in nested[key]:
                value = _ulimit(name, text) if key == "default-ulimits" else text
                found.append(Key(path=(key, name), value=value, role=NOBODY))
    return found


def _ulimit(name: str, text: str) -> dict[str, Any]:
    soft, _, hard = text.partition(":")
    return {"Name": name, "Hard": int(hard or soft), "Soft": int(soft)}


def _flags(layout: Layout, wanted: dict[tuple[str, ...], Key], nested: dict[str, Any]) -> tuple[Flag, ...]:
    """For an engine whose options are flags: each in DOCKER_OPTS, but for those that the unit has already."""
    if not layout.legacy:
        return ()
    flags = []
    for path, key in wanted.items():
        name = flag_of(path[0], layout)
        if name is None or path[0] in layout.left:
            continue
        value = {path[1]: key.value} if len(path) > 1 else key.value
        for text in OPTIONS["data-root" if name == "graph" else path[0]].form(value):
            if re.search(r"[^A-Za-z0-9_./:=,@%+~^{}\[\]-]", text):
                raise Refuse(
                    f"{key.role}: {'.'.join(path)} is {text!r}, and DOCKER_OPTS can hold no such character", "change it"
                )
            flags.append(Flag(name=name, value=text, role=key.role))
    return tuple(flags)


def _drop_ins(
    layout: Layout, flags: bool, templates: Templates, facts: Facts, engine: str | None
) -> Iterator[Resource]:
    """Both of our drop-ins, as they should be: the one that is not needed is removed."""
    if not layout.systemd:
        return
    contents: dict[str, str | None] = {EARLY: None, LATE: None}
    variable = layout.legacy and flags and not layout.reads_default_file
    if layout.taken or variable:
        if not layout.unit_words:
            if facts.docker.daemon is None and engine:  # its version is foreseen; its unit comes with it
                raise Deferred(engine)
            raise Refuse(
                "there is no docker.service to give options to", "install Docker anew, or remove what masks its unit"
            )
        unit = facts.docker.unit
        if unit and _is_drop_in(unit.exec_start_from) and _name(unit.exec_start_from) > _name(LATE):
            cause = f"{unit.exec_start_from} has an ExecStart and sorts after our {_name(LATE)}, so it would win"
            raise Refuse(cause, "give it a name that sorts before, or take its ExecStart out")
        late = not layout.legacy or (unit is not None and _name(unit.exec_start_from) > _name(EARLY))
        origin = unit.exec_start_from if unit and unit.exec_start_from else "the unit"
        reason = (
            f"the command line of {origin}, less what we own" if layout.taken else f"the daemon reads {DEFAULT_FILE}"
        )
        contents[LATE if (late and _is_drop_in(origin)) or layout.taken else EARLY] = templates.render(
            "docker-exec-start.conf.j2",
            reason=reason,
            environment_file=DEFAULT_FILE if variable else None,
            exec_start=exec_start(layout, variable),
        )
    if any(contents.values()):
        yield Directory(path=DROP_INS)
    for path, content in contents.items():
        yield File(path=path, content=content)


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _is_drop_in(path: str) -> bool:
    return "/docker.service.d/" in path


def _files(layout: Layout, facts: Facts, flags: bool) -> tuple[str, ...]:
    """Every file that the daemon is started with."""
    unit = facts.docker.unit
    if not layout.systemd:
        script = "/etc/init/docker.conf" if facts.init == "upstart" else "/etc/init.d/docker"
        return (script, DEFAULT_FILE, layout.config)
    found = [
        *((unit.path, *unit.drop_ins) if unit else ()),
        EARLY,
        LATE,
        environment_of.DROP_IN,
        environment_of.ENVIRONMENT_FILE,
    ]
    found += [path for name in unit.environment_files if "*" not in (path := name.lstrip("-"))] if unit else []
    found += [DEFAULT_FILE] if layout.reads_default_file or flags else []
    return tuple(dict.fromkeys([*found, layout.config]))


def _reload(layout: Layout) -> Reload:
    """What this engine takes at a signal, and what its containers outlive."""
    known = [(key, option) for key, option in OPTIONS.items() if layout.version >= option.since]
    return Reload(
        file=layout.config,
        keys=tuple(key for key, option in known if option.reload and layout.version >= option.reload),
        outlived=tuple(key for key, option in known if option.outlived),
    )


def _live(
    layout: Layout, wanted: dict[tuple[str, ...], Key], nested: dict[str, Any], proxies: dict[str, str]
) -> dict[str, Any]:
    """What must be so in the running daemon: options by their keys, and flags under `--name`."""
    live: dict[str, Any] = {key: value for key, value in nested.items() if key != "proxies"}
    flags: dict[str, list[str]] = {}
    for flag in _flags(layout, wanted, nested):
        flags.setdefault(f"--{flag.name}", []).append(flag.value)
    for key in sorted(layout.left):
        for name in flags_for(key, layout) & layout.unit_flags.keys():
            flags[f"--{name}"] = layout.unit_flags[name]
    if proxies:
        live["proxies"] = proxies
    return live | flags
