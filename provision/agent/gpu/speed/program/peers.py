"""Copies from GPU to GPU of one host, each ordered pair on its own, when all else is done."""

import ctypes
import time

from .cuda import MIB, CudaCallError, CudaContext, Timer, rates

SIZE = 128 * MIB
LAUNCHES = 5
ENABLED_ALREADY = 704


class Peer:
    """One of the GPUs: its context, and room to copy from and to."""

    def __init__(self, cuda, index):
        self.number = cuda.integer("cuDeviceGet", index)
        self.context = cuda.context(self.number)
        self.source, self.target = cuda.take(SIZE), cuda.take(SIZE)
        self.timer = Timer(cuda, LAUNCHES)


def measure(count):
    """[{"from", "to", "direct", "best", …}] in GB/s, by position among the visible GPUs; `direct`: without the host."""
    cuda = CudaContext()
    cuda("cuInit", 0)
    began = time.perf_counter()
    peers = [Peer(cuda, index) for index in range(count)]
    pairs = [_pair(cuda, peers, one, other) for one in range(count) for other in range(count) if one != other]
    for peer in peers:
        cuda("cuDevicePrimaryCtxRelease", peer.number)
    return {"pairs": pairs, "seconds": round(time.perf_counter() - began, 3)}


def _pair(cuda, peers, one, other):
    source, target = peers[one], peers[other]
    cuda("cuCtxSetCurrent", source.context)
    direct = bool(cuda.integer("cuDeviceCanAccessPeer", source.number, target.number))
    if direct:
        try:
            cuda("cuCtxEnablePeerAccess", target.context, 0)
        except CudaCallError as error:
            if error.code != ENABLED_ALREADY:
                raise
    length = ctypes.c_size_t(SIZE)

    def copy():
        cuda("cuMemcpyPeerAsync", target.target, target.context, source.source, source.context, length, None)

    found = rates(SIZE, source.timer.run(LAUNCHES, copy), "GB/s")
    return dict(found, direct=direct, **{"from": one, "to": other})
