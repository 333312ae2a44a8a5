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
    modules: ClassVar[tuple[str, ...]] = ()
    """Python modules beyond the standard library that the agent runs in a child for this kind (see bundle.modules)."""

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
    validate_with: tuple[str, ...] | None = None
    """dockerd's command line on the staged file (`{}`), with `$DOCKER_OPTS` as /etc/default/docker has it by then: a file
    that dockerd cannot read is not put in place."""


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


class AptConf(Resource):
    """A file of apt's configuration, taken by apt's own parser before it is put in place; `content=None`: none."""

    kind = "apt_conf"
    path: AbsolutePath
    content: str | Secret | None
    mode: Mode = "0644"
    sensitive: bool = False


class AptEffective(Resource):
    """A probe: these options are what apt goes by, and no other file of the host wins over `path`."""

    kind = "apt_effective"
    path: AbsolutePath
    values: dict[str, str | Secret]
    """Options of apt by their full names: Acquire::http::Proxy."""


class ClientProxies(Resource):
    """The proxies that a user's containers get, in that user's ~/.docker/config.json; None: none."""

    kind = "client_proxies"
    user: str
    proxies: dict[str, str | Secret] | None
    """As Docker's client names them: httpProxy, httpsProxy, ftpProxy, noProxy."""


class Group(Resource):
    """A local system group that exists."""

    kind = "group"
    name: str


class UserAccount(Resource):
    """An account that exists; what is None is not looked at."""

    kind = "user_account"
    name: str
    uid: int | None = None
    home: AbsolutePath | None = None
    shell: AbsolutePath | None = None
    password_hash: Secret | None = None
    """As crypt(5) makes it."""
    password: Literal["on_create", "always"] = "on_create"  # noqa: S105 - when, not what
    """When the hash is set: only with an account that we make, or whenever it differs."""


class GroupMembership(Resource):
    """Is this account a member of this group? No other group of the account is touched."""

    kind = "group_membership"
    group: str
    user: str
    member: bool = True
    created: bool = False
    """The account is made in the same run: that it is not there yet is no error."""


class GroupExclusive(Resource):
    """Nobody but these accounts, and system accounts, is a member of this group."""

    kind = "group_exclusive"
    group: str
    keep: tuple[str, ...]


class RegistryProof(Resource):
    """A probe: the registry itself takes this login, asked from the host; due when login or CA change, or with age."""

    kind = "registry_proof"
    registry: str
    """host[:port] as `docker login` takes it; docker.io is Docker Hub."""
    username: str
    password: Secret
    ca_certificate: str | None = None
    """PEM, besides the system's and those in /etc/docker/certs.d."""
    realm_hosts: tuple[str, ...] = ()
    """Hosts outside of the registry's domain that may be given the login to make a token of it."""
    repository: str | None = None
    """A private repository for which a token is asked, where the registry gives a token to anybody."""
    insecure: bool = False
    """Unverified TLS, and plain HTTP, will do."""
    max_age: int = 86400
    """Seconds for which a proof holds."""
    timeout: int = 30
    """Seconds, for all questions together."""


class RegistryLogin(Resource):
    """A user's login at a registry, in ~/.docker/config.json or the user's credential helper; password None: none."""

    kind = "registry_login"
    registry: str
    user: str
    username: str
    password: Secret | None


class Image(Resource):
    """A container image in the host's Docker, pulled with a user's login; once there it is not pulled again."""

    kind = "image"
    reference: str
    """repository:tag or repository@digest."""
    login_of: str = "root"
    """The user whose login (RegistryLogin) is used."""
    minimum_free: int = 0
    """Bytes that must be free in Docker's data root beyond what the image needs."""
    timeout: int = 3600
    """Seconds, for the pull."""


class ImageMirror(Resource):
    """An image of the host's Docker that is also in another registry, under the name `target`."""

    kind = "image_mirror"
    source: str
    target: str
    login_of: str = "root"
    timeout: int = 3600


class Programs(Resource):
    """A probe: these programs are on the host's PATH, or at these full paths."""

    kind = "programs"
    names: Annotated[tuple[str, ...], Field(min_length=1)]
    fix: str


class Deb(Resource):
    """One package from a single .deb, checked against its sha256."""

    kind = "deb"
    name: str
    version: str
    source: Annotated[str, Field(pattern=r"^(/|https?://)")]
    """A path on the host, or a URL."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    conflicts: tuple[str, ...] = ()
    no_start: tuple[str, ...] = ()
    lock_timeout: int = 300
    timeout: int = 600
    """Seconds, for apt."""


class TomlValues(Resource):
    """Some values of a TOML file that others write to as well, by dotted key; all else stays."""

    kind = "toml_values"
    path: AbsolutePath
    values: dict[str, JsonValue]


class CdiSpec(Resource):
    """The CDI spec of the host's GPUs, made for the driver that is loaded."""

    kind = "cdi_spec"
    vendor: Literal["nvidia.com/gpu"] = "nvidia.com/gpu"


class NvidiaDriver(Resource):
    """A probe: the driver is whole: module, library and fabric manager of one version, all declared GPUs on the bus."""

    kind = "nvidia_driver"
    expect_gpus: int | None = None


class GpuProof(Resource):
    """A probe: containers on this host get their GPUs, by levels (agent/proof.py)."""

    kind = "gpu_proof"
    modules = ("pynvml",)
    levels: tuple[int, ...] = (0, 1, 2, 3)
    expect_gpus: int | None = None
    require_gpu: bool = False
    injection: tuple[Literal["cdi", "runtime", "gpus", "nvidia-docker"], ...] = ()
    """The ways to prove; empty: the first that is there."""
    image: str | None = None
    """One that is on the host and has the host's python3; None: made from the host."""
    limits: dict[str, int] = {}
    """Soft limits that must hold in a container beside the daemon's own: memlock, stack, nofile, shm (bytes; -1 unlimited)."""
    timeout: int = 120
    """Seconds for each container."""
    max_age: int = 86400
    """Seconds for which levels 2 and 3 hold."""
    volumes: tuple[AbsolutePath, ...] = ()
    """Directories of the host that a container must see through `-v`."""
    ignore_xids: tuple[int, ...] = ()
    require_persistence: bool = False


class DaemonInput(Resource):
    """A file that the Docker daemon looks at when it starts, beside its configuration. Never sent: see `DaemonOption`."""

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
