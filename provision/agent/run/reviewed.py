"""A plan that was reviewed before it is applied: what each resource was asked to be and found to be, as digests.

The law: what is about to be changed is looked at whole, in the run that changes it and while that holds the host; where
anything differs from what was reviewed, nothing is touched. A digest of what may hold a secret is slow to guess at.
Probes do not count: they change nothing, and what they find is as old as it is.
"""

import json
from binascii import hexlify
from hashlib import pbkdf2_hmac, sha256

from ..host.errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

    from ..engine.resource import Resource
    from ..types import Item, Link, ResourceResult, ReviewedPlan

SLOW = 100000
"""Rounds, for what may hold a secret: some 50 ms."""
FIX = "check again with --out, and review that"


class ReviewedState:
    """`told`: salt (text), seen ({ROLE: KIND NAME: [asked, found, stops]}, or None where this look is the one that is
    going to be reviewed), later (roles that could not be planned then)."""

    def __init__(self, told: "ReviewedPlan") -> None:
        self._salt = told["salt"].encode("ascii")
        self._wanted = told["seen"] or {}
        self._is_review = told["seen"] is None
        self._later = told["later"]
        self._seen: "dict[str, list[str]]" = {}

    def add(self, role: str, item: "Item", resource: "Resource", result: "ResourceResult") -> None:
        """One resource was looked at, in check mode."""
        if not resource.probe:
            stops = "" if result["waits"] or not result["impact"] else result["impact"]["effect"]
            digests = [self._asked(item, resource), self._digest(resource.found, resource), stops]
            self._seen[_name(role, item, resource)] = digests

    def close(self, link: "Link") -> None:
        """All were looked at: tell it, or hold it against what was reviewed. Raises Failed."""
        if self._is_review:
            link.send({"type": "looked", "seen": self._seen})
            return
        for name, digests in self._seen.items():
            self._compare(name, digests)
        for name in self._wanted:
            if name not in self._seen:
                raise Failed("{} was in the reviewed plan, and is not asked of this host any more".format(name), FIX)

    def confirm(self, role: str, members: "Iterable[tuple[Item, Resource]]") -> None:
        """Resources that are about to be changed, planned anew perhaps: are they those that were reviewed?"""
        for item, resource in members if role not in self._later else ():
            name = _name(role, item, resource)
            if not resource.probe and self._wanted.get(name, [""])[0] != self._asked(item, resource):
                raise Failed("{} is not asked as it was reviewed, after what was changed before it".format(name), FIX)

    def _compare(self, name: str, digests: "list[str]") -> None:
        asked, found, stops = digests
        if name not in self._wanted:
            raise Failed("{} was not in the reviewed plan".format(name), FIX)
        before = self._wanted[name]
        if asked != before[0]:
            raise Failed("{} is not asked as it was reviewed: the host's facts have changed".format(name), FIX)
        if found != before[1]:
            raise Failed("{} is not what it was when it was reviewed".format(name), FIX)
        if stops not in ("", before[2]):
            raise Failed("{} would do what was not reviewed: {}".format(name, stops), FIX)

    def _asked(self, item: "Item", resource: "Resource") -> str:
        return self._digest([item["kind"], item["fields"]], resource)

    def _digest(self, value: "Any", resource: "Resource") -> str:
        text = json.dumps(value, sort_keys=True, default=repr).encode("ascii")
        if any(map(resource.taints, resource.desired())):
            return hexlify(pbkdf2_hmac("sha256", text, self._salt, SLOW)).decode("ascii")
        return sha256(self._salt + text).hexdigest()


def _name(role: str, item: "Item", resource: "Resource") -> str:
    return "{}: {} {}".format(role, item["kind"], resource.identity())


class Quiet:
    """A line that says where we are, and no results."""

    def __init__(self, link: "Link") -> None:
        self._link = link
        self.step = link.step

    @property
    def cancelled(self) -> bool:
        return self._link.cancelled

    def send(self, message: "dict[str, Any]") -> None:
        """Nobody is told."""
