"""What tells hosts apart: a short, flat picture of a host's facts, and how two sets of hosts differ in it. Pure.

The law: facts come from a host that may lie, so nothing in them is taken for granted, not even its type; a trait is
always text, and never longer than a line. The order of TRAITS is the order in which people look for a cause.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Traits = Mapping[str, str]
LONGEST = 80
"""Characters of one value."""
PATHS: Mapping[str, tuple[str, ...]] = {
    "driver": ("nvidia", "driver_loaded"),
    "driver on disk": ("nvidia", "driver_on_disk"),
    "driver library": ("nvidia", "library"),
    "Docker": ("docker", "version"),
    "Docker from snap": ("docker", "snap"),
    "OS": ("os", "name"),
    "kernel": ("kernel",),
    "DGX": ("dgx", "version"),
    "init": ("init",),
    "architecture": ("architecture",),
    "machine": ("dmi_product",),
    "apt": ("apt_version",),
    "python": ("python",),
    "may raise limits": ("can_raise_limits",),
}


@dataclass(frozen=True)
class FactDifference:
    """A trait in which the hosts of one set differ from all of another."""

    trait: str
    odd: str
    """What the hosts in question have; several values joined with `or`."""
    others: str

    def __str__(self) -> str:
        return f"{self.trait} {self.odd} (others: {self.others})"


def traits(facts: Mapping[str, Any]) -> Traits:
    """The traits of one host. What is absent is `none`: that, too, tells hosts apart."""
    found = {"GPUs": _gpus(facts)}
    found |= {name: _text(_at(facts, path)) for name, path in PATHS.items()}
    # A fleet has few values of each: one object for all hosts that have it.
    return {name: sys.intern(value) for name, value in found.items()}


def differences(odd: Sequence[Traits], others: Sequence[Traits], most: int = 3) -> list[FactDifference]:
    """The first traits in which no host of `odd` is like any of `others`; none where either set is empty."""
    found = []
    for name in ("GPUs", *PATHS):
        here, there = (
            Counter(item.get(name, "none") for item in odd),
            Counter(item.get(name, "none") for item in others),
        )
        if here and there and not here.keys() & there.keys():
            found.append(FactDifference(name, _listed(here), _listed(there)))
    return found[:most]


def _listed(values: Counter[str]) -> str:
    shown = [value for value, _ in values.most_common(3)]
    return " or ".join(shown) + (" or others" if len(values) > len(shown) else "")


def _at(facts: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        facts = facts.get(part) if isinstance(facts, Mapping) else None
    return facts


def _text(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(str(value).split())[:LONGEST] if isinstance(value, str | int | float) else "?"


def _gpus(facts: Mapping[str, Any]) -> str:
    """`8 x 2330`: how many GPUs, and their PCI device IDs."""
    listed = _at(facts, ("nvidia", "pci"))
    if not isinstance(listed, list):
        return "none"
    models = Counter(
        _text(item.get("device"))
        for item in listed
        if isinstance(item, Mapping) and item.get("device_class") in ("0300", "0302")
    )
    return ", ".join(f"{count} x {model}" for model, count in sorted(models.items())) or "none"
