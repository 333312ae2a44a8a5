"""What the agent's words carry: validated here, because a host may lie. When each may be said: agent/protocol.py."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from provision import events
from provision.errors import ProtocolError
from provision.facts import Facts

Wait = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""Seconds; how long we really wait is for our own limits to say."""


Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
SENTENCE = 20_000
Sentence = Annotated[str, AfterValidator(lambda text: text[:SENTENCE])]
"""It is told in many places."""
Names = Annotated[list[str], Field(max_length=1000)]
"""The record of a run on a host has fifty."""
Count = Annotated[int, Field(ge=0)]
Length = Annotated[int, Field(ge=0, le=8 << 20)]
"""Bytes."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Earlier(_Message):
    """What the host's own record has of this very run: a controller before this one was lost. `ROLE: KIND NAME`."""

    changed: Names
    failed: Names


class Hello(_Message):
    type: Literal["hello"]
    protocol: Literal[1]
    facts: dict[str, Any]
    interrupted: dict[str, Any] | None
    earlier: Earlier | None = None


class Beat(_Message):
    type: Literal["beat"]
    step: str
    seconds: float
    text: str


class Started(_Message):
    type: Literal["started"]
    role: str
    kind: str
    name: str
    stage: int
    position: int


class Difference(_Message):
    key: str
    before: Any
    after: Any
    text: str | None = None


class ErrorReport(_Message):
    cause: Sentence
    fix: Sentence
    output: str
    trace: str


class Impact(_Message):
    """What a change does to others on the host: see agent/engine/impact.py."""

    service: str = "docker"
    users: list[str] = []
    level: Literal["none", "reload", "restart"]
    why: list[str]
    systemd: bool
    survive: bool
    containers: list[dict[str, Any]]
    processes: list[dict[str, Any]]
    effect: str


class ResultMessage(_Message):
    type: Literal["result"]
    role: str
    kind: str
    name: str
    stage: int
    position: int
    outcome: Literal["ok", "changed", "would-change", "pending", "failed", "unknown"]
    diff: list[Difference]
    note: str
    impact: Impact | None = None
    error: ErrorReport | None
    seconds: float
    proof: dict[str, Any] | None = None
    rolled_back: bool = False

    def event(self, host: str) -> events.ResourceDone:
        """The same as this host's event."""
        return events.ResourceDone(
            host=host,
            role=self.role,
            kind=self.kind,
            name=self.name,
            outcome=events.Outcome(self.outcome),
            diff=tuple(item.model_dump() for item in self.diff),
            note=self.note,
            seconds=self.seconds,
            error=events.Error(**self.error.model_dump()) if self.error else None,
            proof=self.proof,
            impact=self.impact.model_dump() if self.impact else None,
            rolled_back=self.rolled_back,
        )


class Judged(_Message):
    """One question before a change, and what the host makes of it."""

    question: str
    verdict: Literal["pass", "warn", "fail", "unknown", "n/a"]
    text: str
    fix: str


class PreflightMessage(_Message):
    type: Literal["preflight"]
    answers: list[Judged]

    def events(self, host: str) -> list[events.Preflight]:
        """The answers as this host's events."""
        return [
            events.Preflight(host, item.question, events.Verdict(item.verdict), item.text, item.fix)
            for item in self.answers
        ]


class LookedMessage(_Message):
    """The digests of what a check saw, for a plan that is going to be reviewed: asked, found, stops."""

    type: Literal["looked"]
    seen: dict[str, tuple[str, str, str]]


class Replan(_Message):
    type: Literal["replan"]
    stage: int
    facts: dict[str, Any]


class AnswerMessage(_Message):
    """To a question that was asked in place of a plan; its contents are checked by that question."""

    type: Literal["answer"]
    answer: dict[str, Any]


class Refusal(_Message):
    type: Literal["refused"]
    cause: Sentence
    fix: Sentence


class Crash(_Message):
    type: Literal["crash"]
    trace: str

    @property
    def last(self) -> str:
        """The line of the trace that says what was the matter."""
        return (self.trace.strip().splitlines() or ["without a trace"])[-1]


class Armed(_Message):
    """A change that can cut the host off comes now; it will wait so many seconds for a new connection."""

    type: Literal["armed"]
    seconds: Wait


class Confirm(_Message):
    """The change was made: somebody must show within so many seconds that a new connection reaches the host."""

    type: Literal["confirm"]
    seconds: Wait


class Listing(_Message):
    """The host asks what the bundle has for it."""

    type: Literal["listing"]


class Fetch(_Message):
    """The host asks for pieces of files of the bundle: sha256, offset and length in bytes of each."""

    type: Literal["fetch"]
    pieces: Annotated[list[tuple[Digest, Count, Length]], Field(max_length=64)]


class Bye(_Message):
    type: Literal["bye"]


Message = (
    Hello
    | Beat
    | Started
    | ResultMessage
    | LookedMessage
    | PreflightMessage
    | Replan
    | AnswerMessage
    | Armed
    | Confirm
    | Refusal
    | Crash
    | Listing
    | Fetch
    | Bye
)
_KINDS: dict[str, type[_Message]] = {
    kind.model_fields["type"].annotation.__args__[0]: kind for kind in get_args(Message)
}


def parse(raw: dict[str, Any]) -> Message:
    """One message of the agent, checked; ProtocolError where it is none. How much it is, allowance.py has seen to."""
    kind = _KINDS.get(raw["type"])
    if kind is None:
        raise ProtocolError(f"the agent said {raw['type']!r:.80}, which is nothing that an agent says")
    try:
        return kind.model_validate(raw)  # type: ignore[return-value]
    except ValidationError as error:
        raise ProtocolError(f"the agent's {raw['type']} message is malformed: {_first(error)}") from None


def facts(raw: dict[str, Any]) -> Facts:
    """A host's facts, checked."""
    try:
        return Facts.model_validate(raw)
    except ValidationError as error:
        raise ProtocolError(f"the host's facts are malformed: {_first(error)}") from None


def story(interrupted: Mapping[str, Any]) -> str:
    """What is known of a run that nobody heard the end of, as a sentence."""
    found = interrupted.get("run")
    run = found if isinstance(found, dict) else {}
    who = f"run {run.get('id')} of {run.get('by')}"
    if undone := interrupted.get("undone"):
        # A record of release 0.1 has no `left`.
        left = interrupted.get("left") or str(undone).startswith("left as it is")
        return f"a change of {who} was {'' if left else 'put back: '}{undone}"
    if interrupted.get("step") is None:
        return f"{who} died on this host: it was killed, or the host went down"
    error = interrupted.get("error")
    ended = f"which failed: {error.get('cause')}" if isinstance(error, dict) else "which it brought to its end"
    return f"{who} was cut off in the step {interrupted.get('step')!r}, {ended}"


def _first(error: ValidationError) -> str:
    detail = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}"
