"""What the NVIDIA driver says of its GPUs, asked in a child (law 16) that has pynvml, which came with the plan.

The law: reads only. The answer is plain JSON; an error of NVML is part of it ("error"), a driver that does not
answer in time is Unknown. What each key is: see nvml_program.py.
"""

from ..host import child
from . import nvml_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..host.system import System

LIBRARIES = ("libnvidia-ml.so.1", "/usr/local/nvidia/lib64/libnvidia-ml.so.1")
"""Where the library is looked for: as the dynamic linker finds it, then where GPU clouds and containers mount it."""
TIMEOUT = 60
"""Seconds: eight GPUs without persistence mode take up to thirty to wake up."""

FIXES = {
    4: "run as root, and look whether a security module forbids /dev/nvidiactl",
    6: "there is no GPU that the driver could use: dmesg says why (RmInitAdapter, fallen off the bus)",
    9: "load the module (modprobe nvidia); if that fails: Secure Boot, nouveau, or no build for this kernel",
    12: "install the driver's user libraries in the driver's own version, then run ldconfig",
    13: "the driver is too old for this question",
    15: "the GPU fell off the bus (Xid 79): drain the host, power it off and on, check power and seating",
    16: "reset the GPU when it is idle, or reboot",
    17: "the container or service manager denies the device files: look at its device rules (DeviceAllow)",
    18: "reboot: the libraries were upgraded and the old module is still loaded; hold the driver's packages",
}
"""What to do, by NVML's error number."""


def ask(system: "System", timeout: int = TIMEOUT) -> "Any":
    """{"driver", "nvml", "cuda", "gpus": […]}, or {"error": {"code", "text", "fix"}}. Raises child.Unknown."""
    answer = child.run(system, nvml_program, {"libraries": list(LIBRARIES)}, ("pynvml",), timeout)
    if "error" in answer:
        answer["error"]["fix"] = FIXES.get(answer["error"]["code"], "look at dmesg for NVRM and Xid lines")
    return answer
