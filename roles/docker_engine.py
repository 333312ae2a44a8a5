"""Docker Engine: its packages, from one flavour, at the asked versions, held.

The flavours: `docker.io` is the distribution's own; `docker-ce` the vendor's, with its repository and key as defaults;
`docker-engine` the legacy one of 2014 to 2017, from an operator's mirror. The packages never start the engine: that is
for docker_daemon, once the configuration is in place.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from provision import role
from provision.resources import AptSource, DockerPrograms, Package, Packages, Resource

INSTALLS = "docker"

Flavour = Literal["docker.io", "docker-ce", "docker-engine"]
Word = Annotated[str, role.Spelled(r"^[^\s\[\]]+$", "should be one word, without brackets")]
Fingerprint = Annotated[str, role.Spelled(r"^[0-9A-F]{40}$", "should be 40 hexadecimal digits, in capitals")]
ListName = Annotated[str, role.Spelled(r"^[^/\s]+\.(list|sources)$", "should be the name of a file, as in docker.list")]
Version = Annotated[
    str,
    role.Spelled(
        r"^(present|latest|([0-9]+:)?[0-9][A-Za-z0-9.+~-]*)$",
        "should be present, latest or a version such as 26.1.5, without wildcards",
    ),
]
Address = Annotated[
    str,
    role.Spelled(r"^[a-z][a-z0-9+-]*:(//)?[^\s@\[\]]*$", "should be a URL without a login, as in https://HOST/PATH"),
]

DOCKER_KEY = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
"""Docker Release (CE deb), as docs.docker.com publishes it."""
MAIN: dict[Flavour, tuple[str, ...]] = {
    "docker.io": ("docker.io",),
    "docker-ce": ("docker-ce", "docker-ce-cli", "containerd.io"),
    "docker-engine": ("docker-engine",),
}
OTHERS = ("docker-ee", "lxc-docker", "moby-engine", "podman-docker")
"""Engines, and what poses as one, that no flavour of ours lives beside."""
CONFLICTS: dict[Flavour, tuple[str, ...]] = {
    "docker.io": ("docker-ce", "docker-ce-cli", "docker-ce-rootless-extras", "containerd.io", "docker-engine", *OTHERS),
    "docker-ce": (
        *("docker.io", "docker-cli", "docker-compose", "docker-compose-v2", "docker-doc", "docker-engine"),
        *("containerd", "runc", *OTHERS),
    ),
    "docker-engine": ("docker.io", "docker-cli", "docker-ce", "docker-ce-cli", "docker-ce-rootless-extras", *OTHERS),
}
"""Installed packages that are in the way, as the vendors' instructions name them."""


class Repository(BaseModel):
    """Where the packages come from. What is left out is the vendor's own for docker-ce, and must be given otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: Address | None = None
    """http, https or file; docker-ce: the vendor's. A login belongs into /etc/apt/auth.conf.d, not in here."""
    suite: Word | None = None
    """The host's codename if not given; for a flat repository its folder, ending with "/"."""
    components: tuple[Word, ...] | None = None
    """docker-ce: stable; otherwise main; none for a flat repository."""
    key: str | None = None
    """Its ASCII-armoured public key, or a URL or a path on the host to read it from; docker-ce: `gpg` below the uri."""
    fingerprint: Fingerprint | None = None
    """Of that key; docker-ce: the vendor's."""
    replaces: tuple[ListName, ...] = ("docker.list",)
    """Files in /etc/apt/sources.list.d that have the same source with another key, and go."""

    @model_validator(mode="after")
    def _flat_has_no_components(self) -> Self:
        if self.suite is not None and self.suite.endswith("/") and self.components:
            raise ValueError('a flat repository (its suite ends with "/") has no components')
        return self


class Settings(role.Settings):
    flavour: Flavour | None = None
    """Which Docker. Not given: the one that is installed, and docker.io on a host with none."""
    version: Version = "present"
    """present: the newest at first, then what is there; latest; or an exact one (5:28.0.4-1~ubuntu.24.04~noble)."""
    hold: bool = True
    """Hold the packages, so that no other upgrade takes the engine along."""
    repository: Repository | Literal["existing"] | None = None
    """Where the packages come from. existing: sources that the host has. Not given: docker-ce's is the vendor's."""
    plugins: tuple[Word, ...] = ("docker-buildx-plugin", "docker-compose-plugin")
    """Packages beside the engine's own, for docker-ce."""
    replace: bool = False
    """Remove a conflicting engine. Its containers end."""
    allow_downgrade: bool = False
    """Take an exact version even if a newer one is installed."""
    lock_timeout: Annotated[int, Field(ge=0)] = 300
    """Seconds to wait for another program that holds a lock of apt or dpkg."""

    @model_validator(mode="after")
    def _legacy_needs_a_mirror(self) -> Self:
        if self.flavour == "docker-engine" and self.repository is None:
            raise ValueError(
                "docker-engine needs `repository`: its public one (apt.dockerproject.org) is gone since 2020-03-31, "
                "so give uri, suite, key and fingerprint of a mirror of yours"
            )
        if self.flavour == "docker-ce" or not isinstance(self.repository, Repository):
            return self
        missing = [name for name in ("uri", "key", "fingerprint") if getattr(self.repository, name) is None]
        if missing:
            raise ValueError(f"repository needs {', '.join(missing)}: only docker-ce has defaults for that")
        return self


