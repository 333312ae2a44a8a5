"""What a container of the proof told, judged: levels 2 (it sees and computes) and 3 (it sees no more than it asked
for).

The law: UUIDs are compared as sets, host against container, with NVML's word and CUDA's word each; a kernel's result
must have been checked; limits are compared with what the daemon was configured to give. A missing answer never
passes.
"""

import json
import re

from ...docker import flags, in_use
from ...host import lenient
from ..driver import counted
from ..known_errors import explain
from .host_checks import FAILED, PASSED, UNKNOWN, check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

    from ...host.system import System
    from .container import Ran

NO_ROOM = r"failed with (?:2|46)\b"
"""CUDA: out of memory, and a GPU in exclusive use."""


def answered(name: str, ran: "Ran", log: str) -> "dict[str, str]":
    """The check that the container ran at all; `log` is where the daemon's log is."""
    problem = ran.problem()
    if not problem:
        return check(name, PASSED, "{} s".format(ran.seconds))
    known = explain("{}: {}".format(name, problem))
    last = problem.strip().splitlines()[-1]
    if known is None:
        return check(name, FAILED, problem, "the container did not run: {}".format(last), "look at {}".format(log))
    return check(name, FAILED, problem, "{} ({})".format(known.cause, last), known.fix)


def sees(name: str, answer: "dict[str, Any]", expected: "list[str]") -> "dict[str, Any]":
    """The GPUs in the container are exactly those `expected` (UUIDs), for NVML and for CUDA."""
    cuda = answer["cuda"]
    if cuda["error"] is not None and expected:
        return _cuda_failed(name, cuda["error"]["text"])
    if answer["nvml"] is None and expected:
        return check(
            name,
            FAILED,
            "",
            "the container got no libnvidia-ml: it was injected without the capability `utility`, or the CDI spec "
            "leaves it out",
            "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml; ask for NVIDIA_DRIVER_CAPABILITIES=compute,utility",
        )
    if answer["nvml"] is not None and answer["nvml"]["error"] is not None and expected:
        return _cuda_failed(name, "Failed to initialize NVML: {text}".format(**answer["nvml"]["error"]))
    seen = {"CUDA": {device["uuid"] for device in cuda["devices"]}}
    if answer["nvml"] is not None and answer["nvml"]["error"] is None:
        seen["NVML"] = set(answer["nvml"]["uuids"])
    for who, found in sorted(seen.items()):
        problem = _difference(found, set(expected))
        if problem:
            fix = "look at what was asked for and injected: NVIDIA_VISIBLE_DEVICES, device rules, a stale CDI spec"
            return check(name, FAILED, sorted(found), "{} in the container {}".format(who, problem), fix)
    return check(name, PASSED, sorted(expected))


def _cuda_failed(name: str, text: str) -> "dict[str, str]":
    known = explain(text)
    if known is None:
        return check(
            name,
            FAILED,
            text,
            "CUDA does not start in the container: {}".format(text),
            "look at dmesg for NVRM and Xid lines",
        )
    return check(name, FAILED, text, "{} ({})".format(known.cause, text), known.fix)


def _difference(found: "set[str]", expected: "set[str]") -> str:
    mig = [uuid for uuid in expected if uuid.startswith("MIG-")]
    if mig:  # one process sees one MIG device, and an older driver names its GPU: the count is what can be compared
        return "" if bool(found) == bool(expected) else "sees {} devices of {}".format(len(found), len(expected))
    missing, extra = sorted(expected - found), sorted(found - expected)
    words = ["does not see {}".format(", ".join(missing))] if missing else []
    words += ["sees {} as well, which it was not given".format(", ".join(extra))] if extra else []
    return " and ".join(words)


def complete(name: str, answer: "dict[str, Any]", asked: "list[str]") -> "dict[str, Any]":
    """Each of the driver's libraries and device nodes that the host has and the way in should give is there."""
    if not answer["missing"]:
        return check("driver files", PASSED, asked)
    return check(
        "driver files",
        FAILED,
        answer["missing"],
        "the container {} lacks {}, which the host's driver has".format(name, ", ".join(answer["missing"])),
        "apply the role nvidia_docker: it has the CDI spec made anew; for the runtime, upgrade the toolkit and ask for "
        "NVIDIA_DRIVER_CAPABILITIES=compute,utility",
    )


