"""What a message about GPUs in containers means: its cause, and what to do.

The law: matched on the words of Docker, NVIDIA and the kernel, case ignored; the first match wins, so the more
precise one stands first. No text of ours is changed by a match: the message itself is always shown too.
"""

from ..host import known_errors
from ..host.known_errors import KnownError


def explain(text: str) -> "KnownError | None":
    """The row that some output matches, or None."""
    return known_errors.explain(text or "", KNOWN, ignore_case=True)


KNOWN = (
    # -- how Docker gives a container its GPUs
    KnownError(
        (
            r"^\w+ \(runtime\): [\s\S]*(?:nvidia-container-cli\S*: (?:executable file not found|no such file)"
            r"|couldn't find binary nvidia-container-cli)"
        ),
        "the nvidia runtime works in legacy mode, and its nvidia-container-cli is not on this host",
        "set the mode back to auto (toolkit 1.18 or later), or install libnvidia-container-tools, or use CDI",
    ),
    KnownError(
        (
            r"nvidia-container-cli\S*: (?:executable file not found|no such file)"
            r"|couldn't find binary nvidia-container-cli"
        ),
        "--gpus goes through NVIDIA's hook, and the hook's nvidia-container-cli is not on this host",
        "install libnvidia-container-tools in the toolkit's version, or use CDI or the nvidia runtime",
    ),
    KnownError(
        r"could not select device driver \"?\\?\"?\\?\"? with capabilities: \[\[gpu\]\]",
        (
            "NVIDIA's hook was not on the Docker daemon's PATH when it started: "
            "no toolkit, or installed later, or a snap Docker"
        ),
        "install the toolkit (role nvidia_docker), then restart Docker; a snap cannot use it",
    ),
    KnownError(
        r"could not select device driver \\?\"?cdi",
        "this Docker daemon has no CDI: older than 25, or features.cdi is not true",
        "set nvidia_docker.cdi: true on Docker 25 or later",
    ),
    KnownError(
        (
            r"error mounting \S*(?:nvidia|cuda).*no such file"
            r"|bind mount source stat\S* .*(?:nvidia|cuda).*no such file"
        ),
        "the CDI spec is stale: it names files of another driver than the one that is on this host",
        "apply the role nvidia_docker, or nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
    ),
    KnownError(
        r"failed to stat CDI host device|(?:stat failed|device information)\S*:? .*/dev/nvidia.*no such file",
        "a device file of the GPU is not on this host: the GPU is gone, or the spec is of before a change of MIG",
        "look for the GPU (lspci -d 10de:; dmesg); nvidia-modprobe -u -c=0; then apply the role nvidia_docker",
    ),
    KnownError(
        r"hook.*(?:nvidia-cdi-hook|nvidia-ctk)\S*: (?:no such file|executable file not found|permission denied)",
        "the CDI spec calls a program of the toolkit that is not on this host, or cannot be executed",
        "install nvidia-container-toolkit-base anew, then apply the role nvidia_docker",
    ),
    KnownError(
        r"version .GLIBC_[\d.]+' not found",
        "the image's C library is older than the driver's libraries want",
        "take an image of a newer distribution, or leave gpu_smoke_test.image out",
    ),
    KnownError(
        r"unresolvable CDI devices|failed to inject CDI devices|CDI device injection failed",
        "there is no CDI spec for this GPU, or it was made for another driver or other MIG devices",
        "apply the role nvidia_docker, or nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
    ),
    KnownError(
        r"conflicting device",
        "two CDI specs name the same GPU",
        "remove the stale one (mostly /etc/cdi/nvidia.yaml beside /var/run/cdi/nvidia.yaml)",
    ),
    KnownError(
        r"unknown runtime specified nvidia|unknown or invalid runtime name: nvidia",
        "the runtime `nvidia` is not registered with the running Docker daemon",
        "let the role nvidia_docker register it (daemon.json: runtimes), then reload Docker",
    ),
    KnownError(
        r"\"?nvidia-container-runtime\"?\S*: (?:executable file not found|no such file)",
        "daemon.json names the nvidia runtime, and its binary is gone",
        "install the toolkit again, or drop runtimes.nvidia and default-runtime",
    ),
    KnownError(
        r"invoking the NVIDIA Container Runtime Hook directly",
        "config.toml sets mode = cdi, which --gpus cannot use on this Docker",
        "use --runtime=nvidia or --device nvidia.com/gpu=all, or set the mode back to auto",
    ),
    KnownError(
        r"unknown device|nvidia-container-cli: device error",
        "a GPU was asked for that this host does not have (index, UUID, or a MIG device that has changed)",
        "correct the selection; after a MIG change refresh the CDI spec",
    ),
    KnownError(
        r"failed to construct OCI spec modifier: invalid mode",
        "config.toml sets a mode of the nvidia runtime that this toolkit does not know",
        "set nvidia-container-runtime.mode to auto (cdi and legacy: all toolkits; jit-cdi: from 1.18 on)",
    ),
    KnownError(
        r"no runtime binary found from candidate list",
        "config.toml names no low-level runtime that is on this host",
        "install runc, or name the one that is there in nvidia-container-runtime.runtimes",
    ),
    KnownError(
        r"nvidia-container-runtime\"?\S* did not terminate successfully",
        "the nvidia runtime ends before it says why: mostly it cannot read its config.toml",
        "nvidia-container-runtime --version tells the line of /etc/nvidia-container-runtime/config.toml",
    ),
    KnownError(
        r"bpf_prog_query\(BPF_CGROUP_DEVICE\) failed|unable to find any existing device filters",
        "the device rules of a container cannot be set: rootless, LXC, or an old libnvidia-container on cgroup v2",
        "upgrade libnvidia-container, or (rootless only) set no-cgroups = true",
    ),
    # -- the driver
    KnownError(
        r"driver/library version mismatch|lib_?rm_?version_?mismatch",
        "the driver's libraries were upgraded and the old kernel module is still loaded",
        "reboot, or unload the modules when the GPUs are idle; hold the driver's packages",
    ),
    KnownError(
        r"couldn't communicate with the NVIDIA driver|nvml error: driver not loaded|driver not loaded",
        "the NVIDIA kernel module is not loaded",
        "modprobe nvidia; if that fails: Secure Boot key, nouveau, or no module for this kernel",
    ),
    KnownError(
        r"load library failed: libnvidia-ml|libnvidia-ml\.so\.1: cannot open",
        "the driver's user libraries are not there, or not in the linker's cache, or Docker is a snap",
        "install the driver's libraries in its version and run ldconfig; remove a snap Docker",
    ),
    KnownError(
        r"invalid ELF header|file too short|wrong ELF class",
        "a library of the driver that the container got is damaged, or made for another processor",
        "install the driver's libraries anew, run ldconfig, then nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
    ),
    KnownError(
        r"libcuda\.so\.1: cannot open",
        "the container got no libcuda: no GPU was injected, or without the capability `compute`",
        "ask for the GPU (--gpus all, the nvidia runtime, or CDI); install the driver's libcuda",
    ),
    KnownError(
        r"unsatisfied condition: cuda|unsupported CUDA version",
        "the image wants a newer CUDA than this driver has",
        "a newer driver, or an older tag of the image",
    ),
    KnownError(
        r"failed to initialize nvml: unknown error|nvmlInit\S* (?:failed with )?999",
        (
            "the container has lost its devices (systemctl daemon-reload under the systemd cgroup driver), "
            "or no-cgroups = true stands on a root host"
        ),
        "make the container anew; inject by CDI, or use the cgroupfs driver",
    ),
    KnownError(
        r"failed to initialize nvml: insufficient permissions",
        "SELinux or AppArmor forbids the device files",
        "--security-opt label=disable, or a policy",
    ),
    KnownError(
        r"gpu is lost|fallen off the bus|\bXid\b.*: 79\b",
        "a GPU fell off the bus",
        "drain the host, power it off and on; check power and seating",
    ),
    KnownError(
        r"system not yet initialized|SYSTEM_NOT_READY|\b802\b",
        "the fabric manager does not run, or is not of the driver's version (hosts with NVSwitches)",
        "install nvidia-fabricmanager in exactly the driver's version and start it",
    ),
    KnownError(
        r"STUB_LIBRARY|failed with 34\b",
        "the libcuda in the container is the CUDA toolkit's stub, made for linking only",
        "take the stubs directory off the image's LD_LIBRARY_PATH",
    ),
    KnownError(
        r"CUDA_ERROR_OPERATING_SYSTEM|failed with 304\b",
        "the device files are there and cannot be opened: device rules, file modes, SELinux or AppArmor",
        "ls -l /dev/nvidia*, in the container and on the host; inject by CDI or the nvidia runtime, not with --volume",
    ),
    KnownError(
        r"CUDA_ERROR_MPS_|failed with 80[5-9]\b",
        "CUDA is sent to MPS, whose server does not answer in this container",
        "start nvidia-cuda-mps-control, or take CUDA_MPS_PIPE_DIRECTORY away",
    ),
    KnownError(
        r"ECC_UNCORRECTABLE|failed with 214\b",
        "the GPU has an error in its memory that ECC could not correct",
        "drain the host and reset the GPU; replace it when nvidia-smi -q -d ROW_REMAPPER shows a failure",
    ),
    KnownError(
        r"NVLINK_UNCORRECTABLE|failed with 220\b",
        "an NVLink of the GPU has an error that could not be corrected",
        "drain the host and reset its GPUs; look at nvidia-smi nvlink -e and the fabric manager's log",
    ),
    KnownError(
        r"UNSUPPORTED_PTX_VERSION|failed with 222\b",
        "the driver is too old for the kernels of this proof",
        "upgrade the driver",
    ),
    KnownError(
        r"LAUNCH_TIMEOUT|failed with 702\b",
        "a kernel did not end in time: a display's watchdog, or a GPU that hangs",
        "dmesg | grep -i xid; take the display off this GPU, or drain the host and reset the GPU",
    ),
    KnownError(
        r"(?:ILLEGAL_ADDRESS|ILLEGAL_INSTRUCTION|MISALIGNED_ADDRESS|HARDWARE_STACK|LAUNCH_FAILED)"
        r"|failed with 7(?:00|14|15|16|19)\b",
        "the GPU broke off a kernel that is right: it, its memory or its driver is faulty",
        "dmesg | grep -i xid; drain the host and reset the GPU; replace it when it happens again",
    ),
    KnownError(
        r"cuInit failed with (?:35|803|804)\b|SYSTEM_DRIVER_MISMATCH|COMPAT_NOT_SUPPORTED|INSUFFICIENT_DRIVER",
        "the CUDA libraries in the container do not go with this driver",
        "upgrade the driver, or remove the compat libraries from the image",
    ),
    KnownError(
        r"CUDA_ERROR_UNKNOWN|cuInit failed with 999",
        "CUDA cannot start though NVML can: the nvidia-uvm device files are missing, or the CDI spec is stale",
        "nvidia-modprobe -u -c=0 on the host, refresh the CDI spec, make the container anew",
    ),
    KnownError(
        r"CUDA_ERROR_NO_DEVICE|cuInit failed with 100\b",
        "CUDA sees no GPU in this container",
        "ask for a GPU; look at NVIDIA_VISIBLE_DEVICES and CUDA_VISIBLE_DEVICES, and at the device files and variables "
        "that the CDI spec gives (nvidia-ctk cdi generate makes it anew)",
    ),
    KnownError(
        r"JIT_COMPILER_NOT_FOUND|cu\w+ failed with 221\b",
        "the container got no libnvidia-ptxjitcompiler that can be loaded, with which the driver compiles kernels",
        "install all libraries of the driver, then nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
    ),
    KnownError(
        r"CUDA_ERROR_OUT_OF_MEMORY|cu\w+ failed with 2\b",
        "the GPU has no free memory",
        "look who holds it (nvidia-smi), and try again when it is free",
    ),
    KnownError(
        r"DEVICE_UNAVAILABLE|DEVICES_UNAVAILABLE|all CUDA-capable devices are busy|failed with 46\b",
        "the GPU is in exclusive or prohibited compute mode, and somebody has it",
        "try again when the GPU is free, or set the compute mode back to default",
    ),
    # -- limits
    KnownError(
        r"error setting rlimit|prlimit\S* .*operation not permitted",
        "the default ulimits are above what this host may give (no CAP_SYS_RESOURCE): every container fails",
        "ask for no more than the hard limit in docker_daemon.default_ulimits",
    ),
    KnownError(
        r"ibv_reg_mr.*cannot allocate memory",
        "memlock is too low in the container",
        "default_ulimits: {{memlock: unlimited}}",
    ),
    KnownError(
        r"\bbus error\b",
        "the container's /dev/shm is full",
        "docker_daemon.default_shm_size: 1G, or --shm-size, or --ipc=host",
    ),
    # -- Docker, apt, registries
    KnownError(
        r"directives are specified both as a flag and in the configuration file",
        "one option of the Docker daemon stands in its unit and in daemon.json",
        "keep one of the two; the role docker_daemon does that for its own options",
    ),
    KnownError(
        r"unable to configure the Docker daemon with file|cannot unmarshal .* into Go",
        "daemon.json has a key or a type that this Docker does not take",
        "correct the key",
    ),
    KnownError(
        r"Conflicting values set for option Signed-By",
        "two package sources name the same repository with different keys",
        "remove the older file",
    ),
    KnownError(
        r"EXPKEYSIG|KEYEXPIRED|NO_PUBKEY",
        "the repository's key is old or incomplete",
        "fetch the key anew and check its fingerprint",
    ),
    KnownError(
        r"could not get lock /var/lib/(?:dpkg|apt)",
        "another package manager is at work",
        "wait for it (unattended-upgrades, cloud-init), never remove the lock",
    ),
    KnownError(
        r"no space left on device",
        "a file system is full",
        "free space; exited containers: docker ps --all --size",
    ),
    KnownError(
        r"toomanyrequests",
        "the registry's rate limit",
        "log in, or pull through a mirror",
    ),
    KnownError(
        r"unauthorized: authentication required|pull access denied",
        "not logged in to the registry",
        "role registry_login",
    ),
    KnownError(
        r"manifest (?:for \S+ )?(?:not found|unknown)",
        "the registry has no such tag (vendors delete old patch tags; nvidia/cuda has no latest)",
        "name a tag that exists, or a digest",
    ),
    KnownError(
        r"no such image",
        "the image is not on this host",
        "name it in container_images, or leave gpu_smoke_test.image out",
    ),
)
