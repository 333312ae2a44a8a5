"""Which word may be said when, by whom: the order of a conversation. Both ends import this one file.

One table for each side: in each state its legal words, and the state that each leads to. Both ends keep the state, and
move it on with what they say and with what they hear; what is not in the table is OutOfTurn on the end that meets it.
What a word carries is in types.py (the controller's) and provision/messages.py (the agent's).
"""

START, REQUEST, PLAN, NVML, ANSWER, WORK, BYE, OVER = (
    "waiting for hello",
    "waiting for a request",
    "waiting for a plan",
    "reading NVML",
    "answering a question",
    "working",
    "waiting for bye",
    "over",
)
ENDS = {"refused": OVER, "crash": OVER}
"""Said at any time, with why."""
AGENT = {
    START: dict(ENDS, beat=START, hello=REQUEST),
    REQUEST: dict(ENDS, beat=REQUEST),
    PLAN: dict(ENDS, beat=PLAN),
    NVML: dict(ENDS, beat=NVML, replan=PLAN),
    ANSWER: dict(ENDS, beat=ANSWER, answer=BYE),
    WORK: dict(
        ENDS,
        beat=WORK,
        started=WORK,
        result=WORK,
        looked=WORK,
        preflight=WORK,
        armed=WORK,
        confirm=WORK,
        replan=PLAN,
        listing=WORK,
        fetch=WORK,
        bye=OVER,
    ),
    BYE: dict(ENDS, beat=BYE, bye=OVER),
    OVER: ENDS,
}
"""Where the host only says that it was reached (`confirms`), the conversation begins in BYE."""
CONTROLLER = {
    START: {},
    REQUEST: {"plan": WORK, "ask": ANSWER, "nvml": NVML, "end": BYE},
    PLAN: {"plan": WORK, "end": BYE},
    NVML: {},
    ANSWER: {},
    WORK: {"listing": WORK, "piece": WORK, "lost": WORK},
    BYE: {},
    OVER: {},
}
ANY_TIME = ("heard", "cancel")
"""What the controller may say in each state: they cross with the agent's words on the wire, and change nothing."""


class OutOfTurn(Exception):
    """A word that may not come now."""


def agent_said(state: str, word: str) -> str:
    """The state after a word of the agent's."""
    return _next(AGENT, "agent", state, word)


def controller_said(state: str, word: str) -> str:
    """The state after a word of the controller's."""
    return state if word in ANY_TIME else _next(CONTROLLER, "controller", state, word)


def _next(table: "dict[str, dict[str, str]]", who: str, state: str, word: str) -> str:
    if word not in table[state]:
        raise OutOfTurn("the {} said {!r:.80} in the state {!r}".format(who, word, state))
    return table[state][word]
