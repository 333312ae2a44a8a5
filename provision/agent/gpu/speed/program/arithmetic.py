"""How fast a GPU computes, and whether it computes right.

Launches take 1 ms, less than a time slice beside another process, and the fastest counts. After a fixed number of
loops each block must have the same results to the bit; where they are known they are compared with what is known, and
the multiprocessor of each block that differs is named. One long run of the tensor cores shows power and cooling.
"""

import ctypes
import time
import zlib

from . import kernels, tensor
from .cuda import MIB, middle, rates
from .nvml import Watch
from .ptx import THREADS

OPERATIONS = {
    "fma32": 2 * 2 * kernels.PAIRS * kernels.TURNS,
    "fma64": 2 * 2 * kernels.PAIRS * kernels.TURNS,
    "mma": 2 * 16 * 8 * 16 * tensor.TILES_A_WARP * 2 * tensor.MMA_TURNS / 32.0,
    "wgmma": 2 * 64 * 256 * 16 * 2 * len(tensor.STEPS) / 128.0,
}
"""Floating-point operations of a thread in one loop."""
BLOCKS = {"fma32": 4, "fma64": 4, "mma": 2, "wgmma": 1}
"""Blocks of a multiprocessor. They are dealt evenly."""
FIXED = 64
"""Loops of the run whose results are compared."""
KNOWN = {
    ("fma32", None): "a30f443b",
    ("fma64", None): "c2265ff8",
    ("mma", 90): "7516e0cd",
    ("wgmma", 90): "e5cdb40f",
}
"""CRC-32 of a block's results, for every GPU (IEEE 754 leaves no choice; computed on a processor, too) or for one
compute capability: the order of a tensor core's sums is nobody's standard."""
SLICE = 0.001
LAUNCHES = 40


def load(device, name):
    """Compile the kernel `name`, once."""
    if name in device.functions:
        return
    if name in ("fma32", "fma64"):
        device.load("plain", kernels.plain(), "fma32", "fma64")
    else:
        device.load(name, {"mma": tensor.mma, "wgmma": tensor.wgmma}[name](), name)


def known(name, capability):
    return KNOWN.get((name, None)) or KNOWN.get((name, capability))


class Kernel:
    """One kernel on one device."""

    def __init__(self, device, name):
        load(device, name)
        self.name = name
        self._device = device
        self._blocks = device.sms * BLOCKS[name]
        self._stat = ctypes.c_uint64(device.scratch.value + 4 * MIB)
        self._loops = 0

    def _job(self, loops):
        return self._device.launcher(self.name, self._blocks, self._device.scratch, self._stat, ctypes.c_uint32(loops))

    def _work(self):
        return OPERATIONS[self.name] * self._loops * THREADS * self._blocks

    def measure(self):
        """{"figures": {name: TFLOP/s}, "results": {name: see `_results`}}."""
        began = time.perf_counter()
        run = self._device.timer.run
        once = min(run(3, self._job(FIXED))) / FIXED
        results = self._results(FIXED)
        for _ in range(2):  # the clock has risen meanwhile
            self._loops = max(1, int(SLICE / once))
            once = min(run(3, self._job(self._loops))) / self._loops
        seconds = run(LAUNCHES, self._job(self._loops))
        results.update(self._clock(self._loops))
        self._device.took(self.name, began)
        return {"figures": {self.name: rates(self._work(), seconds, "TFLOP/s")}, "results": {self.name: results}}

    def sustain(self, nvml, length):
        """{"figures": {"sustained"}, "load": NVML's word}: the second half of `length` seconds without a pause."""
        began = time.perf_counter()
        if not self._loops:
            self.measure()
        once = min(self._device.timer.run(3, self._job(self._loops)))
        times = min(1000, max(2, int(length / once)))
        with Watch(nvml) as watch:
            seconds = self._device.timer.run(times, self._job(self._loops))
        tail = seconds[len(seconds) // 2 :]
        figure = rates(self._work() * len(tail), [sum(tail)], "TFLOP/s")
        self._device.took("sustained", began)
        return {"figures": {"sustained": figure}, "load": dict(watch.summary(), kernel=self.name)}

    def _results(self, loops):
        """Of all blocks: the CRC-32 of the commonest result, and the multiprocessors that gave another."""
        words = (ctypes.c_uint32 * (self._blocks * THREADS))()
        self._device.cuda("cuMemcpyDtoH_v2", words, self._device.scratch, ctypes.c_size_t(ctypes.sizeof(words)))
        raw, row = bytes(words), 4 * THREADS
        parts = [raw[row * number : row * (number + 1)] for number in range(self._blocks)]
        common = max(set(parts), key=parts.count)
        places = [place for _, _, _, place, _ in self._stats()]
        odd = {place for place, part in zip(places, parts) if part != common}  # noqa: B905 - 3.6
        return {
            "crc": "{:08x}".format(zlib.crc32(common)),
            "known": known(self.name, self._device.capability),
            "odd": sorted(odd),
            "odd_blocks": sum(part != common for part in parts),
            "blocks": self._blocks,
            "loops": loops,
        }

    def _stats(self):
        """Of each block: first cycle, first and last nanosecond, multiprocessor, last cycle."""
        numbers = (ctypes.c_uint64 * (8 * self._blocks))()
        self._device.cuda("cuMemcpyDtoH_v2", numbers, self._stat, ctypes.c_size_t(ctypes.sizeof(numbers)))
        return [numbers[8 * number : 8 * number + 5] for number in range(self._blocks)]

    def _clock(self, loops):
        """The clock by the kernel's own count, and multiply-adds of a multiprocessor in a cycle.

        The blocks of a multiprocessor start together and end one by one: what counts is its first to its last cycle.
        """
        rows = self._stats()
        mhz = [1e3 * (last - first) / (end - begin) for first, begin, end, _, last in rows if end > begin]
        each = {}
        for first, _, _, place, last in rows:
            each.setdefault(place, []).append((first, last))
        took = {place: max(last for _, last in parts) - min(one for one, _ in parts) for place, parts in each.items()}
        cycles = sorted(took.values())
        work = OPERATIONS[self.name] / 2.0 * loops * THREADS * BLOCKS[self.name]
        return {
            "multiprocessors": len(each),
            "mhz": round(middle(mhz)) if mhz else None,
            "slowest": max(took, key=took.get),
            "spread": round(cycles[-1] / float(max(1, cycles[0])), 4),
            "per_cycle": round(work / max(1, middle(cycles)), 1),
        }
