"""On a machine with NVIDIA GPUs, as root, without Docker: what the smoke test asks of them, beside nvidia-smi's word.

    python3 -m tests.gpu.without_docker PYNVML.py

Law: reads only, and changes no setting of a GPU. Standard library only, and the agent's own modules. Prints JSON; its
exit status is the number of fields that differ, or in which something else went wrong.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from provision.agent.facts import gather
from provision.agent.gpu import container_program, driver, nvml
from provision.agent.gpu.proof import host_checks, image
from provision.agent.host.child import source
from provision.agent.host.system import ReadOnly

FIELDS = {
    "uuid": "uuid",
    "name": "name",
    "serial": "serial",
    "vbios_version": "vbios",
    "driver_version": "driver",
    "pci.bus_id": "bus",
    "memory.total": "memory.total",
    "memory.reserved": "memory.reserved",
    "compute_cap": "compute_capability",
    "persistence_mode": "persistence",
    "compute_mode": "compute_mode",
    "ecc.mode.current": "ecc.current",
    "ecc.mode.pending": "ecc.pending",
    "mig.mode.current": "mig.current",
    "mig.mode.pending": "mig.pending",
    "enforced.power.limit": "power_limit",
    "pcie.link.gen.max": "pcie_generation_max",
    "pcie.link.width.max": "pcie_width_max",
    "pcie.link.width.current": "pcie_width",
    "ecc.errors.uncorrected.volatile.total": "ecc_uncorrected",
}
"""nvidia-smi's names, and ours."""
WORDS = {"Enabled": 1, "Disabled": 0, "Default": 0, "Prohibited": 2, "Exclusive_Process": 3}


def main() -> int:
    system = ReadOnly()
    system.modules["pynvml"] = Path(sys.argv[1]).read_text("utf-8")
    times: dict[str, float] = {}
    answer = _timed(times, "NVML in a child", lambda: nvml.ask(system))
    found = _timed(times, "driver", lambda: driver.inspect(system))
    wrong = _differences(answer)
    probe = _timed(times, "CUDA on the host", lambda: _probe([sys.executable]))
    inside = _timed(times, "CUDA in the image", lambda: _in_image(system, times))
    xids = host_checks.xids(system, ())
    checks = host_checks.host(found, answer, xids, len(answer.get("gpus", [])), True)
    report = {
        "differences": wrong,
        "host": found,
        "facts": gather.nvidia(system, os.uname().release),
        "nvml": answer,
        "xids": xids,
        "checks": checks,
        "warnings": host_checks.warnings(answer, False, xids),
        "probe": probe,
        "inside": inside,
        "seconds": times,
    }
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    kernels = [device["kernel"] for one in (probe, inside) for device in one["cuda"]["devices"]]
    return len(wrong) + sum(kernel != "ok" for kernel in kernels) + (not kernels)


def _timed(times: dict[str, float], name: str, work: Any) -> Any:
    started = time.perf_counter()
    try:
        return work()
    finally:
        times[name] = round(time.perf_counter() - started, 3)


def _differences(answer: dict[str, Any]) -> list[str]:
    argv = ["nvidia-smi", "--query-gpu=" + ",".join(FIELDS), "--format=csv,noheader,nounits"]
    out = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout
    wrong = []
    for gpu, row in zip(answer["gpus"], csv.reader(out.splitlines(), skipinitialspace=True), strict=True):
        for (theirs, ours), said in zip(FIELDS.items(), row, strict=True):
            value = answer["driver"] if ours == "driver" else _at(gpu, ours)
            if _spelled(ours, value) != _meant(ours, said.strip()):
                wrong.append(f"GPU {gpu['index']}: {theirs} is {said!r}, and ours is {value!r}")
    return wrong


def _at(gpu: dict[str, Any], path: str) -> Any:
    value: Any = gpu
    for part in path.split("."):
        value = None if value is None else value[part]
    return value


def _meant(ours: str, said: str) -> Any:
    """nvidia-smi's text as a value: N/A is None, a bus address as /sys has it."""
    if said in ("[N/A]", "N/A", "[Not Supported]"):
        return None
    if said in WORDS:
        return str(WORDS[said])
    if ours == "bus":
        domain, _, rest = said.lower().partition(":")
        return f"{int(domain, 16):04x}:{rest}"
    return said


def _spelled(ours: str, value: Any) -> Any:
    if value is None:
        return None
    if ours.startswith("memory."):
        return str(-(-value >> 20))  # nvidia-smi rounds up
    if ours == "power_limit":
        return f"{value / 1000:.2f}"
    return str(value)


def _probe(prefix: list[str]) -> dict[str, Any]:
    argv = [*prefix, "-I", "-S", "-B", "-c", source(container_program), "{}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    if done.returncode:
        return {"cuda": {"devices": []}, "problem": done.stderr[-2000:]}
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _in_image(system: ReadOnly, times: dict[str, float]) -> dict[str, Any]:
    """The same in the image that is made from the host, as a chroot with the devices and the driver's libraries."""
    with tempfile.TemporaryDirectory() as folder:
        files = _timed(times, "contents of the image", lambda: image.contents(system))
        data = _timed(times, "archive of the image", lambda: image.archive(system, files))
        times["megabytes of the image"] = round(len(data) / 1e6, 1)
        archive = Path(folder, "image.tar")
        archive.write_bytes(data)
        root = Path(folder, "root")
        root.mkdir()
        subprocess.run(["tar", "-xf", str(archive), "-C", str(root)], check=True)
        mounts = " && ".join(
            f"mkdir -p {root}{path} && mount --rbind {path} {root}{path}"
            for path in ("/dev", "/proc", "/sys", "/usr/local/nvidia")
            if os.path.exists(path)
        )
        script = f'mount --make-rprivate / && {mounts} && exec chroot {root} "$@"'
        prefix = ["unshare", "--mount", "sh", "-c", script, "sh", image.interpreter()]
        return _probe(prefix)


if __name__ == "__main__":
    sys.exit(main())
