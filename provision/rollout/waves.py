"""The arithmetic of a rollout: how many hosts a wave takes, which ones, and when enough have failed. Pure.

The law: sizes and budgets are rounded up; a wave's size is the number of hosts that are done when it ends (a cumulative
target); a budget is reached at `>=`, over the whole run. Hosts are named, never numbered, and their order is kept.
"""

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from provision.events import Outcome

Order = Literal["inventory", "reverse_inventory", "sorted", "reverse_sorted", "shuffle"]
"""Ansible's words for the order of hosts."""
PROOF = frozenset({Outcome.OK, Outcome.CHANGED})
"""Outcomes that prove a host. Pending and skipped are neither proof nor failure."""
FAILURES = frozenset({Outcome.FAILED, Outcome.UNREACHABLE, Outcome.UNKNOWN})
"""Outcomes that use up the budget; a host that was rolled back is failed."""
_AMOUNT = re.compile(r"([0-9]{1,7})(%?)")


@dataclass(frozen=True)
class Amount:
    """So many hosts, or so many percent of them."""

    number: int
    percent: bool = False

    def __str__(self) -> str:
        return f"{self.number}%" if self.percent else str(self.number)

    def of(self, hosts: int) -> int:
        """How many that is of so many hosts, rounded up. A number may be more than there are."""
        return -(-hosts * self.number // 100) if self.percent else self.number


def amount(text: str) -> Amount:
    """`3` or `10%`. Raises ValueError, as a sentence."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no number of hosts: write 3 or 10%")
    found = Amount(int(match[1]), bool(match[2]))
    if found.number == 0:
        raise ValueError(f"{text} is not possible: at least 1 host, or 1%")
    if found.percent and found.number > 100:
        raise ValueError(f"{text} is more than all hosts")
    return found


def growing(waves: Sequence[Amount]) -> str | None:
    """What is wrong with these targets, or None: each must be more than the one before, and the last be everybody."""
    for percent in (False, True):
        same = [wave for wave in waves if wave.percent is percent]
        for before, after in pairwise(same):
            if after.number <= before.number:
                return f"wave {after} comes after {before}: each wave says how many hosts are done when it ends"
    if waves and waves[-1] != Amount(100, True):
        return f"the last wave is {waves[-1]}: end with 100%"
    return None


def targets(waves: Sequence[Amount], hosts: int) -> list[int]:
    """How many of so many hosts are done at the end of each wave: growing, the last one all; an empty wave is none."""
    found: list[int] = []
    for wave in waves:
        target = min(hosts, wave.of(hosts))
        if target > (found[-1] if found else 0):
            found.append(target)
    return found


def layout(hosts: Sequence[str], waves: Sequence[Amount], places: Mapping[str, str] | None) -> list[tuple[str, ...]]:
    """The hosts of each wave, in order. With `places` (host to rack), no wave takes two hosts of one place; a target
    that cannot be reached so takes several waves."""
    waiting, done, found = list(hosts), 0, list[tuple[str, ...]]()
    for target in targets(waves, len(hosts)):
        while done < target:
            wave = _wave(waiting, target - done, places)
            taken = set(wave)
            waiting = [host for host in waiting if host not in taken]
            done += len(wave)
            found.append(wave)
    return found


def _wave(waiting: Sequence[str], size: int, places: Mapping[str, str] | None) -> tuple[str, ...]:
    if places is None:
        return tuple(waiting[:size])
    first: dict[str, str] = {}
    left = Counter(places[host] for host in waiting)
    for host in waiting:
        first.setdefault(places[host], host)
    # The fullest places go first: a place with many hosts left is what decides how many waves there will be.
    chosen = set(sorted(first, key=lambda place: -left[place])[:size])
    return tuple(host for place, host in first.items() if place in chosen)


def ordered(hosts: Sequence[str], order: Order, seed: str) -> list[str]:
    """The hosts in the order in which they are taken; `seed` (the run's ID) makes a shuffle repeatable."""
    match order:
        case "sorted" | "reverse_sorted":
            return sorted(hosts, reverse=order == "reverse_sorted")
        case "reverse_inventory":
            return list(reversed(hosts))
        case "shuffle":
            return random.Random(seed).sample(list(hosts), len(hosts))  # noqa: S311 - an order is no secret
    return list(hosts)


@dataclass
class Budget:
    """How many hosts may fail in a run. `limit` None: as many as like."""

    limit: int | None
    failed: list[str] = field(default_factory=list)

    def count(self, host: str, outcome: Outcome) -> None:
        if outcome in FAILURES:
            self.failed.append(host)

    @property
    def reached(self) -> bool:
        return self.limit is not None and len(self.failed) >= self.limit

    def reason(self) -> str:
        """Why the run stopped, for a person."""
        number = "1 host has" if len(self.failed) == 1 else f"{len(self.failed)} hosts have"
        return f"{number} failed, and --max-failures is {self.limit}"


def gate(outcomes: Iterable[Outcome]) -> str | None:
    """Why the next wave must not start, from the outcomes of this one; None where it may."""
    found = list(outcomes)
    if any(outcome in PROOF for outcome in found):
        return None
    words = ", ".join(f"{count} {outcome}" for outcome, count in Counter(found).items())
    return f"no host of the wave proved the change ({words})"
