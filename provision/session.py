"""One host, one channel: open, sudo, marker, hello, plan, events, bye.

The law: the session owns the conversation and its time limits, and nothing else (the login is login.py's). It believes
nothing that `messages.py` has not checked, and names the step in which a host hangs.
"""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event as Flag
from typing import Any

from provision import bundle, messages
from provision.agent.wire import Decoder, WireError, encode
from provision.errors import ConnectionLost, HostError, HostTimeout, ProtocolError, Refused
from provision.events import Error, HostFacts, Notice, Outcome, Progress, ResourceDone, RoleSkipped, Sink
from provision.facts import Facts
from provision.login import Login
from provision.plan import Stage
from provision.target import Target
from provision.transport import Channel, Connection

Planner = Callable[[Facts], Sequence[Stage]]

SLICE = 0.5
"""Seconds between two looks at the cancel flag."""


@dataclass(frozen=True)
class Limits:
    """Seconds. `silence` is six missed beats of the agent."""

    login: float = 60.0
    silence: float = 30.0
    host: float = 3600.0


@dataclass(frozen=True)
class Run:
    """What all sessions of one run share."""

    id: str
    by: str
    """user@host of the controller, shown to whom finds the host locked."""
    check: bool
    facts_only: bool = False
    limits: Limits = Limits()
    state: str = "/var/lib/provision"
    """The agent's directory on the host: root's, 0700."""

    def options(self) -> dict[str, Any]:
        """For the agent."""
        return {
            "check": self.check,
            "facts_only": self.facts_only,
            "run": {"id": self.id, "by": self.by},
            "state": self.state,
        }


class Interrupted(HostError):
    """Ctrl-C: the resource in hand was brought to its end, or the host was left to do that alone."""


