"""The program that is run inside a container: what it sees, what it may, and whether the GPU computes.

The law: standard library only, one JSON line out, never a traceback instead of an answer; the kernel's result is
compared with what the processor computed. CUDA's driver API is called through ctypes, so that no CUDA image is
needed. Sizes in bytes, limits as getrlimit gives them (-1 is unlimited).
"""

import ctypes
import glob
import json
import os
import platform
import resource
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Sequence

COUNT = 1024
KERNEL = """
.version {version}
.target {target}
.address_size 64
.visible .entry triple(.param .u64 array)
{{
 .reg .u64 %address<3>;
 .reg .u32 %number<6>;
 ld.param.u64 %address0, [array];
 cvta.to.global.u64 %address0, %address0;
 mov.u32 %number0, %ctaid.x;
 mov.u32 %number1, %ntid.x;
 mov.u32 %number2, %tid.x;
 mad.lo.u32 %number0, %number0, %number1, %number2;
 mul.wide.u32 %address1, %number0, 4;
 add.u64 %address2, %address0, %address1;
 ld.global.u32 %number3, [%address2];
 mad.lo.u32 %number4, %number3, 3, 1;
 st.global.u32 [%address2], %number4;
 ret;
}}
"""
TARGETS = (("6.0", "sm_50"), ("4.3", "sm_30"), ("7.5", "sm_75"))
"""PTX version and target, tried in turn: a driver takes all up to its own, and has forgotten the oldest."""
INVALID_PTX = (200, 209, 218, 222)
LIBRARIES = ("libcuda.so.1", "/usr/local/nvidia/lib64/libcuda.so.1")
NVML = ("libnvidia-ml.so.1", "/usr/local/nvidia/lib64/libnvidia-ml.so.1")


class CudaError(Exception):
    """A call of the driver API that did not return 0."""

    def __init__(self, call: str, code: int, name: str = "") -> None:
        Exception.__init__(self, "{} failed with {} {}".format(call, code, name).strip())
        self.code = code


class Cuda:
    """libcuda, each call checked."""

    def __init__(self, names: "tuple[str, ...]") -> None:
        self._library = _first(names)

    def __call__(self, name: str, *arguments: "Any") -> None:
        code = getattr(self._library, name)(*arguments)
        if code:
            raise CudaError(name, code, self._name(code))

    def forgiving(self, name: str, *arguments: "Any") -> None:
        """A call that cleans up: what it fails with does not matter any more."""
        getattr(self._library, name)(*arguments)

    def _name(self, code: int) -> str:
        text = ctypes.c_char_p()
        function = getattr(self._library, "cuGetErrorName", None)
        if function is None or function(code, ctypes.byref(text)) or not text.value:
            return ""
        return text.value.decode("ascii", "replace")

    def uuid(self, device: "ctypes.c_int") -> str:
        """GPU-… of a device; the MIG device's own where the driver can tell."""
        data = (ctypes.c_ubyte * 16)()
        try:
            self("cuDeviceGetUuid_v2", data, device)
        except AttributeError:
            self("cuDeviceGetUuid", data, device)
        digits = bytes(data).hex()
        cuts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        return "GPU-" + "-".join(cuts)


def _first(names: "tuple[str, ...]") -> "ctypes.CDLL":
    problem = OSError("no name to try")
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError as error:
            problem = error
    raise problem


def main(request: "dict[str, Any]") -> "dict[str, Any]":
    started = time.perf_counter()
    found: "dict[str, Any]" = {
        "limits": limits(),
        "shm": shared_memory(),
        "uid": os.getuid(),
        "gid": os.getgid(),
        "machine": platform.machine(),
    }
    found["ipc"] = os.readlink("/proc/self/ns/ipc") if os.path.exists("/proc/self/ns/ipc") else None
    found["nodes"] = sorted(os.path.basename(path) for path in glob.glob("/dev/nvidia*"))
    found["volumes"] = {path: volume(path) for path in request.get("volumes", ())}
    smi = nvidia_smi(request.get("nvidia_smi", ()))  # it runs beside what follows
    found["nvml"] = nvml()
    found["missing"] = missing(request.get("libraries", ()), request.get("nodes", ()))
    found["cuda"] = cuda() if request.get("cuda", True) else None
    found["nvidia_smi"] = smi()
    found["seconds"] = round(time.perf_counter() - started, 3)
    return found


def limits() -> "dict[str, list[int]]":
    names = {"memlock": resource.RLIMIT_MEMLOCK, "stack": resource.RLIMIT_STACK, "nofile": resource.RLIMIT_NOFILE}
    return {name: list(resource.getrlimit(number)) for name, number in names.items()}


def volume(path: str) -> "Any":
    """What tells a directory from all others: device and inode; None where it cannot be listed."""
    try:
        os.listdir(path)
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_dev, status.st_ino]


def shared_memory() -> "int | None":
    try:
        status = os.statvfs("/dev/shm")
    except OSError:
        return None
    return status.f_blocks * status.f_frsize


def missing(libraries: "Sequence[str]", nodes: "Sequence[str]", mounts: str = "/proc/self/mountinfo") -> "list[str]":
    """Those of the driver's libraries that are neither mounted here nor in a directory of NVIDIA's that is; nodes."""
    with open(mounts, encoding="utf-8", errors="replace") as file:
        targets = [line.split(" ")[4] for line in file]
    folders = [path for target in targets if "nvidia" in target for path in glob.glob(target + "/lib*")]
    names = [os.path.basename(path) for path in targets]
    names += [name for folder in folders if os.path.isdir(folder) for name in os.listdir(folder)]
    absent = [library for library in libraries if not any(name.startswith(library + ".so.") for name in names)]
    return absent + [name for name in nodes if not os.path.exists("/dev/" + name)]


