"""What check said of a host, against what apply then did to it.

The law: nothing changes that check had not named, as a resource or as a role that is known only after another one; and
a host that fails for what could be seen had been told of, in the same words.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.e2e.runner import Ended


def broken(check: "Ended", apply: "Ended") -> list[str]:
    """What was changed and had not been named, a line each."""
    named = {(event["host"], event["kind"], event["name"]) for event in check.of("resource", outcome="would-change")}
    return [
        f"{event['host']}: {event['role']}: {event['kind']} {event['name']} was changed, and check had not named it"
        for event in apply.of("resource", outcome="changed")
        if not {(event["host"], event["kind"], event["name"]), (event["host"], "role", event["role"])} & named
    ]


def said(check: "Ended", host: str) -> Iterator[str]:
    """All that check told of a host's trouble."""
    yield str(check.host(host)["error"] or "")
    for event in check.of("preflight", host=host):
        if event["verdict"] in ("warn", "fail", "unknown"):
            yield event["text"]
