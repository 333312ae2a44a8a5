"""Texts of other programs that are known to mean something: rows of a table, and the search in it. Both ends import it.

The first row that matches wins, so the more precise one stands first. A text that no row knows is shown as it is, never
guessed at. Patterns are compiled when they are searched for: at import all of them would cost a host 10 ms.
"""

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence


class KnownError:
    """`pattern`: a regular expression; `cause` (a sentence) and `fix` (what to do) may name its groups as {group}."""

    def __init__(self, pattern: str, cause: str, fix: str) -> None:
        self.pattern = pattern
        self.cause = cause
        self.fix = fix


def explain(text: str, table: "Sequence[KnownError]", ignore_case: bool = False, **words: str) -> "KnownError | None":
    """The row that matches, its cause and fix filled in with its groups, the whole match as {0}, and `words`."""
    for row in table:
        match = re.search(row.pattern, text, re.M | re.I if ignore_case else re.M)
        if match:
            groups = {name: " ".join((value or "").split()) for name, value in match.groupdict().items()}
            groups.update(words)
            cause, fix = (part.format(match.group(0), **groups) for part in (row.cause, row.fix))
            return KnownError(row.pattern, cause, fix)
    return None
