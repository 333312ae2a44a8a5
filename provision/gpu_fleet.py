"""The GPUs of a run beside their equals: which of them is slower than the others, or computes something else.

The law: pure. What is said comes from hosts, and what is not as it should be is left out. GPUs are equal where model,
power limit and way of measuring are; one that somebody used meanwhile is not compared. Of two equals the slower is
held against the faster; of more each against the median.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from provision.agent.gpu.speed.program.figures import WORDS

SLACK = {
    **dict.fromkeys(("memcpy_dtod", "write", "read"), 0.04),
    **dict.fromkeys(("fma32", "fma64"), 0.03),
    "mma": 0.06,
    "wgmma": 0.06,
    "sustained": 0.09,
    "htod": 0.15,
    "dtoh": 0.1,
    "peer": 0.1,
}
"""How far under its equals a GPU may be, as a share. Five healthy H200s differ by 1, 0.6, 1, 3, 1, 5 and 0.2 %."""
FIX = (
    "measure it once more (gpu_smoke_test.speed.max_age: 0); look at its clocks, power and cooling (nvidia-smi -q); "
    "then have the GPU replaced"
)


@dataclass(frozen=True)
class MeasuredGpu:
    """One GPU of a host. `figures` are GB/s or TFLOP/s, `crc` what it has computed, by kernel."""

    host: str
    index: int
    uuid: str
    group: str
    figures: Mapping[str, float]
    units: Mapping[str, str]
    crc: Mapping[str, str]

    def __str__(self) -> str:
        return f"GPU {self.index}"


@dataclass(frozen=True)
class Outlier:
    """A GPU that is not like its equals, in one figure ("" where it computes something else)."""

    gpu: MeasuredGpu
    figure: str
    text: str


def gpus(host: str, proof: Mapping[str, Any]) -> list[MeasuredGpu]:
    """Those of a proof of level 5 that can be compared."""
    found = proof.get("speed")
    if not isinstance(found, list | tuple):
        return []
    read = (_gpu(host, item) for item in found if isinstance(item, Mapping) and not item.get("shared"))
    return [gpu for gpu in read if gpu.figures]


def _gpu(host: str, item: Mapping[str, Any]) -> MeasuredGpu:
    figures, units = {}, {}
    for name, pair in _mapping(item.get("figures")).items():
        if name in WORDS and isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], int | float):
            figures[name], units[name] = float(pair[0]), str(pair[1])
    watts = item.get("power_limit")
    power = f", {watts / 1000:.0f} W" if isinstance(watts, int | float) else ""
    index = item.get("index")
    return MeasuredGpu(
        host,
        index if isinstance(index, int) else 0,
        str(item.get("uuid")),
        f"{item.get('name')}{power}, {item.get('mode')}",
        figures,
        units,
        {str(name): str(crc) for name, crc in _mapping(item.get("crc")).items()},
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def groups(found: Iterable[MeasuredGpu]) -> dict[str, list[MeasuredGpu]]:
    """Equals, by what they have in common; the largest group first."""
    sorted_out: dict[str, list[MeasuredGpu]] = {}
    for gpu in found:
        sorted_out.setdefault(gpu.group, []).append(gpu)
    return dict(sorted(sorted_out.items(), key=lambda item: -len(item[1])))


def medians(equals: Iterable[MeasuredGpu]) -> dict[str, float]:
    """The median of each figure that two or more of them have."""
    found: dict[str, list[float]] = {}
    for gpu in equals:
        for name, value in gpu.figures.items():
            found.setdefault(name, []).append(value)
    middle = {name: sorted(values)[len(values) // 2] for name, values in found.items()}  # `statistics`: 10 ms to import
    return {name: middle[name] for name in WORDS if len(found.get(name, ())) > 1}


def outliers(found: Iterable[MeasuredGpu]) -> list[Outlier]:
    """All that are not like their equals."""
    told = []
    for equals in groups(found).values():
        usual = medians(equals)
        for gpu in equals:
            slow = [name for name in usual if gpu.figures.get(name, usual[name]) < (1 - SLACK[name]) * usual[name]]
            told += [Outlier(gpu, name, _slow(gpu, name, usual[name], len(equals))) for name in slow]
        told += _otherwise(equals)
    return told


def _slow(gpu: MeasuredGpu, name: str, usual: float, count: int) -> str:
    value = gpu.figures[name]
    of = f"of its equal ({usual:.4g})" if count == 2 else f"of {count} equal GPUs ({usual:.4g})"
    return (
        f"{gpu} ({gpu.uuid}): {WORDS[name]} {value:.4g} {gpu.units[name]} is {100 * (1 - value / usual):.0f} % under "
        + (f"that {of}" if count == 2 else f"the median {of}")
    )


def _otherwise(equals: list[MeasuredGpu]) -> list[Outlier]:
    """Those of three or more whose results are not those of most."""
    told = []
    for kernel in {name for gpu in equals for name in gpu.crc}:
        crcs = Counter(gpu.crc[kernel] for gpu in equals if kernel in gpu.crc)
        [(usual, count), *_] = crcs.most_common(1)
        if count > 1 and count > crcs.total() / 2:
            for gpu in equals:
                if gpu.crc.get(kernel, usual) != usual:
                    what = f"{WORDS.get(kernel, kernel)} computes {gpu.crc[kernel]}, and {count} equal GPUs {usual}"
                    told.append(Outlier(gpu, "", f"{gpu} ({gpu.uuid}): {what}"))
    return told
