"""libcuda through ctypes: each call checked, one GPU's context, its kernels, and the time that launches take.

Times are seconds by the GPU's own events. All memory that is measured is one piece, taken once: what is given back is
cleared by the driver behind one's back, which costs the next kernels a tenth of their bandwidth for some time.
"""

import ctypes
import time

from . import LIBRARIES
from .ptx import THREADS

MIB, GIB = 1 << 20, 1 << 30
SHARE = 0.6
"""Of a GPU's memory, at most."""


class CudaCallError(Exception):
    """A call of the driver that did not return 0: `code` is CUDA's number, `call` the function's name."""

    def __init__(self, call, code, name="", log=""):
        Exception.__init__(self, "{} failed with {} {} {}".format(call, code, name, log).strip())
        self.call, self.code = call, code


class CudaContext:
    """The library."""

    def __init__(self):
        self.library = load(LIBRARIES["cuda"])

    def __call__(self, name, *arguments):
        code = getattr(self.library, name)(*arguments)
        if code:
            raise CudaCallError(name, code, self.name(code))

    def name(self, code):
        text = ctypes.c_char_p()
        self.library.cuGetErrorName(code, ctypes.byref(text))
        return (text.value or b"").decode("ascii", "replace")

    def integer(self, name, *arguments):
        value = ctypes.c_int()
        self(name, ctypes.byref(value), *arguments)
        return value.value

    def handle(self, name, *arguments):
        value = ctypes.c_void_p()
        self(name, ctypes.byref(value), *arguments)
        return value

    def take(self, size):
        """The address of so many bytes of the current GPU."""
        address = ctypes.c_uint64()
        self("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(size))
        return address

    def context(self, device):
        """Make the primary context of a device, and make it the current one."""
        context = ctypes.c_void_p()
        self("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self("cuCtxSetCurrent", context)
        return context


def load(names):
    """The first library of these that can be loaded. Raises OSError of the first."""
    problem = None
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError as error:
            problem = problem or error
    raise problem


class Timer:
    """Seconds between marks in one stream of the current context."""

    def __init__(self, cuda, most):
        self.cuda = cuda
        self.events = [cuda.handle("cuEventCreate", 0) for _ in range(most + 1)]

    def run(self, times, work, stream=None):
        """Seconds of each of `times` calls of work, back to back."""
        self.cuda("cuEventRecord", self.events[0], stream)
        for number in range(times):
            work()
            self.cuda("cuEventRecord", self.events[number + 1], stream)
        self.cuda("cuEventSynchronize", self.events[times])
        return [self._between(number) for number in range(times)]

    def _between(self, number):
        value = ctypes.c_float()
        self.cuda("cuEventElapsedTime", ctypes.byref(value), self.events[number], self.events[number + 1])
        return value.value / 1e3


def middle(values):
    values = sorted(values)
    return values[len(values) // 2]


def rates(amount, seconds, unit):
    """`amount` a launch over its seconds. The best is what the chip can do; judge by no other."""
    scale = {"GB/s": 1e9, "TFLOP/s": 1e12}[unit]
    best, median = min(seconds), middle(seconds)
    return {
        "best": round(amount / best / scale, 2),
        "median": round(amount / median / scale, 2),
        "first": round(amount / seconds[0] / scale, 2),
        "unit": unit,
        "launches": len(seconds),
        "launch_ms": round(median * 1e3, 4),
    }


class Device:
    """One GPU with its context. `attributes` as CUDA numbers them."""

    def __init__(self, cuda, index):
        self.cuda = cuda
        self.number = cuda.integer("cuDeviceGet", index)
        name = ctypes.create_string_buffer(128)
        cuda("cuDeviceGetName", name, 128, self.number)
        ask = lambda number: cuda.integer("cuDeviceGetAttribute", number, self.number)  # noqa: E731
        self.sms, self.capability = ask(16), 10 * ask(75) + ask(76)
        self.about = {
            "name": name.value.decode("utf-8", "replace"),
            "capability": self.capability,
            "multiprocessors": self.sms,
            "mhz": ask(13) / 1e3,
            "memory_mhz": ask(36) / 1e3,
            "memory_bits": ask(37),
            "ecc": ask(32),
        }
        cuda.context(self.number)
        self.timer = Timer(cuda, 1024)
        self.scratch = cuda.take(8 * MIB)
        self.functions = {}
        self.seconds = {}
        self._arena = None

    def took(self, name, start):
        self.seconds[name] = round(time.perf_counter() - start, 4)

    def arena(self, wanted):
        """(bytes, address) of the memory that is measured: `wanted` bytes, or less on a small GPU."""
        if self._arena is None:
            free, total = ctypes.c_size_t(), ctypes.c_size_t()
            self.cuda("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
            self.about["memory_free"], self.about["memory_total"] = free.value, total.value
            size = int(min(wanted, SHARE * total.value)) // MIB * MIB
            self._arena = size, self.cuda.take(size)
        return self._arena

    def load(self, group, text, *names):
        """Let the driver compile PTX text, and keep its kernels by their names."""
        start = time.perf_counter()
        log = ctypes.create_string_buffer(8192)
        keys = (ctypes.c_int * 2)(5, 6)  # CU_JIT_ERROR_LOG_BUFFER and its size
        values = (ctypes.c_void_p * 2)(ctypes.addressof(log), 8192)
        module = ctypes.c_void_p()
        code = self.cuda.library.cuModuleLoadDataEx(ctypes.byref(module), text.encode("ascii") + b"\0", 2, keys, values)
        if code:
            said = log.value.decode("ascii", "replace")[:400].strip()
            raise CudaCallError("cuModuleLoadDataEx ({})".format(group), code, self.cuda.name(code), said)
        for name in names:
            self.functions[name] = self.cuda.handle("cuModuleGetFunction", module, name.encode("ascii"))
        self.took("jit " + group, start)

    def launcher(self, name, blocks, *values):
        """A call of it launches: the arguments are prepared once."""
        held = list(values)
        pointers = (ctypes.c_void_p * len(held))(*[ctypes.addressof(value) for value in held])
        function, cuda = self.functions[name], self.cuda

        def launch():
            cuda("cuLaunchKernel", function, blocks, 1, 1, THREADS, 1, 1, 0, None, pointers, None)

        launch.held = held
        return launch

    def close(self):
        self.cuda("cuDevicePrimaryCtxRelease", self.number)
