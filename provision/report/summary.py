"""How a run ended: which hosts failed and why, and the one line that counts.

The law: the last line says what was, never more; what did not happen is not in it, but for ok and changed.
"""

from collections.abc import Iterator, Sequence

from provision.events import BAD, Error, HostFinished, Outcome, Summary
from provision.report.text import headline, hosts


def failures(summary: Summary) -> Iterator[tuple[str, str, Error | None]]:
    """Each host that is not known to be right, with the cause."""
    for host, result in summary.hosts.items():
        if result.outcome in BAD:
            yield host, _cause(result), result.error


def _cause(result: HostFinished) -> str:
    if result.error is not None:
        return headline(result.error)
    return "not started" if result.outcome is Outcome.NOT_STARTED else str(result.outcome)


def total(summary: Summary, told: Sequence[Outcome]) -> str:
    """`10 hosts: 7 ok, 2 changed, 1 failed`; the outcomes in `told` are there even where they are 0."""
    found = [result.outcome for result in summary.hosts.values()]
    parts = [f"{found.count(outcome)} {outcome}" for outcome in Outcome if outcome in told or outcome in found]
    return f"{hosts(len(found))}: {', '.join(parts)}"


def exit_status(summary: Summary) -> int:
    """1 where a host failed or is not known to be right, 3 where something is left to do, else 0."""
    outcomes = {result.outcome for result in summary.hosts.values()}
    if outcomes & BAD:
        return 1
    return 3 if outcomes & {Outcome.WOULD_CHANGE, Outcome.PENDING} else 0
