"""The PCIe link: both directions, from and to pinned memory of the host, next to the GPU where there are NUMA nodes.

Only one GPU of a host does this at a time, or they would share the host's memory and switches.
"""

import ctypes
import os
import time

from .cuda import MIB, rates

SIZE = 64 * MIB
"""Bytes of each transfer: 16 MiB read 5 % low, 1 GiB no better, and pinning takes longer than measuring."""
LAUNCHES = 6


class PcieLink:
    """Pinned memory and its like on the GPU, taken before one's turn comes."""

    def __init__(self, device, nvml, bus):
        began = time.perf_counter()
        near(bus)
        self._device, self._nvml = device, nvml
        cuda = device.cuda
        self._pinned = [cuda.handle("cuMemHostAlloc", ctypes.c_size_t(SIZE), 0) for _ in range(2)]
        self._target = [cuda.take(SIZE) for _ in range(2)]
        for address in self._pinned:
            ctypes.memset(address, 0x5A, SIZE)
        device.took("pin", began)

    def measure(self):
        """{"figures": htod and dtoh in GB/s, "link": NVML's word under load}."""
        began = time.perf_counter()
        device, length = self._device, ctypes.c_size_t(SIZE)
        jobs = (
            ("htod", lambda: device.cuda("cuMemcpyHtoDAsync_v2", self._target[0], self._pinned[0], length, None)),
            ("dtoh", lambda: device.cuda("cuMemcpyDtoHAsync_v2", self._pinned[1], self._target[1], length, None)),
        )
        figures = {name: rates(SIZE, device.timer.run(LAUNCHES, job), "GB/s") for name, job in jobs}
        link = self._nvml.link()  # at once: a link that rests goes to a lower generation
        device.took("link", began)
        return {"figures": figures, "link": link}


def near(bus):
    """Run on the processors that are next to the GPU, so that pinned memory is, too."""
    try:
        with open("/sys/bus/pci/devices/{}/local_cpulist".format(bus)) as file:
            parts = file.read().strip().split(",")
        processors = set()
        for part in parts:
            low, _, high = part.partition("-")
            processors.update(range(int(low), int(high or low) + 1))
        allowed = processors & os.sched_getaffinity(0)
        if allowed:
            os.sched_setaffinity(0, allowed)
    except (OSError, ValueError):
        pass  # not told: it runs where it is
