"""One stage of a plan on the host: a role's resources, one by one or as a group that stands or falls together.

The law: a group is looked at as a whole before anything of it is changed. Where nothing differs, that look is the
result. Where something does, it is first decided whether the change may be made now; what has to wait is validated and
staged, and nothing live is touched. Then the way back is on disk, the members are changed in their order, and when one
of them fails, or nobody can reach the host afterwards, all of them go back.
"""

import os

from ..engine import kinds
from ..engine.impact import RESTART, impact
from ..engine.resource import CHANGED, FAILED, OK, PENDING, WOULD_CHANGE, converge
from ..host.errors import Failed, os_error
from ..host.state import UNDO
from . import pending
from .disruption import DisruptionPolicy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Protocol  # novm

    from ..engine.resource import Resource
    from ..host.system import System
    from ..rollback.confirmed import ConfirmedChange
    from ..types import ErrorReport, Impact, Item, Link, Options, ResourceResult, StagePlan

    class StageRun(Protocol):
        """What is asked of run.py here."""

        system: System
        writer: System
        options: Options
        link: Link
        check: bool
        keeps: bool

        def stop_if_cancelled(self) -> None: ...
        def starts(self, role: str, name: str, message: "dict[str, Any]") -> None: ...
        def ended(self, role: str, name: str, item: "Item", resource: "Resource", result: "ResourceResult") -> None: ...
        def asked(self, role: str) -> "dict[str, Any]": ...
        def of_newer_versions(self, role: str) -> "dict[str, Any]": ...
        def remember(
            self,
            role: str,
            items: "list[Item]",
            record: "dict[str, Any] | None" = None,
            outcome: "str | None" = None,
        ) -> None: ...
        def note_removal(self, role: str, resource: "Resource", outcome: str) -> None: ...
        def forget(self, role: str) -> None: ...
        def go_ahead(self, number: int) -> None: ...
        def went_ahead(self, item: "Item") -> "tuple[Resource, ResourceResult] | None": ...


GOOD = (OK, CHANGED, WOULD_CHANGE)
LEFT = "account_left"
INSIDE = ("waits", "cuts")
"""Keys of a result that do not travel."""