def runs_nvidia_smi(answer: "dict[str, Any]") -> "dict[str, Any]":
    """nvidia-smi starts in the container and lists its GPUs."""
    ran = answer["nvidia_smi"]
    if ran["status"] == 0:
        return check("nvidia-smi", PASSED, ran["text"].strip())
    last = (ran["text"].strip().splitlines() or ["no output"])[-1]
    return check(
        "nvidia-smi",
        FAILED,
        ran["text"],
        "nvidia-smi does not run in the container (exit status {}: {})".format(ran["status"], last),
        "apply the role nvidia_docker: it has the CDI spec made anew with the driver's own nvidia-smi. The nvidia "
        "runtime takes the first one on dockerd's PATH: add the driver's folder (Environment=PATH=… in a drop-in)",
    )


def computes(answer: "dict[str, Any]") -> "dict[str, Any]":
    """Each GPU ran the kernel, and its result is right."""
    wrong = ["{uuid}: {kernel}".format(**device) for device in answer["cuda"]["devices"] if device["kernel"] != "ok"]
    wrong.sort(key=lambda text: re.search(NO_ROOM, text) is not None)  # what is not for lack of room is told first
    if wrong:
        known = explain(wrong[0])
        cause = known.cause if known else "a CUDA kernel does not run"
        return check(
            "kernel",
            FAILED,
            wrong,
            "{} ({})".format(cause, wrong[0]),
            known.fix if known else "dmesg | grep -i -e nvrm -e xid",
        )
    return check("kernel", PASSED, "checked on {}".format(counted(len(answer["cuda"]["devices"]), "GPU")))


def taken(failed: "dict[str, Any]", processes: "list[dict[str, Any]]") -> "dict[str, Any]":
    """A kernel that found no room: unknown where others use the GPUs, as then nothing is known of the GPU itself."""
    if not processes or not all(re.search(NO_ROOM, text) for text in failed["detail"]):
        return failed
    users = in_use.named(processes, "process", "processes")
    cause = "the proof found no room on a GPU that is in use ({}): {}".format(failed["detail"][0], users)
    return check("kernel", UNKNOWN, failed["detail"], cause, "run again when the GPUs are free; nvidia-smi shows more")


def configured(system: "System", pid: int) -> "dict[str, Any]":
    """{memlock, stack, nofile, shm} that the daemon was told to give: [soft, hard], or bytes for shm."""
    given = flags.values(lenient.arguments(system, pid) or ())
    path = given.get("config-file", ["/etc/docker/daemon.json"])[-1]
    document = json.loads(lenient.text(system, path) or "{}")
    found: "dict[str, Any]" = {}
    for text in given.get("default-ulimit", ()):
        name, _, numbers = text.partition("=")
        soft, _, hard = numbers.partition(":")
        found[name] = [int(soft), int(hard or soft)]
    for name, item in (document.get("default-ulimits") or {}).items():
        found[name] = [int(item["Soft"]), int(item["Hard"])]
    shm = document.get("default-shm-size") or (given.get("default-shm-size") or [""])[-1]
    if shm:
        found["shm"] = flags.size(str(shm))
    return {name: value for name, value in found.items() if name in ("memlock", "stack", "nofile", "shm")}


def limits(answer: "dict[str, Any]", expected: "dict[str, Any]") -> "Iterator[Any]":
    """One check for each limit that is configured or asked for: read inside the container."""
    for name, value in sorted(expected.items()):
        found = answer["shm"] if name == "shm" else answer["limits"][name]
        asked = value
        if name != "shm" and not isinstance(value, list):
            found = found[0]
        if found is None:
            yield check(name, UNKNOWN, "", "the container cannot tell its {}".format(name), "")
        elif found == asked:
            yield check(name, PASSED, found)
        else:
            cause = "{} in the container is {} and not {}".format(name, spelled(found), spelled(asked))
            yield check(
                name, FAILED, found, cause, "docker_daemon: default_ulimits, default_shm_size; then restart Docker"
            )


def spelled(value: "int | list[int]") -> str:
    """A limit for people: -1 is unlimited."""
    if isinstance(value, list):
        return " / ".join(spelled(item) for item in value)
    return "unlimited" if value == -1 else str(value)
