"""What NVML says of one GPU before, while and after it is measured. An answer that is not to be had is None.

NVML's SM clock is not what the multiprocessors get (it said 1980 MHz where they ran at 1800): the kernels read their
own. Power is in milliwatts as NVML has it, or in watts where the name says so.
"""

import ctypes
import threading

from . import LIBRARIES
from .cuda import load, middle

POWER_CAP = 0x4
REASONS = (
    (0x2, "application clocks"),
    (POWER_CAP, "software power cap"),
    (0x8, "hardware slowdown"),
    (0x10, "sync boost"),
    (0x20, "software thermal"),
    (0x40, "hardware thermal"),
    (0x80, "power brake"),
    (0x100, "display clocks"),
)
"""Why a clock is not the highest, as NVML's bits."""
SICK = ("hardware slowdown", "software thermal", "hardware thermal", "power brake")
"""Those that are a fault of the host or its cooling. A power cap under full load is none."""
MOST = 64


class Field(ctypes.Structure):
    _fields_ = [
        ("id", ctypes.c_uint),
        ("scope", ctypes.c_uint),
        ("timestamp", ctypes.c_longlong),
        ("latency", ctypes.c_longlong),
        ("kind", ctypes.c_int),
        ("code", ctypes.c_int),
        ("value", ctypes.c_ulonglong),
    ]


class Process(ctypes.Structure):
    """nvmlProcessInfo_t, as the questions of the versions 2 and 3 fill it."""

    _fields_ = [
        ("pid", ctypes.c_uint),
        ("memory", ctypes.c_ulonglong),
        ("instance", ctypes.c_uint),
        ("compute", ctypes.c_uint),
    ]


class NvmlError(Exception):
    """NVML cannot be asked at all: no library, no driver, no such GPU."""

    def __init__(self, text, code=None):
        Exception.__init__(self, text)
        self.code = code


class Nvml:
    """`bus`: the GPU's PCI address, as 0000:17:00.0."""

    def __init__(self, bus):
        try:
            self.library = load(LIBRARIES["nvml"])
        except OSError as error:
            raise NvmlError(str(error)) from None
        self.device = ctypes.c_void_p()
        for name, arguments in (
            ("nvmlInit_v2", ()),
            ("nvmlDeviceGetHandleByPciBusId_v2", (bus.encode("ascii"), ctypes.byref(self.device))),
        ):
            code = getattr(self.library, name)(*arguments)
            if code:
                self.library.nvmlErrorString.restype = ctypes.c_char_p
                text = (self.library.nvmlErrorString(code) or b"").decode("ascii", "replace")
                raise NvmlError("{} failed with {} {}".format(name, code, text), code)

    def ask(self, name, *arguments, **kinds):
        """One number, or None."""
        value = kinds.get("kind", ctypes.c_uint)()
        function = getattr(self.library, name, None)
        if function is None or function(self.device, *(arguments + (ctypes.byref(value),))):
            return None
        return value.value

    def text(self, name):
        value = ctypes.create_string_buffer(96)
        function = getattr(self.library, name, None)
        if function is None or function(self.device, value, ctypes.c_uint(96)):
            return None
        return value.value.decode("utf-8", "replace")

    def pair(self, name):
        """The first of two numbers that a question answers, or None."""
        first, second = ctypes.c_uint(), ctypes.c_uint()
        function = getattr(self.library, name, None)
        if function is None or function(self.device, ctypes.byref(first), ctypes.byref(second)):
            return None
        return first.value

    def reasons(self):
        """NVML's bits for why the clock is not the highest."""
        mask = self.ask("nvmlDeviceGetCurrentClocksEventReasons", kind=ctypes.c_ulonglong)
        return self.ask("nvmlDeviceGetCurrentClocksThrottleReasons", kind=ctypes.c_ulonglong) if mask is None else mask

    def field(self, number):
        value = Field(id=number)
        function = getattr(self.library, "nvmlDeviceGetFieldValues", None)
        if function is None or function(self.device, 1, ctypes.byref(value)) or value.code:
            return None
        return value.value & 0xFFFFFFFF

    def processes(self):
        """PIDs of those that have a CUDA context on this GPU, or None where NVML does not tell."""
        for version in ("_v3", "_v2"):
            function = getattr(self.library, "nvmlDeviceGetComputeRunningProcesses" + version, None)
            if function is not None:
                count, room = ctypes.c_uint(MOST), (Process * MOST)()
                code = function(self.device, ctypes.byref(count), room)
                return None if code else [room[number].pid for number in range(min(count.value, MOST))]
        return None

    def still(self):
        """All that is worth knowing at one moment."""
        ask = self.ask
        return {
            "sm_mhz": ask("nvmlDeviceGetClockInfo", 1),
            "memory_mhz": ask("nvmlDeviceGetClockInfo", 2),
            "sm_mhz_max": ask("nvmlDeviceGetMaxClockInfo", 1),
            "memory_mhz_max": ask("nvmlDeviceGetMaxClockInfo", 2),
            "power": ask("nvmlDeviceGetPowerUsage"),
            "power_limit": ask("nvmlDeviceGetEnforcedPowerLimit"),
            "power_limit_default": ask("nvmlDeviceGetPowerManagementDefaultLimit"),
            "celsius": ask("nvmlDeviceGetTemperature", 0),
            "reasons": named(self.reasons() or 0),
            "busy": self.pair("nvmlDeviceGetUtilizationRates"),
            "processes": self.processes(),
        }

    def link(self):
        """The PCIe link as it is now and as it could be; under load, as it rests at a lower generation."""
        return {
            "generation": self.ask("nvmlDeviceGetCurrPcieLinkGeneration"),
            "generation_max": self.ask("nvmlDeviceGetMaxPcieLinkGeneration"),
            "width": self.ask("nvmlDeviceGetCurrPcieLinkWidth"),
            "width_max": self.ask("nvmlDeviceGetMaxPcieLinkWidth"),
            "replays": self.ask("nvmlDeviceGetPcieReplayCounter"),
        }


def named(mask):
    return [name for bit, name in REASONS if mask & bit]


class Watch:
    """Samples clock, power, reasons and temperature in a thread while the body runs: ctypes lets others run."""

    def __init__(self, nvml, every=0.01):
        self.nvml, self.every = nvml, every
        self.samples, self.stop = [], threading.Event()
        self.thread = threading.Thread(target=self._loop)
        self.thread.daemon = True

    def __enter__(self):
        self.thread.start()
        return self

    def _loop(self):
        while not self.stop.is_set():
            ask = self.nvml.ask
            power = self.nvml.field(186)  # instant; new each 45 to 100 ms
            power = ask("nvmlDeviceGetPowerUsage") if power is None else power
            clock = ask("nvmlDeviceGetClockInfo", 1)
            self.samples.append((clock, power, self.nvml.reasons(), ask("nvmlDeviceGetTemperature", 0)))
            self.stop.wait(self.every)

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def summary(self):
        columns = [[value for value in column if value is not None] for column in zip(*self.samples)]  # noqa: B905 - 3.6
        clocks, powers, masks, heat = columns or ([], [], [], [])
        mask = 0
        for value in masks:
            mask |= value
        return {
            "samples": len(self.samples),
            "sm_mhz": middle(clocks) if clocks else None,
            "watt": round(sum(powers) / len(powers) / 1e3) if powers else None,
            "watt_max": round(max(powers) / 1e3) if powers else None,
            "celsius": max(heat) if heat else None,
            "reasons": named(mask),
        }
