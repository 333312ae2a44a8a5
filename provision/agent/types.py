"""Types alone: the dicts that cross the wire and those that kinds hand to the engine. Nothing imports this at run time.

Both ends import it below `if TYPE_CHECKING`; to a host `typing` would cost 5 ms. All of it is what JSON has.
"""

from typing import Any, Dict, List, NotRequired, Protocol, Tuple, TypedDict  # novm

State = Dict[str, Any]
"""What a kind's `desired` and `actual` return: the docstring of each has its keys."""
Diff = Dict[str, Tuple[Any, Any]]
"""{key of the state: (actual, desired)}; None means absent."""
Record = Dict[str, Any]
"""One record of state.json (host/shapes.py has what each holds), or of the lock."""


Process = List[Any]
"""[boot id, PID, start ticks]: no other process of any time has the same."""
Undo = Tuple[str, Dict[str, Any]]
"""Kind and fields of the resource that undoes another one."""


class Link(Protocol):
    """The wire's end on the host, run/link.py, as those below it know it."""

    cancelled: bool

    def send(self, message: "Dict[str, Any]") -> None: ...
    def step(self, text: str) -> None: ...
    def progress(self, text: str) -> None: ...


class Who(TypedDict, total=False):
    """Which run this is, for whoever finds it at work or its traces."""

    id: str
    by: str
    comment: str
    spread: bool


class ReviewedPlan(TypedDict):
    """What was reviewed. `seen`: {ROLE: KIND NAME: [asked, found, stops]}, or None for the look that will be reviewed;
    `later`: roles that could not be planned then."""

    salt: str
    seen: "Dict[str, List[str]] | None"
    later: List[str]


class Options(TypedDict):
    """What the agent is started with: provision/run.py makes it."""

    check: bool
    facts_only: bool
    confirm: float
    confirms: bool
    run: Who
    settle: bool
    state: str
    reviewed: "NotRequired[ReviewedPlan]"


class Item(TypedDict):
    """One resource as it travels and as it is remembered."""

    kind: str
    fields: Dict[str, Any]


class Disrupt(TypedDict):
    """By service: may its users be disturbed (never, idle, always), by which setting; `closed`: why nothing may now."""

    policies: Dict[str, Tuple[str, str]]
    closed: "str | None"


class StagePlan(TypedDict):
    """One stage of a plan. `replan`: fresh facts are needed before it. `needs`: roles that must not wait.

    `remove`: what the host remembers of the role goes.
    """

    role: str
    replan: bool
    remove: bool
    transaction: bool
    needs: List[str]
    disrupt: Disrupt
    resources: List[Item]


class Asks(TypedDict):
    """What the preflight's questions are about and the host cannot know."""

    storage_driver: "str | None"
    containerd_store: "bool | None"
    data_root: "str | None"
    deferred: List[str]


class Plan(TypedDict):
    """The controller's word `plan`. `modules`: {name: zlib, in base64} of those that this agent has not yet; `roles`:
    all that the host is asked for, or [] where that is not told."""

    type: str
    modules: Dict[str, str]
    stages: List[StagePlan]
    roles: "NotRequired[List[str]]"
    preflight: "NotRequired[Asks]"
    bundle: "NotRequired[Dict[str, Any]]"


class Ask(TypedDict):
    """The controller's word `ask`: a question in place of a plan. `nvml` and `end`, `heard` and `cancel` carry less."""

    type: str
    question: str
    arguments: Dict[str, Any]


class Difference(TypedDict, total=False):
    """One key of a diff as people may see it; `text` is a unified diff, in place of both values."""

    key: str
    before: Any
    after: Any
    text: str


class ErrorReport(TypedDict):
    """What was the matter (one sentence), what to do, the command's last words, and a traceback where it is a bug."""

    cause: str
    fix: str
    output: str
    trace: str


class Impact(TypedDict):
    """What a change does to others on the host (engine/impact.py); the last three are filled in by run/disruption.py.

    `level`: none, reload or restart; `why`: keys and files; `systemd`: it reads its configuration anew; `survive`:
    containers outlive the restart; `effect`: a clause for people. `service`: the one that others use; `users`: who,
    where it is not Docker.
    """

    service: str
    users: List[str]
    level: str
    why: List[str]
    systemd: bool
    survive: bool
    containers: List[Dict[str, Any]]
    processes: List[Dict[str, Any]]
    effect: str


class Judged(TypedDict):
    """The answer to one question before a change. `verdict`: pass, warn, fail, unknown, n/a."""

    question: str
    verdict: str
    text: str
    fix: str


class ResourceResult(TypedDict):
    """How it went with one resource, as the engine tells the stage. `waits` (why) and `cuts` do not travel."""

    outcome: str
    diff: List[Difference]
    note: str
    impact: "Impact | None"
    error: "ErrorReport | None"
    proof: "Dict[str, Any] | None"
    seconds: float
    rolled_back: bool
    waits: str
    cuts: bool
