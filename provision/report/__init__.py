"""Events of a run to people and programs: the only place that prints.

The law: a view is a listener; it takes each event, decides nothing, and never raises because of where it writes. Text
that came from a host reaches no terminal before `text.clean` has seen it. What the lines say stands in
`transcript.py`, so that the live view and the plain one say the same.
"""

from typing import TYPE_CHECKING, Protocol

from provision.report.output import Output, warn

if TYPE_CHECKING:
    from provision.events import Event
    from provision.report.transcript import Transcript

__all__ = ["Output", "View", "view", "warn"]


class View(Protocol):
    """A listener to events, in one thread at a time."""

    def __call__(self, event: "Event") -> None: ...

    def tell(self, text: str) -> None:
        """A line of our own, for the person who watches."""

    def close(self) -> None:
        """Write what is left. Harmless when called twice."""

    def abandon(self) -> None:
        """Leave the terminal usable, now, from a signal handler; nothing is written afterwards."""


def view(output: Output, story: "Transcript", *, as_json: bool = False) -> View:
    """The view that suits the output: JSON lines if asked for, live on a terminal, and plain lines elsewhere."""
    if as_json:
        from provision.report.jsonlines import JsonLines

        return JsonLines(output)
    if output.animated:
        from provision.report.console import Console

        return Console(output, story)
    from provision.report.plain import Plain

    return Plain(output, story)
