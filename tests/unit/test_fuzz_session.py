"""A host that says anything, in any order, without end: its own failure, in bounded memory, and clean output."""

import io
import json
import re
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from provision.agent.wire import HEADER, MAGIC, MARKER, encode
from provision.events import Event, RunStarted
from provision.facts import Facts
from provision.journal import codec
from provision.plan import Stage
from provision.questions.status import AskStatus
from provision.report import Output
from provision.report.facts import FactsTranscript
from provision.report.html import page
from provision.report.jsonlines import JsonLines
from provision.report.junit import junit
from provision.report.plain import Plain
from provision.report.record import Record
from provision.report.status import StatusTranscript
from provision.report.transcript import Transcript
from provision.resources import Directory
from provision.rollout import Job, Policy, Rollout
from provision.run import Run, TimeLimits
from provision.secrets import Mask, Secret
from provision.session import Session
from provision.target import Target
from tests.unit.report.conftest import NASTY
from tests.unit.test_fuzz_wire import VALUES, WHOLE
from tests.unit.test_session import FACTS, Channel, Connection

TEXTS = st.sampled_from(
    [
        NASTY,
        "\x9b31mred",
        "\x1b[6n",
        "\x85",
        "\u2028",
        "\ud800",
        "a\nb",
        "\r",
        "\t",
        "é",
        "",
        "x" * 300,
        "]]>",
        "</script>",
    ]
)
VALUE: st.SearchStrategy[Any] = VALUES | TEXTS | st.lists(TEXTS, max_size=3) | st.dictionaries(TEXTS, TEXTS, max_size=3)
KNOWN = {
    "hello": {"facts": FACTS},
    "replan": {"facts": FACTS},
    "result": {"diff": [{"key": "k", "before": "a", "after": "b"}]},
}
TEXT_FIELDS = ("role", "kind", "name", "note", "step", "text", "cause", "fix", "trace")


@st.composite
def spoken(draw: st.DrawFn) -> dict[str, Any]:
    """A message of the agent with something odd in it, mostly of the right type."""
    kind = draw(
        st.sampled_from(["result", "result", "beat", "started", "replan", "refused", "crash", "bye", "hello", "answer"])
    )
    message = {"type": kind} | WHOLE[kind] | KNOWN.get(kind, {})
    for name in list(message):
        if name in TEXT_FIELDS:
            message[name] = draw(TEXTS)
    if kind == "result":
        outcomes = ["ok", "changed", "would-change", "failed", "unknown"]
        error = {name: draw(TEXTS) for name in ("cause", "fix", "output", "trace")}
        difference = {"key": draw(TEXTS), "before": draw(VALUE), "after": draw(VALUE), "text": draw(st.none() | TEXTS)}
        proof = {"levels": {draw(TEXTS): draw(VALUE)}, "gpus": draw(VALUE)} if draw(st.booleans()) else None
        message |= {
            "outcome": draw(st.sampled_from(outcomes)), "error": draw(st.none() | st.just(error)),
            "diff": [difference], "proof": proof, "seconds": draw(st.floats(0, 1e300) | st.just(-1.0)),
        }  # fmt: skip
    if kind == "beat":
        message["seconds"] = draw(st.floats(allow_nan=False, allow_infinity=False))
    if draw(st.integers(0, 9)) == 0:
        message[draw(st.sampled_from(sorted(message)))] = draw(VALUE)
    return message


HELLOS = st.builds(
    lambda facts, story: {"type": "hello", "protocol": 1, "facts": facts, "interrupted": story},
    st.dictionaries(
        st.sampled_from(["os", "docker", "nvidia", "dgx", "hostname", "init", "kernel"]), VALUE, max_size=3
    ).map(lambda odd: FACTS | odd if len(odd) < 3 else FACTS),
    st.none() | st.fixed_dictionaries({}, optional={"run": VALUE, "role": TEXTS, "step": TEXTS, "error": VALUE}),
)
CONVERSATIONS = st.tuples(HELLOS, st.lists(spoken(), max_size=6))


def strict(line: str) -> Any:
    def refuse(text: str) -> Any:
        raise AssertionError(f"{text} is no JSON")

    return json.loads(line, parse_constant=refuse)


FOUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ud800-\udfff]")
"""What moves a cursor, sets a title, breaks a line or turns text round on a terminal."""


class OneHost:
    """A pool of one host that plays a script."""

    def __init__(self, script: list[bytes]) -> None:
        self.script = script

    def connect(self, target: Target) -> Connection:
        return Connection(Channel(*self.script))


def planned(facts: Facts) -> list[Stage]:
    return [Stage("r", (Directory(path="/x"),)), Stage("s", deferred="r")]


