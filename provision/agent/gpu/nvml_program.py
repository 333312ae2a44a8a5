"""The program that asks NVML, run in a child of the agent beside pynvml: never imported where it could hang us.

The law: standard library and pynvml only. What this driver or GPU does not support is None; any other error of a
question stands under the GPU's "errors", and never hides the answers to the others. Memory in bytes, power in
milliwatts, links in lanes; names are NVML's.
"""

import ctypes
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

UNSUPPORTED = (2, 3, 6, 13, 25)
"""NVML: invalid argument, not supported, not found, function not found, argument version mismatch."""
LOST = 15
MAX_LINKS = 36


def main(request: "Any") -> "Any":
    """All that is asked, as JSON types."""
    pynvml = sys.modules["pynvml"]  # put there by child.py

    _load(request["libraries"])
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return {"error": _error(error)}
    try:
        return _system(pynvml)
    except pynvml.NVMLError as error:
        return {"error": _error(error)}


def _load(libraries: "Any") -> "Any":
    """Load the first library that is there; pynvml then finds it by its name."""
    for name in libraries:
        try:
            return ctypes.CDLL(name, ctypes.RTLD_GLOBAL)
        except OSError:
            continue
    return None


def _error(error: "Any") -> "Any":
    return {"code": error.value, "text": str(error)}


def _text(value: "Any") -> "Any":
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _system(nvml: "Any") -> "Any":
    version = nvml.nvmlSystemGetCudaDriverVersion_v2()
    return {
        "driver": _text(nvml.nvmlSystemGetDriverVersion()),
        "nvml": _text(nvml.nvmlSystemGetNVMLVersion()),
        "cuda": "{}.{}".format(version // 1000, version % 1000 // 10),
        "gpus": [_gpu(nvml, index) for index in range(nvml.nvmlDeviceGetCount())],
    }


def _gpu(nvml: "Any", index: "Any") -> "Any":
    errors: "dict[str, Any]" = {}
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
    except nvml.NVMLError as error:
        return {"index": index, "uuid": None, "lost": error.value == LOST, "errors": {"handle": _error(error)}}
    gpu = {"index": index, "errors": errors}
    for key, question in QUESTIONS:
        gpu[key] = _answer(nvml, errors, key, question, handle)
    gpu["lost"] = any(error["code"] == LOST for error in errors.values())
    return gpu


def _answer(nvml: "Any", errors: "Any", key: str, question: "Any", handle: "Any") -> "Any":
    try:
        return question(nvml, handle)
    except nvml.NVMLError as error:
        if error.value not in UNSUPPORTED:
            errors[key] = _error(error)
    except AttributeError:
        pass  # a pynvml that is older than the question
    return None


def _memory(nvml: "Any", handle: "Any") -> "Any":
    try:
        memory = nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2)
        return {"total": memory.total, "reserved": memory.reserved, "free": memory.free, "used": memory.used}
    except (nvml.NVMLError_FunctionNotFound, nvml.NVMLError_ArgumentVersionMismatch):
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        return {"total": memory.total, "reserved": None, "free": memory.free, "used": memory.used}


def _pair(function: "Any") -> "Any":
    """A question that answers [current, pending]."""

    def ask(nvml: "Any", handle: "Any") -> "Any":
        current, pending = getattr(nvml, function)(handle)
        return {"current": current, "pending": pending}

    return ask


def _plain(function: "Any", *arguments: "Any") -> "Any":
    def ask(nvml: "Any", handle: "Any") -> "Any":
        return _text(getattr(nvml, function)(handle, *arguments))

    return ask


def _bus(nvml: "Any", handle: "Any") -> "Any":
    """As /sys names it: 0000:17:00.0 (NVML has eight digits of domain, in capitals)."""
    domain, _, rest = _text(nvml.nvmlDeviceGetPciInfo(handle).busId).lower().partition(":")
    return "{:04x}:{}".format(int(domain, 16), rest)


