"""The NVIDIA driver as the host has it, and what is wrong with it: asserted, never installed and never changed.

The law: one driver, one version: the loaded module, the module that the next boot loads, the library, and, where
there are NVSwitches, a running fabric manager. What cannot be told (no module on disk in a container) is left out,
not guessed.
"""

import os
import re

from ..facts import gather

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

    from ..host.system import System

GPU_CLASSES = ("0300", "0302")
SWITCH_CLASS = "0680"


def counted(number: int, thing: str, verb: bool = False) -> str:
    """`1 GPU`, `2 GPUs`; with a verb `1 GPU is`, `2 GPUs are`."""
    text = "{} {}{}".format(number, thing, "" if number == 1 else "s")
    return text + (" is" if number == 1 else " are") if verb else text


def inspect(system: "System") -> "Any":
    """{"gpus", "switches": PCI addresses, "loaded", "on_disk", "library", "fabric_manager": None or a dict}."""
    found = gather.nvidia(system, os.uname().release)
    gpus = [item["address"] for item in found["pci"] if item["device_class"] in GPU_CLASSES]
    switches = [item["address"] for item in found["pci"] if item["device_class"] == SWITCH_CLASS]
    return {
        "gpus": gpus,
        "switches": switches,
        "loaded": found["driver_loaded"],
        "on_disk": _on_disk(system) or found["driver_on_disk"],
        "library": found["library"],
        "fabric_manager": _fabric_manager(system) if switches else None,
    }


def _on_disk(system: "System") -> "Any":
    result = system.query(["modinfo", "-F", "version", "nvidia"], timeout=10)
    return result.out.strip().splitlines()[0] if result.ok and result.out.strip() else None


def _fabric_manager(system: "System") -> "Any":
    result = system.query(["nv-fabricmanager", "--version"], timeout=10)
    match = re.search(r"(\d+\.\d+[.\d]*)", result.out + result.err) if result.ok else None
    running = system.query(["systemctl", "is-active", "nvidia-fabricmanager"], timeout=10).out.strip() == "active"
    return {"version": match.group(1) if match else None, "running": running}


def problems(found: "dict[str, Any]", expected: "int | None" = None) -> "list[tuple[str, str]]":
    """What is wrong, the most important first: a list of (cause, fix)."""
    return list(_problems(found, expected))


def _problems(found: "dict[str, Any]", expected: "int | None") -> "Iterator[Any]":
    present = len(found["gpus"])
    if expected is not None and present != expected:
        yield (
            "{} declared and {} {} on the PCI bus".format(
                counted(expected, "NVIDIA GPU", verb=True), present, "is" if present == 1 else "are"
            ),
            "correct expect_gpus; or a card is gone: dmesg, lspci -d 10de:, then power the host off and on",
        )
    if not present:
        return
    loaded = found["loaded"]
    if loaded is None:
        yield (
            "there {} {} and no driver is loaded".format(
                "is" if present == 1 else "are", counted(present, "NVIDIA GPU")
            ),
            "install a driver, or find out why not: dmesg | grep -i -e nvrm -e nouveau; mokutil --sb-state",
        )
        return
    for name, words in (("on_disk", "the module on disk is"), ("library", "the library libnvidia-ml is")):
        if found[name] is not None and found[name] != loaded:
            yield (
                "driver {} is loaded and {} {}".format(loaded, words, found[name]),
                "reboot (or unload the modules when the GPUs are idle), and hold the driver's packages",
            )
    if found["library"] is None:
        yield (
            "driver {} is loaded and its library libnvidia-ml.so.1 is not there".format(loaded),
            "install the libraries of that version",
        )
    if found["fabric_manager"] is not None:
        for problem in _fabric_problems(found["fabric_manager"], loaded):
            yield problem


def _fabric_problems(manager: "dict[str, Any]", loaded: str) -> "Iterator[Any]":
    if manager["version"] is None:
        yield ("this host has NVSwitches and no fabric manager", "install nvidia-fabricmanager {}".format(loaded))
    elif manager["version"] != loaded:
        yield (
            "the fabric manager is {} and the driver {}".format(manager["version"], loaded),
            "install nvidia-fabricmanager {} and hold it with the driver".format(loaded),
        )
    elif not manager["running"]:
        yield (
            "the fabric manager does not run",
            "systemctl enable --now nvidia-fabricmanager; its log is /var/log/fabricmanager.log",
        )
