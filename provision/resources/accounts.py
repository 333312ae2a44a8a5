"""Users, groups, and what Docker keeps in a user's home."""

from typing import Literal

from provision.resources.resource import AbsolutePath, Resource
from provision.secrets import Secret


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


class ClientProxies(Resource):
    """The proxies that a user's containers get, in that user's ~/.docker/config.json; None: none."""

    kind = "client_proxies"
    user: str
    proxies: dict[str, str | Secret] | None
    """As Docker's client names them: httpProxy, httpsProxy, ftpProxy, noProxy."""


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
