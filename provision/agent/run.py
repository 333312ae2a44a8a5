"""The stages of a plan on the host: in order, until something fails, nobody listens any more, or all is done.

The law: after a stage that changed something the rest is planned anew with fresh facts. A stage that is a transaction
goes back as a whole when one of its members fails. What a role asked for is remembered resource by resource, so that
what it asks for no more can be found and removed, by this run or the next.
"""

import zlib

from . import facts, kinds
from .history import History
from .line import Cancelled
from .resource import CHANGED, FAILED, OK, WOULD_CHANGE, Failed, converge
from .transaction import Transaction

GOOD = (OK, CHANGED, WOULD_CHANGE)


def take_modules(system, plan):
    """Keep the modules that came with a plan: those that a child of ours will run."""
    from base64 import b64decode  # only where modules come

    for name, packed in plan["modules"].items():
        system.modules[name] = zlib.decompress(b64decode(packed)).decode("utf-8")


class Run:
    """The stages of a plan, one after the other, until something fails."""

    def __init__(self, line, system, plan, options, writer=None):
        self._line = line
        self._system = system
        self._options = options
        self._check = options["check"]
        self._keeps = not self._check or options.get("settle", False)
        self._asks = plan.get("preflight")
        self.found = []  # what would change, in check mode: (role, item, result)
        self.failed = False
        self._stages = plan["stages"]
        self._changed = False
        self._history = History(writer or system, options["run"])
        self._last = None  # what the next run is told of, if nobody hears the end of this one

    def execute(self):
        try:
            self._converge()
            self._ask()
        except Cancelled:
            if self._last is not None and not self._check:
                self._system.memory.put("runs", "interrupted", self._last)
            raise
        finally:
            if self._keeps:
                self._history.keep()
        if self._keeps:
            self._system.memory.put("runs", "interrupted", None)

    @property
    def in_sync(self):
        """In check mode: is there nothing to change, nothing that failed and nothing that is not known yet?"""
        return not self.found and not self.failed and not (self._asks or {}).get("deferred")

    def _ask(self):
        """The questions before a change, where there is one to come."""
        if self._asks is None or self.in_sync or self.failed:
            return
        from . import preflight

        self._line.step("preflight")
        self._line.send({"type": "preflight", "answers": preflight.answers(self._system, self._asks, self.found)})

    def _converge(self):
        index = 0
        while index < len(self._stages):
            if self._stages[index]["replan"] or self._changed:
                self._replan(index)
                if index >= len(self._stages):
                    break
            if not self._stage(index, self._stages[index]):
                break
            index += 1
        self._stop_if_cancelled()

    def _replan(self, index):
        """The facts have changed, or were not enough: ask for the rest of the plan anew."""
        self._line.step("facts")
        self._line.send({"type": "replan", "stage": index, "facts": facts.gather(self._system)})
        plan = self._line.next()
        if plan.get("modules"):
            take_modules(self._system, plan)
        self._stages[index:] = plan["stages"]
        self._changed = False

    def _stage(self, number, stage):
        items = self._items(stage)
        made = [kinds.make(item["kind"], item["fields"]) for item in items]
        services = [resource for item, resource in zip(items, made) if item["kind"] == "service"]
        group = Transaction(self._system, services[0] if services else None) if stage["transaction"] else None
        for position, (item, resource) in enumerate(zip(items, made)):
            name = "{} {}".format(item["kind"], resource.identity())
            self._stop_if_cancelled()
            self._last = {"run": self._options["run"], "role": stage["role"], "step": name, "error": None}
            self._line.step("{}: {}".format(stage["role"], name))
            started = {"stage": number, "position": position, "kind": item["kind"], "name": resource.identity()}
            self._line.send(dict(started, type="started", role=stage["role"]))
            result = converge(resource, self._system, self._check, group.before if group else _no_group)
            self._settle(resource, result)
            if result["outcome"] not in GOOD and group is not None and group.begun:
                self._undo(group, result)
            self._line.send(dict(result, type="result", role=stage["role"], **started))
            self._history.add(stage["role"], name, result["outcome"])
            if result["outcome"] == WOULD_CHANGE:
                self.found.append((stage["role"], item, result))
            if result["outcome"] not in GOOD:
                self._last["error"] = result["error"]
                self.failed = True
                return False
            self._changed = self._changed or result["outcome"] == CHANGED
            self._remember(stage["role"], [item], self._asked(stage["role"]))
        self._remember(stage["role"], stage["resources"], {})
        return True

    def _settle(self, resource, result):
        if result["outcome"] not in (OK, CHANGED) or not self._keeps:
            return
        try:
            resource.settled(self._system)
        except (Failed, OSError) as error:
            result["outcome"] = FAILED
            result["error"] = {"cause": str(error), "fix": "", "output": "", "trace": ""}

    def _undo(self, group, result):
        self._line.step("putting back what was changed")
        error = result["error"]
        try:
            error["cause"] += "; rolled back: " + group.undo()
            result["rolled_back"] = True
        except (Failed, OSError) as failure:
            error["cause"] += "; and the way back failed: " + str(failure)
            error["output"] += "\n" + getattr(failure, "output", "")

    def _stop_if_cancelled(self):
        if self._line.cancelled:
            raise Cancelled()

    def _items(self, stage):
        """The stage's resources, and what undoes those of last time: before a service, which must not run with it."""
        items = stage["resources"]
        first = next((n for n, item in enumerate(items) if item["kind"] == "service"), len(items))
        return items[:first] + self._dropped(stage) + items[first:]

    def _dropped(self, stage):
        """Resources that undo what this role asked for last time and does not ask for now."""
        asked = {_key(item) for item in stage["resources"]}
        return [record for key, record in sorted(self._asked(stage["role"]).items()) if key not in asked]

    def _asked(self, role):
        return dict(self._system.memory.get("asked", role) or {})

    def _remember(self, role, items, record):
        """Keep what was asked beside `record`: at once for each that is done, since the next one may end the run."""
        if not self._keeps:
            return
        for item in items:
            undo = kinds.make(item["kind"], item["fields"]).when_dropped()
            if undo is not None:
                record[_key(item)] = {"kind": undo[0], "fields": undo[1]}
        self._system.memory.put("asked", role, record or None)


def _no_group(resource):
    """Outside a transaction nothing is kept for a way back."""


def _key(item):
    return "{} {}".format(item["kind"], kinds.make(item["kind"], item["fields"]).identity())