@settings(max_examples=100, deadline=None)
@given(conversation=CONVERSATIONS, verb=st.sampled_from(["apply", "facts", "status"]), masked=st.booleans())
@example(({"type": "hello", "protocol": 1, "facts": FACTS, "interrupted": {"run": [1]}}, []), "apply", False)
@example(
    ({"type": "hello", "protocol": 1, "facts": FACTS, "interrupted": {"run": {"id": 1}, "step": 3}}, []), "apply", False
)
def test_whatever_a_host_says_the_run_ends_and_every_view_of_it_is_clean(
    conversation: tuple[Any, list[Any]], verb: str, masked: bool
) -> None:
    hello, messages = conversation
    script = [MARKER + b"".join(map(encode, [hello, *messages]))]
    events = list[Event]()
    question = AskStatus([]) if verb == "status" else None
    run = Run("R", "me@here", verb != "apply", facts_only=verb != "apply")
    job = Job(Target("h1", "h1"), (), {}, question=question)
    mask = Mask([Secret("s3cret")] if masked else [])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Job, "stages", lambda self, facts: planned(facts))
        summary = Rollout(run, verb, [job], events.append, mask, 1, Policy()).execute(OneHost(script))  # type: ignore[arg-type]
    error = summary.hosts["h1"].error
    assert error is None or not error.trace.startswith("Traceback"), error.trace
    views(events, verb)


def views(events: list[Event], verb: str) -> None:
    story = {"status": StatusTranscript(verbose=True), "facts": FactsTranscript()}.get(
        verb, Transcript(diff=True, verbose=True)
    )
    plain, lines = io.StringIO(), io.StringIO()
    record = Record()
    for event in events:
        for listener in (Plain(Output(plain), story), JsonLines(Output(lines)), record):
            listener(event)
        if not isinstance(event, RunStarted) and type(event).__name__ != "Progress":
            strict(json.dumps(codec.encode(event), default=codec.plain))
    assert FOUL.search(plain.getvalue()) is None
    assert strict(lines.getvalue().splitlines()[-1])["type"] == "summary"
    for line in lines.getvalue().splitlines():
        strict(line)
    ElementTree.fromstring(junit(record).encode("utf-8"))
    page(record).encode("utf-8")


# -- without end


def hold(channel: Channel, planner: Any, **limits: Any) -> list[Event]:
    events = list[Event]()
    run = Run("r1", "me@here", False, limits=TimeLimits(**limits))
    Session(Target("h1", "h1"), Connection(channel), planner, run, events.append, threading.Event()).execute()
    return events


ENDLESS = """
import resource, sys, threading
from provision.agent.wire import HEADER, MAGIC, MARKER, encode
from provision.errors import HostError, ProtocolError
from provision.session import Run, Session
from provision.target import Target
from tests.unit.test_session import FACTS, HELLO, Connection, Channel, result

class Endless(Channel):
    def __init__(self, first, again):
        super().__init__()
        self.pieces, self.again = [first], again
    def send(self, data):
        self.sent = b""
    def receive(self, timeout):
        return self.pieces.pop() if self.pieces else self.again

beat = encode({"type": "beat", "step": "s", "seconds": 1.0, "text": "x" * 1000})
frame = HEADER.pack(MAGIC, 64 * 1024 * 1024)
floods = {
    "beats": (MARKER + HELLO, beat * 60),
    "results": (MARKER + HELLO, result(note="x" * 1000) * 60),
    "a frame": (MARKER + HELLO + frame, b" " * 65536),
    "values": (MARKER + HELLO + HEADER.pack(MAGIC, 8_000_000), b"[]," * 20000),
    "a login": (b"motd", b"x" * 65536),
    "replans": (MARKER + HELLO, encode({"type": "replan", "stage": 0, "facts": FACTS}) * 60),
}
first, again = floods[sys.argv[1]]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
kept = []
session = Session(Target("h1", "h1"), Connection(Endless(first, again)), lambda facts: [], Run("r", "me", False),
                  kept.append, threading.Event())
try:
    session.execute()
except (HostError, ProtocolError) as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize(
    ("flood", "words"),
    [
        ("beats", "says more than we take"),
        ("results", "which was not planned"),
        ("a frame", "over the limit of 8388608"),
        ("values", "says more than we take"),
        ("a login", "prints without end"),
        ("replans", "asked for stage 0 anew, and once more"),
    ],
)
def test_a_host_that_never_stops_is_that_hosts_failure_in_bounded_memory(flood: str, words: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ENDLESS, flood], capture_output=True, text=True, timeout=120, check=True
    )
    *said, grown = ended.stdout.splitlines()
    assert words in "\n".join(said), ended.stderr
    assert int(grown) < 150, "MiB"


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        (HEADER.pack(MAGIC, 2**32 - 1), False),
        (HEADER.pack(MAGIC, 200_000) + b"[" * 200_000, False),
        (HEADER.pack(MAGIC, 2) + b"\xff\xff", False),
        (b"Segmentation fault", False),
        (encode({"type": "answer", "answer": {}}), True),
    ],
)
def test_what_no_agent_sends_is_the_hosts_matter_and_not_a_bug_of_ours(said: bytes, ours: bool) -> None:
    job = Job(Target("h1", "h1"), (), {})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Job, "stages", lambda self, facts: planned(facts))
        script = [MARKER + encode({"type": "hello", "protocol": 1, "facts": FACTS, "interrupted": None}) + said]
        run, mask = Run("R", "me@here", False), Mask([])
        summary = Rollout(run, "apply", [job], lambda e: None, mask, 1, Policy()).execute(OneHost(script))  # type: ignore[arg-type]
    error = summary.hosts["h1"].error
    assert error is not None
    assert ("bug of provision" in error.fix) is ours, error
