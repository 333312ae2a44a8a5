"""What the roles of a host would install on it: package sets, their sources, images; and for whom a bundle is made.

The law: pure. What a role yields depends on the engine that is there; so a bundle plans once more with the versions
that apt has found.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from provision.errors import InputError, Problem
from provision.facts import Facts, Nvidia, Os, PciDevice
from provision.plan import Stage
from provision.resources import AptSource, Deb, Download, Image, Packages

ENGINES = ("docker.io", "docker-ce", "docker-engine")
RELEASES = {
    "debian": {"10": "buster", "11": "bullseye", "12": "bookworm", "13": "trixie", "14": "forky"},
    "ubuntu": {"18.04": "bionic", "20.04": "focal", "22.04": "jammy", "24.04": "noble", "26.04": "resolute"},
}
"""VERSION_ID and codename, for hosts that nobody could ask."""
_ANY_GPU = PciDevice(address="0000:01:00.0", device="2330", device_class="0302")


@dataclass(frozen=True)
class Member:
    """One host, or what stands for all hosts of a release, and what it is asked to have."""

    name: str
    facts: Facts
    files: Mapping[str, bytes]
    """Its apt's sources, keys and preferences: {path without the first slash: contents}."""
    status: bytes
    """dpkg's, b"" where nobody could ask."""
    has_python: bool
    plan: Callable[[Facts], Sequence[Stage]]

    @property
    def label(self) -> str:
        """debian:bookworm/amd64."""
        return f"{self.facts.os.id}:{self.facts.os.codename or self.facts.os.version_id}/{self.facts.architecture}"


@dataclass
class Needs:
    """Of one host."""

    packages: list[str] = field(default_factory=list)
    """As apt-get takes them: NAME or NAME=VERSION."""
    sources: list[AptSource] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    """URLs of single files that a bundle does not carry."""


def needs(stages: Sequence[Stage]) -> Needs:
    """What these stages install."""
    found = Needs()
    for resource in (resource for stage in stages for resource in stage.resources):
        match resource:
            case Packages():
                names = [item.name + (f"={item.version}" if item.version else "") for item in resource.packages]
                found.packages += [name for name in names if name not in found.packages]
            case AptSource() if resource.present:
                found.sources.append(resource)
            case Image():
                found.images.append(resource.reference)
            case Deb() | Download():
                address = resource.source if isinstance(resource, Deb) else resource.url
                if "://" in address:
                    found.elsewhere.append(address)
    return found


def with_engine(facts: Facts, versions: Mapping[str, str]) -> Facts:
    """The facts of a host on which these packages ({name: version}) are installed, as far as roles look."""
    engine = next((name for name in ENGINES if name in versions), None)
    if engine is None:
        return facts
    upstream = re.match(r"(?:\d+:)?(\d+(?:\.\d+)+)", versions[engine])
    there = {name: version for name, version in versions.items() if name in ENGINES or name in facts.docker.packages}
    changes = {"packages": facts.docker.packages | there, "version": upstream[1] if upstream else None}
    return facts.model_copy(update={"docker": facts.docker.model_copy(update=changes)})


def assumed(system: Os, architecture: str) -> Facts:
    """The facts of a host that nobody could ask: a bare one with a GPU, so that nothing is left out."""
    nvidia = Nvidia(pci=(_ANY_GPU,), driver_loaded="580.0")
    return Facts(os=system, architecture=architecture, init="systemd", apt_version="2", nvidia=nvidia)


def named(text: str) -> tuple[Os, str]:
    """System and architecture of `debian:trixie/amd64` or `ubuntu:24.04/arm64`. Raises InputError."""
    match = re.fullmatch(r"([a-z]+):([a-z0-9.]+)/([a-z0-9]+)", text)
    releases = RELEASES.get(match[1], {}) if match else {}
    known = next((pair for pair in releases.items() if match and match[2] in pair), None)
    if match is None or known is None:
        names = ", ".join(f"{os}:{name}" for os, pairs in RELEASES.items() for name in pairs.values())
        raise InputError([Problem(f"--for {text}: is no release that is known here", hint=f"one of {names}, /amd64")])
    version, codename = known
    return Os(id=match[1], version_id=version, codename=codename, name=f"{match[1].title()} {version}"), match[3]