class StageInRun:
    """A stage that is about to be converged. `run` is the Run that it belongs to."""

    def __init__(self, run: "StageRun", number: int, plan: "StagePlan") -> None:
        self._run = run
        self._system = run.system
        self._number = number
        self._plan = plan
        self.role = plan["role"]
        self._removes = plan.get("remove", False)
        self._disruption = DisruptionPolicy(run.system, plan["disrupt"])
        self._newer = run.of_newer_versions(self.role)
        self._of_newer = run.system.state_file.newer()
        self._items = self._ordered()
        self._resources = self._made()

    def members(self) -> "Iterable[tuple[Item, Resource]]":
        """Its resources, each as it travelled and as it was made."""
        return zip(self._items, self._resources)

    def converge(self) -> str:
        """The outcome of the first member that did not come out well; PENDING where it has to wait; else OK."""
        if self._plan["transaction"] and not self._run.check:
            outcome = self._together()
        else:
            outcome = self._one_by_one()
        if outcome == OK:
            if self._removes:
                self._run.forget(self.role)
            else:
                self._run.remember(self.role, self._plan["resources"], {})
            if not self._run.check:
                pending.clear(self._system, self.role)
        return outcome

    # -- one by one

    def _one_by_one(self) -> str:
        for position in range(len(self._items)):
            self._run.stop_if_cancelled()
            self._starts(position)
            known = self._run.went_ahead(self._items[position])
            if known is not None:
                self._resources[position], result = known
            else:
                result = converge(self._resources[position], self._system, self._run.check, self._disruption.may)
            if result["outcome"] == PENDING:
                self._wait_for(result["waits"], [position])
            self._report(position, result)
            if result["outcome"] not in GOOD:
                return result["outcome"]
        return OK

    # -- as a group

    def _together(self) -> str:
        self._run.link.step("{}: looking".format(self.role))
        looked = [converge(resource, self._system, True, self._disruption.may) for resource in self._resources]
        bad = next((position for position, result in enumerate(looked) if result["outcome"] not in GOOD), None)
        if bad is not None:
            self._report(bad, looked[bad])
            return looked[bad]["outcome"]
        wanted = [n for n, result in enumerate(looked) if result["outcome"] != OK and not self._resources[n].probe]
        if not wanted:
            return self._nothing_to_change(looked)
        try:
            for position in wanted:
                self._resources[position].prove(self._system)
        except Failed as error:
            result = looked[position]
            result["outcome"] = FAILED
            result["error"] = _told(error)
            self._report(position, result)
            return FAILED
        reason = next((result["waits"] for result in looked if result["waits"]), "")
        if reason:
            return self._defer(looked, wanted, reason)
        return self._change(looked, wanted)

    def _nothing_to_change(self, looked: "list[ResourceResult]") -> str:
        """All is as asked; only a probe may say otherwise, and then that is a failure."""
        close_left_open(self._system)
        for position, result in enumerate(looked):
            self._starts(position)
            if result["outcome"] != OK:
                result = converge(self._resources[position], self._system, False)
            self._report(position, result)
            if result["outcome"] not in GOOD:
                return result["outcome"]
        return OK

    def _defer(self, looked: "list[ResourceResult]", wanted: "list[int]", reason: str) -> str:
        self._wait_for(reason, wanted)
        self._system.foreseen.clear()
        for position, result in enumerate(looked):
            if position in wanted:
                result["outcome"] = PENDING
                self._report(position, result)
            elif result["outcome"] == OK:
                self._report(position, result)
        return PENDING

    def _wait_for(self, reason: str, positions: "list[int]") -> None:
        names = [self._name(position) for position in positions]
        pending.keep(self._system, self.role, self._run.options["run"], reason, names)

    def _change(self, looked: "list[ResourceResult]", wanted: "list[int]") -> str:
        from ..rollback.confirmed import ConfirmedChange  # only where something changes

        self._system.foreseen.clear()
        self._resources = self._made()  # what they have seen was foreseen
        service: "Any" = next((resource for resource in reversed(self._resources) if resource.starts), None)
        if service is not None:
            service.may_restart = lambda: self._disruption.may(impact(RESTART, ["a reload was not taken"])) is None
            service.waits_later = True
        group = ConfirmedChange(self._run, service, any(looked[position]["cuts"] for position in wanted))
        group.begin([self._resources[position] for position in wanted])
        young: "list[tuple[int, ResourceResult]]" = []  # told once the service has stayed up for long enough
        for position, resource in enumerate(self._resources):
            self._starts(position)
            seen = looked[position]["impact"]
            result = self._changed(group, position, looked[position], resource is service)
            _take_impact(result, seen)
            if result["outcome"] not in GOOD:
                group.undo(result)
                self._report_all(young + [(position, result)])
                return result["outcome"]
            if young or resource is service and service.is_young:
                young.append((position, result))
            else:
                self._report(position, result, settled=True)
        if young:
            self._run.go_ahead(self._number + 1)
            position, result = young[0]
            if not self._has_stayed(service, result):
                group.undo(result)
                self._report(position, result, settled=True)
                return FAILED
        self._report_all(young)
        group.commit()
        return OK

    def _has_stayed(self, service: "Any", result: "ResourceResult") -> bool:
        """A service that has just started shows that it stays; else its result is a failure."""
        try:
            service.stays(self._system)
        except (Failed, OSError) as error:
            result["outcome"] = FAILED
            result["error"] = _told(error)
        return result["outcome"] in GOOD

    def _report_all(self, results: "list[tuple[int, ResourceResult]]") -> None:
        for position, result in results:
            self._report(position, result, settled=True)

    def _changed(
        self, group: "ConfirmedChange", position: int, result: "ResourceResult", is_service: bool
    ) -> "ResourceResult":
        """Converge one of the group. What cannot be armed, confirmed or noted fails it, so that all of it goes back."""
        resource = self._resources[position]
        try:
            if is_service:
                group.service_next()
            result = converge(resource, self._system, False)
            if is_service and result["outcome"] == CHANGED:
                group.confirm(result)
            self._settle(resource, result)
            self._note(position, result)
        except (Failed, OSError) as error:
            result["outcome"] = FAILED
            result["error"] = _told(error)
        return result

    # -- each member

    def _starts(self, position: int) -> None:
        self._run.starts(self.role, self._name(position), dict(self._place(position), type="started", role=self.role))

    def _report(self, position: int, result: "ResourceResult", settled: bool = False) -> None:
        if not settled:
            self._settle(self._resources[position], result)
        self._announce(self._resources[position], result)
        if not settled:
            self._note(position, result)
        shown: "dict[str, Any]" = {key: value for key, value in result.items() if key not in INSIDE}
        newer, self._of_newer = self._of_newer, ""  # said once
        if newer:
            shown["note"] = "; ".join(part for part in (shown["note"], newer) if part)
        if self._newer:
            left = "left as it is, for only a newer version knows it: {}".format(", ".join(sorted(self._newer)))
            shown["note"] = "; ".join(part for part in (shown["note"], left) if part)
            self._newer = {}  # said once
        self._run.link.send(dict(shown, type="result", role=self.role, **self._place(position)))
        self._run.ended(self.role, self._name(position), self._items[position], self._resources[position], result)

    def _note(self, position: int, result: "ResourceResult") -> None:
        """Remember what was asked for and done, before anybody is told of it."""
        if self._removes:
            return
        if result["outcome"] in GOOD:
            self._run.remember(self.role, [self._items[position]], outcome=result["outcome"])
        if result["outcome"] in GOOD or self._resources[position].probe:
            self._run.note_removal(self.role, self._resources[position], result["outcome"])

    def _settle(self, resource: "Resource", result: "ResourceResult") -> None:
        if result["outcome"] not in (OK, CHANGED) or not self._run.keeps:
            return
        try:
            resource.settled(self._system)
        except (Failed, OSError) as error:
            result["outcome"] = FAILED
            result["error"] = {"cause": str(error), "fix": "", "output": "", "trace": ""}

    def _announce(self, resource: "Resource", result: "ResourceResult") -> None:
        if not self._run.keeps:
            return
        try:
            resource.announce(self._run.writer)
        except (Failed, OSError) as error:
            result["outcome"] = FAILED
            result["error"] = _told(error)

    def _place(self, position: int) -> "dict[str, Any]":
        identity = self._resources[position].identity()
        kind = self._items[position]["kind"]
        return {"stage": self._number, "position": position, "kind": kind, "name": identity}

    def _name(self, position: int) -> str:
        return "{} {}".format(self._items[position]["kind"], self._resources[position].identity())

    def _made(self) -> "list[Resource]":
        return [kinds.make(item["kind"], item["fields"]) for item in self._items]

    def _ordered(self) -> "list[Item]":
        """The stage's resources, and what undoes those of last time: before a service, which must not run with it."""
        items = self._plan["resources"]
        starts = [kinds.make(item["kind"], item["fields"]).starts for item in items]
        first = starts.index(True) if True in starts else len(items)
        asked = {key_of(item) for item in items}
        asked.update(self._newer)
        known = sorted(self._run.asked(self.role).items())
        dropped: "list[Item]" = [record for key, record in known if key not in asked and not record.get("stays")]
        if self._removes:
            dropped = to_remove(known)
        return items[:first] + dropped + items[first:]


