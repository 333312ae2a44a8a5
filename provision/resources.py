"""The vocabulary: what a host can be asked to have.

The law: declaration only. How it is made true stands in agent/<kind>.py, and a contract test pins both field sets.
All are frozen, and an unknown field is an error. A field that may hold a secret takes `str | Secret`; where it does,
the resource is sensitive: the agent shows no diff of it.
"""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from provision.secrets import Secret

AbsolutePath = Annotated[str, Field(pattern=r"^/")]
Mode = Annotated[str, Field(pattern=r"^[0-7]{4}$")]


class Resource(BaseModel):
    """One thing that a host is asked to have."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
    kind: ClassVar[str]

    def fields(self) -> dict[str, Any]:
        """The fields as they travel: secrets revealed, and `sensitive` set where there are any."""
        values = {name: _plain(value) for name, value in self}
        if "sensitive" in values:
            values["sensitive"] = values["sensitive"] or any(
                isinstance(leaf, Secret) for _, v in self for leaf in _leaves(v)
            )
        return values


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, BaseModel):
        for _, item in value:
            yield from _leaves(item)
    else:
        yield value


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, BaseModel):
        return {name: _plain(item) for name, item in value}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


class File(Resource):
    """A regular file with exactly this content; `content=None` means that there must be none."""

    kind = "file"
    path: AbsolutePath
    content: str | Secret | None
    mode: Mode = "0644"
    owner: str = "root"
    group: str = "root"
    sensitive: bool = False
    validate_with: tuple[str, ...] | None = None
    """A command that must succeed before the file is put in place; `{}` stands for the staged file."""


class Directory(Resource):
    """A directory with this owner and mode; what is in it is not its business."""

    kind = "directory"
    path: AbsolutePath
    mode: Mode = "0755"
    owner: str = "root"
    group: str = "root"


class Key(BaseModel):
    """One key of a JSON file, and who asks for it."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
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


class Flag(BaseModel):
    """One flag of the Docker daemon, as `--name=value`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
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


class AptSource(Resource):
    """One package source for apt with its own key: a deb822 file (one-line form for apt < 1.1)."""

    kind = "apt_source"
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    """The file's name under /etc/apt/sources.list.d, without `.sources`."""
    uri: str
    suite: str
    components: tuple[str, ...]
    """Empty for a flat repository (its suite ends with "/")."""
    architecture: str | None
    key: str
    """An ASCII-armoured public key, or an https, http or file URL, or an absolute path on the host, to read it from."""
    fingerprint: Annotated[str, Field(pattern=r"^[0-9A-F]{40}$")]
    """The key is refused unless its primary key has this fingerprint."""
    replaces: tuple[str, ...] = ()
    """Names of other files in sources.list.d (with ending) that carry the same source and would conflict: removed."""
    present: bool = True
    """False: neither the source nor its key may be there."""


class Package(BaseModel):
    """One package of a set."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    version: str | None = None
    """Exact; None: any installed version will do, and the candidate is installed where there is none."""


class Packages(Resource):
    """A set of packages, installed in one apt transaction."""

    kind = "packages"
    packages: Annotated[tuple[Package, ...], Field(min_length=1)]
    latest: bool = False
    """Upgrade to apt's candidate where no exact version is asked."""
    hold: bool = False
    update: bool = True
    """Refresh apt's lists first when something is to be installed."""
    replace: tuple[str, ...] = ()
    """Installed packages that apt may remove for this; any other removal is a failure before anything is touched."""
    conflicts: tuple[str, ...] = ()
    """Packages whose presence is an error that names them, unless in `replace`."""
    no_start: tuple[str, ...] = ()
    """Services (docker, containerd) that the packages' scripts must neither start nor restart."""
    allow_downgrade: bool = False
    lock_timeout: int = 300
    """Seconds to wait for another program that holds a lock of apt or dpkg."""
    timeout: int = 1800
    """Seconds, for the transaction."""


class Service(Resource):
    """A service: does it start at boot, does it run, does it run what is on disk?"""

    kind = "service"
    name: str
    enabled: bool = True
    running: bool = True
    files: tuple[AbsolutePath, ...] = ()
    """The files that the service reads at its start: it is stale when they differ from what its process was started with."""
    also: tuple[str, ...] = ()
    """Units that start it by themselves (docker.socket): stopped and started with it."""
    live: dict[str, JsonValue] | None = None
    """For docker: the options that must be live, as in DockerLive; decides staleness of a process with no record."""
    ready: Literal["docker"] | None = None
    """How to tell that it is up, beyond the service manager's word."""
    timeout: int = 90
    """Seconds to come up."""


class Command(Resource):
    """A command with a guard: it runs when its guard says that it is needed, and the guard must hold afterwards."""

    kind = "command"
    name: str
    argv: Annotated[tuple[str, ...], Field(min_length=1)]
    creates: AbsolutePath | None = None
    unless: tuple[str, ...] | None = None
    """A command that only reads, and succeeds when there is nothing to do."""
    timeout: int = 300

    def model_post_init(self, context: object) -> None:
        if (self.creates is None) == (self.unless is None):
            raise ValueError("a command needs exactly one guard: creates or unless")


class DockerLive(Resource):
    """A probe: the running Docker daemon has these options in effect, read over its socket and from /proc.

    What is written but not live is a failure. Keys are daemon.json's names; a key `--name` is a flag that must be on the
    daemon's command line, with the list of its values. What Docker does not tell (ulimits, shm size, dns) is left to
    the record of what the process was started with, and named in the result.
    """

    kind = "docker_live"
    options: dict[str, JsonValue]


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
