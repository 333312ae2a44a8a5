"""NVIDIA: driver, CDI, and the proof that containers get their GPUs."""

from typing import Literal

from provision.agent.gpu.speed import MODULES
from provision.resources.resource import AbsolutePath, Resource


class CdiSpec(Resource):
    """The CDI spec of the host's GPUs, made for the driver that is loaded."""

    kind = "cdi_spec"
    vendor: Literal["nvidia.com/gpu"] = "nvidia.com/gpu"


class NvidiaDriver(Resource):
    """A probe: the driver is whole: module, library and fabric manager of one version, all declared GPUs on the bus."""

    kind = "nvidia_driver"
    expect_gpus: int | None = None


class GpuProof(Resource):
    """A probe: containers on this host get their GPUs, by levels (agent/gpu/proof/)."""

    kind = "gpu_proof"
    modules = ("pynvml",)
    levels: tuple[int, ...] = (0, 1, 2, 3)
    expect_gpus: int | None = None
    require_gpu: bool = False
    injection: tuple[Literal["cdi", "runtime", "gpus", "nvidia-docker"], ...] = ()
    """The ways to prove; empty: the first that is there."""
    image: str | None = None
    """One that is on the host and has the host's python3; None: made from the host."""
    limits: dict[str, int] = {}
    """Soft limits that a container must have beside the daemon's own: memlock, stack, nofile, shm (bytes; -1 none)."""
    timeout: int = 120
    """Seconds for each container."""
    max_age: int = 86400
    """Seconds for which levels 2 and 3 hold."""
    volumes: tuple[AbsolutePath, ...] = ()
    """Directories of the host that a container must see through `-v`."""
    ignore_xids: tuple[int, ...] = ()
    require_persistence: bool = False
    gate: tuple[int, ...] = (0, 1, 2, 3)
    """The levels, those of other probes too, that must have passed for /run/provision/gpu-proven to be there."""


class GpuSurvival(Resource):
    """A probe: a running container keeps its GPUs through reloads and a restart (level 4; agent/gpu/survival.py)."""

    kind = "gpu_survival"
    modules = ("pynvml",)
    injection: tuple[Literal["cdi", "runtime", "gpus"], ...] = ()
    """The ways to try; empty: the first that is there."""
    image: str | None = None
    """One that is on the host and has the host's python3; None: made from the host."""
    timeout: int = 120
    """Seconds for each look into the container."""
    gate: tuple[int, ...] = (0, 1, 2, 3, 4)
    """As in gpu_proof."""


class GpuSpeed(Resource):
    """A probe: each GPU is as fast as it should be, and computes right (level 5; agent/gpu/speed/)."""

    kind = "gpu_speed"
    modules = MODULES
    full: bool = True
    """False: without FP64 and the second kernel of the tensor cores, and a shorter run at full power."""
    max_age: int = 604800
    """Seconds for which a proof holds."""
    beside_jobs: bool = False
    """Measure though others use the GPUs: both get slower."""
    limit: int = 60
    """Seconds for each GPU."""
    least: dict[str, float] = {}
    """By figure: the share of the GPU's own limit that it must reach."""
    slack: dict[str, float] = {}
    """By figure: how much slower than in its last proof a GPU may be, as a share."""
    gate: tuple[int, ...] = (0, 1, 2, 3, 5)
    """As in gpu_proof."""


class GpuDcgm(Resource):
    """A probe: NVIDIA's own diagnosis, `dcgmi diag`, passes (level 6; agent/gpu/dcgm.py)."""

    kind = "gpu_dcgm"
    suite: int = 1
    """Of dcgmi diag -r: 1 loads no GPU."""
    timeout: int = 300
    """Seconds for it."""
    max_age: int = 604800
    """Seconds for which a proof holds."""
    gate: tuple[int, ...] = (0, 1, 2, 3, 6)
    """As in gpu_proof."""
