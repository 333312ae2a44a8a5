"""GPUs beside their equals: who is too slow, who computes otherwise, and what a run makes of it."""

from collections.abc import Mapping
from typing import Any

import pytest

from provision import gpu_fleet
from provision.events import Event, HostFinished, Outcome, ResourceDone, RunStarted, Summary
from provision.report.html import data
from provision.report.metrics import metrics
from provision.report.record import Record
from provision.rollout.equals import Equals

FIGURES = {"read": [4588.0, "GB/s"], "fma32": [65.9, "TFLOP/s"], "sustained": [863.0, "TFLOP/s"]}


def gpu(index: int = 0, factor: float = 1.0, **changes: Any) -> dict[str, Any]:
    """A GPU of a proof, with all figures at `factor`."""
    figures = {name: [value * factor, unit] for name, (value, unit) in FIGURES.items()}
    found = {"index": index, "uuid": f"GPU-{index}", "name": "NVIDIA H200", "mode": "full", "power_limit": 700000}
    return {**found, "shared": [], "figures": figures, "crc": {"fma32": "a30f443b"}, **changes}


def fleet(**hosts: list[dict[str, Any]]) -> list[gpu_fleet.MeasuredGpu]:
    return [gpu for host, found in hosts.items() for gpu in gpu_fleet.gpus(host, {"speed": found})]


def told(**hosts: list[dict[str, Any]]) -> list[tuple[str, int, str]]:
    return [(item.gpu.host, item.gpu.index, item.figure) for item in gpu_fleet.outliers(fleet(**hosts))]


def test_who_is_under_the_median_of_equal_gpus_is_named_with_figure_and_share() -> None:
    found = fleet(a=[gpu(0), gpu(1)], b=[gpu(0), gpu(1, figures={"read": [4100.0, "GB/s"]})])
    [outlier] = gpu_fleet.outliers(found)
    assert (outlier.gpu.host, outlier.gpu.index, outlier.figure) == ("b", 1, "read")
    assert outlier.text == ("GPU 1 (GPU-1): memory read 4100 GB/s is 11 % under the median of 4 equal GPUs (4588)")


def test_of_two_the_slower_is_held_against_the_faster() -> None:
    assert told(a=[gpu(0), gpu(1, 0.9)]) == [("a", 1, "read"), ("a", 1, "fma32"), ("a", 1, "sustained")]
    assert told(a=[gpu(0, 0.9), gpu(1)])[0] == ("a", 0, "read")
    assert told(a=[gpu(0), gpu(1, 0.98)]) == []
    [text] = {item.text for item in gpu_fleet.outliers(fleet(a=[gpu(0), gpu(1, 0.9)])) if item.figure == "read"}
    assert text == "GPU 1 (GPU-1): memory read 4129 GB/s is 10 % under that of its equal (4588)"


@pytest.mark.parametrize(
    "changes",
    [{"name": "NVIDIA H100"}, {"power_limit": 500000}, {"mode": "lean"}, {"shared": [7511]}],
)
def test_what_is_not_equal_is_not_compared(changes: dict[str, Any]) -> None:
    assert told(a=[gpu()], b=[gpu()], c=[gpu(factor=0.5, **changes)]) == []


def test_one_alone_has_nothing_to_be_held_against() -> None:
    assert told(a=[gpu(factor=0.1)]) == []


def test_who_computes_something_else_than_most_is_named() -> None:
    wrong = gpu(crc={"fma32": "00000000"})
    [outlier] = gpu_fleet.outliers(fleet(a=[gpu()], b=[gpu()], c=[wrong]))
    assert (outlier.gpu.host, outlier.figure) == ("c", "")
    assert "FP32 computes 00000000, and 2 equal GPUs a30f443b" in outlier.text
    assert told(a=[gpu()], b=[wrong]) == [], "of two nobody knows which one is right"


@pytest.mark.parametrize(
    "proof",
    [
        {},
        {"speed": 7},
        {"speed": [7, None, {}]},
        {"speed": [{"figures": {"read": 7, "write": ["x", "y"], "new": [1, "GB/s"], "htod": [1]}, "crc": 3}]},
    ],
)
def test_what_a_host_says_oddly_is_left_out(proof: Mapping[str, Any]) -> None:
    assert gpu_fleet.gpus("a", proof) == []


# -- in a run


def measured(host: str, *gpus: dict[str, Any]) -> ResourceDone:
    proof = {"levels": {"5": {"verdict": "passed", "checks": []}}, "verdict": "passed", "speed": list(gpus)}
    return ResourceDone(host, "gpu_smoke_test", "gpu_speed", "gpu", Outcome.OK, proof=proof)


