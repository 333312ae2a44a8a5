"""The stages of a plan on the host: in order, until something fails, nobody listens any more, or all is done.

The law: after a stage that changed something the rest is planned anew with fresh facts. A stage that needs one which
has to wait waits as well. What a role asked for is remembered resource by resource, so that what it asks for no more
can be found and removed, by this run or the next.
"""

import zlib

from ..engine import kinds
from ..engine.resource import CHANGED, FAILED, OK, PENDING, UNKNOWN, WOULD_CHANGE, compare, converge
from ..facts import gather
from . import pending
from .history import History
from .link import Cancelled
from .stage import GOOD, LEFT, StageInRun, close_left_open, key_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..engine.resource import Resource
    from ..host.system import System
    from ..types import Item, Link, Options, Plan, Record, ResourceResult, StagePlan
    from .reviewed import ReviewedState


def take_modules(system: "System", plan: "Plan") -> None:
    """Keep the modules that came with a plan: those that a child of ours will run."""
    from base64 import b64decode  # only where modules come

    for name, packed in plan["modules"].items():
        text = zlib.decompress(b64decode(packed)).decode("utf-8")
        if name.startswith("agent.site."):
            from ..engine import site

            site.add(name[len(site.PREFIX) :], text)
        system.modules[name] = text


def review_again(link: "Link", system: "System", plan: "Plan", options: "Options") -> None:
    """Is all as it was reviewed? Looked at by a System that cannot write. Raises Failed where it is not."""
    from .reviewed import Quiet

    stages = [stage for stage in plan["stages"] if not stage["replan"]]
    looks: "Any" = dict(options, check=True, settle=False)
    PlanRun(Quiet(link), system, {"type": "plan", "modules": {}, "stages": stages}, looks).execute()


def _reviewed(options: "Options") -> "ReviewedState | None":
    reviewed = options.get("reviewed")
    if not reviewed:
        return None
    from .reviewed import ReviewedState  # only where a plan is reviewed

    return ReviewedState(reviewed)


