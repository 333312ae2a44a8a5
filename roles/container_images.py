"""Container images that are on the host before anybody waits for them; optionally mirrored to a registry of one's own.

A tag is needed, and `latest` is refused: a locally tagged latest may be another image than the registry's latest, so
that nobody can tell what runs. An image that is there is not pulled again.
"""

import re
from collections.abc import Iterator
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from provision import role
from provision.resources import Image, ImageMirror, Resource

NEEDS = ("docker_daemon",)

NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Parts(NamedTuple):
    """An image reference, split: host "" is Docker Hub."""

    host: str
    name: str
    tag: str
    digest: str


def split(reference: str) -> Parts:
    """The parts of host/name:tag@digest; what is not there is "". Raises ValueError."""
    rest, _, digest = reference.partition("@")
    head, slash, tail = rest.rpartition("/")
    tail, _, tag = tail.partition(":")
    path = f"{head}{slash}{tail}"
    host, slash, name = path.partition("/")
    if not slash or not (host == "localhost" or "." in host or ":" in host):
        host, name = "", path
    right = (not host or HOST.fullmatch(host)) and NAME.fullmatch(name) and (not tag or TAG.fullmatch(tag))
    if not right or (digest and not DIGEST.fullmatch(digest)) or rest.endswith(":") or reference.endswith("@"):
        raise ValueError("should be an image, as in nvcr.io/nvidia/cuda:12.4.1-base-ubuntu22.04")
    return Parts(host, name, tag, digest)


def _image(value: str) -> str:
    parts = split(value)
    if not parts.digest and parts.tag in ("", "latest"):
        which = "no tag, which means latest" if not parts.tag else "the tag latest"
        raise ValueError(
            f"has {which}: a local latest may be another image than the registry's; write a version's tag or a digest"
        )
    return value


def _prefix(value: str) -> str:
    parts = split(value)
    if parts.tag or parts.digest or not parts.host:
        raise ValueError("should be a registry and a path in it, as in registry.corp:5000/nvidia")
    return value


class Settings(role.Settings):
    images: tuple[Annotated[str, AfterValidator(_image)], ...] = ()
    """Each with a tag or a digest."""
    mirror_to: Annotated[str, AfterValidator(_prefix)] | None = None
    """A registry and path, as in registry.corp:5000/nvidia: each image is pushed there under its last name."""
    login_of: str = "root"
    """The user whose login (role registry_login) is used to pull and to push."""
    minimum_free: Annotated[int, Field(ge=0)] = 2 * 1024**3
    """Bytes that must stay free where Docker keeps its images."""
    timeout: Annotated[int, Field(gt=0)] = 3600
    """Seconds for one image."""

    @model_validator(mode="after")
    def _mirrored_names_differ(self) -> Self:
        if self.mirror_to is None:
            return self
        seen: dict[str, str] = {}
        for image in self.images:
            if not split(image).tag:
                raise ValueError(f"{image} has a digest alone, and mirror_to needs a tag to push it under")
            other = seen.setdefault(mirrored(self.mirror_to, image), image)
            if other != image:
                raise ValueError(f"{other} and {image} would have the same name in {self.mirror_to}")
        return self


def resources(facts: role.Facts, settings: Settings) -> Iterator[Resource]:
    for image in dict.fromkeys(settings.images):
        yield Image(
            reference=image, login_of=settings.login_of, minimum_free=settings.minimum_free, timeout=settings.timeout
        )
        if settings.mirror_to is not None:
            target = mirrored(settings.mirror_to, image)
            yield ImageMirror(source=image, target=target, login_of=settings.login_of, timeout=settings.timeout)


def mirrored(prefix: str, image: str) -> str:
    """The name of an image in the mirror: nvcr.io/nvidia/cuda:12.4.1 is registry.corp:5000/nvidia/cuda:12.4.1."""
    parts = split(image)
    return f"{prefix.rstrip('/')}/{parts.name.rpartition('/')[2]}:{parts.tag}"
