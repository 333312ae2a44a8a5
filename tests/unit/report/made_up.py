"""Runs that are made up, for the page: what a hostile host says, GPUs whose speed was measured, answers to `status`."""

from typing import Any

from provision.events import (
    Answered,
    Error,
    HostFacts,
    HostFinished,
    HostStarted,
    Notice,
    Outcome,
    ResourceDone,
    RunStarted,
    Summary,
)
from provision.report.record import Record

HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "&lt;b&gt;<!--\u2028\x1b[31m"
)


def hostile() -> Record:
    record = Record()
    proof = {
        "levels": {HOSTILE: {"verdict": HOSTILE, "checks": [{"name": HOSTILE, "cause": HOSTILE}]}, "0": 7},
        "gpus": [HOSTILE, {"name": HOSTILE}],
    }
    diff = (
        {"key": HOSTILE, "before": HOSTILE, "after": [HOSTILE], "text": None},
        {"key": "c", "before": None, "after": None, "text": "+" + HOSTILE},
    )
    error = Error(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    end = HostFinished(HOSTILE, Outcome.FAILED, {}, 1.0, error)
    step = ResourceDone(HOSTILE, HOSTILE, HOSTILE, HOSTILE, Outcome.CHANGED, diff, HOSTILE, 0.1, None, proof)
    facts = {"kernel": HOSTILE, "nvidia": [HOSTILE]}
    for event in (
        RunStarted(HOSTILE, HOSTILE, (HOSTILE,), False),
        HostStarted(HOSTILE),
        HostFacts(HOSTILE, facts),
        Notice(HOSTILE, HOSTILE),
        step,
        end,
        Summary(HOSTILE, Outcome.FAILED, {HOSTILE: end}),
    ):
        record(event)
    return record


def answered(**answers: dict[str, Any]) -> Record:
    """What hosts have answered to `status`."""
    record = Record()
    record(RunStarted("R", "status", tuple(answers), True))
    for name, answer in answers.items():
        outcome = Outcome.PENDING if answer["pending"] else Outcome.OK
        record(Answered(name, "status", outcome, answer))
        record(HostFinished(name, outcome, {}, 0.4))
    return record


def speeds(count: int) -> Record:
    """Hosts with eight GPUs each, of which one has slow memory, and one of another model."""
    record = Record()
    names = [f"dgx{number:04}" for number in range(1, count + 1)]
    record(RunStarted("R", "apply", tuple(names), False))
    for number, name in enumerate(names):
        gpus = []
        for index in range(8):
            wave = 1 + ((number * 8 + index) * 37 % 101 - 50) / 10000
            slow = 0.88 if (number, index) == (2, 5) else 1
            figures = {
                "memcpy_dtod": [4278 * wave, "GB/s"], "write": [4695 * wave, "GB/s"],
                "read": [4588 * wave * slow, "GB/s"],
                "fma32": [65.9 * wave, "TFLOP/s"], "fma64": [33.1 * wave, "TFLOP/s"], "wgmma": [969 * wave, "TFLOP/s"],
                "sustained": [863 * wave, "TFLOP/s"], "htod": [55.5 * wave, "GB/s"], "dtoh": [55.5 * wave, "GB/s"],
            }  # fmt: skip
            model = HOSTILE if number == count - 1 and count > 3 else "NVIDIA H200"
            gpu = {"index": index, "uuid": f"GPU-{number}-{index}", "name": model, "mode": "full", "figures": figures}
            gpus.append({**gpu, "power_limit": 700000, "shared": [], "crc": {}})
        proof = {"levels": {"5": {"verdict": "passed", "checks": []}}, "speed": gpus}
        record(ResourceDone(name, "gpu_smoke_test", "gpu_speed", "gpu", Outcome.OK, proof=proof))
        record(HostFinished(name, Outcome.OK, {}, 3.0))
    record(Summary("R", Outcome.OK))
    return record
