"""Where each option of the Docker daemon stands on one host: in daemon.json, in DOCKER_OPTS, or in its unit already.

The law: decided by what is found there (engine, unit, DOCKER_OPTS), never by the distribution's name. One option stands
in one place: dockerd does not start when a flag and daemon.json name the same one, even with equal values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from provision.agent.docker.flags import parse, values
from provision.daemon.command_line import Variables, expand, without
from provision.daemon.options import FILE_SINCE, OPTIONS, VALIDATE_SINCE, Version, same, version_of
from provision.facts import Facts
from provision.role import Refuse

DEFAULT_FILE = "/etc/default/docker"
DROP_INS = "/etc/systemd/system/docker.service.d"
EARLY = f"{DROP_INS}/50-provision.conf"
DAEMON_UNTIL: Version = (17, 12)
"""The first version whose daemon is dockerd alone."""
LATE = f"{DROP_INS}/zz-provision.conf"
"""Sorts after the docker-override.conf of a DGX: the last ExecStart wins."""


@dataclass(frozen=True)
class Layout:
    """One host's daemon, before we touch it; our own drop-ins are not part of `facts.docker.unit`."""

    version: Version
    systemd: bool
    unit_words: tuple[str, ...]
    """The unit's command line, as it stands in its file."""
    variables: Variables
    """What its variables hold."""
    unit_flags: Mapping[str, list[str]]
    reads_default_file: bool
    default_flags: Mapping[str, list[str]]
    """Flags in DOCKER_OPTS, where the daemon gets them."""
    config: str
    taken: frozenset[str] = field(default=frozenset())
    """Flags of the unit that have to go, because we own the option and ask for another value."""
    left: frozenset[str] = field(default=frozenset())
    """daemon.json keys that the unit gives as flags, just as asked."""

    @property
    def legacy(self) -> bool:
        """Is daemon.json of no use for all of our options?"""
        return self.version < FILE_SINCE


def read_layout(facts: Facts, wanted: Mapping[str, Any]) -> Layout:
    """The layout of this host for these options (daemon.json's top-level keys). Raises Refuse."""
    docker = facts.docker
    version = version_of(docker.version or "")
    systemd = facts.init == "systemd"
    unit = docker.unit if systemd else None
    words = unit.exec_start if unit else ()
    variables = unit.variables if unit else {}
    flags = values(expand(words[1:], variables))
    effective = unit.reads_default_file if unit else not systemd
    default = values(docker.default_options) if effective else {}
    layout = Layout(version, systemd, words, variables, flags, effective, default, docker.config)
    _check(facts, layout, wanted)
    left, taken = _flags_of_the_unit(layout, wanted)
    return Layout(version, systemd, words, variables, flags, effective, default, docker.config, taken, left)


def _check(facts: Facts, layout: Layout, wanted: Mapping[str, Any]) -> None:
    docker = facts.docker
    if layout.systemd and docker.unit is not None and docker.unit.masked:
        raise Refuse(
            "docker.service is masked on this host", "run `systemctl unmask docker.service`, if Docker is to run here"
        )
    if layout.unit_words[1:2] == ("daemon",) and layout.version >= DAEMON_UNTIL:
        where = docker.unit.exec_start_from if docker.unit else ""
        cause = (
            f"docker.service starts Docker with `docker daemon`, which Docker {docker.version} does not have any more"
        )
        raise Refuse(cause, f"write dockerd in its place, in {where}")
    if docker.config_problem:
        raise Refuse(docker.config_problem, "correct or remove it; nothing was written")
    if docker.default_problem and (layout.reads_default_file or layout.legacy):
        raise Refuse(docker.default_problem, "make DOCKER_OPTS one plain quoted line; nothing was written")
    for key in wanted:
        _check_version(key, layout, docker.version or "")
    if "bip" in wanted and (
        layout.unit_flags.get("bridge") or layout.default_flags.get("bridge") or docker.configured.get("bridge")
    ):
        raise Refuse("Docker on this host uses a bridge of its own (-b), and bip is for docker0", "drop one of the two")


