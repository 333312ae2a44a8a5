"""The NVIDIA GPUs of a host: on the bus, as the driver lists them, and as a container sees them.

The law: reads only, with the vendor's own program; one that hangs on a lost GPU ends with the command's time limit.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import pytest
from testinfra.host import Host

from provision.verify.dockerd import Dockerd

WAYS = {
    "cdi": "--device nvidia.com/gpu=all",
    "runtime": "--runtime=nvidia -e NVIDIA_VISIBLE_DEVICES=all -e NVIDIA_DRIVER_CAPABILITIES=utility",
    "gpus": "--gpus all",
}
"""How a container is given all GPUs, by the names of the role gpu_smoke_test."""
ON_THE_BUS = """\
for d in /sys/bus/pci/devices/*; do
  [ "$(cat $d/vendor 2>/dev/null)" = 0x10de ] && case "$(cat $d/class)" in 0x0300*|0x0302*) echo "${d##*/}";; esac
done; true
"""
NODES = 'for f in /dev/nvidia[0-9]*; do [ -c "$f" ] && echo "node ${f##*/}"; done; true'
NO_PROGRAM = "no nvidia-smi"
IN_CONTAINER = f"""\
PATH=$PATH:/usr/local/nvidia/bin:/usr/bin; export LD_LIBRARY_PATH=/usr/local/nvidia/lib64:/usr/lib64
if command -v nvidia-smi >/dev/null; then nvidia-smi -L; else echo {NO_PROGRAM}; {NODES}; fi
"""
"""A CDI spec need not name nvidia-smi, and the image has none of its own: the device nodes then tell."""


def way(asked: Sequence[str], receipt: Mapping[str, Any]) -> str:
    """The way by which the proof gave containers their GPUs; where it took none of the WAYS, the one asked for."""
    proven = receipt.get("docker", {}).get("ways") or ()
    return next((name for name in (*proven, *asked) if name in WAYS), "runtime")


class Gpu:
    """The GPUs of a host."""

    def __init__(self, host: Host, dockerd: Dockerd) -> None:
        self._host = host
        self._dockerd = dockerd

    @cached_property
    def addresses(self) -> list[str]:
        """PCI addresses of the NVIDIA GPUs on the bus, with or without a driver."""
        return str(self._host.check_output(ON_THE_BUS)).split()

    @cached_property
    def uuids(self) -> list[str]:
        """Of the GPUs that the driver lists. Fails the test where nvidia-smi does."""
        done = self._host.run("PATH=$PATH:/usr/local/nvidia/bin nvidia-smi -L")
        if done.rc:
            pytest.fail(f"nvidia-smi -L: {(done.stdout + done.stderr).strip()[-300:]}", pytrace=False)
        return _uuids(done.stdout)

    def compared(self, way: str) -> tuple[list[str], list[str]]:
        """(the host's, the container's) GPUs where a container is given all in one of the WAYS: UUIDs as nvidia-smi
        lists them, or device nodes where the container has no nvidia-smi."""
        done = self._dockerd.run(IN_CONTAINER, WAYS[way])
        if done.rc:
            said = (done.stdout + done.stderr).strip()[-300:]
            pytest.fail(f"docker run {WAYS[way]}: {said}", pytrace=False)
        if NO_PROGRAM in done.stdout:
            return _nodes(self._host.check_output(NODES)), _nodes(done.stdout)
        return self.uuids, _uuids(done.stdout)


def _nodes(text: str) -> list[str]:
    return sorted(re.findall(r"^node (\S+)", text, re.M))


def _uuids(text: str) -> list[str]:
    return sorted(re.findall(r"UUID: (GPU-[0-9a-f-]+)", text))