def _mig_devices(nvml: "Any", handle: "Any") -> "Any":
    uuids = []
    for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            device = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
        except nvml.NVMLError_NotFound:
            continue
        uuids.append(_text(nvml.nvmlDeviceGetUUID(device)))
    return uuids


def _remapped(nvml: "Any", handle: "Any") -> "Any":
    corrected, uncorrected, pending, failure = nvml.nvmlDeviceGetRemappedRows(handle)
    return {"corrected": corrected, "uncorrected": uncorrected, "pending": bool(pending), "failure": bool(failure)}


def _fabric(nvml: "Any", handle: "Any") -> "Any":
    try:
        info = nvml.c_nvmlGpuFabricInfoV_t()
        nvml.nvmlDeviceGetGpuFabricInfoV(handle, ctypes.byref(info))
    except (nvml.NVMLError_FunctionNotFound, nvml.NVMLError_ArgumentVersionMismatch):
        info = nvml.c_nvmlGpuFabricInfo_t()
        nvml.nvmlDeviceGetGpuFabricInfo(handle, ctypes.byref(info))
    return {"state": info.state, "status": info.status}


def _throttle(nvml: "Any", handle: "Any") -> "Any":
    try:
        return nvml.nvmlDeviceGetCurrentClocksEventReasons(handle)
    except nvml.NVMLError_FunctionNotFound:
        return nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)


def _links(nvml: "Any", handle: "Any") -> "Any":
    """{"up": links that are active, "down": links that are there and are not}."""
    states = []
    for link in range(MAX_LINKS):
        try:
            states.append(nvml.nvmlDeviceGetNvLinkState(handle, link))
        except nvml.NVMLError as error:
            if error.value not in UNSUPPORTED:
                raise
            break
    return {"up": states.count(1), "down": states.count(0)} if states else None


def _processes(nvml: "Any", handle: "Any") -> "Any":
    for name in ("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"):
        try:
            return len(getattr(nvml, name)(handle))
        except nvml.NVMLError_FunctionNotFound:
            continue
    return None


def _capability(nvml: "Any", handle: "Any") -> "Any":
    return "{}.{}".format(*nvml.nvmlDeviceGetCudaComputeCapability(handle))


QUESTIONS = (
    ("uuid", _plain("nvmlDeviceGetUUID")),
    ("name", _plain("nvmlDeviceGetName")),
    ("serial", _plain("nvmlDeviceGetSerial")),
    ("vbios", _plain("nvmlDeviceGetVbiosVersion")),
    ("minor", _plain("nvmlDeviceGetMinorNumber")),
    ("bus", _bus),
    ("memory", _memory),
    ("compute_capability", _capability),
    ("compute_mode", _plain("nvmlDeviceGetComputeMode")),
    ("persistence", _plain("nvmlDeviceGetPersistenceMode")),
    ("power_limit", _plain("nvmlDeviceGetEnforcedPowerLimit")),
    ("ecc", _pair("nvmlDeviceGetEccMode")),
    ("ecc_uncorrected", _plain("nvmlDeviceGetTotalEccErrors", 1, 0)),
    ("mig", _pair("nvmlDeviceGetMigMode")),
    ("mig_devices", _mig_devices),
    ("remapped_rows", _remapped),
    ("retired_pages_pending", _plain("nvmlDeviceGetRetiredPagesPendingStatus")),
    ("fabric", _fabric),
    ("nvlinks", _links),
    ("throttle", _throttle),
    ("pcie_generation", _plain("nvmlDeviceGetCurrPcieLinkGeneration")),
    ("pcie_generation_max", _plain("nvmlDeviceGetMaxPcieLinkGeneration")),
    ("pcie_width", _plain("nvmlDeviceGetCurrPcieLinkWidth")),
    ("pcie_width_max", _plain("nvmlDeviceGetMaxPcieLinkWidth")),
    ("processes", _processes),
)
"""What is asked of each GPU, as (key, question)."""
