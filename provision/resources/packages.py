"""apt: sources with their keys, package sets, single packages, and apt's own configuration."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from provision.resources.resource import AbsolutePath, Mode, Resource
from provision.secrets import Secret


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

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
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


class PackageAbsent(Resource):
    """Packages that must not be installed; what apt would have to remove or install besides is a failure."""

    kind = "package_absent"
    names: Annotated[tuple[str, ...], Field(min_length=1)]
    purge: bool = False
    """Their configuration must be gone as well."""
    stops_docker: bool = False
    """The removal stops Docker or its containers: it waits for them as a restart does."""
    lock_timeout: int = 300
    """Seconds to wait for another program that holds a lock of apt or dpkg."""
    timeout: int = 600
    """Seconds, for the transaction."""


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
