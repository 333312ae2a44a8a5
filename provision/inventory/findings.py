"""What is wrong with the input, gathered over all hosts and told once.

The law: a mistake in a group's variables is one problem, however many hosts inherit it; it says how many.
"""

from dataclasses import dataclass, replace

from provision.errors import Problem


@dataclass(frozen=True)
class Finding:
    """One mistake: where it is written, and who says it ("all", "group dgx", "host dgx01", "--set"; "" for
    what is nobody's, such as a vault's password)."""

    where: str
    owner: str
    message: str
    hint: str = ""
    warning: bool = False


class Findings:
    """Each finding with the number of hosts that it concerns."""

    def __init__(self) -> None:
        self._hosts: dict[Finding, int] = {}
        self._first: dict[Finding, Finding] = {}

    def add(self, *findings: Finding) -> None:
        """Counts each for one more host. What several hosts say at one place (a range) is one finding."""
        for given in findings:
            anyones = replace(given, owner="") if given.owner.startswith("host ") else given
            finding = self._first.setdefault(anyones, given)
            self._hosts[finding] = self._hosts.get(finding, 0) + 1

    def problems(self) -> list[Problem]:
        """All errors, in the order in which they were found."""
        return [_told(finding, hosts) for finding, hosts in self._hosts.items() if not finding.warning]

    def warnings(self) -> list[str]:
        """All warnings, as text."""
        return [str(_told(finding, hosts)) for finding, hosts in self._hosts.items() if finding.warning]


def _told(finding: Finding, hosts: int) -> Problem:
    owner = finding.owner
    if not owner:
        return Problem(finding.message, finding.where, finding.hint)
    if hosts > 1:
        owner += f" and {hosts - 1} more" if owner.startswith("host ") else f" ({hosts} hosts)"
    return Problem(f"{owner}: {finding.message}", finding.where, finding.hint)
