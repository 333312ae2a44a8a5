"""NVIDIA's container stack: how containers get GPUs. The driver is asserted, never installed and never changed.

Three generations: the container toolkit of today; nvidia-docker2 (2017 to 2023), a runtime and a wrapper around it;
and nvidia-docker 1.0 (2016), a wrapper and a volume plugin, from a .deb of your own. `auto` takes the one that fits
the Docker engine. Moving up removes the older packages without purging them, so that /etc/docker/daemon.json, which
nvidia-docker2 holds as a configuration file of its own, stays.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from provision import role
from provision.resources import (
    AptSource,
    CdiSpec,
    DaemonInput,
    DaemonOption,
    Deb,
    File,
    NvidiaDriver,
    Package,
    Packages,
    Programs,
    Resource,
    Service,
    SystemdDropIn,
    TomlValues,
)

Generation = Literal["toolkit", "nvidia-docker2", "nvidia-docker1"]
KEY = "C95B321B61E88C1809C4F759DDCAE044F796ECB0"
"""NVIDIA CORPORATION (Open Source Projects), as NVIDIA publishes it."""
BASE = "nvidia-container-toolkit-base"
TOOLKIT = (
    "nvidia-container-toolkit",
    BASE,
    "libnvidia-container-tools",
    "libnvidia-container1",
)
CONFIG = "/etc/nvidia-container-runtime/config.toml"
REFRESH = "nvidia-cdi-refresh.service"
"""The toolkit's own unit (from 1.18 on), which makes the spec at boot: it mounts the first nvidia-smi on its PATH."""
PATH_OF_REFRESH = """\
[Service]
Environment=PATH={}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
"""
HOOK_SEEN = "/var/lib/provision/nvidia-container-runtime-hook"
CDI_SINCE, CDI_BY_DEFAULT, GPUS_SINCE, RUNTIMES_SINCE = (25,), (28, 2), (19, 3), (17, 6)
CDI_IN_DEBIAN = (13,)
"""The first Debian whose own docker.io has CDI."""
ListName = Annotated[str, role.Spelled(r"^[^/\s]+\.(list|sources)$", "should be the name of a file, as in docker.list")]
TomlKey = Annotated[
    str,
    role.Spelled(r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", "should be a dotted key, as in nvidia-container-cli.debug"),
]
Version = Annotated[
    str, role.Spelled(r"^([0-9]+:)?[0-9][A-Za-z0-9.+~-]*$", "should be a version such as 1.16.2-1, without wildcards")
]


DAEMON = True


class Repository(BaseModel):
    """Where the packages come from. The defaults are NVIDIA's own repository; for a mirror, give all that differs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: Annotated[str, role.Spelled(r"^[a-z][a-z0-9+-]*:\S+$", "should be a URL, as in https://HOST/PATH")] = (
        "https://nvidia.github.io/libnvidia-container/stable/deb/$(ARCH)"
    )
    """http, https or file; $(ARCH) is replaced by apt."""
    suite: Annotated[str, role.Spelled(r"^[^\s\[\]]+$", "should be one word, without brackets")] = "/"
    """A suite, or "/" for a flat repository."""
    components: tuple[str, ...] = ()
    """None for a flat repository."""
    key: str = "https://nvidia.github.io/libnvidia-container/gpgkey"
    """The ASCII-armoured public key, or a URL or a path on the host to read it from."""
    fingerprint: Annotated[str, role.Spelled(r"^[0-9A-F]{40}$", "should be 40 hexadecimal digits, in capitals")] = KEY
    """Of that key."""
    replaces: tuple[ListName, ...] = (
        "nvidia-container-toolkit.list",
        "libnvidia-container.list",
        "nvidia-container-runtime.list",
        "nvidia-docker.list",
    )
    """Files in /etc/apt/sources.list.d that have the same source with another key (which breaks all of apt), and go."""


class DebFile(BaseModel):
    """The package of nvidia-docker 1.0, which no public repository has any more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Annotated[str, role.Spelled(r"^(/|https?://)\S+$", "should be a path, or a URL with http or https")]
    """A path on the host, or a URL."""
    sha256: Annotated[str, role.Spelled(r"^[0-9a-f]{64}$", "should be the 64 hexadecimal digits of a SHA-256")]
    """Of the file."""
    version: Version = "1.0.1-1"
    """The package's version."""


class Settings(role.Settings):
    generation: Literal["auto"] | Generation = "auto"
    """auto: nvidia-docker1 for Docker before 17.06, nvidia-docker2 before 19.03, else the toolkit."""
    version: Version | None = None
    """Of the toolkit's packages (1.18.1-1), or of nvidia-docker2. None: the newest at first, then what is there."""
    base_only: bool = False
    """Install nvidia-container-toolkit-base alone: CDI and the runtime, without the legacy hook and its libraries."""
    packages: bool = True
    """false: the toolkit is on the host already, made by hand; it is only asserted and registered."""
    hold: bool = True
    """Hold the packages as a set, so that no upgrade takes one without the others."""
    repository: Repository | Literal["existing"] = Repository()
    """existing: package sources that the host has."""
    deb: DebFile | None = None
    """For nvidia-docker1: the package's file."""
    runtime: Annotated[str, role.Spelled(r"^/\S+$", "should be an absolute path")] = "/usr/bin/nvidia-container-runtime"
    """The runtime's full path."""
    default_runtime: bool = False
    """Make `nvidia` Docker's default runtime: each image made for CUDA then gets all GPUs unless told otherwise."""
    cdi: bool | Literal["auto"] = "auto"
    """Container Device Interface: a spec for the driver, and Docker's feature. auto: where Docker has it (>= 25)."""
    config: Mapping[TomlKey, JsonValue] = Field(default={})
    """Values of the toolkit's config.toml by dotted key, as in `nvidia-container-runtime.log-level: info`."""
    expect_gpus: Annotated[int, Field(ge=0)] | None = None
    """How many GPUs this host has. Another count on the PCI bus is a failure."""
    require_gpu: bool | Literal["auto"] = "auto"
    """Is a host without a GPU a failure? auto: on a DGX, a machine of NVIDIA's, and where expect_gpus says so."""
    lock_timeout: Annotated[int, Field(ge=0)] = 300
    """Seconds to wait for another program that holds a lock of apt or dpkg."""

    @model_validator(mode="after")
    def _legacy_needs_its_file(self) -> Self:
        if self.generation == "nvidia-docker1" and self.deb is None:
            raise ValueError("generation nvidia-docker1 needs `deb` (source and sha256): no repository has it any more")
        if self.generation == "nvidia-docker1" and self.default_runtime:
            raise ValueError("nvidia-docker1 has no runtime that could be the default one")
        if self.base_only and (self.generation not in ("auto", "toolkit") or self.cdi is False or not self.packages):
            raise ValueError("base_only is the toolkit's base package for CDI: leave generation, cdi and packages out")
        return self


def resources(facts: role.Facts, settings: Settings) -> Iterator[Resource]:
    """The driver asserted, the packages, their configuration, and what the Docker daemon has to know of them."""
    _refuse_without_gpu(facts, settings)
    engine = _version(facts)
    generation = _generation(settings, engine)
    if settings.base_only and engine and engine < CDI_SINCE:
        raise role.Refuse(
            f"Docker {facts.docker.version} has no CDI, which came with 25 and is all that base_only is for",
            "upgrade Docker, or leave nvidia_docker.base_only out",
        )
    yield NvidiaDriver(expect_gpus=settings.expect_gpus)
    if generation == "nvidia-docker1":
        yield from _first(facts, settings)
        return
    if engine and engine < RUNTIMES_SINCE:
        raise role.Refuse(
            f"Docker {facts.docker.version} cannot use the generation {generation}",
            "upgrade Docker, or take nvidia-docker1 with its .deb",
        )
    if settings.packages:
        yield from _packages(settings, generation)
    fix = "install the toolkit (packages: true), or correct nvidia_docker.runtime"
    yield Programs(names=(settings.runtime,), fix=fix)
    if settings.config:
        yield TomlValues(path=CONFIG, values=dict(settings.config))
    if generation == "toolkit":
        yield from _cdi(facts, settings, engine)
    yield from _registered(facts, settings)


def _refuse_without_gpu(facts: role.Facts, settings: Settings) -> None:
    if facts.nvidia.gpus:
        return
    required = settings.require_gpu
    if required == "auto":
        required = facts.nvidia_machine or bool(settings.expect_gpus)
    if not required:
        raise role.Skip("there is no NVIDIA GPU on the PCI bus")
    why = f"expect_gpus is {settings.expect_gpus}" if settings.expect_gpus else facts.dmi_product or "require_gpu"
    raise role.Refuse(
        f"there is no NVIDIA GPU on the PCI bus, and there should be ({why})",
        "look at dmesg and `lspci -d 10de:`, then power the host off and on; or set require_gpu: false",
    )


def _version(facts: role.Facts) -> tuple[int, ...] | None:
    """Docker's version, or None where it is not known before Docker is installed (this role is then planned again)."""
    return tuple(map(int, re.findall(r"\d+", facts.docker.version)[:2])) if facts.docker.version else None


def _generation(settings: Settings, engine: tuple[int, ...] | None) -> Generation:
    if settings.generation != "auto":
        return settings.generation
    if engine and engine < RUNTIMES_SINCE:
        if settings.deb is None:
            raise role.Refuse(
                "this Docker is so old that it needs nvidia-docker 1.0, which no repository has any more",
                "give nvidia_docker.deb (source and sha256), or upgrade Docker",
            )
        return "nvidia-docker1"
    return "nvidia-docker2" if engine and engine < GPUS_SINCE else "toolkit"


def _first(facts: role.Facts, settings: Settings) -> Iterator[Resource]:
    if facts.architecture != "amd64":
        raise role.Refuse(f"nvidia-docker 1.0 is for amd64, and this host is {facts.architecture}", "take the toolkit")
    engines = {"docker-engine", "docker-ce", "docker-ee"}
    if not engines & set(facts.docker.packages):
        there = ", ".join(sorted(facts.docker.packages)) or "none"
        raise role.Refuse(
            f"nvidia-docker 1.0 depends on docker-engine, docker-ce or docker-ee, and this host has {there}",
            "set docker_engine.flavour: docker-engine or docker-ce, or take another generation",
        )
    assert settings.deb is not None
    yield Deb(
        name="nvidia-docker",
        version=settings.deb.version,
        source=settings.deb.source,
        sha256=settings.deb.sha256,
        conflicts=("nvidia-docker2",),
        no_start=("docker", "containerd"),
        lock_timeout=settings.lock_timeout,
    )
    yield Programs(names=("nvidia-docker", "nvidia-docker-plugin"), fix="install the package nvidia-docker anew")
    yield Service(name="nvidia-docker", files=("/etc/default/nvidia-docker",))


def _packages(settings: Settings, generation: Generation) -> Iterator[Resource]:
    source = settings.repository
    if isinstance(source, Repository):
        yield AptSource(
            name="provision-nvidia",
            uri=source.uri,
            suite=source.suite,
            components=source.components,
            architecture=None,
            key=source.key,
            fingerprint=source.fingerprint,
            replaces=source.replaces,
        )
    names = (BASE,) if settings.base_only else TOOLKIT if generation == "toolkit" else ("nvidia-docker2",)
    older = ("nvidia-docker", "nvidia-docker2") if generation == "toolkit" else ("nvidia-docker",)
    yield Packages(
        packages=tuple(Package(name=name, version=settings.version) for name in names),
        hold=settings.hold,
        replace=older,
        conflicts=older,
        no_start=("docker", "containerd"),
        lock_timeout=settings.lock_timeout,
    )


def _cdi(facts: role.Facts, settings: Settings, engine: tuple[int, ...] | None) -> Iterator[Resource]:
    if settings.cdi is False:
        return
    if engine is None:
        if _cdi_is_coming(facts):
            yield from _spec(facts)
        return
    if engine < CDI_SINCE:
        if settings.cdi is True:
            raise role.Refuse(
                f"Docker {facts.docker.version} has no CDI, which came with 25", "upgrade Docker, or set cdi: false"
            )
        return
    yield from _spec(facts)
    refused = (facts.docker.configured.get("features") or {}).get("cdi") is False
    if engine < CDI_BY_DEFAULT or refused or settings.cdi is True:
        yield DaemonOption(key=("features", "cdi"), value=True)


def _spec(facts: role.Facts) -> Iterator[Resource]:
    if facts.nvidia.programs and facts.init == "systemd":
        yield SystemdDropIn(
            unit=REFRESH, name="50-provision.conf", content=PATH_OF_REFRESH.format(facts.nvidia.programs)
        )
    yield CdiSpec()


def _cdi_is_coming(facts: role.Facts) -> bool:
    """Will this run install a Docker with CDI? Then a check names the spec; it is planned once that Docker is there."""
    coming = {"docker-ce", "docker.io"} & facts.docker.packages.keys()
    release = tuple(map(int, re.findall(r"\d+", facts.os.version_id)[:1]))
    return bool(coming) and not (coming == {"docker.io"} and facts.os.id == "debian" and release < CDI_IN_DEBIAN)


def _registered(facts: role.Facts, settings: Settings) -> Iterator[Resource]:
    """The runtime; and the hook, for which dockerd looks only when it starts: without a restart `--gpus` stays unknown.

    What is watched is our note that the hook is there, not the hook: an upgrade of it needs no restart of Docker.
    """
    yield File(
        path=HOOK_SEEN, content="The Docker daemon has to be started once while the hook is there.\n", mode="0600"
    )
    yield DaemonInput(path=HOOK_SEEN)
    yield DaemonOption(key=("runtimes", "nvidia"), value=_runtime(facts, settings))
    if settings.default_runtime:
        yield DaemonOption(key=("default-runtime",), value="nvidia")


def _runtime(facts: role.Facts, settings: Settings) -> dict[str, Any]:
    """As it stands in daemon.json where that means the same: a change would cost a restart for nothing."""
    asked = {"path": settings.runtime, "runtimeArgs": []}
    there = (facts.docker.configured.get("runtimes") or {}).get("nvidia")
    if isinstance(there, dict) and not there.get("runtimeArgs"):
        name = settings.runtime.rpartition("/")[2]
        if there.get("path") == settings.runtime or (there.get("path"), settings.runtime) == (name, f"/usr/bin/{name}"):
            return there
    return asked