def nvidia_smi(places: "Sequence[str]") -> "Callable[[], dict[str, Any] | None]":
    """Starts `nvidia-smi -L`, of the first of these places that has one; what it answers. None: none is asked for."""
    there = [path for path in places if os.path.exists(path)]
    if there:
        return started([there[0], "-L"])
    absent = {"status": 127, "text": "there is no {}".format(" and no ".join(places))} if places else None
    return lambda: absent


def started(argv: "list[str]") -> "Callable[[], dict[str, Any]]":
    """A program at work; called for its end: exit status (127: it does not start) and output.

    By fork, as the image has no `subprocess`.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(writing, 1)
            os.dup2(writing, 2)
            os.execv(argv[0], argv)
        except OSError as error:
            os.write(2, str(error).encode("utf-8", "replace"))
        finally:
            os._exit(127)
    os.close(writing)

    def ended() -> "dict[str, Any]":
        with os.fdopen(reading, "rb") as file:
            text = file.read().decode("utf-8", "replace")
        status = os.waitpid(pid, 0)[1]
        return {
            "status": os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status),
            "text": text[-2000:],
        }

    return ended


def cuda() -> "dict[str, Any]":
    """{"error": …} where CUDA does not start, else the driver's version and each device's UUID and result."""
    try:
        api = Cuda(LIBRARIES)
    except OSError as error:
        return {"error": {"call": "dlopen", "code": None, "text": str(error)}, "devices": []}
    devices = []
    try:
        api("cuInit", 0)
        version, count = ctypes.c_int(), ctypes.c_int()
        api("cuDriverGetVersion", ctypes.byref(version))
        api("cuDeviceGetCount", ctypes.byref(count))
        for index in range(count.value):
            devices.append(device(api, index))
    except (CudaError, AttributeError) as error:
        return {"error": {"call": "", "code": getattr(error, "code", None), "text": str(error)}, "devices": devices}
    return {"error": None, "version": version.value, "devices": devices}


def device(api: "Cuda", index: int) -> "dict[str, str | None]":
    handle = ctypes.c_int()
    api("cuDeviceGet", ctypes.byref(handle), index)
    found: "dict[str, str | None]" = {"uuid": api.uuid(handle), "kernel": None}
    try:
        found["kernel"] = compute(api, handle)
    except (CudaError, AttributeError) as error:
        found["kernel"] = str(error)
    return found


def compute(api: "Cuda", handle: "ctypes.c_int") -> str:
    """ "ok" when the kernel's result is right; else what is wrong."""
    context = ctypes.c_void_p()
    api("cuDevicePrimaryCtxRetain", ctypes.byref(context), handle)
    try:
        api("cuCtxSetCurrent", context)
        return launch(api, load(api))
    finally:
        api.forgiving("cuDevicePrimaryCtxRelease", handle)


def load(api: "Cuda") -> "ctypes.c_void_p | None":
    module = ctypes.c_void_p()
    for number, (version, target) in enumerate(TARGETS):
        text = KERNEL.format(version=version, target=target).encode("ascii") + b"\0"
        try:
            api("cuModuleLoadData", ctypes.byref(module), text)
            break
        except CudaError as error:
            if error.code not in INVALID_PTX or number == len(TARGETS) - 1:
                raise
    function = ctypes.c_void_p()
    api("cuModuleGetFunction", ctypes.byref(function), module, b"triple")
    return function


def launch(api: "Cuda", function: "ctypes.c_void_p | None") -> str:
    start = [(number * 2654435761) % 2**31 for number in range(COUNT)]
    array = (ctypes.c_uint32 * COUNT)(*start)
    memory = ctypes.c_uint64()
    api("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(ctypes.sizeof(array)))
    try:
        api("cuMemcpyHtoD_v2", memory, array, ctypes.c_size_t(ctypes.sizeof(array)))
        parameters = (ctypes.c_void_p * 1)(ctypes.addressof(memory))
        api("cuLaunchKernel", function, COUNT // 128, 1, 1, 128, 1, 1, 0, None, parameters, None)
        api("cuCtxSynchronize")
        api("cuMemcpyDtoH_v2", array, memory, ctypes.c_size_t(ctypes.sizeof(array)))
    finally:
        api.forgiving("cuMemFree_v2", memory)
    wrong = sum(got != (number * 3 + 1) % 2**32 for got, number in zip(array, start))  # noqa: B905 - 3.6
    return "ok" if not wrong else "{} of {} results are wrong".format(wrong, COUNT)


def nvml() -> "dict[str, Any] | None":
    """UUIDs as NVML in the container tells them; an error as {"code", "text"}; None where no NVML was injected."""
    try:
        library = _first(NVML)
    except OSError:
        return None
    code = library.nvmlInit_v2()
    if code:
        library.nvmlErrorString.restype = ctypes.c_char_p
        return {"error": {"code": code, "text": (library.nvmlErrorString(code) or b"").decode()}, "uuids": []}
    count = ctypes.c_uint()
    library.nvmlDeviceGetCount_v2(ctypes.byref(count))
    uuids = []
    for index in range(count.value):
        handle, text = ctypes.c_void_p(), ctypes.create_string_buffer(96)
        code = library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle))
        code = code or library.nvmlDeviceGetUUID(handle, text, 96)
        uuids.append("error {}".format(code) if code else text.value.decode("ascii"))
    return {"error": None, "uuids": uuids}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {})) + "\n")
