"""What a registry has: whether an image is there, with which digest, and how large it is.

The law: reads only. Unreachable where there is no answer; None where the answer is that there is none.
"""

import platform

from .http import Registry, RegistryUnreachable, basic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..host.system import System
    from .http import RegistryResponse

SINGLE = ("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json")
LISTS = ("application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
HUB = "docker.io"


class Reference:
    """host/name:tag@digest, split; a name on Docker Hub gets its `library/`."""

    def __init__(self, text: str) -> None:
        rest, _, self.digest = text.partition("@")
        head, slash, tail = rest.rpartition("/")
        tail, _, self.tag = tail.partition(":")
        host, _, name = (head + slash + tail).partition("/")
        if not name or not ("." in host or ":" in host or host == "localhost"):
            host, name = HUB, (head + slash + tail)
            name = name if "/" in name else "library/" + name
        self.host, self.name = host, name
        self.repository = text.partition("@")[0][: -len(self.tag) - 1] if self.tag else text.partition("@")[0]


class Remote:
    """One image in its registry, seen with a login ((user, password) or None)."""

    def __init__(
        self, system: "System", reference: Reference, login: "tuple[str, str] | None", insecure: bool = False
    ) -> None:
        self._reference = reference
        self._login = login
        self._registry = Registry(system, reference.host, insecure=insecure)
        self._authorization = self._authorize()

    def _authorize(self) -> "str | None":
        scheme, parameters = self._registry.challenge()
        if scheme == "bearer":
            status, token = self._registry.token(
                parameters, self._login, "repository:{}:pull".format(self._reference.name)
            )
            if token is None:
                raise RegistryUnreachable("{} gave no token (status {})".format(self._reference.host, status))
            return "Bearer " + token
        return basic(self._login) if scheme == "basic" and self._login else None

    def _manifest(self, what: str) -> "RegistryResponse | None":
        path = "{}/manifests/{}".format(self._reference.name, what)
        answer = self._registry.ask(path, self._authorization, accept=", ".join(SINGLE + LISTS))
        if answer.status not in (200, 404):
            raise RegistryUnreachable("{} answers with status {}".format(self._reference.host, answer.status))
        return answer if answer.status == 200 else None

    def digest(self) -> "str | None":
        """The digest of the image's manifest, or None where the registry has no such image."""
        found = self._manifest(self._reference.digest or self._reference.tag)
        return found.headers.get("Docker-Content-Digest") if found else None

    def size(self) -> "int | None":
        """Bytes of the image's layers as they travel (compressed), for this machine's architecture; None: not known."""
        found = self._manifest(self._reference.digest or self._reference.tag)
        document = found.document() if found else {}
        for entry in document.get("manifests") or ():
            if (entry.get("platform") or {}).get("architecture") == ARCHITECTURES.get(platform.machine()):
                found = self._manifest(entry["digest"])
                document = found.document() if found else {}
                break
        sizes = [layer.get("size") for layer in document.get("layers") or ()]
        return sum(sizes) if sizes and all(isinstance(size, int) for size in sizes) else None
