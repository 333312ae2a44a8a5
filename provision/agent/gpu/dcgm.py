"""Level 6: NVIDIA's own diagnosis (`dcgmi diag`) finds nothing wrong, on hosts that have DCGM. A probe.

The law: nothing but Pass is a pass; a test that was skipped was not made, and is named; what cannot be read, a DCGM
that does not answer and one that ends at its time limit are unknown. Its JSON has no published schema, so results are
looked for by their form, which 3.x and 4.x share: {"name", "results": [{"status", "warnings", …}]}.
"""

import json
import time

from ..docker import in_use
from ..host import lenient
from ..host.errors import TimedOut
from .proof import receipt as proof_receipt
from .proof.host_checks import FAILED, PASSED, UNKNOWN, check, verdict_of
from .proof.own_level import OwnLevel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List

    from ..host.results import CommandResult
    from ..host.system import System
    from ..types import Diff

    Checks = List[Dict[str, Any]]

WORDS = {"pass": PASSED, "fail": FAILED, "warn": FAILED, "skip": "skipped", "skipped": "skipped"}
"""By DCGM's word for a result; each other one is unknown."""
LIGHT = 1
"""The suite that loads no GPU."""


class GpuDcgm(OwnLevel):
    level = "6"
    file = proof_receipt.DCGM
    suite: int
    timeout: int
    max_age: int

    def good_for(self, system: "System") -> "dict[str, Any]":
        return {
            "the settings": self.suite,
            "the driver": lenient.word(system, "/sys/module/nvidia/version"),
            "the boot": system.boot_id(),
        }

    def sentence(self, kept: "dict[str, Any]") -> str:
        count = len(kept["levels"]["6"]["checks"])
        words = "{}: dcgmi diag -r {}, {} tests".format("passed now" if self._ran else "proven", self.suite, count)
        return "; ".join([words] + kept["warnings"])

    def apply(self, system: "System", diff: "Diff") -> None:
        """Run it and keep the receipt; what fails is Failed."""
        started = time.monotonic()
        checks, skipped = self._diagnosed(system)
        warnings = ["DCGM did not look at: {}".format(", ".join(skipped))] if skipped else []
        self.conclude(system, started, checks, self.good_for(system), warnings)

    def _diagnosed(self, system: "System") -> "tuple[Checks, list[str]]":
        """(checks, the tests that DCGM has skipped)."""
        users = in_use.users(system)["processes"] if self.suite > LIGHT else []
        if users:
            cause = "shared with {}".format(in_use.named(users, "process", "processes"))
            fix = "run again when nobody uses the GPUs, or set dcgm.suite: 1, which loads none"
            return [check("alone", UNKNOWN, "", cause, fix)], []
        system.progress("level 6: dcgmi diag -r {}".format(self.suite))
        try:
            result = system.query(["dcgmi", "diag", "-r", str(self.suite), "-j"], timeout=self.timeout)
        except TimedOut:
            cause = "dcgmi diag did not end within {} s".format(self.timeout)
            return [check("dcgmi", UNKNOWN, "", cause, "set dcgm.timeout; look at dmesg for Xid lines")], []
        return _read(result)


def _read(result: "CommandResult") -> "tuple[Checks, list[str]]":
    """(checks, the tests that were skipped) of what dcgmi has left."""
    found = list(_tests(_document(result.out)))
    checks = [item for item in found if item["verdict"] != "skipped"]
    skipped = sorted({item["name"] for item in found} - {item["name"] for item in checks})
    if not checks or not result.ok and verdict_of(checks) == PASSED:
        said = ((result.err.strip() or result.out.strip()).splitlines() or ["no output"])[-1][-300:]
        cause = "dcgmi diag cannot tell (exit status {}: {})".format(result.status, said)
        fix = "install datacenter-gpu-manager and start nvidia-dcgm, or take 6 out of levels"
        checks = [*checks, check("dcgmi", UNKNOWN, "", cause, fix)]
    return checks, skipped


def _document(text: str) -> "Any":
    """The JSON object in an output that may have other lines around it; None without one."""
    try:
        return json.loads(text[text.index("{") : text.rindex("}") + 1])
    except ValueError:
        return None


def _tests(value: "Any") -> "Iterator[dict[str, Any]]":
    """A check for each test with results, wherever it stands."""
    if isinstance(value, dict) and isinstance(value.get("results"), list):
        yield _check(str(value.get("name")), [item for item in value["results"] if isinstance(item, dict)])
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            for found in _tests(item):
                yield found


def _check(name: str, results: "list[dict[str, Any]]") -> "dict[str, Any]":
    verdicts = [WORDS.get(str(item.get("status")).lower(), UNKNOWN) for item in results]
    for verdict in (FAILED, UNKNOWN, PASSED):
        if verdict in verdicts:
            break
    else:
        return check(name, "skipped" if verdicts else UNKNOWN, "", "{}: DCGM gives no result".format(name))
    if verdict == PASSED:
        return check(name, PASSED)
    bad = results[verdicts.index(verdict)]
    cause = "{}: {}".format(name, _words(bad))
    return check(
        name, verdict, [bad], cause, "dcgmi diag -r 1 -v; look the error up, then drain the host or replace the GPU"
    )


def _words(result: "dict[str, Any]") -> str:
    """Which GPU, DCGM's word and its reasons: texts in 3.x, objects with a text in 4.x."""
    gpu = result.get("gpu_ids", result.get("entity_id"))
    reasons = [
        item.get("warning", "") if isinstance(item, dict) else str(item) for item in result.get("warnings") or ()
    ]
    place = "" if gpu is None else "GPU {}: ".format(gpu)
    return place + ("; ".join(reasons) or str(result.get("status")))