class PlanRun:
    """The stages of a plan, one after the other, until something fails."""

    def __init__(
        self, link: "Any", system: "System", plan: "Plan", options: "Options", writer: "System | None" = None
    ) -> None:
        self.link = link
        self.system = system
        self.options = options
        self.check = options["check"]
        self.keeps = not self.check or options["settle"]
        self._asks = plan.get("preflight")
        self._found: "list[tuple[str, Item, ResourceResult]]" = []  # what would change, in check mode
        self._failed = False
        self._stages = plan["stages"]
        self._asked = plan.get("roles") or []  # of the host, in this run or not
        self._changed = False
        self._waiting: "set[str]" = set()
        self.writer = writer or system
        self._history = History(self.writer, options["run"])
        self._reviewed = _reviewed(options)
        self._ahead: "list[tuple[Item, Resource, ResourceResult]]" = []  # proven before its turn
        self._last: "Record | None" = None  # what the next run is told of, if nobody hears the end of this one

    def execute(self) -> None:
        if not self.check:
            pending.forget(self.system, self._asked)
        try:
            self._converge()
            if self._reviewed is not None and self.check and not self._failed:
                self._reviewed.close(self.link)
            self._ask()
        except Cancelled:
            if self._last is not None and not self.check:
                self.system.state_file.put("runs", "interrupted", self._last)
            raise
        finally:
            if self.keeps:
                self._history.keep()
        if self.keeps:
            self.system.state_file.put("runs", "interrupted", None)

    @property
    def in_sync(self) -> bool:
        """In check mode: is there nothing to change, nothing that failed and nothing that is not known yet?"""
        return not self._found and not self._failed and not (self._asks and self._asks["deferred"])

    @property
    def removes(self) -> bool:
        """Is it about removing roles?"""
        return any(stage.get("remove") for stage in self._stages)

    def _ask(self) -> None:
        """The questions before a change, where there is one to come."""
        if self._asks is None or self.in_sync or self._failed:
            return
        from ..preflight import ask

        self.link.step("preflight")
        self.link.send({"type": "preflight", "answers": ask.answers(self.system, self._asks, self._found)})

    def _converge(self) -> None:
        index = 0
        while index < len(self._stages):
            if self._stages[index]["replan"] or self._changed:
                self._replan(index)
                if index >= len(self._stages):
                    break
            if not self._stage(index, self._stages[index]):
                break
            index += 1
        self.stop_if_cancelled()

    def _replan(self, index: int) -> None:
        """The facts have changed, or were not enough: ask for the rest of the plan anew."""
        self.link.step("facts")
        self.link.send({"type": "replan", "stage": index, "facts": gather.gather(self.system)})
        plan = self.link.next()
        if plan.get("modules"):
            take_modules(self.system, plan)
        self._stages[index:] = plan["stages"]
        self._changed = False

    def _stage(self, number: int, plan: "StagePlan") -> bool:
        """Go on after it?"""
        role = plan["role"]
        blocked = [name for name in plan["needs"] if name in self._waits_on_host()]
        if blocked and not self.check:
            self._waiting.add(role)
            self._tell_of_waiting(number, role, "waits for {}".format(", ".join(blocked)))
            return True
        stage = StageInRun(self, number, plan)
        if self._reviewed is not None and not self.check:
            self._reviewed.confirm(role, stage.members())
        outcome = stage.converge()
        if outcome == PENDING:
            self._waiting.add(role)
        return outcome in (OK, PENDING)

    def _waits_on_host(self) -> "set[str]":
        """Roles that wait: in this run, or since an earlier one where this run is not about them."""
        mine = {stage["role"] for stage in self._stages}
        return self._waiting | (pending.roles(self.system) - mine)

    def settle(self, writer: "System") -> None:
        """All is as asked, and this look has shown it: nothing of these roles waits, and no change is at work."""
        pending.forget(writer, self._asked)
        for stage in self._stages:
            pending.clear(writer, stage["role"])
        close_left_open(writer)

    def _tell_of_waiting(self, number: int, role: str, reason: str) -> None:
        result: "dict[str, Any]" = {
            "outcome": PENDING,
            "diff": [],
            "note": reason,
            "error": None,
            "proof": None,
            "rolled_back": False,
        }
        result.update(impact=None, seconds=0, stage=number, position=0, kind="role", name=role)
        self.link.send(dict(result, type="result", role=role))

    # -- what the next stage begins with, while a service shows that it stays up

    def go_ahead(self, number: int) -> None:
        """Prove it, where that is a proof that fits into this time; its result is kept for its turn."""
        stages = self._stages[number : number + 1]
        items = [item for stage in stages if not stage["replan"] for item in stage["resources"][:1]]
        if self._reviewed is not None or self.link.cancelled:
            return
        for item in items:
            resource = kinds.make(item["kind"], item["fields"])
            if resource.goes_ahead:
                self.link.step("{}: {} {}".format(stages[0]["role"], item["kind"], resource.identity()))
                self._ahead.append((item, resource, converge(resource, self.system, False)))

    def went_ahead(self, item: "Item") -> "tuple[Resource, ResourceResult] | None":
        """What `go_ahead` has proven, where it is still what is asked for."""
        ahead, self._ahead = self._ahead, []
        return next(((resource, result) for known, resource, result in ahead if known == item), None)

    # -- what a stage tells of its members

    def starts(self, role: str, name: str, message: "dict[str, Any]") -> None:
        """A member's turn has come."""
        self._last = {"run": self.options["run"], "role": role, "step": name, "error": None}
        self.link.step("{}: {}".format(role, name))
        self.link.send(message)

    def ended(self, role: str, name: str, item: "Item", resource: "Resource", result: "ResourceResult") -> None:
        """A member has come to its end."""
        self._history.add(role, name, result["outcome"])
        if self._reviewed is not None and self.check:
            self._reviewed.add(role, item, resource, result)
        if result["outcome"] == WOULD_CHANGE:
            self._found.append((role, item, result))
        self._failed = self._failed or result["outcome"] not in GOOD + (PENDING,)
        if self._last is not None:
            self._last["error"] = result["error"]
        self._changed = self._changed or result["outcome"] == CHANGED

    def stop_if_cancelled(self) -> None:
        if self.link.cancelled:
            raise Cancelled()

    # -- what roles ask for

    def asked(self, role: str) -> "dict[str, Any]":
        """What this role asked for last time: {key: the resource that undoes it}."""
        return dict(self.system.state_file.get("asked", role) or {})

    def of_newer_versions(self, role: str) -> "dict[str, Any]":
        """Those of them that this version does not know: they are left alone, and stay remembered."""
        return {key: record for key, record in self.asked(role).items() if not kinds.known(record)}

    def remember(
        self,
        role: str,
        items: "list[Item]",
        record: "dict[str, Any] | None" = None,
        outcome: "str | None" = None,
    ) -> None:
        """Keep what was asked beside `record`: at once for each that is done, since the next one may end the run.

        `found`: it was so when we first looked, so `remove` leaves it; `stays`: only `remove` takes it away.
        """
        if not self.keeps:
            return
        before = self.asked(role)
        if record is None:
            record = dict(before)
        else:
            stay = {key: old for key, old in before.items() if old.get("stays")}
            record = dict(record, **dict(stay, **self.of_newer_versions(role)))
        for item in items:
            undo = kinds.make(item["kind"], item["fields"]).when_dropped()
            if undo is not None:
                key = key_of(item)
                record[key] = {"kind": undo[0], "fields": undo[1]}
                if outcome != CHANGED and before.get(key, {"found": outcome == OK}).get("found"):
                    record[key]["found"] = True
        self.system.state_file.put("asked", role, record or None)

    def note_removal(self, role: str, resource: "Resource", outcome: str) -> None:
        """Keep what only `remove` takes away; the first record counts, for it knows how the host was before us."""
        done = outcome in (OK, CHANGED) or resource.probe and outcome in (FAILED, UNKNOWN)
        undo = resource.when_removed(role) if self.keeps and done else None
        if undo is not None:
            record = self.asked(role)
            key = key_of({"kind": undo[0], "fields": undo[1]})
            record.setdefault(key, {"kind": undo[0], "fields": undo[1], "stays": True})
            self.system.state_file.put("asked", role, record)

    def forget(self, role: str) -> None:
        """The role was removed: only the accounts that it made are left, while they are there."""
        if not self.keeps:
            return
        left = {key: record for key, record in self.asked(role).items() if record["kind"] == LEFT}
        made = {key: kinds.make(record["kind"], record["fields"]) for key, record in left.items()}
        still = {key: left[key] for key, item in made.items() if compare(item.actual(self.system), item.desired())}
        self.system.state_file.put("asked", role, still or None)
