"""A GPU's memory: how fast it is copied, written and read, and whether each bit of it holds 0 and 1.

Sizes are fixed, as the rate depends on them: 2 GiB are copied and written, 8 GiB are filled, read back and compared
twice, the second time with other bits. A smaller GPU takes 60 % of its memory.
"""

import ctypes
import time

from . import kernels
from .cuda import GIB, rates
from .kernels import TILE

ARENA, COPIED = 8 * GIB, 2 * GIB
LAUNCHES = 40
READS = 10
SEEDS = (0x13579BDF, 0x2468ACE0 ^ 0xFFFFFFFF)


def measure(device):
    """{"figures", "pattern"}: memcpy_dtod, write and read in GB/s, read plus written; wrong units of 16 bytes."""
    if "fill" not in device.functions:
        device.load("memory", kernels.memory(), "fill", "check")
    room, start = device.arena(ARENA)
    began = time.perf_counter()
    figures = _copies(device, start.value, min(COPIED, room // 2) // TILE * TILE)
    pattern, figures["read"] = _pattern(device, start, room // TILE * TILE)
    device.took("memory", began)
    return {"figures": figures, "pattern": pattern}


def _copies(device, start, size):
    source, target = ctypes.c_uint64(start), ctypes.c_uint64(start + size)
    count, seed = ctypes.c_uint64(size // TILE), ctypes.c_uint32(12345)
    for address in (source, target):
        device.launcher("fill", count.value, address, count, seed)()
    device.cuda("cuCtxSynchronize")
    length = ctypes.c_size_t(size)
    copied = device.timer.run(LAUNCHES, lambda: device.cuda("cuMemcpyDtoDAsync_v2", target, source, length, None))
    written = device.timer.run(LAUNCHES, device.launcher("fill", count.value, source, count, seed))
    return {"memcpy_dtod": rates(2 * size, copied, "GB/s"), "write": rates(size, written, "GB/s")}


def _pattern(device, address, size):
    """(what was wrong, the figure of reading)."""
    count, reads, wrong = ctypes.c_uint64(size // TILE), [], []
    for seed in SEEDS:
        word, result = ctypes.c_uint32(seed), (ctypes.c_uint64 * 3)(0, 2**64 - 1, 0)
        device.cuda("cuMemcpyHtoD_v2", device.scratch, result, ctypes.c_size_t(24))
        device.launcher("fill", count.value, address, count, word)()
        check = device.launcher("check", count.value, address, count, word, device.scratch)
        reads += device.timer.run(1, check)
        device.cuda("cuMemcpyDtoH_v2", result, device.scratch, ctypes.c_size_t(24))
        if result[0]:
            wrong.append({"units": result[0], "offset": 16 * result[1], "bits": "{:08x}".format(result[2])})
    reads += device.timer.run(READS, check)
    return {"bytes": size, "wrong": wrong}, rates(size, reads, "GB/s")
