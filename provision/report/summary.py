"""How a run ended: its failures once more, grouped by equal cause, and the one line that counts.

The law: the last line says what was, never more; what did not happen is not in it, but for ok and changed.
"""

from collections.abc import Iterator, Sequence

from provision.events import BAD, HostFinished, Outcome, Summary
from provision.report.text import Line, details, headline, hosts, indented, line, names, tail

OUTPUT_LINES = 20
"""Lines of a failed program's output that are shown at the end."""


def failures(summary: Summary) -> Iterator[Line]:
    """Each cause once: which hosts, what is the matter, what to do, and what the first host's programs said."""
    groups: dict[str, list[HostFinished]] = {}
    for result in summary.hosts.values():
        if result.outcome in BAD:
            groups.setdefault(_cause(result), []).append(result)
    for cause, results in groups.items():
        yield Line("")
        found = names([result.host for result in results])
        yield line(f"{hosts(len(results))}: {found}: {cause}", "bad")
        told = next((result for result in results if result.error is not None and details(result.error)), None)
        if told is not None and told.error is not None:
            if len(results) > 1:
                yield line(f"    {told.host} said:", "quiet")
            yield from indented(tail(details(told.error), OUTPUT_LINES), "quiet")
    if groups:
        yield Line("")


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
