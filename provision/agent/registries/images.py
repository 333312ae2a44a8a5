"""Container images in the host's Docker: there or not, pulled with a user's login, mirrored to another registry.

The law: a stopped Docker is not started by a look. Space is looked at before a byte is pulled. An image that is there
is not pulled again, whatever its tag has come to mean since.
"""

from ..docker import stream
from ..docker.engine_api import ApiError, Engine, NotRunning
from ..engine.resource import Resource
from ..host.errors import Failed, Unknown
from .client_config import Client, key_of
from .http import Unreachable
from .manifest import Reference, Remote

LOADED = "images"
"""Section of the memory: IDs of images that came from a bundle. Docker forgets the digest that they were asked by."""
UNPACKED = 3
"""Space that a pull takes, in sizes of the compressed image: the download itself, and its layers unpacked."""


class Image(Resource):
    fields = ("reference", "login_of", "minimum_free", "timeout")

    def identity(self):
        return self.reference

    def desired(self):
        return {"present": True}

    def actual(self, system):
        return {"present": inspect(system, self.reference) is not None}

    def apply(self, system, diff):
        if system.bundle is not None:
            from .bundled_images import load

            system.memory.put(
                LOADED, self.reference, {"id": load(system, self.reference, self.minimum_free, self.timeout)}
            )
            return
        reference = Reference(self.reference)
        login = login_for(system, self.login_of, reference.host)
        self._check_space(system, reference, login)
        query = {"fromImage": reference.repository, "tag": reference.digest or reference.tag}
        stream.post(system, "/images/create", query, sent(reference, login), "pulling " + self.reference, self.timeout)

    def _check_space(self, system, reference, login):
        info = Engine(system).get("/info")
        root = info["DockerRootDir"]
        answer = system.query(["df", "--output=avail", "-B1", root])
        if not answer.ok:
            raise Unknown("the free space of {} cannot be told: {}".format(root, answer.tail(1)))
        free = int(answer.out.split()[-1])
        try:
            size = Remote(system, reference, login, insecure(info, reference.host)).size()
        except (Unreachable, Failed):
            size = None  # Docker's own words about the registry are better, and follow
        needed = UNPACKED * (size or 0) + self.minimum_free
        if free < needed:
            cause = "{} wants {} MB free in {}, and there are {} MB".format(
                self.reference, needed >> 20, root, free >> 20
            )
            raise Failed(cause, "free some (docker system df shows what is held), or lower minimum_free")


class ImageMirror(Resource):
    fields = ("source", "target", "login_of", "timeout")

    def identity(self):
        return self.target

    def desired(self):
        return {"tagged": True, "pushed": True}

    def actual(self, system):
        source, target = inspect(system, self.source), inspect(system, self.target)
        tagged = target is not None and (source is None or source["Id"] == target["Id"])
        if not tagged:
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
        except Unreachable as error:
            raise Unknown("what {} has cannot be told: {}".format(reference.host, error)) from None

    def apply(self, system, diff):
        reference = Reference(self.target)
        name = {"repo": reference.repository, "tag": reference.tag}
        Engine(system).post("/images/{}/tag".format(self.source), **name)
        login = sent(reference, login_for(system, self.login_of, reference.host))
        path = "/images/{}/push".format(reference.repository)
        stream.post(system, path, {"tag": reference.tag}, login, "pushing " + self.target, self.timeout)


def inspect(system, reference):
    """What Docker knows of an image, or None: no such image, or no Docker that runs."""
    try:
        return Engine(system).get("/images/{}/json".format(reference))
    except NotRunning:
        return None
    except ApiError as error:
        if error.status != 404:
            raise
    loaded = system.memory.get(LOADED, reference) if "@" in reference else None
    return inspect(system, loaded["id"]) if loaded else None


def login_for(system, user, host):
    """(user name, password) of a user's login at a registry, or None."""
    client = Client(system, user)
    name, colon, password = ((client.login(host) if client.exists else None) or "").partition(":")
    return (name, password) if colon else None


def sent(reference, login):
    return (key_of(reference.host),) + login if login else None


def insecure(info, host):
    """Does this Docker take the registry without verified TLS? From GET /info."""
    entry = ((info.get("RegistryConfig") or {}).get("IndexConfigs") or {}).get(host) or {}
    return entry.get("Secure") is False
