"""The receipt of a proof: kept on the host as JSON, and what it is still good for.

The law: a receipt holds for exactly the settings, files, programs, daemon process, driver, GPUs and boot that it was
made with, and no longer than `max_age`; a clock that went backwards makes it due. It holds no secret: files enter as
digests with this host's own salt.
"""

import hashlib
import json
import os
import time

from ...host import lenient
from .. import injection
from ..driver import counted
from .host_checks import PASSED, uuids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol  # novm

    from ...host.system import System

    class Receipt(Protocol):
        """What is asked of kind.py here."""

        fields: "tuple[str, ...]"
        levels: "list[int]"
        max_age: int


RECEIPT = "proofs/gpu.json"
SURVIVAL = "proofs/gpu-survival.json"
SPEED = "proofs/gpu-speed.json"
DCGM = "proofs/gpu-dcgm.json"
UNKEYED = ("max_age", "gate")
"""Settings that change nothing of what a proof is good for."""
INPUTS = ("/etc/docker/daemon.json", injection.CONFIG, "/etc/default/docker")
PROGRAMS = (
    "nvidia-container-runtime",
    "nvidia-container-runtime-hook",
    "nvidia-container-cli",
    "nvidia-cdi-hook",
    "nvidia-docker",
)


def last(
    proof: "Receipt", system: "System", measured: "dict[str, Any]", ran: bool = False
) -> "tuple[dict[str, Any] | None, str | None]":
    """(the kept receipt or None, why a proof is due or None). `ran`: it was made now, so that it has no age."""
    receipt = read(system, RECEIPT)
    why = due(receipt, key(proof, system, measured))
    if receipt is None or why is not None:
        return receipt, why
    if not set(map(str, proof.levels)) <= set(receipt["levels"]):
        return receipt, "the last proof did not pass"
    if ran:
        return receipt, None
    age = time.time() - receipt["key_time"]
    if not 0 <= age <= proof.max_age:
        return receipt, "the last proof is {} old".format(_age(age))
    return receipt, None


def due(receipt: "dict[str, Any] | None", current: "dict[str, Any]") -> "str | None":
    """Why a proof is due, its age aside, or None: there is none, what it was good for has changed, or it failed."""
    if receipt is None:
        return "never proven"
    known = receipt.get("key") or {}
    changed = [name for name in sorted(current) if known.get(name) != current[name]]
    if changed:
        return "{} changed since the last proof".format(" and ".join(changed))
    return None if receipt.get("verdict") == PASSED else "the last proof did not pass"


def read(system: "System", name: str) -> "dict[str, Any] | None":
    """A receipt in the state directory; None where there is none that can be read."""
    data = system.text(os.path.join(system.state, name))
    try:
        receipt = json.loads(data) if data else None
    except ValueError:
        return None
    return receipt if isinstance(receipt, dict) and receipt.get("schema") == 1 else None


def key(proof: "Receipt", system: "System", measured: "dict[str, Any]") -> "dict[str, Any]":
    """What a proof is good for: none of these may differ."""
    settings = {name: getattr(proof, name) for name in proof.fields if name not in UNKEYED}
    return {
        "the settings": _digest(settings),
        "the configuration": configuration(system),
        "the toolkit": toolkit(system),
        "the daemon": measured["docker"].get("process"),
        "the driver": measured["driver"],
        "the boot": measured["boot"],
        "the set of GPUs": _digest(sorted(uuid for uuid, _ in uuids({"gpus": measured["gpus"]}))),
    }


def configuration(system: "System") -> str:
    """A digest of the files that decide how containers get GPUs."""
    files = [[path, system.state_file.digest(system.read(path))] for path in INPUTS]
    files += [
        [path, hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()]
        for path, text in sorted(injection.specs(system).items())
    ]
    return _digest(files)


def toolkit(system: "System") -> str:
    """A digest of which programs of the toolkit are there."""
    return _digest([[name, _stamp(system.which(name))] for name in PROGRAMS])


def keep(system: "System", receipt: "dict[str, Any]", name: str = RECEIPT) -> None:
    """Write a receipt into the state directory."""
    receipt["key_time"] = time.time()
    system.state_file.save()  # the salt of the digests above
    folder = os.path.join(system.state, os.path.dirname(name))
    if system.stat(folder) is None:
        system.make_directory(folder, 0o700, os.geteuid(), os.getegid())
    data = (json.dumps(receipt, indent=1, sort_keys=True) + "\n").encode("ascii")
    system.keep(os.path.join(system.state, name), data)


def _digest(value: "dict[str, Any] | list[Any]") -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("ascii")).hexdigest()[:16]


def _stamp(path: "str | None") -> "list[str | int] | None":
    if path is None:
        return None
    status = os.stat(path)
    return [path, status.st_size, status.st_mtime_ns]


def ticks(system: "System", pid: int) -> "Any":
    """When a process started, in clock ticks since boot: field 22 of proc(5)'s stat."""
    fields = (lenient.text(system, "/proc/{}/stat".format(pid)) or "").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else "?"


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _age(seconds: float) -> str:
    seconds = abs(int(seconds))
    for size, word in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return "{} {}".format(seconds // size, word)
    return "{} s".format(seconds)


def sentence(receipt: "dict[str, Any]", ran: bool = False) -> str:
    """The proof in one line: how old (or that it ran now), of what, by which way in, and what is worth knowing."""
    ways = ", ".join(receipt["docker"].get("injection") or ()) or "no GPU here"
    when = "passed now" if ran else "proven {} ago".format(_age(time.time() - receipt["key_time"]))
    count = counted(len(receipt["gpus"]), "GPU")
    text = "{}: {}, levels {}, {}".format(when, count, ", ".join(sorted(receipt["levels"])), ways)
    exited = receipt.get("exited") or {}
    if exited.get("count"):
        size = exited["bytes"] / 1e6
        text += "; {} {} {:.1f} MB (docker ps --all --size --filter status=exited)".format(
            counted(exited["count"], "exited container"), "holds" if exited["count"] == 1 else "hold", size
        )
    return "; ".join([text] + receipt["warnings"])
