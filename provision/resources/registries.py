"""Registries: logins and their proof, images, the proxies of a user's own client."""

from provision.resources.resource import Resource
from provision.secrets import Secret


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
