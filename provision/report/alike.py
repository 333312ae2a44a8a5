"""Hosts of which the same is to be said, as one line: text that differs only in a host's own name or address is the
same.

The law: pure. What is told of many hosts names all of them, in ranges where there are more than a line has room for.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from provision.events import Error
from provision.report.text import Line, details, hosts, indented, line, names, tail

OWN = re.compile(
    r"\b\d{1,3}(?:\.\d{1,3}){3}\b"  # an address of IPv4, and one of IPv6
    r"|(?<![\w:])(?=[0-9a-fA-F]*:[0-9a-fA-F:]*:)[0-9a-fA-F:]+(?:%\w+)?(?![\w:])"
    r"|\bSHA256:[A-Za-z0-9+/]+"  # a host key
    r"|\b(?:GPU|MIG)-[0-9a-f]{8}(?:-[0-9a-f]+)+"
)
"""What is a host's own in a sentence that may be said of many."""
AGE = re.compile(r"\b\d+ (?:s|min|h|d)\b")


def shape(host: str, text: str) -> str:
    """The text without what is only this host's."""
    return OWN.sub("\0", _name(host).sub("\0", text))


@lru_cache(maxsize=4096)
def _name(host: str) -> re.Pattern[str]:
    """The host's name, whole or without its domain, where it stands as a word."""
    whole, short = re.escape(host), re.escape(host.partition(".")[0] or host)
    return re.compile(rf"(?<![\w.-])(?:{whole}|{short})(?![\w-])")


@dataclass
class AlikeHosts:
    """What is told of some hosts, in the first one's words."""

    text: str
    style: str
    below: tuple[Line, ...] = ()
    hosts: dict[str, None] = field(default_factory=dict)
    """As a set that keeps its order."""
    differs: bool = False
    error: Error | None = None
    said_by: str = ""


class Alike:
    """Groups, in the order in which the first of each came."""

    def __init__(self) -> None:
        self._groups: dict[tuple[object, ...], AlikeHosts] = {}

    def add(
        self,
        host: str,
        text: str,
        style: str = "",
        *,
        below: tuple[Line, ...] = (),
        error: Error | None = None,
        ages: bool = False,
    ) -> bool:
        """Is it the first of which this is told? `below`: lines that belong to it; `ages`: those do not count."""
        found = shape(host, text)
        key = (style, AGE.sub("\0", found) if ages else found, below)
        first = key not in self._groups
        group = self._groups.setdefault(key, AlikeHosts(text, style, below))
        group.hosts[host] = None
        group.differs |= group.text != text
        if error is not None and group.error is None and details(error):
            group.error, group.said_by = error, host
        return first

    def drop(self, host: str, style: str) -> None:
        """What was told of a host with this style does not count any more."""
        for group in self._groups.values():
            if group.style == style:
                group.hosts.pop(host, None)

    def __contains__(self, host: str) -> bool:
        return any(host in group.hosts for group in self._groups.values())

    def lines(self, order: Mapping[str, int]) -> Iterator[Line]:
        """One line a group, and what is below it; the same hosts are named once."""
        together: dict[tuple[str, ...], list[AlikeHosts]] = {}
        for group in self._groups.values():
            if group.hosts:
                together.setdefault(tuple(sorted(group.hosts)), []).append(group)
        for groups in together.values():
            if len(groups) == 1:
                yield _headline(groups[0], order)
                yield from groups[0].below
                continue
            yield line(f"{_who(groups[0], order)}:", "strong")
            for group in groups:
                yield line(f"    {_said(group)}", group.style)
                yield from (Line(f"    {part.text}", part.style) for part in group.below)

    def paragraphs(self, order: Mapping[str, int], lines: int) -> Iterator[Line]:
        """Each group apart, with so many lines of what the first host's programs said."""
        for group in self._groups.values():
            yield Line("")
            yield _headline(group, order)
            if group.error is not None:
                if len(group.hosts) > 1:
                    yield line(f"    {group.said_by} said:", "quiet")
                yield from indented(tail(details(group.error), lines), "quiet")
        if self._groups:
            yield Line("")


def _headline(group: AlikeHosts, order: Mapping[str, int]) -> Line:
    return line(f"{_who(group, order)}: {_said(group)}", group.style)


def _who(group: AlikeHosts, order: Mapping[str, int]) -> str:
    found = sorted(group.hosts, key=lambda host: order.get(host, len(order)))
    return f"{hosts(len(found))}: {names(found)}"


def _said(group: AlikeHosts) -> str:
    return group.text + (f" (so for {next(iter(group.hosts))}; the others alike)" if group.differs else "")


def positions(found: Sequence[str]) -> dict[str, int]:
    return {host: number for number, host in enumerate(found)}
