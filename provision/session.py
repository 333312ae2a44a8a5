"""One host, one channel: open, sudo, marker, hello, plan, events, bye.

The law: the session owns the conversation and its time limits, and nothing else (the login is login.py's). It believes
nothing that `messages.py` has not checked, and names the step in which a host hangs.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from threading import Event as Flag
from typing import TYPE_CHECKING, Any

from provision import conversation, loader, messages
from provision.accounting import Accounting
from provision.agent import protocol
from provision.agent.wire import Decoder, encode
from provision.allowance import Allowance
from provision.errors import ConnectionLost, Garbled, HostError, HostTimeout, ProtocolError, Refused
from provision.events import (
    Answered,
    HostFacts,
    Looked,
    Notice,
    Outcome,
    Progress,
    ResourceDone,
    RoleSkipped,
    Sink,
)
from provision.facts import Facts
from provision.login import Login
from provision.plan import Stage
from provision.questions import Question
from provision.reachability import Lifeline, Reached
from provision.run import Run
from provision.target import Target
from provision.transport import Channel, Connection

if TYPE_CHECKING:
    from provision.agent.types import Ask, Plan

Planner = Callable[[Facts], Sequence[Stage]]

SLICE = 0.5
"""Seconds between two looks at the cancel flag."""
FRAME = 8 * 1024 * 1024
"""Bytes of one message of an agent; facts with 20,000 routes are 2 MiB."""
STEP = 500
"""Characters of a step's name that are shown, and of what it waits for."""


class Interrupted(HostError):
    """Ctrl-C: the resource in hand was brought to its end, or the host was left to do that alone."""