def _told(error: "Failed | OSError") -> "ErrorReport":
    found = os_error(error) if isinstance(error, OSError) else vars(error)
    return {"cause": found["cause"], "fix": found["fix"], "output": found["output"], "trace": ""}


def _take_impact(result: "ResourceResult", seen: "Impact | None") -> None:
    """Who felt it was found out before anything was changed."""
    if seen is not None:
        result["impact"] = seen
        result["note"] = "; ".join(part for part in (result["note"], seen["effect"]) if part)


def close_left_open(system: "System") -> None:
    """A run died when its change stood already, as this one has shown: its journal has nothing to put back."""
    if system.stat(os.path.join(system.state, UNDO)) is not None:
        from ..rollback.confirmed import settle_left_open  # only where there is one

        settle_left_open(system)


def to_remove(known: "list[tuple[str, dict[str, Any]]]") -> "list[Item]":
    """What takes a role away, of its records: services first, packages last, and directories once they are empty."""
    order = ("service", "", "packages_removal", "directory_gone")
    ours = [record for _, record in reversed(known) if not record.get("found") and record["kind"] != LEFT]
    ranked = sorted(ours, key=lambda record: order.index(record["kind"] if record["kind"] in order else ""))
    return [{"kind": record["kind"], "fields": record["fields"]} for record in ranked]


def key_of(item: "Item") -> str:
    return "{} {}".format(item["kind"], kinds.make(item["kind"], item["fields"]).identity())
