"""What the agent may say, and when: validated here, because a host may lie.

`LEGAL` is the conversation: in each state, the messages that may come and the state they lead to. What is not in it is
a `ProtocolError`.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from provision.errors import ProtocolError
from provision.facts import Facts


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Earlier(_Message):
    """What the host's own record has of this very run: a controller before this one was lost. `ROLE: KIND NAME`."""

    changed: list[str]
    failed: list[str]


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


class WireError(_Message):
    cause: str
    fix: str
    output: str
    trace: str


class Result(_Message):
    type: Literal["result"]
    role: str
    kind: str
    name: str
    stage: int
    position: int
    outcome: Literal["ok", "changed", "would-change", "failed", "unknown"]
    diff: list[Difference]
    note: str
    error: WireError | None
    seconds: float
    proof: dict[str, Any] | None = None
    rolled_back: bool = False


class Replan(_Message):
    type: Literal["replan"]
    stage: int
    facts: dict[str, Any]


class Refusal(_Message):
    type: Literal["refused"]
    cause: str
    fix: str


class Crash(_Message):
    type: Literal["crash"]
    trace: str


class Bye(_Message):
    type: Literal["bye"]


Message = Hello | Beat | Started | Result | Replan | Refusal | Crash | Bye
_KINDS: dict[str, type[_Message]] = {
    kind.model_fields["type"].annotation.__args__[0]: kind  # type: ignore[union-attr]
    for kind in (Hello, Beat, Started, Result, Replan, Refusal, Crash, Bye)
}

LEGAL: dict[str, dict[str, str]] = {
    "waiting for hello": {"beat": "waiting for hello", "hello": "working", "refused": "over", "crash": "over"},
    "working": {
        "beat": "working",
        "started": "working",
        "result": "working",
        "replan": "working",
        "bye": "over",
        "refused": "over",
        "crash": "over",
    },
    "over": {},
}


def parse(raw: dict[str, Any]) -> Message:
    """One message of the agent, checked; ProtocolError where it is none."""
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


def _first(error: ValidationError) -> str:
    detail = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}"


def advance(state: str, message: Message) -> str:
    """The state after `message`; ProtocolError where it may not come now."""
    following = LEGAL[state].get(message.type)
    if following is None:
        raise ProtocolError(f"the agent said {message.type!r} while the controller was {state}")
    return following