@dataclass
class Session:
    """A conversation with one host's agent. `run()` once."""

    target: Target
    connection: Connection
    planner: Planner | Question | None
    """None: only the facts are wanted. A question is asked in place of sending a plan."""
    run: Run
    sink: Sink
    cancel: Flag
    reached: InitVar[Reached] = lambda seconds: True
    _state: str = field(default=protocol.START, init=False)
    _deadline: float = field(default=0.0, init=False)
    _step: str = field(default="login", init=False)
    _facts: Facts | None = field(default=None, init=False)
    _planned_from: int = field(default=-1, init=False)
    """The stage from which the rest was planned last; each time it is a later one, or there would be no end."""
    _accounting: Accounting = field(default_factory=Accounting, init=False)
    _sent: list[Stage] = field(default_factory=list, init=False)
    _done: set[str] = field(default_factory=set, init=False)
    _skipped: set[str] = field(default_factory=set, init=False)
    _shipped: set[str] = field(default_factory=set, init=False)
    _told: set[str] = field(default_factory=set, init=False)
    """What this run changed here before its worker was lost: reported when the host says so."""
    received: int = field(default=0, init=False)
    """Bytes that the host was given of the bundle."""
    _cancelled: bool = field(default=False, init=False)
    _asks: bool = field(default=False, init=False)
    """Would something change, so that the agent has to answer the questions of the preflight?"""

    def __post_init__(self, reached: Reached) -> None:
        self._lifeline = Lifeline(reached)
        self._allowance = Allowance(lambda: self._step)

    def execute(self) -> None:
        """Hold the whole conversation. What happened goes to the sink; raises HostError or ProtocolError."""
        if self.run.confirms:
            self._state = protocol.BYE  # that the host was reached is all there is to say
        silent = f"did not start our loader within {self.run.limits.login:g} s"
        login = Login(self.target, loader.block(self.run.options(), bundle=self.run.bundle is not None))
        channel = self.connection.open(login.command)  # kind `openssh` connects here, and may wait for its turn
        self._deadline = time.monotonic() + self.run.limits.host
        login_ends = time.monotonic() + self.run.limits.login
        try:
            rest = login.hold(channel, lambda: self._receive(channel, login_ends, silent))
            try:
                self._converse(channel, rest)
            except (ConnectionLost, HostTimeout) as error:
                raise self._lifeline.explain(error, self._step) from None
        finally:
            channel.close()

    # -- conversation

    def _converse(self, channel: Channel, rest: bytes) -> None:
        decoder, data = Decoder(FRAME), rest
        while self._state != protocol.OVER:
            for message in conversation.decoded(decoder, data, self._allowance):
                self._state = conversation.following(self._state, message)
                if isinstance(message, messages.Listing | messages.Fetch):
                    self._hand_out(channel, message)
                else:
                    self._handle(channel, message)
            if self._state == protocol.OVER:
                break
            heard = time.monotonic()
            limit = min(self._deadline, heard + self.run.limits.silence)
            data = self._receive(
                channel, limit, f"went silent in the step {self._step!r}", f"in the step {self._step!r}"
            )
            if not data:
                if self._cancelled:
                    break
                raise ConnectionLost("the connection ended", "run again to see where it stands")
            self._left()
        if self._cancelled:
            raise Interrupted(f"interrupted in the step {self._step!r}", "run again to converge")
        if self._asks:
            raise ProtocolError("the agent has not answered the questions of the preflight")

    def _left(self) -> float:
        """Seconds that this host has yet; HostTimeout where there are none."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            cause = f"took longer than {self.run.limits.host:g} s, in the step {self._step!r}"
            raise HostTimeout(cause, "raise --timeout")
        return left

    def _receive(self, channel: Channel, deadline: float, silent: str, where: str = "before the agent ran") -> bytes:
        """The next bytes, b"" at the end. HostTimeout with `silent` past the deadline; a cancel is passed on once."""
        while True:
            if self.cancel.is_set() and not self._cancelled:
                self._cancelled = True
                if self._state == protocol.START:
                    raise Interrupted(f"interrupted {where}", "nothing was changed")
                conversation.tell(channel, "cancel")
            try:
                return channel.receive(min(SLICE, max(0.01, deadline - time.monotonic())))
            except TimeoutError:
                if time.monotonic() >= deadline:
                    fix = "log in by hand and look: a hung disk or network file system, or a host out of memory"
                    raise HostTimeout(f"the host {silent}", fix) from None

    def _handle(self, channel: Channel, message: messages.Message) -> None:
        match message:
            case messages.Beat():
                self._step = message.step[:STEP]
                conversation.tell(channel, "heard")
                self.sink(Progress(self.target.name, self._step, message.seconds, message.text[:STEP]))
            case messages.Hello():
                self._greet(channel, message)
            case messages.Started():
                self._step = f"{message.role}: {message.kind} {message.name}"[:STEP]
                self.sink(Progress(self.target.name, self._step))
            case messages.ResultMessage():
                self._report(message)
            case messages.Replan():
                self._replan(channel, message)
            case messages.Armed() | messages.Confirm():
                self._hold_on(channel, message)
            case messages.AnswerMessage() | messages.PreflightMessage() | messages.LookedMessage():
                self._answered(message)
            case messages.Refusal() | messages.Crash():
                raise conversation.blame(message)
            case messages.Bye():
                self._part()

    def _greet(self, channel: Channel, hello: messages.Hello) -> None:
        facts = self._facts = messages.facts(hello.facts)
        if isinstance(self.planner, Question):
            arguments = dict(self.planner.arguments(facts))
            self._say(channel, {"type": "ask", "question": self.planner.name, "arguments": arguments})
            return
        self.sink(HostFacts(self.target.name, hello.facts))
        if hello.interrupted:
            self.sink(Notice(messages.story(hello.interrupted), self.target.name))
        if hello.earlier is not None:
            self._recall(hello.earlier)
        if self.planner is None:
            nvml = {"type": "nvml", "modules": self._unsent(["pynvml"])}
            self._say(channel, nvml if facts.nvidia.driver_loaded else {"type": "end"})
            return
        stages = self.planner(facts)
        self._send_plan(channel, stages)

    def _answered(self, message: messages.AnswerMessage | messages.PreflightMessage | messages.LookedMessage) -> None:
        if isinstance(message, messages.LookedMessage):
            self.sink(Looked(self.target.name, message.seen))
            return
        if isinstance(message, messages.PreflightMessage):
            self._asks = False
            for event in message.events(self.target.name):
                self.sink(event)
            return
        assert isinstance(self.planner, Question), "an answer comes only in the state that a question leads to"
        assert self._facts is not None
        outcome, answer = self.planner.answered(self._facts, message.answer)
        self.sink(Answered(self.target.name, self.planner.name, outcome, answer))

    def _part(self) -> None:
        if self.received:
            self.sink(Notice(f"received {self.received / 1e6:.1f} MB of the bundle", self.target.name))
        if not self._cancelled:
            self._accounting.close(self._sent)

    def _recall(self, earlier: messages.Earlier) -> None:
        """This very run was here before, and its worker was lost: its changes count, and its failure is one."""
        for text in dict.fromkeys(earlier.changed):
            role, _, name = text.partition(": ")
            kind, _, name = name.partition(" ")
            note = "by this run already"
            self._told.add(text)
            self.sink(ResourceDone(self.target.name, role, kind, name, Outcome.CHANGED, note=note))
        if earlier.failed:
            failed = earlier.failed[-1]
            raise Refused(f"this run has failed here already, in {failed!r}", "run again to see why")

    def _replan(self, channel: Channel, message: messages.Replan) -> None:
        if message.stage <= self._planned_from:
            raise ProtocolError(f"the agent asked for stage {message.stage} anew, and once more")
        self._planned_from = message.stage
        if self.planner is None:  # facts with NVML
            self.sink(HostFacts(self.target.name, message.facts))
            self._say(channel, {"type": "end"})
            return
        if isinstance(self.planner, Question) or not 0 <= message.stage <= len(self._sent):
            raise ProtocolError(f"the agent asked for stage {message.stage} of {len(self._sent)} anew")
        self._sent = self._sent[: message.stage]  # the agent counts from the first stage of the first plan
        self._done = {stage.role for stage in self._sent}
        self.sink(HostFacts(self.target.name, message.facts))
        stages = [stage for stage in self.planner(messages.facts(message.facts)) if stage.role not in self._done]
        following = next((stage for stage in stages if stage.skipped is None), None)
        if following is not None and following.deferred is not None:
            raise Refused(
                f"{following.role} needs {following.deferred} in place, and it is not", "add that role, or run it first"
            )
        self._send_plan(channel, stages)

    def _send_plan(self, channel: Channel, stages: Sequence[Stage]) -> None:
        for stage in stages:
            if stage.skipped is not None and stage.role not in self._skipped:
                self._skipped.add(stage.role)
                self.sink(RoleSkipped(self.target.name, stage.role, Outcome.SKIPPED, stage.skipped))
            if stage.deferred is not None and self.run.check:
                note = f"known after {stage.deferred}"
                self.sink(
                    ResourceDone(self.target.name, stage.role, "role", stage.role, Outcome.WOULD_CHANGE, note=note)
                )
        active = [stage for stage in stages if stage.skipped is None and not (stage.deferred and self.run.check)]
        self._sent += active
        needed = [name for stage in active for resource in stage.resources for name in resource.modules]
        needed += [name for stage in active for name in stage.modules]
        active = active if self.run.bundle is None else self.run.bundle.with_keys(active)
        stages_sent = [stage.wired(self.run.closed()) for stage in active]
        plan: Plan = {"type": "plan", "modules": dict(self._unsent(needed)), "stages": stages_sent}
        plan["roles"] = list(stages[0].host_roles) if stages else []
        if self.run.preflight is not None:
            deferred = [stage.role for stage in stages if stage.deferred is not None]
            plan["preflight"] = self.run.preflight.wired(deferred)
            self._asks = bool(deferred)
        if self.run.bundle is not None and self._facts is not None:
            plan["bundle"] = self.run.bundle.told(self._facts)
        self._say(channel, plan)

    def _hand_out(self, channel: Channel, asked: messages.Listing | messages.Fetch) -> None:
        from provision.bundle import serving  # noqa: PLC0415 - few runs have a bundle

        if isinstance(asked, messages.Fetch):
            self._allowance.pieces(len(asked.pieces))
        self.received += serving.hand_out(asked, self.run.bundle, self._facts, channel.send)
        if self.run.bundle is not None and self.received > 2 * self.run.bundle.size:
            raise Garbled("the host asks for the bundle again and again")

    def _say(self, channel: Channel, word: "Plan | Ask | dict[str, Any]") -> None:
        self._state = protocol.controller_said(self._state, word["type"])
        channel.send(encode(dict(word)))

    def _hold_on(self, channel: Channel, message: messages.Armed | messages.Confirm) -> None:
        seconds = min(message.seconds, self.run.limits.confirm, self._left())
        if isinstance(message, messages.Armed):
            self._lifeline.arm(seconds)
            return
        self._step = "waiting for a new connection"
        self.sink(Progress(self.target.name, self._step))
        self._lifeline.reach(seconds)

    def _unsent(self, names: Sequence[str]) -> Mapping[str, str]:
        """Those modules that this agent does not have yet: it keeps them to its end."""
        new = tuple(sorted(set(names) - self._shipped))
        self._shipped |= set(new)
        return loader.modules(new)

    def _report(self, result: messages.ResultMessage) -> None:
        self._accounting.add(result, self._sent)
        if self.run.preflight is not None:
            self._asks = result.outcome == "would-change" or (self._asks and result.outcome == "ok")
        if result.outcome == "ok" and f"{result.role}: {result.kind} {result.name}" in self._told:
            return
        self.sink(result.event(self.target.name))
