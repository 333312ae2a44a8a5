"""Is one word a misspelling of another?"""

from collections.abc import Collection

from provision.errors import nearest


def closest(word: str, candidates: Collection[str]) -> str | None:
    """What was probably meant by a name, or None. A short name one letter off, or with two swapped, counts too."""
    return nearest(word, candidates) or next(
        (name for name in candidates if len(name) > 2 and (within(word, name, 1) or sorted(word) == sorted(name))), None
    )


def within(word: str, other: str, limit: int) -> bool:
    """Is the Levenshtein distance at most `limit`?"""
    if abs(len(word) - len(other)) > limit:
        return False
    row = list(range(len(other) + 1))
    for count, letter in enumerate(word, 1):
        above, row[0] = row[0], count
        for index, wanted in enumerate(other, 1):
            above, row[index] = (
                row[index],
                min(above + (letter != wanted), row[index] + 1, row[index - 1] + 1),
            )
        if min(row) > limit:
            return False
    return row[-1] <= limit