def _check_version(key: str, layout: Layout, version: str) -> None:
    option = OPTIONS.get("graph" if key == "data-root" and layout.version < (17, 5) else key)
    if option is None:
        if layout.legacy:
            fix = "upgrade Docker to 17.06 or later, or leave it out"
            raise Refuse(f"Docker {version} takes its options as flags, and {key} is none that we know", fix)
        return
    if layout.version < option.since:
        since = f"{option.since[0]}.{option.since[1]:02d}" if len(option.since) > 1 and option.since[0] > 1 else ""
        since = since or ".".join(map(str, option.since)) + ("" if len(option.since) > 1 else ".0")
        raise Refuse(f"Docker {version} cannot do {key}: that came with {since}", f"upgrade Docker, or leave {key} out")
    if option.until is not None and layout.version >= option.until and key != "data-root":
        gone = ".".join(f"{part:02d}" for part in option.until)
        raise Refuse(f"Docker {version} has no {key} any more: it went with {gone}", f"leave {key} out")


def flag_of(key: str, layout: Layout) -> str | None:
    """The flag of a daemon.json key for this engine; None where there is none that we know."""
    if key == "data-root" and layout.version < (17, 5):
        return "graph"
    option = OPTIONS.get(key)
    return option.flag if option else None


def flags_for(key: str, layout: Layout) -> frozenset[str]:
    """All flags that set this key, whatever their age."""
    names = {flag_of(key, layout)} | ({"graph", "data-root"} if key == "data-root" else set())
    return frozenset(name for name in names if name)


def _flags_of_the_unit(layout: Layout, wanted: Mapping[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    left: set[str] = set()
    taken: set[str] = set()
    for key, value in wanted.items():
        option = OPTIONS.get(key)
        given = {name: layout.unit_flags[name] for name in flags_for(key, layout) if name in layout.unit_flags}
        if option is None or not given or (option.both and not layout.legacy):
            continue
        asked = option.form(value)
        # The same values elsewhere too would stop the daemon, or be given twice.
        if all(same(name, found, asked) for name, found in given.items()):
            left.add(key)
        else:
            taken.update(given)
    return frozenset(left), frozenset(taken)


def flags_to_move(layout: Layout, nested: dict[str, Any]) -> tuple[str, ...]:
    """Flags that must not stand in DOCKER_OPTS, because daemon.json or the unit has their option."""
    if layout.legacy:
        return tuple(sorted(name for key in layout.left for name in flags_for(key, layout)))
    if not layout.reads_default_file:
        return ()
    owned = [key for key in nested if not (key in OPTIONS and OPTIONS[key].both)]
    return tuple(sorted(name for key in owned for name in flags_for(key, layout)))


def validator(layout: Layout, facts: Facts, private: bool) -> tuple[str, ...] | None:
    """dockerd's command line as it will be, on a staged daemon.json (`{}`): conflicts of flags and file show there.

    None where there is no way: before 23 it runs as nobody, who cannot read a private file.
    """
    program = facts.docker.daemon
    if program is None or (layout.version < VALIDATE_SINCE and private):
        return None
    planned = parse(expand(without(layout.unit_words, layout.taken, layout.variables)[1:], layout.variables))
    words = [word for name, _, words in planned if name not in ("", "config-file", "pidfile") for word in words]
    # By then DOCKER_OPTS is as asked: the agent puts in what the file says.
    words += ["$DOCKER_OPTS"] if layout.reads_default_file else []
    words += ["--config-file={}"]
    if layout.version >= VALIDATE_SINCE:
        return (program, "--validate", *words)
    return ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, *words)


def exec_start(layout: Layout, add_variable: bool) -> str:
    """The unit's command line less what we took over, quoted for a unit file; `%` and `$` stand as they stood."""
    words = list(without(layout.unit_words, layout.taken, layout.variables))
    if any("********" in word for word in words):
        raise Refuse(
            "docker.service has a password on its command line, which we do not copy", "move it to daemon.json"
        )
    if add_variable:  # DOCKER_OPTS of the unit itself would be lost behind that of the file
        words = expand(words, {name: text for name, text in layout.variables.items() if name == "DOCKER_OPTS"})
    if add_variable and not any("DOCKER_OPTS" in word for word in words):
        words.append("$DOCKER_OPTS")
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    if word and not any(c in word for c in " \t\"'\\"):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
