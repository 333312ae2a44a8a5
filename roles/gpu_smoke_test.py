"""The proof: containers on this host get exactly their GPUs, and the GPUs compute. A probe: it changes nothing.

Levels: 0 Docker answers and knows a way to give a container a GPU; 1 the host's GPUs are those that are declared,
and all is well with them; 2 a container sees exactly these, CUDA runs in it with a checked result, limits are as
configured; 3 a container sees no GPU that it did not ask for. 0 and 1 are measured on every run and every check. 2
and 3 run containers, and are done again when something they depend on has changed, or after `max_age`. On a host
without a GPU the containers are run all the same, and all is checked that needs no GPU.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from provision import role
from provision.resources import GpuProof, Resource

NEEDS = ("docker_daemon",)

LATER = {
    4: "survival of daemon-reload and of a restart: it disturbs containers that run",
    5: "dcgmi diag: it needs DCGM on the host and minutes of idle GPUs",
    6: "NCCL within a host: it needs a CUDA image and idle GPUs",
    7: "NCCL between hosts: it needs several hosts at once",
}


def _level(value: int) -> int:
    if value in LATER:
        raise ValueError(f"level {value} is not there yet ({LATER[value]}); there are 0, 1, 2 and 3")
    if not 0 <= value <= 3:
        raise ValueError("there are levels 0, 1, 2 and 3")
    return value


class Limits(BaseModel):
    """Limits that must hold in a container. What the Docker daemon is configured to give is compared in any case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    memlock: Annotated[int, Field(ge=0)] | Literal["unlimited"] | None = None
    """Bytes of locked memory."""
    stack: Annotated[int, Field(ge=0)] | Literal["unlimited"] | None = None
    """Bytes of stack."""
    nofile: Annotated[int, Field(ge=0)] | None = None
    """Open files."""
    shm: Annotated[int, Field(ge=0)] | None = None
    """Bytes of /dev/shm."""


class Settings(role.Settings):
    expect_gpus: Annotated[int, Field(ge=0)] | None = None
    """How many GPUs this host has. Without it a card that is gone from the bus cannot be missed."""
    require_gpu: bool | Literal["auto"] = "auto"
    """Is a host without a GPU a failure? auto: on a DGX, a machine of NVIDIA's, and where expect_gpus says so."""
    levels: Annotated[tuple[Annotated[int, AfterValidator(_level)], ...], Field(min_length=1)] = (0, 1, 2, 3)
    """Which levels; those from 2 on need the ones before them."""
    injection: tuple[Literal["cdi", "runtime", "gpus", "nvidia-docker"], ...] = ()
    """The ways in that are proven: cdi is --device nvidia.com/gpu, runtime --runtime=nvidia. []: the first there is."""
    image: str | None = None
    """One that is on the host and has the host's python3. null: one of about 27 MB is made from the host."""
    limits: Limits = Limits()
    """Limits that must hold in a container."""
    timeout: Annotated[int, Field(ge=10, le=3600)] = 120
    """Seconds for each container."""
    max_age: Annotated[int, Field(ge=0)] = 86400
    """Seconds after which levels 2 and 3 are proven anew though nothing has changed."""
    volumes: tuple[
        Annotated[str, role.Spelled(r"^/[^:,\s]*$", "should be an absolute path, without colon, comma and space")], ...
    ] = ()
    """Directories of the host, as /raid/imagedata, that a container must see through `-v`; mounted read-only."""
    ignore_xids: tuple[int, ...] = ()
    """Xid errors in the kernel's log that are no failure."""
    require_persistence: bool = False
    """Is a GPU without persistence mode a failure, and not only worth a word?"""


def resources(facts: role.Facts, settings: Settings) -> Iterator[Resource]:
    """One probe."""
    required = settings.require_gpu
    if required == "auto":
        required = facts.nvidia_machine or bool(settings.expect_gpus)
    if required and not facts.nvidia.gpus:
        raise role.Refuse(
            "there is no NVIDIA GPU on the PCI bus, and there should be",
            "look at dmesg and `lspci -d 10de:`, then power the host off and on; or set require_gpu: false",
        )
    limits = settings.limits.model_dump(exclude_none=True)
    yield GpuProof(
        levels=tuple(sorted({0, 1, *settings.levels} if max(settings.levels) > 1 else set(settings.levels))),
        expect_gpus=settings.expect_gpus,
        require_gpu=required,
        injection=settings.injection,
        image=settings.image,
        limits={name: -1 if value == "unlimited" else value for name, value in limits.items()},
        timeout=settings.timeout,
        max_age=settings.max_age,
        volumes=settings.volumes,
        ignore_xids=settings.ignore_xids,
        require_persistence=settings.require_persistence,
    )