@dataclass
class Session:
    """A conversation with one host's agent. `run()` once."""

    target: Target
    connection: Connection
    planner: Planner | None
    """None: only the facts are wanted."""
    run: Run
    sink: Sink
    cancel: Flag
    _state: str = field(default="waiting for hello", init=False)
    _step: str = field(default="login", init=False)
    _sent: list[Stage] = field(default_factory=list, init=False)
    _done: set[str] = field(default_factory=set, init=False)
    _skipped: set[str] = field(default_factory=set, init=False)
    _shipped: set[str] = field(default_factory=set, init=False)
    _cancelled: bool = field(default=False, init=False)

    def execute(self) -> None:
        """Hold the whole conversation. What happened goes to the sink; raises HostError or ProtocolError."""
        silent = f"did not start our loader within {self.run.limits.login:g} s"
        login = Login(self.target, bundle.block(self.run.options()))
        channel = self.connection.open(login.command)  # kind `openssh` connects here, and may wait for its turn
        deadline = time.monotonic() + self.run.limits.host
        login_ends = time.monotonic() + self.run.limits.login
        try:
            rest = login.hold(channel, lambda: self._receive(channel, login_ends, silent))
            try:
                self._converse(channel, rest, deadline)
            except ConnectionLost as error:  # the transport knows how it ended, and we in which step
                cause = f"{error.cause} in the step {self._step!r}"
                raise ConnectionLost(cause, f"the host ends that step by itself; {error.fix}") from None
        finally:
            channel.close()

    # -- conversation

    def _converse(self, channel: Channel, rest: bytes, deadline: float) -> None:
        decoder = Decoder()
        heard = time.monotonic()
        data = rest
        while self._state != "over":
            for message in _decoded(decoder, data):
                self._state = messages.advance(self._state, message)
                self._handle(channel, message)
            if self._state == "over":
                break
            limit = min(deadline, heard + self.run.limits.silence)
            data = self._receive(
                channel, limit, f"went silent in the step {self._step!r}", f"in the step {self._step!r}"
            )
            if not data:
                if self._cancelled:
                    break
                raise ConnectionLost("the connection ended", "run again to see where it stands")
            heard = time.monotonic()
            if heard > deadline:
                raise HostTimeout(
                    f"took longer than {self.run.limits.host:g} s, in the step {self._step!r}", "raise --timeout"
                )
        if self._cancelled:
            raise Interrupted(f"interrupted in the step {self._step!r}", "run again to converge")

    def _receive(self, channel: Channel, deadline: float, silent: str, where: str = "before the agent ran") -> bytes:
        """The next bytes, b"" at the end. HostTimeout with `silent` past the deadline; a cancel is passed on once."""
        while True:
            if self.cancel.is_set() and not self._cancelled:
                self._cancelled = True
                if self._state == "waiting for hello":
                    raise Interrupted(f"interrupted {where}", "nothing was changed")
                _tell(channel, "cancel")
            try:
                return channel.receive(min(SLICE, max(0.01, deadline - time.monotonic())))
            except TimeoutError:
                if time.monotonic() >= deadline:
                    fix = "log in by hand and look: a hung disk or network file system, or a host out of memory"
                    raise HostTimeout(f"the host {silent}", fix) from None

    def _handle(self, channel: Channel, message: messages.Message) -> None:
        match message:
            case messages.Beat():
                self._step = message.step
                _tell(channel, "heard")
                self.sink(Progress(self.target.name, message.step, message.seconds, message.text))
            case messages.Hello():
                self._greet(channel, message)
            case messages.Started():
                self._step = f"{message.role}: {message.kind} {message.name}"
                self.sink(Progress(self.target.name, self._step))
            case messages.Result():
                self._report(message)
            case messages.Replan():
                self._replan(channel, message)
            case messages.Refusal():
                raise Refused(message.cause, message.fix)
            case messages.Crash():
                raise ProtocolError(f"the agent crashed: {message.trace.strip().splitlines()[-1]}\n{message.trace}")
            case messages.Bye():
                pass

    def _greet(self, channel: Channel, hello: messages.Hello) -> None:
        self.sink(HostFacts(self.target.name, hello.facts))
        if hello.interrupted:
            self.sink(Notice(_story(hello.interrupted), self.target.name))
        facts = messages.facts(hello.facts)
        if self.planner is None:
            nvml = {"type": "nvml", "modules": self._unsent(["pynvml"])}
            channel.send(encode(nvml if facts.nvidia.driver_loaded else {"type": "end"}))
            return
        stages = self.planner(facts)
        self._send_plan(channel, stages)

    def _replan(self, channel: Channel, message: messages.Replan) -> None:
        if self.planner is None and self._shipped:
            self.sink(HostFacts(self.target.name, message.facts))
            channel.send(encode({"type": "end"}))
            return
        if self.planner is None or not 0 <= message.stage <= len(self._sent):
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
        plan = {"type": "plan", "modules": self._unsent(needed), "stages": [_wired(stage) for stage in active]}
        channel.send(encode(plan))

    def _unsent(self, names: Sequence[str]) -> Mapping[str, str]:
        """Those modules that this agent does not have yet: it keeps them to its end."""
        new = tuple(sorted(set(names) - self._shipped))
        self._shipped |= set(new)
        return bundle.modules(new)

    def _report(self, result: messages.Result) -> None:
        error = Error(**result.error.model_dump(exclude={"type"})) if result.error else None
        self.sink(
            ResourceDone(
                host=self.target.name,
                role=result.role,
                kind=result.kind,
                name=result.name,
                outcome=Outcome(result.outcome),
                diff=tuple(item.model_dump(exclude_none=False) for item in result.diff),
                note=result.note,
                seconds=result.seconds,
                error=error,
                proof=result.proof,
                rolled_back=result.rolled_back,
            )
        )


def _tell(channel: Channel, word: str) -> None:
    """Say what needs no answer. To an agent that has ended meanwhile it does not matter: its last words, or the way it
    ended, are still to be read."""
    with contextlib.suppress(ConnectionLost):
        channel.send(encode({"type": word}))


def _wired(stage: Stage) -> dict[str, Any]:
    resources = [{"kind": resource.kind, "fields": resource.fields()} for resource in stage.resources]
    return {
        "role": stage.role,
        "replan": stage.deferred is not None,
        "transaction": stage.transaction,
        "resources": resources,
    }


def _decoded(decoder: Decoder, data: bytes) -> list[messages.Message]:
    try:
        return [messages.parse(raw) for raw in decoder.feed(data)]
    except WireError as error:
        raise ProtocolError(str(error)) from None


def _story(interrupted: Mapping[str, Any]) -> str:
    run = interrupted.get("run") or {}
    if interrupted.get("step") is None:
        return f"run {run.get('id')} of {run.get('by')} died on this host: it was killed, or the host went down"
    error = interrupted.get("error")
    ended = f"which failed: {error.get('cause')}" if isinstance(error, dict) else "which it brought to its end"
    return f"run {run.get('id')} of {run.get('by')} was cut off in the step {interrupted.get('step')!r}, {ended}"
