"""Logins at container registries: proven against the registry from the host itself, then kept in each user's own
~/.docker/config.json or credential helper.

A login that the registry does not take is a failure before anything is written. Registries are trusted through the
system's certificates and those in /etc/docker/certs.d.
"""

import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from provision import role
from provision.resources import Directory, File, RegistryLogin, RegistryProof, Resource
from provision.secrets import Secret

CERTIFICATES = "/etc/docker/certs.d"
HUB = ("docker.io", "index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1/")
HOST = re.compile(r"(?=.{1,255}$)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?")
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S)


def _host(value: str) -> str:
    if value in HUB:
        return value
    if "/" in value:
        host = re.sub(r"^[a-z]+://", "", value).partition("/")[0]
        raise ValueError(f"should be host[:port] alone, as `docker login` takes it; did you mean {host!r}?")
    if not HOST.fullmatch(value):
        raise ValueError("should be host[:port], as `docker login` takes it")
    return value


def _certificate(value: object, info: ValidationInfo) -> object:
    """PEM text as it is; anything else is the path of a file, relative to the inventory."""
    if not isinstance(value, str):
        return value
    text = value if "-----BEGIN" in value else _read(value, info)
    found = CERTIFICATE.findall(text)
    try:
        for certificate in found:
            ssl.PEM_cert_to_DER_cert(certificate)
    except ValueError:
        found = []
    if not found:
        raise ValueError("should be a CA certificate in PEM, or the path of a file with one")
    return text


def _read(name: str, info: ValidationInfo) -> str:
    directory: Path = (info.context or {}).get("directory", Path())
    try:
        return (directory / Path(name).expanduser()).read_text("utf-8")
    except OSError as error:
        raise ValueError(f"cannot be read: {directory / name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"is no PEM file: {directory / name}") from None


Repository = Annotated[
    str, role.Spelled(r"^[a-z0-9]+([._/-]+[a-z0-9]+)*$", "should be a repository without its tag, as in nvidia/cuda")
]


class Registry(BaseModel):
    """One registry."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    username: Annotated[
        str, Field(min_length=1), role.Spelled(r"^[^:\x00-\x1f]+$", "should be a user name, without a colon")
    ]
    """As it is: $oauthtoken is NVIDIA's user name for API keys."""
    password: Secret
    """The password or API key."""
    users: tuple[Annotated[str, Field(min_length=1)], ...] = ("root",)
    """Whose Docker client is given the login."""
    ca_certificate: Annotated[str, BeforeValidator(_certificate)] | None = None
    """A file with the registry's CA in PEM, relative to the inventory; or the PEM text itself."""
    realm_hosts: tuple[str, ...] = ()
    """Hosts outside of the registry's domain that may be given the login to make a token of it."""
    repository: Repository | None = None
    """A private repository that the login may pull, for a registry that gives a token to anybody."""
    insecure: bool = False
    """Prove over unverified TLS or plain HTTP (docker_daemon.insecure_registries is the daemon's own switch)."""
    prove: bool = True
    """Ask the registry whether it takes the login. false: for a registry that the host cannot reach now."""

    @field_validator("password", mode="after")
    @classmethod
    def _one_line(cls, value: Secret) -> Secret:
        if re.search(r"[\x00-\x1f]", value.reveal()):
            raise ValueError("should be one line without control characters")
        return value


class Settings(role.Settings):
    registries: dict[Annotated[str, AfterValidator(_host)], Registry] = Field({})
    """By host[:port], as `docker login` takes it; docker.io is Docker Hub."""
    max_age: Annotated[int, Field(ge=0)] = 86400
    """Seconds for which a proven login is not proven again."""

    @model_validator(mode="after")
    def _hub_once(self) -> Self:
        hub = [name for name in self.registries if name in HUB]
        if len(hub) > 1:
            raise ValueError(f"{hub[0]} and {hub[1]} are the same registry, Docker Hub")
        if hub and self.registries[hub[0]].ca_certificate is not None:
            raise ValueError("Docker Hub is trusted through the system's certificates: take its ca_certificate out")
        return self


def resources(facts: role.Facts, settings: Settings) -> Iterator[Resource]:
    if any(registry.ca_certificate for registry in settings.registries.values()):
        yield Directory(path="/etc/docker")
        yield Directory(path=CERTIFICATES)
    for host, registry in settings.registries.items():
        if registry.ca_certificate is not None:
            yield Directory(path=f"{CERTIFICATES}/{host}")
            yield File(path=f"{CERTIFICATES}/{host}/ca.crt", content=registry.ca_certificate)
        if registry.prove:
            yield _proof(host, registry, settings.max_age)
        for user in registry.users:
            yield RegistryLogin(registry=host, user=user, username=registry.username, password=registry.password)


def _proof(host: str, registry: Registry, max_age: int) -> RegistryProof:
    return RegistryProof(
        registry=host,
        username=registry.username,
        password=registry.password,
        ca_certificate=registry.ca_certificate,
        realm_hosts=registry.realm_hosts,
        repository=registry.repository,
        insecure=registry.insecure,
        max_age=max_age,
    )
