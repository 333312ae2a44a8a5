"""The GPUs' figures for the page: of each group of equals and each figure, how they are spread and who is apart.

The law: what 8,000 GPUs share is counted, so that the page stays small; who is apart has an entry of its own.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from provision import gpu_fleet
from provision.agent.gpu.speed.program.figures import WORDS

LEAST = 50.0
"""Percent of the median; what is further down is drawn there."""


def speeds(found: Iterable[gpu_fleet.MeasuredGpu], numbers: Mapping[str, int]) -> list[dict[str, Any]]:
    """[{"group", "count", "least", "figures": [...], "otherwise"}]: see script.js. `numbers`: hosts by name."""
    known = list(found)
    apart: dict[tuple[str, int], list[gpu_fleet.Outlier]] = {}
    for outlier in gpu_fleet.outliers(known):
        apart.setdefault((outlier.gpu.host, outlier.gpu.index), []).append(outlier)
    return [_group(name, equals, apart, numbers) for name, equals in gpu_fleet.groups(known).items()]


def _group(
    name: str,
    equals: list[gpu_fleet.MeasuredGpu],
    apart: Mapping[tuple[str, int], list[gpu_fleet.Outlier]],
    numbers: Mapping[str, int],
) -> dict[str, Any]:
    usual = gpu_fleet.medians(equals)
    of_these = [outlier for gpu in equals for outlier in apart.get((gpu.host, gpu.index), ())]
    names = usual or equals[0].figures  # one GPU alone is shown, and held against nothing
    figures = [_figure(figure, equals, usual.get(figure), of_these, numbers) for figure in WORDS if figure in names]
    lowest = min((point[0] for figure in figures for point in figure["spread"] + figure["apart"]), default=100.0)
    return {
        "group": name,
        "count": len(equals),
        "from": min(95.0, float(int(lowest / 5) * 5)),
        "figures": figures,
        "otherwise": [[numbers[item.gpu.host], item.text] for item in of_these if not item.figure],
    }


def _figure(
    name: str,
    equals: list[gpu_fleet.MeasuredGpu],
    usual: float | None,
    outliers: Iterable[gpu_fleet.Outlier],
    numbers: Mapping[str, int],
) -> dict[str, Any]:
    values = [gpu.figures[name] for gpu in equals if name in gpu.figures]
    median = usual if usual is not None else values[0]
    bad = [outlier.gpu for outlier in outliers if outlier.figure == name]
    places = {(gpu.host, gpu.index) for gpu in bad}
    good = [gpu.figures[name] for gpu in equals if name in gpu.figures and (gpu.host, gpu.index) not in places]
    spread = Counter(_percent(value, median) for value in good)
    return {
        "name": WORDS[name],
        "unit": next(gpu.units[name] for gpu in equals if name in gpu.units),
        "count": len(values),
        "median": median,
        "lowest": min(values),
        "highest": max(values),
        "allowed": round(100 * (1 - gpu_fleet.SLACK[name]), 1),
        "spread": sorted([percent, count] for percent, count in spread.items()),
        "apart": [
            [_percent(gpu.figures[name], median), numbers[gpu.host], gpu.index, gpu.figures[name]]
            for gpu in sorted(bad, key=lambda gpu: gpu.figures[name])
        ],
    }


def _percent(value: float, median: float) -> float:
    return max(LEAST, min(150.0, round(100 * value / median, 1))) if median else 100.0
