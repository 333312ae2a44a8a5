"""Container images in the host's Docker: there or not, pulled with a user's login, mirrored to another registry.

The law: a stopped Docker is not started by a look. Space is looked at before a byte is pulled. An image that is there
is not pulled again, whatever its tag has come to mean since.
"""

from ..docker import stream
from ..docker.engine_api import ApiError, Engine, NotRunning
from ..engine.resource import Resource
from ..host.errors import Failed, Unknown
from .client_config import Client, key_of
from .http import RegistryUnreachable
from .manifest import Reference, Remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..host.system import System
    from ..types import Diff, State

LOADED = "images"
"""Section of state.json: IDs of images that came from a bundle. Docker forgets the digest that they were asked by."""
UNPACKED = 3
"""Space that a pull takes, in sizes of the compressed image: the download itself, and its layers unpacked."""


class Image(Resource):
    reference: str
    login_of: str
    minimum_free: int
    timeout: int

    def identity(self) -> str:
        return self.reference

    def desired(self) -> "State":
        """present: true."""
        return {"present": True}

    def actual(self, system: "System") -> "State | None":
        """As `desired`, by Docker; a stopped Docker has none."""
        return {"present": inspect(system, self.reference) is not None}

    def apply(self, system: "System", diff: "Diff") -> None:
        """Pull it with the user's login, where there is room; or take it from the bundle."""
        if system.bundle is not None and system.bundle.images:
            from .bundled_images import load

            loaded = load(system, self.reference, self.minimum_free, self.timeout)
            system.state_file.put(LOADED, self.reference, {"id": loaded})
            return
        reference = Reference(self.reference)
        login = login_for(system, self.login_of, reference.host)
        self._check_space(system, reference, login)
        query = {"fromImage": reference.repository, "tag": reference.digest or reference.tag}
        stream.post(system, "/images/create", query, sent(reference, login), "pulling " + self.reference, self.timeout)

    def _check_space(self, system: "System", reference: Reference, login: "tuple[str, str] | None") -> None:
        info = Engine(system).get("/info")
        root = info["DockerRootDir"]
        answer = system.query(["df", "--output=avail", "-B1", root])
        if not answer.ok:
            raise Unknown("the free space of {} cannot be told: {}".format(root, answer.tail(1)))
        free = int(answer.out.split()[-1])
        try:
            size = Remote(system, reference, login, insecure(info, reference.host)).size()
        except (RegistryUnreachable, Failed):
            size = None  # Docker's own words about the registry are better, and follow
        needed = UNPACKED * (size or 0) + self.minimum_free
        if free < needed:
            cause = "{} wants {} MB free in {}, and there are {} MB".format(
                self.reference, needed >> 20, root, free >> 20
            )
            raise Failed(cause, "free some (docker system df shows what is held), or lower minimum_free")


class ImageMirror(Resource):
    source: str
    target: str
    login_of: str
    timeout: int

    def identity(self) -> str:
        return self.target

    def desired(self) -> "State":
        """tagged, pushed: true."""
        return {"tagged": True, "pushed": True}

    def actual(self, system: "System") -> "State | None":
        """As `desired`: pushed, where the registry has this very image."""
        source, target = inspect(system, self.source), inspect(system, self.target)
        if target is None or (source is not None and source["Id"] != target["Id"]):
            return {"tagged": False, "pushed": False}
        reference = Reference(self.target)
        digests = [
            digest.partition("@")[2]
            for digest in target.get("RepoDigests") or ()
            if digest.startswith(reference.repository + "@")
        ]
        if not digests:
            return {"tagged": True, "pushed": False}
        try:
            login = login_for(system, self.login_of, reference.host)
            remote = Remote(system, reference, login, insecure(Engine(system).get("/info"), reference.host))
            return {"tagged": True, "pushed": remote.digest() in digests}
        except RegistryUnreachable as error:
            raise Unknown("what {} has cannot be told: {}".format(reference.host, error)) from None

    def apply(self, system: "System", diff: "Diff") -> None:
        """Tag it and push it."""
        reference = Reference(self.target)
        Engine(system).post("/images/{}/tag".format(self.source), repo=reference.repository, tag=reference.tag)
        login = sent(reference, login_for(system, self.login_of, reference.host))
        path = "/images/{}/push".format(reference.repository)
        stream.post(system, path, {"tag": reference.tag}, login, "pushing " + self.target, self.timeout)


def inspect(system: "System", reference: str) -> "dict[str, Any] | None":
    """What Docker knows of an image, or None: no such image, or no Docker that runs."""
    try:
        found: "dict[str, Any]" = Engine(system).get("/images/{}/json".format(reference))
        return found
    except NotRunning:
        return None
    except ApiError as error:
        if error.status != 404:
            raise
    loaded = system.state_file.get(LOADED, reference) if "@" in reference else None
    return inspect(system, loaded["id"]) if loaded else None


def login_for(system: "System", user: str, host: str) -> "tuple[str, str] | None":
    """(user name, password) of a user's login at a registry, or None."""
    client = Client(system, user)
    name, colon, password = ((client.login(host) if client.exists else None) or "").partition(":")
    return (name, password) if colon else None


def sent(reference: Reference, login: "tuple[str, str] | None") -> "tuple[str, str, str] | None":
    return (key_of(reference.host),) + login if login else None


def insecure(info: "dict[str, Any]", host: str) -> bool:
    """Does this Docker take the registry without verified TLS? From GET /info."""
    entry = ((info.get("RegistryConfig") or {}).get("IndexConfigs") or {}).get(host) or {}
    return entry.get("Secure") is False