def resources(facts: role.Facts, settings: Settings) -> Iterator[Resource]:
    """The source, where there is one of ours, then all packages in one transaction."""
    if facts.apt_version is None:
        raise role.Refuse(
            f"{facts.os.name or 'this host'} has no apt", "take a Debian or Ubuntu host, or drop docker_engine"
        )
    if facts.docker.snap:
        raise role.Refuse(
            "Docker is installed as a snap, beside which no other engine works", "snap remove docker, then run again"
        )
    flavour = _flavour(facts, settings)
    _refuse_conflicts(facts, settings, flavour)
    source = _source(facts, settings, flavour)
    if source is not None:
        yield source
    yield Packages(
        packages=tuple(
            Package(name=name, version=version) for name, version in _wanted(facts, settings, flavour).items()
        ),
        latest=settings.version == "latest",
        hold=settings.hold,
        replace=CONFLICTS[flavour] if settings.replace else (),
        conflicts=CONFLICTS[flavour],
        no_start=("docker", "containerd"),
        allow_downgrade=settings.allow_downgrade,
        lock_timeout=settings.lock_timeout,
    )
    yield DockerPrograms()


def provides(facts: role.Facts, settings: Settings) -> role.Facts:
    """The engine as it will be. One that has to be installed has no known unit or daemon, often no known version."""
    flavour = _flavour(facts, settings)
    main = MAIN[flavour][0]
    asked = _exact(settings)
    there = facts.docker.packages
    gone = [name for name in CONFLICTS[flavour] if name in there]
    if main in there and not gone and asked in (None, there[main]):
        return facts
    packages = {name: version for name, version in there.items() if name not in gone}
    packages |= {name: version or there.get(name, "") for name, version in _wanted(facts, settings, flavour).items()}
    changes: dict[str, Any] = {"packages": packages}
    if asked is not None or main not in there:
        changes["version"] = _upstream(asked)
    if main not in there or gone:
        changes |= {"unit": None, "daemon": None, "pid": None, "command_line": None}
    return facts.model_copy(update={"docker": facts.docker.model_copy(update=changes)})


def _flavour(facts: role.Facts, settings: Settings) -> Flavour:
    if settings.flavour is not None:
        return settings.flavour
    return next((flavour for flavour, names in MAIN.items() if names[0] in facts.docker.packages), "docker.io")


def _exact(settings: Settings) -> str | None:
    return None if settings.version in ("present", "latest") else settings.version


def _upstream(version: str | None) -> str | None:
    """The engine's own version in that of a package: 5:29.2.1-1~ubuntu.24.04~noble is 29.2.1."""
    match = re.match(r"(?:\d+:)?(\d+(?:\.\d+)+)", version or "")
    return match[1] if match else None


def _wanted(facts: role.Facts, settings: Settings, flavour: Flavour) -> dict[str, str | None]:
    """The packages of the set with their exact versions; containerd.io and the plugins have versions of their own."""
    exact = _exact(settings)
    if flavour == "docker.io":
        client = ("docker-cli",) if _client_is_apart(facts) else ()
        return dict.fromkeys(MAIN[flavour] + client, exact)
    if flavour == "docker-engine":
        return {"docker-engine": exact}
    if exact is not None and not re.match(r"\d+:", exact):
        return {"docker-ce": exact}  # before 18.09 (epoch 5) it was all in one package
    return {"docker-ce": exact, "docker-ce-cli": exact, "containerd.io": None} | dict.fromkeys(settings.plugins)


def _client_is_apart(facts: role.Facts) -> bool:
    """Debian's docker.io only recommends its client from 13 on; testing and unstable have no number."""
    number = facts.os.version_id.partition(".")[0]
    return facts.os.id == "debian" and (not number.isdigit() or int(number) >= 13)


def _refuse_conflicts(facts: role.Facts, settings: Settings, flavour: Flavour) -> None:
    found = [name for name in CONFLICTS[flavour] if name in facts.docker.packages]
    if found and not settings.replace:
        named = ", ".join(f"{name} {facts.docker.packages[name]}" for name in found)
        cause = f"{flavour} conflicts with what is installed: {named}"
        raise role.Refuse(cause, "ask for the flavour that is there, or set docker_engine.replace: true to remove it")


def _source(facts: role.Facts, settings: Settings, flavour: Flavour) -> AptSource | None:
    """The source of the packages, or None where the host's own sources have them."""
    given = settings.repository
    if given == "existing" or (given is None and settings.flavour != "docker-ce"):
        return None
    repository = given if isinstance(given, Repository) else Repository()
    uri = repository.uri or _vendor(facts)
    suite = repository.suite or facts.os.codename
    if not suite:
        raise role.Refuse("this host's release has no codename", "set docker_engine.repository.suite")
    components: tuple[str, ...] = ("stable",) if flavour == "docker-ce" else ("main",)
    if suite.endswith("/"):
        components = ()
    elif repository.components is not None:
        components = repository.components
    return AptSource(
        name={"docker.io": "docker-io", "docker-ce": "docker", "docker-engine": "docker-engine"}[flavour],
        uri=uri,
        suite=suite,
        components=components,
        architecture=facts.architecture,
        key=repository.key or f"{uri.rstrip('/')}/gpg",
        fingerprint=repository.fingerprint or DOCKER_KEY,
        replaces=repository.replaces,
    )


def _vendor(facts: role.Facts) -> str:
    if facts.os.id not in ("debian", "ubuntu"):
        raise role.Refuse(
            f"Docker has no repository for {facts.os.name or facts.os.id}",
            "set docker_engine.repository.uri and suite to those of the distribution it is made from",
        )
    return f"https://download.docker.com/linux/{facts.os.id}"
