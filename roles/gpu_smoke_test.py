"""The proof: containers on this host get exactly their GPUs, and the GPUs compute. A probe: it changes nothing.

Levels: 0 Docker answers and knows a way to give a container a GPU; 1 the host's GPUs are those that are declared,
and all is well with them; 2 a container sees exactly these, CUDA runs in it with a checked result, limits are as
configured; 3 a container sees no GPU that it did not ask for; 4 a running container keeps its GPUs through systemd's
daemon-reload, and Docker's reload and restart; 5 each GPU is as fast as it should be, and computes right; 6 NVIDIA's
own diagnosis, DCGM, passes. 0 and 1 are measured on every run and every check. 2 and 3 run containers, and are done
again when something they depend on has changed, or after `max_age`. 4 to 6 are tried only where `levels` names them;
4 and 5 want the host and its GPUs for themselves; 5 and 6 have an age of their own. On a host without a GPU the
containers are run all the same, and all is checked that needs no GPU.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from provision import role
from provision.resources import GpuDcgm, GpuProof, GpuSpeed, GpuSurvival, Resource

NEEDS = ("docker_daemon",)

LEVELS = (0, 1, 2, 3, 4, 5, 6)
SURVIVAL, SPEED, DCGM = 4, 5, 6
LATER = {
    7: "NCCL within a host: it needs a CUDA image and idle GPUs",
    8: "NCCL between hosts: it needs several hosts at once",
}

LEAST = {"memcpy_dtod": 0.85, "write": 0.85, "read": 0.85, "fma32": 0.95, "fma64": 0.95, "htod": 0.65, "dtoh": 0.7}
"""By figure: the share of its own limit (clocks, bus width, multiprocessors, PCIe link, all asked of the driver) that
a GPU must reach. Healthy H200s reach 0.89, 0.97, 0.95, 0.98, 0.98, 0.84 and 0.88."""
SLACK = {
    **dict.fromkeys(("memcpy_dtod", "write", "read"), 0.04),
    **dict.fromkeys(("fma32", "fma64"), 0.03),
    **dict.fromkeys(("mma", "wgmma"), 0.06),
    **dict.fromkeys(("sustained", "dtoh", "peer"), 0.1),
    "htod": 0.15,
}
"""By figure: how much less than in its last proof a GPU may do. Each is a multiple of what runs differ by."""


def _level(value: int) -> int:
    if value in LATER:
        raise ValueError(f"level {value} is not there yet ({LATER[value]}); there are 0 to 6")
    if value not in LEVELS:
        raise ValueError("there are levels 0 to 6")
    return value


Share = Annotated[float, Field(ge=0, le=1)]


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


class Speed(BaseModel):
    """Level 5: how it is measured. It is asked for by `levels`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["full", "lean"] = "full"
    """lean: without FP64, and 0.3 s instead of 1 s at full power."""
    max_age: Annotated[int, Field(ge=0)] = 604800
    """Seconds after which it is measured anew though nothing has changed."""
    beside_jobs: bool = False
    """Measure though others use the GPUs: the jobs get slower, and a GPU that is slow then is unknown, not failed."""
    timeout: Annotated[int, Field(ge=10, le=3600)] = 60
    """Seconds for each GPU; one without persistence mode takes long to wake up."""
    least: dict[Literal["memcpy_dtod", "write", "read", "fma32", "fma64", "htod", "dtoh"], Share] = {}
    """Shares of a GPU's own limit that it must reach, where they are not those of LEAST. 0: not held against it."""


class Dcgm(BaseModel):
    """Level 6: which diagnosis. It is asked for by `levels`, and needs DCGM on the host (datacenter-gpu-manager)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: Annotated[int, Field(ge=1, le=4)] = 1
    """Of `dcgmi diag -r`: 1 takes seconds and loads no GPU, 2 takes minutes, 3 and 4 much longer; not beside jobs."""
    timeout: Annotated[int, Field(ge=10, le=14400)] = 300
    """Seconds for all of it."""
    max_age: Annotated[int, Field(ge=0)] = 604800
    """Seconds after which it is run anew though nothing has changed."""


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
    speed: Speed = Speed()
    """How level 5 is measured."""
    dcgm: Dcgm = Dcgm()
    """How level 6 is diagnosed."""
    require_persistence: bool = False
    """Is a GPU without persistence mode a failure, and not only worth a word?"""


def resources(facts: role.Facts, settings: Settings) -> Iterator[Resource]:
    """One probe, and one for the speed where it is asked for and there are GPUs."""
    required = settings.require_gpu
    if required == "auto":
        required = facts.nvidia_machine or bool(settings.expect_gpus)
    limits = settings.limits.model_dump(exclude_none=True)
    levels = set(settings.levels) - {SURVIVAL, SPEED, DCGM} or {0, 1}
    levels |= {0, 1} if max(settings.levels) > 1 else set()
    gate = tuple(sorted(levels | (set(settings.levels) if facts.nvidia.gpus else set())))
    yield GpuProof(
        levels=tuple(sorted(levels)),
        gate=gate,
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
    if SURVIVAL in settings.levels and facts.nvidia.gpus:
        ways = tuple(way for way in settings.injection if way != "nvidia-docker")
        yield GpuSurvival(injection=ways, image=settings.image, timeout=settings.timeout, gate=gate)
    if SPEED in settings.levels and facts.nvidia.gpus:
        speed = settings.speed
        yield GpuSpeed(
            full=speed.mode == "full",
            max_age=speed.max_age,
            beside_jobs=speed.beside_jobs,
            limit=speed.timeout,
            least={**LEAST, **speed.least},
            slack=SLACK,
            gate=gate,
        )
    if DCGM in settings.levels and facts.nvidia.gpus:
        yield GpuDcgm(**settings.dcgm.model_dump(), gate=gate)
