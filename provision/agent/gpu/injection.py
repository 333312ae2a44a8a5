"""How a container gets GPUs: four ways in, each told apart, because each fails for reasons of its own.

    cdi            --device nvidia.com/gpu=…   Docker >= 25 with CDI and a spec
    runtime        --runtime=nvidia, NVIDIA_VISIBLE_DEVICES; inside: jit-cdi (toolkit >= 1.18), cdi, or the legacy hook
    gpus           --gpus …                    the legacy hook; Docker >= 29.2 tries CDI first
    nvidia-docker  NV_GPU=… nvidia-docker run  generation 1: devices and a driver volume; generation 2: the runtime

The law: what is there is read from the daemon and the files, and nothing is chosen silently: the way that was taken
is in the proof.
"""

import itertools
import json
import os
import re

from ..facts import gather
from ..host import lenient

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

    from ..host.system import System

ORDER = ("cdi", "runtime", "gpus", "nvidia-docker")
SPEC_FOLDERS = ("/etc/cdi", "/var/run/cdi")
CONFIG = "/etc/nvidia-container-runtime/config.toml"
CAPABILITIES = "NVIDIA_DRIVER_CAPABILITIES=compute,utility"
ALL = "all"
NONE = "none"
OWN = "/nvidia.yaml"
"""The name that NVIDIA's own service and tool give a spec."""
LIBRARIES = (
    "libcuda",
    "libcudadebugger",
    "libnvidia-cfg",
    "libnvidia-ml",
    "libnvidia-nvvm",
    "libnvidia-opencl",
    "libnvidia-ptxjitcompiler",
)
"""The driver's libraries for the capabilities `compute` and `utility`."""
USUAL_SMI = ("/usr/bin/nvidia-smi", "/usr/local/nvidia/bin/nvidia-smi")
"""Where the toolkit and the volume of nvidia-docker 1 put it."""
NODES = ("nvidia-uvm", "nvidia-uvm-tools", "nvidiactl")
VISIBLE = {ALL: "all", NONE: "void"}
"""NVIDIA_VISIBLE_DEVICES: to a runtime in mode cdi `none` would be a CDI device, which no spec has."""


def specs(system: "System") -> "dict[str, str]":
    """{path: text} of the CDI specs for NVIDIA GPUs."""
    found = {}
    for folder in SPEC_FOLDERS:
        for name in lenient.names(system, folder):
            if name.endswith((".yaml", ".yml", ".json")):
                text = lenient.text(system, folder + "/" + name) or ""
                if re.search(r"(?<![\w.-])nvidia\.com/gpu\b", text):  # and not management.nvidia.com/gpu
                    found[folder + "/" + name] = text
    return found


def names_in(text: str) -> "set[str]":
    """The device names of a CDI spec in YAML or JSON."""
    if text.lstrip().startswith("{"):
        try:
            return {str(device["name"]) for device in json.loads(text)["devices"]}
        except (ValueError, TypeError, KeyError):
            return set()
    return set(re.findall(r"^\s*(?:-\s*)?\"?name\"?:\s*\"?([A-Za-z0-9:._-]+)", text, re.M))


def driver_of(text: str) -> "str | None":
    """The driver's version that a CDI spec was made for, or None."""
    match = re.search(r"lib(?:cuda|nvidia-ml)\.so\.(\d+\.[\d.]*\d)", text)
    return match.group(1) if match else None


def in_force(found: "dict[str, str]") -> "dict[str, str]":
    """Those of the specs that Docker uses: of a GPU that two folders name, the later folder's counts."""
    named = {path: names_in(text) for path, text in found.items()}
    folders = {path: SPEC_FOLDERS.index(os.path.dirname(path)) for path in found}
    used = {}
    for path, text in found.items():
        later = [named[other] for other in found if folders[other] > folders[path]]
        if not named[path] or not named[path] <= set().union(*later):
            used[path] = text
    return used


def conflicts(found: "dict[str, str]") -> "Iterator[tuple[str, str]]":
    """(cause, fix) for each two specs in one folder that name the same GPU."""
    for first, second in itertools.combinations(sorted(found, key=lambda path: (path.endswith(OWN), path)), 2):
        same_folder = os.path.dirname(first) == os.path.dirname(second)
        if same_folder and names_in(found[first]) & names_in(found[second]):
            cause = "{} and {} name the same GPUs, and Docker then takes neither".format(first, second)
            yield cause, "remove one of them: rm {}".format(first)


def stale(system: "System", driver: str) -> "list[tuple[str, str]]":
    """[(path, version)] of specs in force that were made for another driver than this one."""
    made_for = [(path, driver_of(text)) for path, text in sorted(in_force(specs(system)).items())]
    return [(path, version) for path, version in made_for if version is not None and version != driver]


def by_spec(system: "System", ways: "Sequence[str]") -> bool:
    """Does one of these ways go by the CDI specs?"""
    return "cdi" in ways or "runtime" in ways and _mode(system) == "cdi"