def ended(host: str, outcome: Outcome = Outcome.OK) -> HostFinished:
    return HostFinished(host, outcome, {}, 3.0)


def test_a_host_with_a_gpu_that_is_slower_than_its_equals_fails_at_the_end() -> None:
    equals = Equals()
    for event in (measured("a", gpu()), measured("b", gpu()), measured("c", gpu(factor=0.9))):
        equals(event)
    [(step, result)] = equals.judge({name: ended(name) for name in "abc"})
    assert (step.host, step.role, step.outcome, result.outcome) == ("c", "gpu_smoke_test", "failed", "failed")
    assert result.error is not None
    assert "under the median of 3 equal GPUs" in result.error.cause
    assert "measure it once more" in result.error.fix
    assert len(result.error.output.splitlines()) == 2, "the other figures"


def test_a_host_that_has_failed_keeps_its_cause_and_is_still_an_equal() -> None:
    equals = Equals()
    for event in (measured("a", gpu()), measured("b", gpu(factor=0.9))):
        equals(event)
    assert list(equals.judge({"a": ended("a"), "b": ended("b", Outcome.FAILED)})) == []


def test_the_last_proof_of_a_host_counts() -> None:
    equals = Equals()
    for event in (measured("a", gpu()), measured("b", gpu(factor=0.5)), measured("b", gpu())):
        equals(event)
    assert list(equals.judge({"a": ended("a"), "b": ended("b")})) == []


# -- in the reports


def record(*events: Event) -> Record:
    made = Record()
    for event in (RunStarted("r", "apply", ("a", "b", "c"), False), *events):
        made(event)
    return made


def slow() -> Record:
    return record(
        *(measured(host, gpu(0), gpu(1)) for host in "ab"),
        measured("c", gpu(0), gpu(1, figures={**FIGURES, "read": [4100.0, "GB/s"]})),
    )


def test_the_page_gets_the_spread_of_each_figure_and_who_is_apart() -> None:
    [group] = data(slow())["speed"]
    assert (group["group"], group["count"], group["otherwise"]) == ("NVIDIA H200, 700 W, full", 6, [])
    [read, fma32, _] = group["figures"]
    assert (read["name"], read["unit"], read["median"], read["lowest"], read["highest"]) == (
        "memory read", "GB/s", 4588.0, 4100.0, 4588.0,
    )  # fmt: skip
    assert read["spread"] == [[100.0, 5]]
    assert read["apart"] == [[89.4, 2, 1, 4100.0]]
    assert (fma32["spread"], fma32["apart"], fma32["allowed"]) == ([[100.0, 6]], [], 97.0)


def test_one_gpu_is_shown_and_held_against_nothing() -> None:
    [group] = data(record(measured("a", gpu())))["speed"]
    assert group["count"] == 1
    assert [figure["spread"] for figure in group["figures"]] == [[[100.0, 1]]] * 3


def test_the_page_of_8000_gpus_stays_small() -> None:
    hosts = [f"h{number}" for number in range(1000)]
    made = Record()
    made(RunStarted("r", "apply", tuple(hosts), False))
    for number, host in enumerate(hosts):
        made(measured(host, *(gpu(index, 1 + (number % 7) / 1000) for index in range(8))))
    assert len(str(data(made)["speed"])) < 10_000


def test_metrics_have_each_figure_and_who_is_slower() -> None:
    text = metrics(slow())
    labels = '{verb="apply",host="c",gpu="1",uuid="GPU-1",figure="read"'
    assert f'provision_gpu_figure{labels},unit="GB/s"}} 4100\n' in text
    assert f"provision_gpu_slower_than_equals{labels}}} 1\n" in text
    assert text.count("provision_gpu_slower_than_equals{") == 1


def test_the_age_of_the_proof_is_not_that_of_the_speed() -> None:
    step = ResourceDone("a", "gpu_smoke_test", "gpu_proof", "gpu", Outcome.OK, proof={"verdict": "passed", "gpus": [1]})
    text = metrics(record(step, measured("a", gpu()), ended("a")))
    assert 'provision_gpus_proven{verb="apply",host="a"} 1' in text


def test_a_record_has_the_outcome_that_a_host_has_in_the_end() -> None:
    made, equals = slow(), Equals()
    for host in made.hosts.values():
        for event in host.steps:
            equals(event)
    [(step, result)] = equals.judge({name: ended(name) for name in made.hosts})
    for event in (ended("c"), step, Summary("r", Outcome.FAILED, {"c": result})):
        made(event)
    assert made.hosts["c"].outcome == "failed"
    assert made.hosts["c"].error == result.error
