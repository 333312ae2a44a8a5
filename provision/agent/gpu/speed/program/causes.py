"""What an error of CUDA or NVML means where a GPU is measured on the host: cause, what to do, and whether it says that
the GPU is not well (failed) or only that nothing is known of it (unknown)."""

FAILED, UNKNOWN = "failed", "unknown"

_LOG = "dmesg | grep -i -e nvrm -e xid; drain the host, then reset the GPU or reboot"
CUDA = {
    1: (FAILED, "the driver does not take this call's values", "upgrade the driver: it is older than this program"),
    2: (UNKNOWN, "the GPU has no free memory", "look who holds it (nvidia-smi), and run again when it is free"),
    3: (FAILED, "the driver is not initialized", "dmesg | grep -i -e nvrm -e xid"),
    46: (
        UNKNOWN,
        "the GPU is in exclusive or prohibited compute mode, or somebody has it",
        "run again when it is free, or nvidia-smi -c DEFAULT",
    ),
    100: (
        FAILED,
        "CUDA sees no such GPU, though NVML does",
        "ls -l /dev/nvidia* (nvidia-modprobe -u -c=0); nvidia-smi -q for its compute mode and MIG",
    ),
    101: (FAILED, "CUDA sees another GPU than NVML", "dmesg | grep -i -e nvrm -e xid"),
    200: (FAILED, "the driver cannot load the compiled kernel", "install all libraries of the driver, of one version"),
    201: (FAILED, "the GPU's context is gone", _LOG),
    205: (FAILED, "the driver cannot map the memory", _LOG),
    209: (FAILED, "the driver compiles nothing for this GPU", "upgrade the driver: it is older than the GPU"),
    214: (
        FAILED,
        "the GPU's memory has an error that ECC cannot correct",
        "nvidia-smi -q -d ECC,ROW_REMAPPER; reset the GPU or reboot; replace it when it comes again (RMA)",
    ),
    218: (
        FAILED,
        "the driver does not take this program's PTX",
        "upgrade the driver, and report this GPU's capability",
    ),
    220: (
        FAILED,
        "an NVLink has an error that cannot be corrected",
        "nvidia-smi nvlink -e; look at bridges, baseboard and nvidia-fabricmanager; reset the GPUs",
    ),
    221: (
        FAILED,
        "the driver's PTX compiler is not on this host (libnvidia-ptxjitcompiler.so.1)",
        "install all libraries of the driver in its version, then ldconfig",
    ),
    222: (FAILED, "the driver is too old for this program's PTX", "upgrade the driver"),
    226: (FAILED, "the GPU's memory is contained after an error of ECC", _LOG),
    304: (FAILED, "the operating system refused the driver a call", "dmesg; ulimit -l; look at the device rules"),
    500: (FAILED, "the compiled kernel lacks a function", "report it with the driver's version"),
    700: (FAILED, "a kernel read or wrote memory that it was given and could not", _LOG),
    701: (UNKNOWN, "the GPU has no resources left for a kernel", "run again when nobody uses the GPU"),
    702: (FAILED, "a kernel took too long, and the driver ended it", _LOG),
    710: (FAILED, "a kernel stopped itself", _LOG),
    714: (FAILED, "the GPU's hardware reports a stack error", _LOG),
    715: (FAILED, "the GPU met an illegal instruction in a good kernel", _LOG),
    716: (FAILED, "the GPU met a misaligned address in a good kernel", _LOG),
    717: (FAILED, "the GPU met a wrong address space in a good kernel", _LOG),
    718: (FAILED, "the GPU's program counter is invalid", _LOG),
    719: (FAILED, "a kernel failed on the GPU", _LOG),
    721: (FAILED, "a kernel on the GPU was contained after an error", _LOG),
    800: (FAILED, "the driver does not permit this", "look at MPS, MIG and the device rules"),
    801: (FAILED, "the driver does not support this on this GPU", "upgrade the driver"),
    802: (
        FAILED,
        "the fabric manager does not run, or is not of the driver's version (hosts with NVSwitches)",
        "install nvidia-fabricmanager in exactly the driver's version and start it",
    ),
    803: (FAILED, "libcuda and the loaded driver are of two versions", "reboot, and hold the driver's packages"),
    804: (FAILED, "a compat library of CUDA hides the driver's libcuda", "remove it from the linker's path; ldconfig"),
    805: (UNKNOWN, "the MPS server does not answer", "look at nvidia-cuda-mps-control, and run without it"),
    999: (
        FAILED,
        "CUDA cannot start though NVML can: mostly the nvidia-uvm device files are missing",
        "ls -l /dev/nvidia-uvm*; nvidia-modprobe -u -c=0; dmesg | grep -i -e nvrm -e xid",
    ),
}
NVML = {
    6: (UNKNOWN, "NVML knows no GPU at this address", "dmesg says why (RmInitAdapter, fallen off the bus)"),
    9: (FAILED, "the driver is not loaded", "modprobe nvidia; dmesg | grep -i -e nvrm -e nouveau"),
    15: (FAILED, "the GPU fell off the bus", "drain the host, power it off and on; check power and seating"),
    16: (FAILED, "the GPU wants a reset", "reset it when it is idle, or reboot"),
    18: (FAILED, "libnvidia-ml and the loaded driver are of two versions", "reboot, and hold the driver's packages"),
}


def of_cuda(code):
    """(verdict, cause, fix) of CUDA's error number; one that is not known is a failure."""
    return CUDA.get(code, (FAILED, "CUDA reports an error that is not known here", _LOG))


def of_nvml(code):
    """(verdict, cause, fix) of NVML's error number; None: its library cannot be loaded."""
    if code is None:
        cause = "libnvidia-ml.so.1 cannot be loaded on this host"
        return FAILED, cause, "install the driver's libraries in its version, then ldconfig"
    return NVML.get(code, (UNKNOWN, "NVML does not answer for this GPU", "dmesg | grep -i -e nvrm -e xid"))