def nvidia_smi(system: "System", way: str) -> "list[str]":
    """The places where a container that gets its GPUs by this way may have nvidia-smi; [] where the host has none."""
    pattern = r"containerPath\"?:\s*\"?(/[^\s\",]*/nvidia-smi)\b"
    by_specs = specs(system).values() if by_spec(system, (way,)) else ()
    found = [match.group(1) for match in (re.search(pattern, text) for text in by_specs) if match]
    folder, program = gather.driver_programs(system), system.which("nvidia-smi")
    own = [folder + "/nvidia-smi"] if folder else []
    places = dict.fromkeys(found[:1] + own + list(USUAL_SMI))
    return list(places) if found or own or program else []


def driver_files(system: "System") -> "tuple[dict[str, str], list[str]]":
    """({library: its file on the host}, device nodes): what of the driver each container with a GPU must get."""
    folder, name = os.path.split(gather.library_path(system) or "")
    version = name.partition(".so.")[2]
    files = {library: "{}/{}.so.{}".format(folder, library, version) for library in LIBRARIES if version}
    there = {library: path for library, path in files.items() if lenient.exists(system, path)}
    return there, [name for name in NODES if lenient.exists(system, "/dev/" + name)]


def available(system: "System", info: "dict[str, Any]") -> "dict[str, str | None]":
    """{way: None, or why it is not there}."""
    found: "dict[str, str | None]" = {way: None for way in ORDER}
    if not info.get("CDISpecDirs"):
        found["cdi"] = "this Docker has no CDI (needs 25 or later, and features.cdi before 28.2)"
    elif not specs(system):
        found["cdi"] = "there is no CDI spec for NVIDIA GPUs in {}".format(" or ".join(SPEC_FOLDERS))
    if "nvidia" not in (info.get("Runtimes") or {}):
        found["runtime"] = "the runtime nvidia is not registered with the running daemon"
    if not any(system.which(name) for name in ("nvidia-container-runtime-hook", "nvidia-cdi-hook")):
        found["gpus"] = "there is no nvidia-container-runtime-hook on the PATH"
    if system.which("nvidia-docker") is None:
        found["nvidia-docker"] = "there is no nvidia-docker"
    return found


def chosen(system: "System", info: "dict[str, Any]", asked: "Sequence[str]") -> "tuple[list[str], str]":
    """(ways to prove, why not): those asked for, or the first that is there."""
    there = available(system, info)
    if asked:
        missing = ["{}: {}".format(way, there[way]) for way in asked if there[way]]
        return (list(asked), "; ".join(missing))
    first = [way for way in ORDER if there[way] is None][:1]
    reasons = "; ".join("{}: {}".format(way, there[way]) for way in ORDER)
    return (first, "" if first else reasons)


def described(system: "System", way: str, info: "dict[str, Any]") -> str:
    """The way in words, as far down as it can be told."""
    if way == "runtime":
        return "--runtime=nvidia ({})".format(_mode(system))
    if way == "gpus":
        version = tuple(int(number) for number in re.findall(r"\d+", info.get("ServerVersion", ""))[:2])
        return "--gpus (CDI first)" if version >= (29, 2) and specs(system) else "--gpus (legacy hook)"
    if way == "nvidia-docker":
        runtime = "nvidia" in (info.get("Runtimes") or {})
        return "nvidia-docker 2 (--runtime=nvidia)" if runtime else "nvidia-docker 1 (devices and driver volume)"
    return "cdi (--device nvidia.com/gpu)"


def _mode(system: "System") -> str:
    match = re.search(r"^\s*mode\s*=\s*\"([a-z-]+)\"", lenient.text(system, CONFIG) or "", re.M)
    mode = match.group(1) if match else "auto"
    if mode != "auto":
        return "legacy hook" if mode == "legacy" else mode
    answer = system.query(["nvidia-container-runtime", "--version"], timeout=10)
    version = re.search(r"version (\d+)\.(\d+)", answer.out)
    if version is None:
        return "mode auto"
    return "jit-cdi" if tuple(map(int, version.groups())) >= (1, 18) else "legacy hook"


def options(system: "System", way: str, asked: "Any") -> "tuple[dict[str, Any], tuple[str, ...]]":
    """(HostConfig, Env) for GPUs: ALL, NONE, or the list of (uuid, index) pairs that were asked for."""
    if way == "cdi":
        return _cdi(system, asked), ()
    if way == "runtime":
        visible = VISIBLE[asked] if asked in (ALL, NONE) else ",".join(uuid for uuid, _ in asked)
        return {"Runtime": "nvidia"}, ("NVIDIA_VISIBLE_DEVICES=" + visible, CAPABILITIES)
    if asked == NONE:
        return {}, ()
    request: "dict[str, Any]" = {"Driver": "", "Capabilities": [["gpu"]]}
    request.update({"Count": -1} if asked == ALL else {"DeviceIDs": [uuid for uuid, _ in asked]})
    return {"DeviceRequests": [request]}, (CAPABILITIES,)


def _cdi(system: "System", asked: "Any") -> "dict[str, Any]":
    if asked == NONE:
        return {}
    if asked == ALL:
        names = [ALL]
    else:
        known = set().union(*(names_in(text) for text in specs(system).values()))
        names = [uuid if uuid in known else str(index) for uuid, index in asked]
    return {"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=" + name for name in names]}]}
