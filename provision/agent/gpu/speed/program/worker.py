"""One GPU, measured from its start to its end, in a process of its own: what can hang hangs alone.

It tells where it is (`told`: {"at": step}, {"wants": "link"}, {"gives": "link"}), so that whoever waits for it knows
what did not end, and lets one GPU at a time have the PCIe link.
"""

import os
import time
import traceback

from . import arithmetic, judge, memory
from .causes import of_cuda, of_nvml
from .cuda import CudaCallError, CudaContext, Device
from .link import PcieLink
from .nvml import Nvml, NvmlError

REST = 0.3
"""Seconds before a low figure is measured anew: memory that somebody has freed is being cleared meanwhile."""
FROM_CUDA = {"mma": 11000, "wgmma": 12000}
"""The CUDA version of the driver from which on a kernel's PTX is taken."""


def blank(bus, request):
    """A GPU of which nothing is known yet."""
    gpu = {"bus": bus, "uuid": None, "mode": "full" if request["full"] else "lean", "about": {}, "shared": []}
    gpu.update(figures={}, results={}, limits={}, checks=[], seconds={}, left_out=[])
    return gpu


class Worker:
    """`told(message)` sends to who waits; `turn()` comes back when the link is ours."""

    def __init__(self, bus, request, told, turn):
        self._bus, self._request, self._told, self._turn = bus, request, told, turn
        self._nvml = self._device = self._pinned = None
        self._step = ""
        self._kernels = {}
        self.gpu = blank(bus, request)

    def run(self):
        """The GPU as JSON types: figures, results, checks, and the seconds that each step took."""
        began = time.perf_counter()
        try:
            self._look()
            if not self.gpu["checks"]:
                self._measure()
                self._judge()
        except NvmlError as error:
            self._fail(of_nvml(error.code), str(error))
        except CudaCallError as error:
            self._fail(of_cuda(error.code), str(error))
        except OSError as error:
            fix = "install the driver's libraries in its version, then ldconfig"
            self._fail(("failed", "libcuda.so.1 cannot be loaded on this host", fix), str(error))
        except AttributeError as error:
            self._fail(("failed", "the driver's library lacks a function", "upgrade the driver"), str(error))
        except Exception as error:  # a fault of ours ends one GPU, and is told with its place
            self._fail(("failed", "a fault of this program", traceback.format_exc()[-800:]), repr(error))
        self.gpu["seconds"]["all"] = round(time.perf_counter() - began, 3)
        return self.gpu

    def _fail(self, known, text):
        verdict, cause, fix = known
        users = judge.shared(self.gpu["shared"]) + "; " if self.gpu["shared"] and verdict == "unknown" else ""
        cause = "{}{} ({}, in the step {})".format(users, cause, text, self._step)
        wrong = [item for item in judge.results(self.gpu, self._last()) if item["verdict"] == "failed"]
        self.gpu["checks"] = [judge.check("driver", verdict, text, cause, fix)] + wrong

    def _at(self, step):
        self._step = step
        self._told({"at": step})

    # -- the steps

    def _look(self):
        """Who this is, and whether somebody is at work on it: before there is a context of our own."""
        self._at("NVML")
        began = time.perf_counter()
        self._nvml = Nvml(self._bus)
        before = self._nvml.still()
        self.gpu.update(
            uuid=self._nvml.text("nvmlDeviceGetUUID"), nvml={"before": before}, shared=before["processes"] or []
        )
        self.gpu["seconds"]["NVML"] = round(time.perf_counter() - began, 4)
        if self._nvml.pair("nvmlDeviceGetMigMode"):
            fix = "leave level 5 out on this host, or switch MIG off"
            self._stop("MIG", "the GPU is cut up into MIG devices, and is not measured as a whole", fix)
        elif self.gpu["shared"] and not self._request["beside_jobs"]:
            fix = "run again when nobody uses the GPU, or set speed.beside_jobs"
            self._stop("alone", judge.shared(self.gpu["shared"]), fix)

    def _stop(self, name, cause, fix):
        self.gpu["checks"] = [judge.check(name, "unknown", "", cause, fix)]
        self.gpu["left_out"].append("all, for it was not measured")

    def _measure(self):
        os.environ.update(
            CUDA_VISIBLE_DEVICES=self.gpu["uuid"],
            CUDA_CACHE_DISABLE="1",  # leave no compiled code behind
            CUDA_MODULE_LOADING="LAZY",
        )
        self._at("cuInit")
        began = time.perf_counter()
        cuda = CudaContext()
        cuda("cuInit", 0)
        self.gpu["cuda"] = cuda.integer("cuDriverGetVersion")
        self.gpu["seconds"]["cuInit"] = round(time.perf_counter() - began, 4)
        self._at("context")
        began = time.perf_counter()
        self._device = Device(cuda, 0)
        self._device.took("context", began)
        self.gpu["about"] = self._device.about
        for _, step in self._steps():
            step()
        self._left_out()
        self.gpu["nvml"]["after"] = self._nvml.still()
        ours = os.getpid()
        meanwhile = [pid for pid in self.gpu["nvml"]["after"]["processes"] or [] if pid != ours]
        if len(self.gpu["nvml"]["after"]["processes"] or []) > 1:  # one is ours, whatever its number outside is
            self.gpu["shared"] = sorted(set(self.gpu["shared"]) | set(meanwhile))

    def _steps(self):
        steps = (self._memory, self._arithmetic, self._sustained, self._link)
        return zip(("memory", "arithmetic", "sustained", "link"), steps)  # noqa: B905 - 3.6

    def _memory(self):
        self._at("memory")
        self._keep(memory.measure(self._device))

    def _arithmetic(self):
        for name in self._names():
            self._at(name)
            kernel = self._kernels.get(name)
            if kernel is None:
                kernel = self._kernels[name] = arithmetic.Kernel(self._device, name)
            self._keep(kernel.measure())

    def _names(self):
        """The kernels that this GPU and driver take; the lean way leaves out what says the same twice."""
        capability, cuda = self._device.capability, self.gpu["cuda"]
        takes = {"mma": capability >= 80, "wgmma": capability == 90}
        tensor = [name for name in ("mma", "wgmma") if takes[name] and cuda >= FROM_CUDA[name]]
        return ["fma32", "fma64", *tensor] if self._request["full"] else ["fma32", *tensor[-1:]]

    def _sustained(self):
        self._at("sustained")
        names = self._names()
        kernel = self._kernels[names[-1] if names[-1] in FROM_CUDA else "fma32"]
        self._keep(kernel.sustain(self._nvml, 1.0 if self._request["full"] else 0.3))

    def _link(self):
        self._at("pin")
        if self._pinned is None:
            self._pinned = PcieLink(self._device, self._nvml, self._bus)
        self._told({"wants": "link"})
        self._turn()
        self._at("link")
        self._keep(self._pinned.measure())
        self._told({"gives": "link"})

    def _left_out(self):
        names, out = self._names(), self.gpu["left_out"]
        if not self._request["full"]:
            out.append("FP64 and the second kernel of the tensor cores (mode lean)")
        if names[-1].startswith("fma"):
            out.append("tensor cores: none that this program knows, or the driver is older than CUDA 11")
        out += [
            "{}: right results are known only from its last proof".format(judge.WORDS[name])
            for name in names
            if self.gpu["results"][name]["known"] is None
        ]

    def _keep(self, found):
        """Take what a step found; of a figure that is measured again, the better one."""
        for name, figure in found.pop("figures").items():
            before = self.gpu["figures"].get(name)
            if before is None or figure["best"] > before["best"]:
                self.gpu["figures"][name] = figure
        for name, result in found.pop("results", {}).items():
            before = self.gpu["results"].get(name)
            if before is None or not before["odd"]:
                self.gpu["results"][name] = result
        pattern = found.pop("pattern", None)
        if pattern and not (self.gpu.get("pattern") or {}).get("wrong"):
            self.gpu["pattern"] = pattern
        self.gpu.update(found)

    def _judge(self):
        """The checks; what is slow is measured once more after a rest, as somebody's freed memory slows a good GPU."""
        checks = self._checks()
        again = {item.get("group") for item in checks if item["verdict"] == "failed"} - {None}
        if again and not self.gpu["shared"]:
            time.sleep(REST)
            for group, step in self._steps():
                if group in again:
                    step()
            self.gpu["again"] = sorted(again)
            checks = self._checks()
        self.gpu["checks"] = [{key: value for key, value in item.items() if key != "group"} for item in checks]
        unlimited = sorted(set(self._request["least"]) & set(self.gpu["figures"]) - set(self.gpu["limits"]))
        self.gpu["left_out"] += ["{}: the driver tells no limit".format(judge.WORDS[name]) for name in unlimited]
        self._at("release")
        self._device.close()
        self.gpu["seconds"].update(self._device.seconds)

    def _checks(self):
        self.gpu["limits"] = judge.limits(self.gpu)
        return judge.checks(self.gpu, self._request, self._last())

    def _last(self):
        return self._request["last"].get(self.gpu["uuid"])
