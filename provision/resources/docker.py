"""The Docker daemon: its options and flags, the keys of daemon.json, its service, and what is live."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from provision.resources.resource import AbsolutePath, Mode, Resource
from provision.secrets import Secret


class Key(BaseModel):
    """One key of a JSON file, and who asks for it."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True)
    path: tuple[str, ...]
    """From the top: ("runtimes", "nvidia")."""
    value: Any
    role: str
    """"" for a key that is nobody's: it is written, and never dropped."""
    secret: bool = False
    """Its value never shows; the other keys' do."""


class JsonKeys(Resource):
    """Some keys of a JSON file that others write to as well: ours are as asked, foreign ones stay."""

    kind = "json_keys"
    path: AbsolutePath
    keys: tuple[Key, ...]
    absent: tuple[tuple[str, ...], ...] = ()
    """Keys that must not be there, whoever wrote them."""
    roles: tuple[str, ...]
    """The roles of this run: a key that one of them asked for last time, and no more, goes."""
    mode: Mode = "0644"
    owner: str = "root"
    group: str = "root"
    sensitive: bool = False
    validate_with: tuple[str, ...] | None = None
    """dockerd's command line on the staged file (`{}`), with `$DOCKER_OPTS` as /etc/default/docker has it by then: a
    file that dockerd cannot read is not put in place."""


class Flag(BaseModel):
    """One flag of the Docker daemon, as `--name=value`."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    name: str
    """Without the dashes: default-ulimit."""
    value: str
    role: str


class DaemonFlags(Resource):
    """DOCKER_OPTS, and exported variables, in a shell file such as /etc/default/docker; all other lines stay.

    A flag of ours replaces the same flag of anybody (for a repeatable flag: the one with the same value, or the same
    name before `=`). Flags that are not ours stay, but for those named in `absent`.
    """

    kind = "daemon_flags"
    path: AbsolutePath
    flags: tuple[Flag, ...]
    absent: tuple[str, ...] = ()
    """Flags, without the dashes, that must not be there: their option stands in daemon.json."""
    variables: dict[str, str | Secret] = {}
    """NAME=value lines besides DOCKER_OPTS, exported where a shell reads the file."""
    export: bool = False
    """Write `export NAME=value` (upstart, sysvinit) and not `NAME=value` (systemd's EnvironmentFile)."""
    roles: tuple[str, ...]
    sensitive: bool = False


class Reload(BaseModel):
    """When a signal to the daemon is enough, and what its containers outlive."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    file: AbsolutePath
    """The JSON file that the signal makes it read again."""
    keys: tuple[str, ...]
    """Keys for which that is enough, where they are added or changed; a key that goes needs a restart."""
    outlived: tuple[str, ...]
    """Keys whose change containers outlive when it restarts with live-restore."""


class DockerService(Resource):
    """The Docker daemon as a service: does it start at boot, does it run, does it run what is on disk?"""

    kind = "docker_service"
    starts = True
    name: Literal["docker"] = "docker"
    enabled: bool = True
    running: bool = True
    files: tuple[AbsolutePath, ...] = ()
    """What the daemon reads at its start: it is stale when they differ from what its process was started with."""
    also: tuple[str, ...] = ()
    """Units that start it by themselves (docker.socket): stopped and started with it."""
    options: dict[str, JsonValue] = {}
    """What must be live, as in DockerLive: decides staleness of a process with no record."""
    reload: Reload | None = None
    """None: whatever it is, it restarts."""
    timeout: int = 90
    """Seconds to come up."""


class DockerLive(Resource):
    """A probe: the running Docker daemon has these options in effect, read over its socket and from /proc.

    What is written but not live is a failure. Keys are daemon.json's names; a key `--name` is a flag that must be on
    the daemon's command line, with the list of its values. What Docker does not tell (ulimits, shm size, dns) is left
    to the record of what the process was started with, and named in the result.
    """

    kind = "docker_live"
    options: dict[str, JsonValue]


class DockerCurrent(Resource):
    """Docker's daemons run the programs that are on disk. It restarts nothing: what was upgraded waits."""

    kind = "docker_current"
    ours: bool
    """Has a role of this run to do with Docker? Else it is asked only where an earlier run has started Docker."""


class DockerPrograms(Resource):
    """A probe: the programs that the engine's packages brought (docker, dockerd, containerd, runc, …) are there."""

    kind = "docker_programs"


class DaemonInput(Resource):
    """A file that the Docker daemon looks at when it starts, beside its configuration. Never sent: see DaemonOption."""

    kind = "daemon_input"
    path: AbsolutePath


class DaemonOption(Resource):
    """An option of the Docker daemon under daemon.json's name. Never sent: `daemon.fold` decides where it stands."""

    kind = "daemon_option"
    key: tuple[str, ...]
    value: Any


class DaemonEnvironment(Resource):
    """A variable of the Docker daemon's environment (a proxy). Never sent: see `DaemonOption`."""

    kind = "daemon_environment"
    name: str
    value: str | Secret
