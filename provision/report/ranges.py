"""Many names of hosts in few words: those that count up become one range, as an inventory and --limit take it."""

import re
from collections.abc import Iterator, Sequence


def folded(found: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Names that count up in one place as `dgx[01:16].example.com`, each with how many it stands for."""
    run: list[list[str]] = []
    place = None
    for name in found:
        words = re.split(r"([0-9]+)", name)
        step = _counts_up(run[-1], words) if run else None
        if run and (step is None or place not in (None, step)):
            yield from _range(run, place)
            run, place = [words], None
        else:
            run.append(words)
            place = step
    yield from _range(run, place)


def _counts_up(before: list[str], words: list[str]) -> int | None:
    """The place of the one number that is by one more than before, where all else is equal."""
    odd = [number for number, pair in enumerate(zip(before, words, strict=False)) if pair[0] != pair[1]]
    if len(before) != len(words) or len(odd) != 1 or not odd[0] % 2:
        return None
    one, other = before[odd[0]], words[odd[0]]
    padded = one.startswith("0") or other.startswith("0")
    return odd[0] if int(other) - int(one) == 1 and (len(one) == len(other) or not padded) else None


def _range(run: list[list[str]], place: int | None) -> Iterator[tuple[str, int]]:
    if len(run) < 3 or place is None:
        yield from (("".join(words), 1) for words in run)
        return
    ends = f"[{run[0][place]}:{run[-1][place]}]"
    yield "".join([*run[0][:place], ends, *run[0][place + 1 :]]), len(run)
